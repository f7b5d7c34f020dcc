package milter_test

import (
	"math"
	"strings"
	"testing"

	"spamreport-milter/milter"
)

// verdict sends one message with these header fields past the rules.
func verdict(t *testing.T, rules []milter.Rule, fields ...string) (tag string, ambiguous bool) {
	t.Helper()
	s := serve(t, milter.Config{Rules: rules})
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	var msg mail
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		msg.header = append(msg.header, [2]string{name, value})
	}
	m.deliver(msg, "ID")
	if all := s.all(); len(all) == 1 {
		tag = all[0].Reporter
	}
	return tag, s.Stats().Ambiguous > 0
}

// What the filters write, as their sources or their installed versions do.
func TestDefaultRules(t *testing.T) {
	tests := []struct {
		name   string
		fields []string
		tag    string
	}{
		{"SpamAssassin 3.4 spam", []string{"X-Spam-Flag: YES", "X-Spam-Level: ********",
			"X-Spam-Status: Yes, score=8.1 required=5.0 tests=BAYES_99,\n\tHTML_MESSAGE autolearn=no\n\tautolearn_force=no version=3.4.6"}, "X-Spam-Flag"},
		{"SpamAssassin 3.4 ham", []string{"X-Spam-Level: *",
			"X-Spam-Status: No, score=1.3 required=5.0 tests=NONE"}, ""},
		{"SpamAssassin 2 spam", []string{"X-Spam-Status: Yes, hits=8.1 required=5.0"}, "X-Spam-Status"},
		{"amavis spam", []string{"X-Virus-Scanned: Debian amavisd-new at mx", "X-Spam-Flag: YES", "X-Spam-Score: 7.3",
			"X-Spam-Level: *******", "X-Spam-Status: Yes, score=7.3 tagged_above=2 required=6.31\n\ttests=[BAYES_99=3.5]"}, "X-Spam-Flag"},
		{"amavis ham over the first level", []string{"X-Spam-Flag: NO", "X-Spam-Score: 2.3",
			"X-Spam-Status: No, score=2.3 tagged_above=2 required=6.31"}, ""},
		{"rspamd add header", []string{"X-Spam: Yes"}, "X-Spam"},
		{"rspamd below", []string{"X-Spamd-Result: default: False [3.10 / 15.00];\n\tMIME_HTML(0.1)[]", "X-Rspamd-Action: no action"}, ""},
		{"rspamd x-spam-status", []string{"X-Spam-Status: Yes, score=9.50"}, "X-Spam-Status"},
		{"case", []string{"x-SPAM-flag: yes"}, "X-Spam-Flag"},
		{"no space", []string{"X-Spam-Flag:YES"}, "X-Spam-Flag"},
		{"folded first", []string{"X-Spam-Status:\n Yes, score=9"}, "X-Spam-Status"},
		{"other word", []string{"X-Spam-Flag: Yesterday"}, ""},
		{"empty", []string{"X-Spam-Flag:"}, ""},
		{"other field", []string{"X-Spam-Flags: YES", "X-Spa: Yes", "Subject: X-Spam-Flag: YES"}, ""},
		{"none", []string{"Subject: hi"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tag, _ := verdict(t, nil, tt.fields...); tag != tt.tag {
				t.Errorf("tag %q, want %q", tag, tt.tag)
			}
		})
	}
}

func TestContradictionIsNoTag(t *testing.T) {
	tests := []struct {
		name      string
		fields    []string
		tag       string
		ambiguous bool
	}{
		{"sender YES, filter NO", []string{"X-Spam-Flag: YES", "X-Spam-Flag: NO"}, "", true},
		{"sender NO, filter YES", []string{"X-Spam-Flag: NO", "X-Spam-Flag: YES"}, "", true},
		{"both YES", []string{"X-Spam-Flag: YES", "X-Spam-Flag: YES"}, "X-Spam-Flag", false},
		{"flag the sender's, status the filter's", []string{"X-Spam-Flag: YES", "X-Spam-Status: No, score=1"}, "", true},
		{"another filter's word does not count", []string{"X-Spam-Status: No, score=1", "X-Spam: Yes"}, "X-Spam", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tag, ambiguous := verdict(t, nil, tt.fields...)
			if tag != tt.tag || ambiguous != tt.ambiguous {
				t.Errorf("tag %q, ambiguous %v; want %q, %v", tag, ambiguous, tt.tag, tt.ambiguous)
			}
		})
	}
}

func TestRules(t *testing.T) {
	level := milter.Rule{Field: "X-Spam-Level", Level: 5}
	bar := milter.Rule{Field: "X-Spamd-Bar", Level: 3}
	score := milter.Rule{Field: "X-Spam-Score", Score: 7.3}
	status := milter.Rule{Field: "X-Spam-Status", Score: 7}
	result := milter.Rule{Field: "X-Spamd-Result", Score: 6}
	tests := []struct {
		rule  milter.Rule
		value string
		want  bool
	}{
		{level, " *****", true},
		{level, " ******", true},
		{level, " ****", false},
		{level, " **** *", false},
		{level, "", false},
		{bar, "+++", true},
		{bar, "----", false},
		{bar, "/", false},
		{score, " 7.3", true},
		{score, " 7.29", false},
		{score, " 7.300 / 15", true},
		{score, " +8", true},
		{score, " -8", false},
		{score, " 7.3 (*******) BAYES_99", true},
		{score, " 1e9", false},
		{score, " 9.9.9", false},
		{score, " high", false},
		{score, " NaN", false},
		{score, "", false},
		{status, " No, score=7.2 required=15", true},
		{status, " No, hits=7.2 required=15", true},
		{status, " No, SCORE=6.9 required=15", false},
		{status, " No, spamscore=99 score=1", false},
		{status, " No", false},
		{result, " default: True [15.00 / 15.00]; X(1.0)[]", true},
		{result, " default: False [6.00 / 15.00];\n\tX(9.0)[99]", true},
		{result, " default: False [-1.20 / 15.00]; X(9.0)[99]", false},
		{milter.Rule{Field: "X-Bogosity", Value: "Spam"}, " Spam, tests=bogofilter", true},
		{milter.Rule{Field: "X-Bogosity", Value: "Spam"}, " Unsure, tests=bogofilter", false},
		{milter.Rule{Field: "X-Rspamd-Action", Value: "add header"}, " add header", true},
	}
	for _, tt := range tests {
		t.Run(tt.rule.Field+tt.value, func(t *testing.T) {
			tag, _ := verdict(t, []milter.Rule{tt.rule}, tt.rule.Field+":"+tt.value)
			if (tag != "") != tt.want {
				t.Errorf("tag %q, want one: %v", tag, tt.want)
			}
		})
	}
}

// A threshold below the filter's own is not overruled by the filter's word.
func TestThresholdBesideWord(t *testing.T) {
	rules := append(milter.DefaultRules(), milter.Rule{Field: "X-Spam-Status", Score: 4})
	if tag, _ := verdict(t, rules, "X-Spam-Status: No, score=4.5 required=5"); tag != "X-Spam-Status" {
		t.Errorf("tag %q", tag)
	}
	if tag, ambiguous := verdict(t, rules, "X-Spam-Status: No, score=4.5", "X-Spam-Status: No, score=0.1"); tag != "" || !ambiguous {
		t.Errorf("two scores: tag %q, ambiguous %v", tag, ambiguous)
	}
}

func TestNoRules(t *testing.T) {
	if tag, _ := verdict(t, []milter.Rule{}, "X-Spam-Flag: YES"); tag != "" {
		t.Errorf("tag %q without rules", tag)
	}
}

func TestRuleCheck(t *testing.T) {
	tests := []struct {
		rule milter.Rule
		want string
	}{
		{milter.Rule{Field: "X-Spam-Flag", Value: "YES"}, ""},
		{milter.Rule{Value: "YES"}, "field is missing"},
		{milter.Rule{Field: "X-Spam-Flag:", Value: "YES"}, `"X-Spam-Flag:" is no header field name`},
		{milter.Rule{Field: "X Spam", Value: "YES"}, `"X Spam" is no header field name`},
		{milter.Rule{Field: "X-Spam-Flag"}, "give one of value, level and score"},
		{milter.Rule{Field: "X-Spam-Flag", Value: "YES", Level: 1}, "give one of value, level and score"},
		{milter.Rule{Field: "X-Spam-Level", Level: -1}, "must be positive"},
		{milter.Rule{Field: "X-Spam-Score", Score: math.NaN()}, "must be positive"},
		{milter.Rule{Field: "X-Spam-Score", Score: math.Inf(1)}, "must be positive"},
	}
	for _, tt := range tests {
		err := tt.rule.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.rule, err, tt.want)
		}
	}
	if _, err := milter.New(milter.Config{Submitter: &recorder{}, Rules: []milter.Rule{{Field: "X"}}}); err == nil || !strings.Contains(err.Error(), "tag rule 1") {
		t.Errorf("New: %v", err)
	}
}

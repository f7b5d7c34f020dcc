package reporter_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// TestCauses: a letter says who called it abuse, in every language and format.
func TestCauses(t *testing.T) {
	words := map[string]map[queue.Cause]string{
		"en": {queue.CauseFilter: "filter", queue.CauseUser: "the user who", queue.CauseTrap: "nobody has", queue.CauseHand: "a person who"},
		"de": {queue.CauseFilter: "Filter", queue.CauseUser: "Empfänger", queue.CauseTrap: "niemandem", queue.CauseHand: "Mensch"},
	}
	for language, causes := range words {
		for cause, want := range causes {
			for _, format := range reporter.Formats() {
				w := reporter.Composer{Sender: us, Language: language}
				c := complaint(spam())
				c.Format, c.Incidents[0].Report.Cause = format, cause
				var b bytes.Buffer
				if err := w.Compose(&b, c); err != nil {
					t.Fatal(err)
				}
				if _, text := readText(t, b.Bytes()); !strings.Contains(text, want) {
					t.Errorf("%s, %s, %s: no %q in\n%s", language, format, cause, want, text)
				}
			}
		}
	}
}

// TestNobodyLooked: where filters' verdicts go out by themselves no letter claims that
// a person has seen the message.
func TestNobodyLooked(t *testing.T) {
	for language, looked := range map[string]string{"en": "looked at it", "de": "angesehen"} {
		for _, format := range reporter.Formats() {
			for _, unseen := range []bool{true, false} {
				w := reporter.Composer{Sender: us, Language: language, Unseen: unseen}
				c := complaint(spam())
				c.Format = format
				var b bytes.Buffer
				if err := w.Compose(&b, c); err != nil {
					t.Fatal(err)
				}
				if _, text := readText(t, b.Bytes()); strings.Contains(text, looked) == unseen {
					t.Errorf("%s, %s, unseen %v:\n%s", language, format, unseen, text)
				}
			}
		}
	}
}

// TestGermanIsGerman composes all that a German letter can say: nothing of it is
// English but the line that programs look for.
func TestGermanIsGerman(t *testing.T) {
	english := regexp.MustCompile(`(?i)\b(the|of|and|by|which|complaint|account|passes|message|links?|Mon|Nov|port\b.*\bon|report|taken)\b`)
	proof := func(party, method string) string {
		return `{"domain":"shop.test","reason":"` + method + ` passes for shop.test","checks":[{"method":"` + method +
			`","result":"pass","aligned":true}],"parties":[{"name":"` + party + `","domain":"shop.test","why":"the message links to it","outcome":"to abuse@net.test"}]}`
	}
	relayed := spam()
	relayed.Session.PTR, relayed.Session.PTRVerified, relayed.Session.HELO = "out.relay.test", true, "out.relay.test"
	relayed.Header = append([]byte("Received: from [46.5.6.7] (helo=pc) (Authenticated sender: k4711)\r\n\tby out.relay.test (Postfix) with ESMTPSA id 1abc\r\n"+
		"\tfor <user@isp.test>; Mon, 23 Nov 2026 11:59:59 +0000\r\n"), relayed.Header...)
	for name, c := range map[string]struct {
		party, domain, proof, want string
		mail                       trace.Message
		format                     string
		n                          int
	}{
		"one":        {"source network", "", "", "23.11.2026 um 12:00:00 UTC", spam(), "", 1},
		"three":      {"source network", "", "", "3 gleichartige", spam(), "", 3},
		"customer":   {"source network", "", "", "46.5.6.7, Konto k4711", relayed, "", 1},
		"dkim":       {"sender domain", "shop.test", proof("sender domain", "dkim"), "DKIM-Signatur", spam(), "", 1},
		"spf":        {"sender domain", "shop.test", proof("sender domain", "spf"), "durch SPF", spam(), "", 1},
		"stated":     {"source network, sender domain", "", proof("sender domain", "authentication-results"), "Prüfung unseres Mailservers", spam(), "", 1},
		"feedback":   {"feedback address", "shop.test", proof("feedback address", "dkim"), "CFBL-Address", spam(), "", 1},
		"site":       {"advertised site", "shop.test", proof("advertised site", "dkim"), "verweist", spam(), "", 1},
		"withdrawal": {"source network", "", "", "nehmen unsere Beschwerde 12", spam(), "withdrawal", 3},
	} {
		formats := reporter.Formats()
		if c.format != "" {
			formats = []string{c.format}
		}
		for _, format := range formats {
			k := complaint(c.mail)
			k.Format, k.Party, k.Domain, k.Subject = format, c.party, c.domain, "Rabatt"
			k.Incidents[0].Chain = trace.Follow(&c.mail, trace.Options{Relays: []trace.Relay{{Name: "Relay", Pattern: ".relay.test"}}})
			if c.proof != "" {
				k.Incidents[0].Proof = []byte(c.proof)
			}
			for range c.n - 1 {
				k.Incidents = append(k.Incidents, k.Incidents[0])
			}
			if format == "withdrawal" {
				k.Withdraws = 12
			}
			w := reporter.Composer{Sender: us, Language: "de", Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: bytes.Repeat([]byte("k"), 32)}}
			var b bytes.Buffer
			if err := w.Compose(&b, k); err != nil {
				t.Fatal(err)
			}
			h, text := readText(t, b.Bytes())
			text, _, _ = strings.Cut(text, "\r\nFull header:")
			if first, rest, _ := strings.Cut(text, "\r\n"); strings.HasPrefix(first, "This is an email abuse report for an email message received from IP 192.0.2.77 on Mon") {
				text = rest
			}
			subject, err := h.Text("Subject")
			if err != nil || !strings.Contains(subject, "[Beschwerde 1") || english.MatchString(subject) {
				t.Errorf("%s as %s: subject %q, %v", name, format, subject, err)
			}
			if !strings.Contains(text, c.want) || english.MatchString(text) {
				t.Errorf("%s as %s: %q is English, or %q not there:\n%s", name, format, english.FindString(text), c.want, text)
			}
		}
	}
}

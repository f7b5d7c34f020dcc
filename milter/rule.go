package milter

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rule says when one header field of a content filter calls a message spam.
// Field and exactly one of the others are set.
//
// A sender can write any of these fields as well. A rule is only safe where the
// filter before us removes or overwrites the field on everything that comes in:
// contrib/postfix/README.md says how the usual filters are made to.
type Rule struct {
	// Field is the field's name, "X-Spam-Flag"; case does not matter.
	Field string
	// Value is how the field begins, "YES"; case does not matter, and a word
	// must end there: "Yes, score=9" begins with "Yes", "Yesterday" does not.
	Value string
	// Level is the least length of a bar of marks, "*****" or "+++++".
	Level int
	// Score is the least score: "7.3", "No, score=7.3", "7.300 / 15" or
	// rspamd's "default: False [7.30 / 15.00]".
	Score float64
}

// DefaultRules are the verdicts of the common filters in their own words: of
// SpamAssassin behind spamass-milter, spamd or amavis (X-Spam-Flag and
// X-Spam-Status), and of rspamd (X-Spam for its action "add header").
func DefaultRules() []Rule {
	return []Rule{
		{Field: "X-Spam-Flag", Value: "YES"},
		{Field: "X-Spam-Status", Value: "Yes"},
		{Field: "X-Spam", Value: "Yes"},
	}
}

// Check returns an error that says what is wrong with the rule.
func (r Rule) Check() error {
	if r.Field == "" {
		return errors.New("field is missing")
	}
	for _, c := range []byte(r.Field) {
		// RFC 5322 §3.6.8, ftext.
		if c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("field %q is no header field name", r.Field)
		}
	}
	if r.Level < 0 || r.Score < 0 || math.IsNaN(r.Score) || math.IsInf(r.Score, 0) {
		return fmt.Errorf("field %s: level and score must be positive numbers", r.Field)
	}
	set := 0
	for _, is := range []bool{r.Value != "", r.Level > 0, r.Score > 0} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("field %s: give one of value, level and score", r.Field)
	}
	return nil
}

// matches reports whether a field of the rule's name with this value is a tag.
func (r Rule) matches(value string) bool {
	value = strings.TrimLeft(value, " \t\r\n")
	switch {
	case r.Value != "":
		return beginsWith(value, r.Value)
	case r.Level > 0:
		return bar(value) >= r.Level
	default:
		score, ok := scoreIn(value)
		return ok && score >= r.Score
	}
}

func beginsWith(value, word string) bool {
	if len(value) < len(word) || !strings.EqualFold(value[:len(word)], word) {
		return false
	}
	return len(value) == len(word) || !isWord(value[len(word)])
}

// bar returns the length of the run of marks at the beginning: SpamAssassin
// draws "*" for each point, rspamd's and Exim's X-Spam-Bar "+", and "-" or "/"
// where there is nothing to blame.
func bar(value string) int {
	if value == "" || value[0] != '*' && value[0] != '+' {
		return 0
	}
	return len(value) - len(strings.TrimLeft(value, value[:1]))
}

// scoreIn finds the message's score in what filters write, most specific
// first: after "score=" or the older "hits=", after rspamd's bracket, or at the
// very beginning.
func scoreIn(value string) (float64, bool) {
	for _, key := range []string{"score=", "hits="} {
		if at, ok := afterKey(value, key); ok {
			return leadingNumber(at)
		}
	}
	if _, at, ok := strings.Cut(value, "["); ok {
		return leadingNumber(at)
	}
	return leadingNumber(value)
}

// afterKey returns what follows key where key is a word of its own: beside
// "score=" Proofpoint writes "spamscore=" and "bulkscore=".
func afterKey(value, key string) (string, bool) {
	for i := 0; i+len(key) <= len(value); i++ {
		if (i == 0 || !isWord(value[i-1])) && strings.EqualFold(value[i:i+len(key)], key) {
			return value[i+len(key):], true
		}
	}
	return "", false
}

func leadingNumber(s string) (float64, bool) {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	if end < len(s) && isWord(s[end]) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	return n, err == nil
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

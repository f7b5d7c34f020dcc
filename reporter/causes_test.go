package reporter_test

import (
	"bytes"
	"strings"
	"testing"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
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

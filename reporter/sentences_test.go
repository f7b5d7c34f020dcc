package reporter_test

import (
	"os"
	"strings"
	"testing"

	"spamreport-milter/reporter"
)

// TestSentences reads letters of desks, one a line: what they say and what only looks
// like it.
func TestSentences(t *testing.T) {
	data, err := os.ReadFile("testdata/sentences.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		want, text, _ := strings.Cut(line, ": ")
		m := answer(t, "From: Abuse <abuse@net.test>\nSubject: Re: Abuse report: spam from 192.0.2.77 [complaint 17]\n"+
			"Content-Type: text/plain; charset=utf-8\n\n"+strings.ReplaceAll(text, " / ", "\n\n")+"\n")
		if r := reporter.ReadReply(&m, nil); string(r.Kind) != want {
			t.Errorf("%s: understood %q by %q, want %q", text, r.Kind, r.Text, want)
		}
		n[want]++
	}
	if len(n) < 4 {
		t.Errorf("kinds: %v", n)
	}
}

package redaction_test

import (
	"slices"
	"strings"
	"testing"

	"spamreport-milter/redaction"
	"spamreport-milter/trace"
)

func TestRecipients(t *testing.T) {
	header := "Delivered-To: alias@isp.test\r\nReceived: from a by b\r\n for <old@alumni.test>; Mon, 1 Jan 2026\r\n" +
		"To: \"User, A\" <user@isp.test>, stranger@other.test\r\nCC: second@ISP.test\r\n"
	for _, c := range []struct {
		name string
		m    trace.Message
		want string
	}{
		{"session", trace.Message{RcptTo: []string{"user@isp.test"}, Header: []byte(header)},
			"user@isp.test alias@isp.test old@alumni.test user@isp.test second@ISP.test"},
		{"saved", trace.Message{Header: []byte(header)}, "alias@isp.test old@alumni.test user@isp.test second@ISP.test"},
		{"saved without delivery", trace.Message{Header: []byte("To: a@b.test\r\nCc: c@d.test\r\n")}, "a@b.test c@d.test"},
		{"forwarded", trace.Message{Header: []byte("X-Forwarded-To: user+caf_=user=" + strings.Repeat("a", 60) + ".test@isp.test\r\n")},
			"user+caf_=user=" + strings.Repeat("a", 60) + ".test@isp.test"}, // longer than it may be, and seen
		{"no mailbox", trace.Message{Header: []byte("To: " + strings.Repeat("a", 400) + "@isp.test\r\n")}, ""},
		{"none", trace.Message{Header: []byte("Subject: x@y.test\r\n")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(redaction.Recipients(&c.m), " "); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
	many := trace.Message{Header: []byte("To: " + strings.Repeat("a@b.test, ", 10000) + "\r\n")}
	if n := len(redaction.Recipients(&many)); n != 200 {
		t.Errorf("%d recipients", n)
	}
	many.RcptTo = slices.Repeat([]string{"a@b.test"}, 500)
	if n := len(redaction.Recipients(&many)); n != 700 {
		t.Errorf("%d recipients of 500 in the envelope", n)
	}
}

func TestStrip(t *testing.T) {
	const header = "X-Spam-Status: Yes,\r\n\ttests=A\r\nReceived: x\r\nx-spam-flag : YES\r\nX-Spamtrap: no\r\nSubject: X-Spam-Flag: y\r\nbroken\r\n"
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"X-Spam-*"}, "Received: x\r\nX-Spamtrap: no\r\nSubject: X-Spam-Flag: y\r\nbroken\r\n"},
		{[]string{"received", "SUBJECT"}, "X-Spam-Status: Yes,\r\n\ttests=A\r\nx-spam-flag : YES\r\nX-Spamtrap: no\r\nbroken\r\n"},
		{[]string{"X-Other"}, header},
	} {
		if got := string(redaction.Strip([]byte(header), c.names)); got != c.want {
			t.Errorf("without %v: %q", c.names, got)
		}
	}
	if all := redaction.Strip([]byte("A: b\r\n"), []string{"*"}); len(all) != 0 || !slices.Equal(all, []byte{}) {
		t.Errorf("%q", all)
	}
}

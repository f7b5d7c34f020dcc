package milter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"spamreport-milter/milter"
	"spamreport-milter/trace"
)

// desks takes answers to complaints.
type desks struct {
	mu  sync.Mutex
	got []string
	err error
}

func (d *desks) IsReply(to string) bool { return strings.HasPrefix(to, "abuse+") }
func (d *desks) Reply(_ context.Context, to string, m trace.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.got = append(d.got, fmt.Sprintf("%s from <%s> by %v: %s|%s", to, m.MailFrom, m.Session.Client, m.Header, m.Body))
	}
	return d.err
}

func TestReplies(t *testing.T) {
	d := &desks{}
	s := serve(t, milter.Config{Replies: d})
	m := connected(t, s)
	answer := mail{rcpt: []string{"abuse+17.x@example.org"}, header: [][2]string{{"Subject", " Undelivered"}, {"X-Spam-Flag", " YES"}}, body: []string{"user unknown\r\n"}}
	m.envelope(answer, strangerMacros("192.0.2.1")...)
	m.header(answer, "QID")
	m.want('c')
	if _, code, _ := m.ending(answer.body...); code != 'd' {
		t.Errorf("answered %q", code)
	}
	want := "abuse+17.x@example.org from <> by 192.0.2.1:4321: Subject: Undelivered\r\nX-Spam-Flag: YES\r\n|user unknown\r\n"
	if len(d.got) != 1 || d.got[0] != want {
		t.Errorf("got %q", d.got)
	}

	// Others get theirs, and it is no spam for being an answer.
	answer.rcpt = append(answer.rcpt, "anna@example.org")
	m.envelope(answer, strangerMacros("192.0.2.1")...)
	m.header(answer, "QID")
	m.want('c')
	if changes, code, _ := m.ending(answer.body...); code != 'a' || len(changes) != 1 || changes[0] != (change{'-', "<abuse+17.x@example.org>"}) {
		t.Errorf("answered %q after %q", code, changes)
	}

	d.err = errors.New("disk full")
	m.envelope(answer, strangerMacros("192.0.2.1")...)
	m.header(answer, "QID")
	m.want('c')
	if _, code, text := m.ending(answer.body...); code != 'y' || !strings.HasPrefix(text, "451 ") {
		t.Errorf("answered %q %q", code, text)
	}
	if len(s.all()) != 0 {
		t.Error("reported as spam")
	}
	if st := s.Stats(); st.Replies != 2 || st.SubmitFailed != 1 {
		t.Errorf("stats %+v", st)
	}
}

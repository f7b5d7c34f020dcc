package milter_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
	"spamreport-milter/seal"
	"spamreport-milter/trace"
)

// handed is a message with spam attached, as header fields and body.
func handed(from string, originals ...string) mail {
	m := mail{from: from, rcpt: []string{"report@example.org"}, header: [][2]string{
		{"From", " <" + from + ">"}, {"To", " report@example.org"}, {"Subject", " Fwd: spam"},
		{"MIME-Version", " 1.0"}, {"Content-Type", " multipart/mixed; boundary=b"},
	}}
	body := ""
	for _, o := range originals {
		body += "--b\r\nContent-Type: message/rfc822\r\n\r\n" + o + "\r\n"
	}
	m.body = []string{body + "--b--\r\n"}
	return m
}

const original = "Return-Path: <w@a.example>\r\nReceived: from a.example (unknown [203.0.113.9])\r\n\tby mx.example.org id 4XYZ; Fri, 20 Nov 2026 12:00:00 +0000\r\n" +
	"From: w@a.example\r\nSubject: won\r\n\r\nclick  here \r\n"

// letters is an Answerer that keeps them.
type letters struct {
	mu   sync.Mutex
	sent []string
	err  error
}

func (l *letters) Answer(_ context.Context, to, subject, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, to+"\n"+subject+"\n"+text)
	return l.err
}

func (l *letters) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.sent...)
}

func userMacros(name string) []string {
	return append(strangerMacros("192.0.2.1"), "{auth_type}", "PLAIN", "{auth_authen}", name)
}

// hand sends a message to its end. code is that of the answer to the last
// recipient where the message was refused there.
func (m *mta) hand(msg mail, macros []string) (changes []change, code byte, answer string) {
	m.t.Helper()
	m.macros('M', macros...)
	m.send('M', strs("<"+msg.from+">"))
	for _, r := range msg.rcpt {
		m.send('R', strs("<"+r+">"))
		code, data := m.receive()
		if code != 'c' {
			return nil, code, string(data)
		}
	}
	m.header(msg, "QID")
	if code, data := m.receive(); code != 'c' {
		return nil, code, string(data)
	}
	return m.ending(msg.body...)
}

func reportsTo(r milter.Reports) *milter.Reports {
	r.Addresses = []string{"report@example.org"}
	return &r
}

func connected(t *testing.T, s *site) *mta {
	t.Helper()
	m := greet(t, s.addr, offerAll)
	m.connect("h", "192.0.2.1", 4321)
	m.helo("helo.example.net")
	return m
}

func TestUserReports(t *testing.T) {
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{})})
	m := connected(t, s)
	msg := handed("fred@example.org", original, strings.Replace(original, "won", "two", 1))
	msg.header = append(msg.header, [2]string{"X-Spam-Flag", " YES"}) // a filter finds what is attached
	if changes, code, answer := m.hand(msg, userMacros("fred")); code != 'd' || len(changes) != 0 {
		t.Fatalf("answered %q %q after %q", code, answer, changes)
	}
	got := s.all()
	if len(got) != 2 {
		t.Fatalf("%d reports, want 2", len(got))
	}
	r := got[0]
	if r.Cause != queue.CauseUser || r.Reporter != "fred" || r.Reason != "attached to report@example.org" || r.Message.Session != nil || r.Message.MailFrom != "w@a.example" {
		t.Errorf("report %+v", r)
	}
	if text := string(r.Message.Header) + "\r\n" + string(r.Message.Body); text != original {
		t.Errorf("original\n%q, want\n%q", text, original)
	}
	if st := s.Stats(); st.UserReports != 2 || st.Tagged != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestWhoMayReport(t *testing.T) {
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/28")}})})
	for _, tt := range []struct {
		name, client string
		macros       []string
		reporter     string // "" where it is refused
	}{
		{"stranger", "192.0.2.1", strangerMacros("192.0.2.1"), ""},
		{"loopback", "127.0.0.1", strangerMacros("127.0.0.1"), ""},
		{"user", "192.0.2.1", userMacros("fred@example.org"), "fred@example.org"},
		{"listed network", "198.51.100.15", strangerMacros("198.51.100.15"), "fred@example.org"},
		{"beside it", "198.51.100.16", strangerMacros("198.51.100.16"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.take()
			m := greet(t, s.addr, offerAll)
			m.connect("h", tt.client, 4321)
			_, code, answer := m.hand(handed("fred@example.org", original), tt.macros)
			if tt.reporter == "" {
				if code != 'y' || !strings.HasPrefix(answer, "550 5.7.1 ") || !strings.Contains(answer, "log in") {
					t.Errorf("answered %q %q", code, answer)
				}
				// The message goes on for its other recipients.
				if m.macros('N', "i", "QID"); len(s.all()) != 0 {
					t.Error("reported all the same")
				}
				return
			}
			if got := s.only(t); code != 'd' || got.Reporter != tt.reporter {
				t.Errorf("answered %q, reporter %q", code, got.Reporter)
			}
		})
	}
}

func TestOtherRecipientsGetTheirs(t *testing.T) {
	for name, tt := range map[string]struct {
		msg     mail
		deliver bool
		changes string
	}{
		"taken":                {handed("fred@example.org", original), false, "-<Report@example.org>"},
		"delivered as well":    {handed("fred@example.org", original), true, ""},
		"nothing attached":     {handed("fred@example.org"), false, "-<Report@example.org>"},
		"more than is allowed": {handed("fred@example.org", original, original, original), false, "-<Report@example.org>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Deliver: tt.deliver, PerHour: 2})})
			tt.msg.rcpt = []string{"colleague@example.org", "Report@example.org"}
			changes, code, _ := connected(t, s).hand(tt.msg, userMacros("fred"))
			got := ""
			for _, c := range changes {
				got += string(c.code) + c.data
			}
			if code != 'a' || got != tt.changes {
				t.Errorf("answered %q after %q", code, changes)
			}
		})
	}
}

func TestAlsoDelivered(t *testing.T) {
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Deliver: true})})
	if changes, code, _ := connected(t, s).hand(handed("fred@example.org", original), userMacros("fred")); code != 'a' || len(changes) != 0 {
		t.Errorf("answered %q after %q", code, changes)
	}
	s.only(t)
}

func TestReportLimits(t *testing.T) {
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{PerHour: 3, MaxSize: 20_000})})
	m := connected(t, s)
	big := handed("fred@example.org", original+strings.Repeat("x\r\n", 10_000))
	if _, code, answer := m.hand(big, userMacros("fred")); code != 'y' || !strings.HasPrefix(answer, "552 5.3.4 ") {
		t.Errorf("too large: %q %q", code, answer)
	}
	for i, want := range []byte{'d', 'y', 'd', 'y'} {
		msg := handed("fred@example.org", original)
		if i < 2 {
			msg = handed("fred@example.org", original, original)
		}
		if _, code, answer := m.hand(msg, userMacros("fred")); code != want || code == 'y' && !strings.HasPrefix(answer, "451 4.7.1 ") {
			t.Errorf("message %d: %q %q", i, code, answer)
		}
	}
	if _, code, _ := m.hand(handed("anna@example.org", original), userMacros("anna")); code != 'd' {
		t.Errorf("another user: %q", code)
	}
	if got := len(s.all()); got != 4 {
		t.Errorf("%d reports, want 4", got)
	}
}

func TestReportNotStored(t *testing.T) {
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{})})
	s.with(func(context.Context, queue.Report) error { return errors.New("disk full") })
	msg := handed("fred@example.org", original)
	msg.rcpt = append(msg.rcpt, "colleague@example.org")
	if _, code, answer := connected(t, s).hand(msg, userMacros("fred")); code != 'y' || !strings.HasPrefix(answer, "451 4.3.0 ") {
		t.Errorf("answered %q %q", code, answer)
	}
}

// A forward of the text alone is answered once, to the user and nobody else.
func TestNothingAttached(t *testing.T) {
	plain := mail{rcpt: []string{"report@example.org"}, header: [][2]string{{"Subject", " Fwd: won"}}, body: []string{"> From: w@a.example\r\n> click here\r\n"}}
	robot := plain
	robot.header = append(robot.header, [2]string{"Auto-Submitted", " auto-replied"})
	for _, tt := range []struct {
		name, from string
		macros     []string
		msg        mail
		to         string
	}{
		{"by an address", "x@elsewhere.example", userMacros("fred@example.org"), plain, "fred@example.org"},
		{"by a name", "Fred@example.org", userMacros("fred"), plain, "Fred@example.org"},
		{"by a name, as somebody else", "victim@example.net", userMacros("fred"), plain, ""},
		{"listed network", "victim@example.net", strangerMacros("192.0.2.1"), plain, ""},
		{"robot", "fred@example.org", userMacros("fred@example.org"), robot, ""},
		{"bounce", "", userMacros("fred@example.org"), plain, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &letters{}
			s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Answer: l, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}})})
			m := connected(t, s)
			tt.msg.from = tt.from
			for i := range 2 {
				_, code, answer := m.hand(tt.msg, tt.macros)
				if letter := tt.to != "" && i == 0; letter && code != 'd' || !letter && (code != 'y' || !strings.HasPrefix(answer, "550 5.6.0 ")) {
					t.Errorf("message %d: %q %q", i, code, answer)
				}
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent := l.all()
			if tt.to == "" && len(sent) != 0 || tt.to != "" && (len(sent) != 1 || !strings.HasPrefix(sent[0], tt.to+"\n") || !strings.Contains(sent[0], "report@example.org")) {
				t.Errorf("letters %q", sent)
			}
			if len(s.all()) != 0 {
				t.Error("reported all the same")
			}
		})
	}
}

func TestConfirmation(t *testing.T) {
	l := &letters{}
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Answer: l, Confirm: true})})
	m := connected(t, s)
	for range 3 {
		m.hand(handed("fred@example.org", original, original), userMacros("fred@example.org"))
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sent := l.all(); len(sent) != 1 || !strings.Contains(sent[0], "2 messages") {
		t.Errorf("letters %q", sent)
	}
	if st := s.Stats(); st.Answered != 1 || st.UserReports != 6 {
		t.Errorf("stats %+v", st)
	}
}

// What was sealed on its way in has its session again when a user reports it.
func TestSealedReport(t *testing.T) {
	keys := newKeys(t)
	s := serve(t, milter.Config{Seal: keys, Reports: reportsTo(milter.Reports{Seal: keys}), BodyLimit: 20})
	m := connected(t, s)
	m.envelopeAnswered(letter, strangerMacros("192.0.2.1"))
	m.header(letter, "QID")
	m.want('c')
	text := strings.Repeat("all night long\r\n", 5)
	changes, _, _ := m.ending(text)
	field := seal.Field + ":" + strings.ReplaceAll(sealFrom(t, changes), "\n", "\r\n") + "\r\n"
	mailbox := "Received: from helo.example.net (unknown [192.0.2.1]) by mx.example.org id QID; Fri, 20 Nov 2026 12:00:00 +0000\r\n" +
		"Received: from a by b; Fri, 20 Nov 2026 11:00:00 +0000\r\nFrom: friend@example.net\r\nSubject: lunch\r\n" + field + "\r\n" + text

	for _, tt := range []struct{ name, text, said string }{
		{"as it was", mailbox, "the seal is valid"},
		{"altered", strings.Replace(mailbox, "night", "right", 1), "the seal is on a body that was altered"},
		{"without", strings.Replace(mailbox, field, "", 1), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.take()
			if _, code, answer := m.hand(handed("fred@example.org", tt.text), userMacros("fred")); code != 'd' {
				t.Fatalf("answered %q %q", code, answer)
			}
			r := s.only(t)
			if !strings.HasSuffix(r.Reason, tt.said) {
				t.Errorf("reason %q", r.Reason)
			}
			if len(r.Message.Body) != 20 || r.Message.BodySize != int64(len(text)) {
				t.Errorf("%d octets of %d kept", len(r.Message.Body), r.Message.BodySize)
			}
			c := trace.Follow(&r.Message, trace.Options{})
			source := c.Source()
			switch tt.name {
			case "as it was":
				if source == nil || source.Grade != trace.GradeSession || source.Port != 4321 || r.Message.MailFrom != letter.from {
					t.Errorf("source %+v, from %q", source, r.Message.MailFrom)
				}
			case "altered":
				if source != nil || r.Message.Session.Disproved == "" {
					t.Errorf("source %+v", source)
				}
			default:
				if r.Message.Session != nil {
					t.Errorf("session %+v", r.Message.Session)
				}
			}
		})
	}
}

func (m *mta) envelopeAnswered(msg mail, macros []string) {
	m.t.Helper()
	m.envelope(msg, macros...) // step reads the answer to RCPT where there is one
}

// Letters under way hold up a shutdown, within its bound.
func TestShutdownWaitsForLetters(t *testing.T) {
	l := &slowLetters{begun: make(chan struct{})}
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Answer: l, Confirm: true})})
	connected(t, s).hand(handed("fred@example.org", original), userMacros("fred@example.org"))
	<-l.begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "letters") {
		t.Errorf("Shutdown: %v", err)
	}
}

type slowLetters struct{ begun chan struct{} }

func (l *slowLetters) Answer(ctx context.Context, _, _, _ string) error {
	close(l.begun)
	<-ctx.Done()
	return ctx.Err()
}

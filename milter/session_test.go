package milter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

var (
	ham = mail{
		from:   "friend@example.net",
		rcpt:   []string{"user@example.org"},
		header: [][2]string{{"Subject", " lunch"}, {"X-Spam-Status", " No, score=0.1"}},
		body:   []string{"at noon?\r\n"},
	}
	spam = mail{
		from:   "offer@example.com",
		rcpt:   []string{"user@example.org", "other@example.org"},
		header: [][2]string{{"Subject", " buy"}, {"X-Spam-Flag", " YES"}},
		body:   []string{"now\r\n"},
	}
)

// postfixMacros are those of a MAIL command.
var postfixMacros = []string{
	"j", "mx.example.org", "_", "mail.example.com [192.0.2.1]", "{daemon_name}", "smtpd",
	"{client_addr}", "192.0.2.1", "{client_port}", "4321", "{client_name}", "mail.example.com",
	"{client_ptr}", "mail.example.com", "{client_resolve}", "OK",
	"{tls_version}", "TLSv1.3", "{cipher}", "TLS_AES_128_GCM_SHA256",
	"{auth_type}", "PLAIN", "{auth_authen}", "fred",
}

func TestSessionFactsReachEachMessage(t *testing.T) {
	for _, style := range []string{"Postfix, ABORT between", "Sendmail, no ABORT"} {
		t.Run(style, func(t *testing.T) {
			s := serve(t, milter.Config{})
			m := greet(t, s.addr, offerAll)
			m.connect("mail.example.com", "192.0.2.1", 4321)
			m.helo("helo.example.com")
			for _, id := range []string{"FIRST", "SECOND"} {
				if code, data := m.deliver(spam, id, postfixMacros...); code != 'a' {
					t.Fatalf("end of message answered %q %q", code, data)
				}
				if strings.HasPrefix(style, "Postfix") {
					m.send('A', nil)
				}
			}
			want := func(id string) *trace.Session {
				return &trace.Session{
					Client: netip.MustParseAddrPort("192.0.2.1:4321"),
					PTR:    "mail.example.com", PTRVerified: true,
					HELO: "helo.example.com", ESMTP: true,
					TLSVersion: "TLSv1.3", TLSCipher: "TLS_AES_128_GCM_SHA256",
					AuthType: "PLAIN", AuthUser: "fred",
					QueueID: id, Host: "mx.example.org", Daemon: "smtpd",
				}
			}
			reports := s.all()
			if len(reports) != 2 {
				t.Fatalf("%d reports, want 2", len(reports))
			}
			for i, id := range []string{"FIRST", "SECOND"} {
				r := reports[i]
				if diff := cmp.Diff(want(id), r.Message.Session, cmpopts.IgnoreFields(trace.Session{}, "Time"),
					cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
					t.Errorf("session of message %d (-want +got):\n%s", i+1, diff)
				}
				if age := time.Since(r.Received); age < 0 || age > time.Minute || r.Received != r.Message.Session.Time {
					t.Errorf("received %v, session %v", r.Received, r.Message.Session.Time)
				}
			}
		})
	}
}

func TestReport(t *testing.T) {
	s := serve(t, milter.Config{})
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.helo("helo.example.com")
	m.deliver(spam, "ID")
	got := s.only(t)
	want := queue.Report{
		Cause:    queue.CauseFilter,
		Reporter: "X-Spam-Flag",
		Reason:   "X-Spam-Flag: YES",
		Message: trace.Message{
			MailFrom: "offer@example.com",
			RcptTo:   []string{"user@example.org", "other@example.org"},
			Header:   []byte("Subject: buy\r\nX-Spam-Flag: YES\r\n"),
			Body:     []byte("now\r\n"),
			BodySize: 5,
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(queue.Report{}, "Received"), cmpopts.IgnoreFields(trace.Message{}, "Session")); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestHamIsLetGoAtEndOfHeader(t *testing.T) {
	for _, offer := range []uint32{offerAll, 0x7f, 0} {
		t.Run(fmt.Sprintf("offer %#x", offer), func(t *testing.T) {
			s := serve(t, milter.Config{})
			m := greet(t, s.addr, offer)
			if extra := uint32(m.protocol) &^ offer; extra != 0 {
				t.Errorf("milter asks for %#x, which was not offered", extra)
			}
			m.connect("mail.example.com", "192.0.2.1", 4321)
			m.helo("helo.example.com")
			for range 2 {
				m.envelope(ham)
				m.header(ham, "ID")
				m.want('a')
			}
			// Answers are still in step, and the session's facts still there.
			m.deliver(spam, "SPAM")
			if got := s.only(t).Message.Session; got.Client.String() != "192.0.2.1:4321" || got.HELO != "helo.example.com" || got.QueueID != "SPAM" {
				t.Errorf("session after ham: %+v", got)
			}
			if st := s.Stats(); st.Messages != 3 || st.Tagged != 1 || st.Submitted != 1 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestFewAnswersWhereOffered(t *testing.T) {
	s := serve(t, milter.Config{})
	m := greet(t, s.addr, offerAll)
	const want = gomilter.OptNoConnReply | gomilter.OptNoHeloReply | gomilter.OptNoMailReply |
		gomilter.OptNoRcptReply | gomilter.OptNoHeaderReply | gomilter.OptNoData | gomilter.OptNoUnknown
	if m.protocol&want != want {
		t.Errorf("asked for %#x, want at least %#x", m.protocol, want)
	}
}

func TestHeaderIsExact(t *testing.T) {
	fields := [][2]string{
		{"Subject", " one space"},
		{"None", "no space"},
		{"Two", "  spaces "},
		{"Tab", "\ttab"},
		{"Empty", ""},
		{"Blank", " "},
		{"Fold", " a\n b\n\tc"},
		{"Eight", " \xe4\xff\xc3\xa4"},
		{"Name~!#", " odd"},
		{"X-Spam", " Yes"},
	}
	const want = "Subject: one space\r\nNone:no space\r\nTwo:  spaces \r\nTab:\ttab\r\nEmpty:\r\nBlank: \r\n" +
		"Fold: a\r\n b\r\n\tc\r\nEight: \xe4\xff\xc3\xa4\r\nName~!#: odd\r\nX-Spam: Yes\r\n"
	s := serve(t, milter.Config{})
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.deliver(mail{header: fields}, "ID")
	if got := string(s.only(t).Message.Header); got != want {
		t.Errorf("header\n%q, want\n%q", got, want)
	}
}

// An MTA that does not know SMFIP_HDR_LEADSPC eats one space of each value.
func TestHeaderOfOldMTA(t *testing.T) {
	s := serve(t, milter.Config{})
	m := greet(t, s.addr, 0x7f)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.helo("helo.example.com")
	m.deliver(mail{header: [][2]string{{"Subject", "buy"}, {"Empty", ""}, {"Two", " x"}, {"Tab", "\tx"}, {"Fold", "\n x"}, {"X-Spam-Flag", "YES"}}}, "ID")
	if got, want := string(s.only(t).Message.Header), "Subject: buy\r\nEmpty:\r\nTwo:  x\r\nTab:\tx\r\nFold:\r\n x\r\nX-Spam-Flag: YES\r\n"; got != want {
		t.Errorf("header %q, want %q", got, want)
	}
}

func TestBodyLimit(t *testing.T) {
	tests := []struct {
		name   string
		offer  uint32
		chunks []string
		tail   string
		body   string
		size   int64
		sent   int // chunks that the milter takes before SKIP
	}{
		{"under", offerAll, []string{"0123"}, "", "0123", 4, 1},
		{"exact", offerAll, []string{"01234", "56789"}, "", "0123456789", 10, 2},
		{"over, with SKIP", offerAll, []string{"0123456", "789abc", "never sent"}, "", "0123456789", 13, 2},
		{"over, without SKIP", 0x7f, []string{"0123456", "789abc", "def"}, "", "0123456789", 16, 3},
		{"tail in the last frame", offerAll, []string{"0123"}, "45", "012345", 6, 1},
		{"tail over the limit", offerAll, []string{"01234567"}, "89ab", "0123456789", 12, 1},
		{"none", offerAll, nil, "", "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, milter.Config{BodyLimit: 10})
			m := greet(t, s.addr, tt.offer)
			m.connect("mail.example.com", "192.0.2.1", 4321)
			m.envelope(spam)
			m.header(spam, "ID")
			m.want('c')
			sent := 0
			for _, chunk := range tt.chunks {
				m.send('B', []byte(chunk))
				sent++
				if code, _ := m.receive(); code == 's' {
					break
				}
			}
			m.send('E', []byte(tt.tail))
			m.want('a')
			got := s.only(t).Message
			if string(got.Body) != tt.body || got.BodySize != tt.size || sent != tt.sent {
				t.Errorf("body %q of %d after %d chunks, want %q of %d after %d", got.Body, got.BodySize, sent, tt.body, tt.size, tt.sent)
			}
			if got.Truncated() != (tt.size > 10) {
				t.Errorf("truncated: %v", got.Truncated())
			}
		})
	}
}

func TestHeaderLimit(t *testing.T) {
	s := serve(t, milter.Config{HeaderLimit: 40})
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.deliver(mail{
		header: [][2]string{{"Received", " from here"}, {"Long", " " + strings.Repeat("x", 30)}, {"Short", " y"}, {"X-Spam-Flag", " YES"}},
		body:   []string{"body"},
	}, "ID")
	r := s.only(t)
	if got := string(r.Message.Header); got != "Received: from here\r\n" {
		t.Errorf("header %q", got)
	}
	if !strings.HasSuffix(r.Reason, "; header cut at 21 octets") {
		t.Errorf("reason %q does not tell", r.Reason)
	}
	if len(r.Message.Body) != 0 || !r.Message.Truncated() {
		t.Errorf("body %q kept behind a header that was cut", r.Message.Body)
	}
}

func TestSubmitFailureDefersTaggedMailOnly(t *testing.T) {
	s := serve(t, milter.Config{})
	s.with(func(context.Context, queue.Report) error { return errors.New("disk full of secrets") })
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	code, data := m.deliver(spam, "ID")
	if code != 'y' || !bytes.HasPrefix(data, []byte("451 4.3.0 ")) || bytes.Contains(data, []byte("secrets")) {
		t.Errorf("tagged message answered %q %q", code, data)
	}
	if code, _ := m.deliver(ham, "ID"); code != 'a' {
		t.Errorf("ham answered %q", code)
	}
	s.with(nil)
	if code, _ := m.deliver(spam, "AGAIN"); code != 'a' || s.only(t).Message.Session.QueueID != "AGAIN" {
		t.Errorf("second try answered %q", code)
	}
	if st := s.Stats(); st.SubmitFailed != 1 || st.Submitted != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestSlowSubmitIsCutOff(t *testing.T) {
	s := serve(t, milter.Config{SubmitTimeout: 10 * time.Millisecond})
	s.with(func(ctx context.Context, _ queue.Report) error { <-ctx.Done(); return ctx.Err() })
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	if code, _ := m.deliver(spam, "ID"); code != 'y' {
		t.Errorf("answered %q", code)
	}
}

func TestPanicLetsMailPass(t *testing.T) {
	s := serve(t, milter.Config{})
	s.with(func(context.Context, queue.Report) error { panic("fault") })
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	if code, _ := m.deliver(spam, "ID"); code != 'a' {
		t.Errorf("answered %q", code)
	}
	s.with(nil)
	m.deliver(spam, "NEXT")
	if got := s.only(t).Message.Session; got.QueueID != "NEXT" || got.Client.Port() != 4321 {
		t.Errorf("after the fault: %+v", got)
	}
	if st := s.Stats(); st.Panics != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestOddSequences(t *testing.T) {
	tagged := func(m *mta) {
		m.step('L', strs("X-Spam-Flag", " YES"), gomilter.OptNoHeaderReply)
	}
	tests := []struct {
		name    string
		run     func(*mta)
		reports int
	}{
		{"end of message without end of header", func(m *mta) {
			m.envelope(spam)
			tagged(m)
			m.send('E', nil)
			m.want('a')
		}, 1},
		{"end of message twice", func(m *mta) {
			m.envelope(spam)
			tagged(m)
			m.send('N', nil)
			m.want('c')
			m.send('E', nil)
			m.want('a')
			m.send('E', nil)
			m.want('a')
		}, 1},
		{"message without MAIL", func(m *mta) {
			tagged(m)
			m.send('N', nil)
			m.want('a')
			m.send('B', []byte("x"))
			m.want('c')
			m.send('E', nil)
			m.want('a')
		}, 0},
		{"ABORT after the header", func(m *mta) {
			m.envelope(spam)
			tagged(m)
			m.send('N', nil)
			m.want('c')
			m.send('A', nil)
			m.send('E', nil)
			m.want('a')
		}, 0},
		{"tag of a message that was given up", func(m *mta) {
			m.envelope(spam)
			tagged(m)
			m.envelope(ham)
			m.header(ham, "ID")
			m.want('a')
		}, 0},
		{"body after ham", func(m *mta) {
			m.envelope(ham)
			m.header(ham, "ID")
			m.want('a')
			m.send('B', []byte("x"))
			m.want('c')
			m.send('E', nil)
			m.want('a')
		}, 0},
		{"DATA", func(m *mta) {
			m.envelope(spam)
			m.send('T', nil)
			m.want('c')
			tagged(m)
			m.send('N', nil)
			m.want('c')
			m.send('E', nil)
			m.want('a')
		}, 1},
		{"no CONNECT at all", func(m *mta) { m.deliver(spam, "ID") }, 1},
		{"absurd macros", func(m *mta) {
			big := strings.Repeat("A", 300_000)
			m.deliver(spam, "ID", "i", big, "{client_addr}", big, "{auth_authen}", big, "", "", "odd")
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, milter.Config{})
			m := greet(t, s.addr, offerAll)
			if tt.name != "no CONNECT at all" {
				m.connect("mail.example.com", "192.0.2.1", 4321)
			}
			tt.run(m)
			got := s.all()
			if len(got) != tt.reports {
				t.Errorf("%d reports, want %d", len(got), tt.reports)
			}
			for _, r := range got {
				if n := len(r.Message.Session.AuthUser); n > 512 {
					t.Errorf("macro of %d octets kept", n)
				}
			}
			m.send('Q', nil)
			m.closed()
		})
	}
}

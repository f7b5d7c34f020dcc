package milter_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// script is a connection on which an MTA has said all at once and then hung up.
type script struct {
	in     *bytes.Reader
	out    bytes.Buffer
	once   sync.Once
	closed chan struct{}
}

func newScript(octets []byte) *script {
	return &script{in: bytes.NewReader(octets), closed: make(chan struct{})}
}

func (c *script) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *script) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *script) Close() error                { c.once.Do(func() { close(c.closed) }); return nil }
func (c *script) LocalAddr() net.Addr         { return c.RemoteAddr() }
func (c *script) RemoteAddr() net.Addr        { return &net.UnixAddr{Name: "script", Net: "unix"} }

func (c *script) SetDeadline(time.Time) error      { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

// answers returns the codes of the milter's answers after it closed.
func (c *script) answers(t *testing.T) string {
	t.Helper()
	select {
	case <-c.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("session does not end with its connection")
	}
	var codes []byte
	for {
		code, _, err := readFrame(&c.out)
		if errors.Is(err, io.EOF) {
			return string(codes)
		}
		if err != nil {
			t.Fatalf("answer after %q: %v", codes, err)
		}
		codes = append(codes, code)
	}
}

// scripts is a listener for them.
type scripts struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *scripts) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *scripts) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *scripts) Addr() net.Addr { return &net.UnixAddr{Name: "scripts", Net: "unix"} }

// stage is a server whose MTAs are scripts.
type stage struct {
	*milter.Server
	rec *recorder
	l   *scripts
}

func newStage(f *testing.F, cfg milter.Config) *stage {
	s := &stage{rec: &recorder{}, l: &scripts{conns: make(chan net.Conn), done: make(chan struct{})}}
	cfg.Submitter = s.rec
	cfg.Log = slog.New(slog.DiscardHandler)
	var err error
	if s.Server, err = milter.New(cfg); err != nil {
		f.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(s.l) }()
	f.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		<-served
	})
	return s
}

// run plays frames after a negotiation and returns the answers' codes and the
// reports that came of it.
func (s *stage) run(t *testing.T, offer uint32, frames []byte) (answers string, reports []queue.Report) {
	t.Helper()
	c := newScript(append(frame('O', optneg(offer)), frames...))
	s.l.conns <- c
	answers = c.answers(t)
	return answers, s.rec.take()
}

// FuzzSession lets an MTA say anything after a negotiation. Whatever it is, the
// answers are frames that the protocol knows, ordinary mail is never refused,
// nothing panics, limits hold, and the next session finds the server as it was.
func FuzzSession(f *testing.F) {
	message := bytes.Join([][]byte{
		frame('C', connectData("h", '4', 1, "192.0.2.1")), frame('H', strs("helo")),
		frame('D', append([]byte{'M'}, strs("i", "ID", "{client_addr}", "IPv6:2001:db8::1")...)),
		frame('M', strs("<a@example.com>", "SIZE=1")), frame('R', strs("<b@example.org>")),
		frame('L', strs("Subject", " a\n b")), frame('L', strs("X-Spam-Flag", " YES")), frame('L', strs("X-Spam-Status", " Yes, score=9")),
		frame('N', nil), frame('B', []byte("body")), frame('E', []byte("tail")), frame('A', nil),
	}, nil)
	f.Add(uint32(offerAll), message)
	f.Add(uint32(0), message)
	for _, b := range brokenFrames {
		f.Add(uint32(offerAll), append(bytes.Clone(message[:40]), b...))
	}
	s := newStage(f, milter.Config{BodyLimit: 100, HeaderLimit: 1000})
	f.Fuzz(func(t *testing.T, offer uint32, frames []byte) {
		answers, reports := s.run(t, offer, frames)
		if strings.Trim(answers, "Ocas") != "" {
			t.Fatalf("answers %q", answers)
		}
		for _, r := range reports {
			if len(r.Message.Header) > 1100 || len(r.Message.Body) > 100 || r.Message.Session == nil {
				t.Fatalf("report over its limits: %+v", r)
			}
		}
		if p := s.Stats().Panics; p != 0 {
			t.Fatalf("%d panics", p)
		}
		if answers, reports := s.run(t, offerAll, message); answers != "Occa" || len(reports) != 1 {
			t.Fatalf("next session: answers %q, %d reports", answers, len(reports))
		}
	})
}

// FuzzTag puts any value into tag fields: the reason shows it on one short
// line, and the header holds it as it came.
func FuzzTag(f *testing.F) {
	for _, v := range []string{"YES", " Yes, score=9", "\n YES\n\t\xff", " *****", " default: True [15.00 / 15.00];", " score=9.9.9", "["} {
		f.Add(v)
	}
	rules := []milter.Rule{{Field: "X-Word", Value: "Yes"}, {Field: "X-Level", Level: 3}, {Field: "X-Score", Score: 0.5}}
	s := newStage(f, milter.Config{Rules: rules})
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") || len(value) > 50_000 {
			return // no such frame: MTAs have C strings, and fields have a limit
		}
		frames := frame('M', strs("<>"))
		for _, r := range rules {
			frames = append(frames, frame('L', strs(r.Field, value))...)
		}
		frames = append(append(frames, frame('N', nil)...), frame('E', nil)...)
		_, reports := s.run(t, offerAll, frames)
		for _, r := range reports {
			if len(r.Reason) > 250 || strings.ContainsAny(r.Reason, "\r\n\t") {
				t.Fatalf("reason %q", r.Reason)
			}
			want := "X-Word:" + strings.ReplaceAll(value, "\r\n", "\n") + "\n"
			if got := strings.ReplaceAll(string(r.Message.Header), "\r\n", "\n"); !strings.HasPrefix(got, want) {
				t.Fatalf("header %q does not begin with %q", got, want)
			}
		}
	})
}

// FuzzOwnAddresses lets an MTA say anything to a milter that seals, and takes
// reports and answers. Nothing but its own addresses is ever refused for good,
// nothing is dropped that was not taken, and all memory comes back: the control
// message at the end needs what a leak would have used up.
func FuzzOwnAddresses(f *testing.F) {
	login := frame('D', append([]byte{'M'}, strs(userMacros("fred")...)...))
	begin := append(frame('C', connectData("h", '4', 1, "192.0.2.1")), login...)
	msg := handed("fred@example.org", original)
	message := append(bytes.Clone(begin), frame('M', strs("<fred@example.org>"))...)
	for _, to := range []string{"report@example.org", "abuse+1@example.org", "anna@example.org"} {
		message = append(message, frame('R', strs("<"+to+">"))...)
	}
	for _, field := range msg.header {
		message = append(message, frame('L', strs(field[0], field[1]))...)
	}
	message = append(message, frame('L', strs("Spamreport-Seal", " v=1"))...)
	message = append(append(append(message, frame('N', nil)...), frame('B', []byte(msg.body[0]))...), frame('E', nil)...)
	f.Add(uint32(offerAll), message)
	f.Add(uint32(0), message)
	f.Add(uint32(offerAll), append(bytes.Clone(message[:len(message)-5]), message...))
	f.Add(uint32(offerAll), bytes.Replace(message, login, frame('D', append([]byte{'M'}, strs(strangerMacros("192.0.2.1")...)...)), 1))
	f.Add(uint32(offerAll), append(bytes.Clone(begin), bytes.Repeat(frame('L', strs("X", strings.Repeat("y", 9000))), 20)...))

	large := append(frame('M', strs("<>")), frame('L', strs("X-Spam-Flag", " YES"))...)
	large = append(large, bytes.Repeat(frame('L', strs("X", strings.Repeat("y", 16_000))), 5)...)
	large = append(append(large, frame('N', nil)...), frame('E', nil)...)

	d := &desks{}
	s := newStage(f, milter.Config{Memory: 250_000, HeaderLimit: 90_000, BodyLimit: 1000, Seal: newKeys(f), Replies: d,
		Reports: &milter.Reports{Addresses: []string{"report@example.org"}, PerHour: 1 << 30, MaxSize: 45_000}})
	f.Fuzz(func(t *testing.T, offer uint32, frames []byte) {
		d.got = nil
		answers, reports := s.run(t, offer, frames)
		if strings.Trim(answers, "Ocasdyhm-") != "" {
			t.Fatalf("answers %q", answers)
		}
		if strings.Count(answers, "d") > len(reports)+len(d.got) {
			t.Fatalf("answers %q, but %d reports and %d replies", answers, len(reports), len(d.got))
		}
		for _, r := range reports {
			if r.Cause == queue.CauseUser && (r.Reporter == "" || r.Message.Session != nil && r.Message.Session.Disproved == "") {
				t.Fatalf("user's report %+v", r)
			}
		}
		if p := s.Stats().Panics; p != 0 {
			t.Fatalf("%d panics", p)
		}
		if answers, reports := s.run(t, offerAll, large); answers != "Oca" || len(reports) != 1 {
			t.Fatalf("next session: answers %q, %d reports", answers, len(reports))
		}
	})
}

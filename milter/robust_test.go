package milter_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// brokenFrames are what no MTA sends after negotiation. Each ends its session.
var brokenFrames = map[string][]byte{
	"zero length":               {0, 0, 0, 0},
	"oversize":                  {0, 0x10, 0, 1, 'B'},
	"absurd length":             {0xff, 0xff, 0xff, 0xff, 'B'},
	"unknown command":           frame('?', nil),
	"CONNECT without family":    frame('C', strs("host")),
	"CONNECT without port":      frame('C', append(strs("host"), '4')),
	"CONNECT without string":    frame('C', []byte("host")),
	"MAIL without string":       frame('M', nil),
	"RCPT not terminated":       frame('R', []byte("<a@example.org>")),
	"macro without command":     frame('D', nil),
	"header without value":      frame('L', strs("Subject")),
	"header without name":       frame('L', strs("", "value")),
	"header with NUL in value":  frame('L', strs("Subject", "a", "b")),
	"header not terminated":     frame('L', []byte("Subject\x00value")),
	"header empty":              frame('L', nil),
	"second negotiation, short": frame('O', []byte{0, 0, 0, 6}),
}

func TestBrokenFrameEndsOnlyItsSession(t *testing.T) {
	s := serve(t, milter.Config{})
	good := greet(t, s.addr, offerAll)
	good.connect("mail.example.com", "192.0.2.1", 4321)
	for name, octets := range brokenFrames {
		t.Run(name, func(t *testing.T) {
			before := s.Stats().Broken
			m := greet(t, s.addr, offerAll)
			m.connect("bad.example.com", "192.0.2.2", 1)
			m.write(octets)
			m.closed()
			if got := s.Stats().Broken; got != before+1 {
				t.Errorf("%d sessions counted as broken, want 1", got-before)
			}
		})
	}
	if code, _ := good.deliver(spam, "ID"); code != 'a' {
		t.Errorf("other session answered %q", code)
	}
	s.only(t)
	if got := strings.Count(s.log.String(), "milter session broken off"); got != len(brokenFrames) {
		t.Errorf("%d log lines, want %d", got, len(brokenFrames))
	}
	if strings.Contains(s.log.String(), "value") {
		t.Error("message content in the log")
	}
}

func TestNoNegotiation(t *testing.T) {
	s := serve(t, milter.Config{})
	for name, octets := range map[string][]byte{
		"another command first": frame('C', connectData("h", '4', 1, "192.0.2.1")),
		"short negotiation":     frame('O', []byte{0, 0, 0, 6}),
		"SMTP":                  []byte("EHLO me\r\n"),
		"HTTP":                  []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			m := dial(t, s.addr)
			m.write(octets)
			m.closed()
		})
	}
}

func TestTruncatedFrame(t *testing.T) {
	s := serve(t, milter.Config{})
	whole := append(frame('D', append([]byte{'M'}, strs("i", "ID")...)), frame('M', strs("<a@example.com>"))...)
	for n := range whole {
		m := greet(t, s.addr, offerAll)
		m.write(whole[:n])
		if err := m.conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		m.closed()
	}
	s.idle(t)
	// Cut before or after the first frame is the end of a session like any.
	if got, want := s.Stats().Broken, int64(len(whole)-2); got != want {
		t.Errorf("%d sessions counted as broken, want %d", got, want)
	}
}

func TestConnectionLostInMessageIsNoReport(t *testing.T) {
	s := serve(t, milter.Config{})
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.envelope(spam)
	m.header(spam, "ID")
	m.want('c')
	m.conn.Close()
	s.idle(t)
	if got := len(s.all()); got != 0 {
		t.Errorf("%d reports of a message that was never received", got)
	}
	if st := s.Stats(); st.Broken != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestSilentMTA(t *testing.T) {
	s := serve(t, milter.Config{IdleTimeout: 20 * time.Millisecond})
	m := greet(t, s.addr, offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.closed()
	if st := s.Stats(); st.Broken != 1 {
		t.Errorf("stats %+v", st)
	}
	if !strings.Contains(s.log.String(), "MTA silent for 20ms") {
		t.Errorf("log does not tell: %s", s.log)
	}
}

func TestTooManySessions(t *testing.T) {
	s := serve(t, milter.Config{MaxSessions: 2})
	var kept []*mta
	for range 2 {
		m := greet(t, s.addr, offerAll)
		m.connect("mail.example.com", "192.0.2.1", 4321)
		kept = append(kept, m)
	}
	eventually(t, "two sessions", func() bool { return s.Stats().Active == 2 })
	for range 3 {
		m := greet(t, s.addr, offerAll)
		if m.protocol != 0 {
			t.Errorf("relieved MTA was asked for %#x", m.protocol)
		}
		m.macros('C', "j", "mx.example.org")
		m.send('C', connectData("mail.example.com", '4', 1, "192.0.2.1"))
		m.want('a')
		m.closed()
		eventually(t, "relieved session gone", func() bool { return s.Stats().Active == 2 })
	}
	if st := s.Stats(); st.Relieved != 3 || st.Sessions != 2 || st.Broken != 0 {
		t.Errorf("stats %+v", st)
	}
	if got := strings.Count(s.log.String(), "too many milter sessions"); got != 1 {
		t.Errorf("%d log lines, want 1", got)
	}
	// Those who connect and say nothing are kept to as many again.
	for range 2 {
		dial(t, s.addr)
	}
	eventually(t, "silent connections", func() bool { return s.Stats().Active == 4 })
	dial(t, s.addr).closed()

	for _, m := range kept {
		if code, _ := m.deliver(spam, "ID"); code != 'a' {
			t.Errorf("session within the limit answered %q", code)
		}
	}
	if got := len(s.all()); got != 2 {
		t.Errorf("%d reports, want 2", got)
	}
}

func TestShutdownLetsMessagesFinish(t *testing.T) {
	s := serve(t, milter.Config{})
	idle := greet(t, s.addr, offerAll)
	idle.connect("mail.example.com", "192.0.2.1", 1)
	silent := dial(t, s.addr)
	busy := greet(t, s.addr, 0) // with answers, so that the stage is known
	busy.connect("mail.example.com", "192.0.2.1", 4321)
	busy.helo("helo")
	busy.envelope(spam)
	eventually(t, "three connections", func() bool { return s.Stats().Active == 3 })

	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.closed()
	silent.closed()
	if c, err := net.Dial("tcp", s.addr); err == nil {
		c.Close()
		t.Error("still accepts connections")
	}
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait for the message: %v", err)
	default:
	}
	busy.header(spam, "ID")
	busy.want('c')
	busy.send('E', nil)
	busy.want('a')
	busy.closed()
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	s.only(t)
	if st := s.Stats(); st.Broken != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestShutdownIsBounded(t *testing.T) {
	s := serve(t, milter.Config{})
	s.with(func(ctx context.Context, _ queue.Report) error { <-ctx.Done(); return ctx.Err() })
	waiting := greet(t, s.addr, 0)
	waiting.connect("mail.example.com", "192.0.2.1", 1)
	waiting.helo("helo")
	waiting.envelope(spam)
	submitting := greet(t, s.addr, offerAll)
	submitting.envelope(spam)
	submitting.header(spam, "ID")
	submitting.want('c')
	submitting.send('E', nil)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := s.Shutdown(ctx)
	if err == nil || !strings.Contains(err.Error(), "2 sessions cut off") {
		t.Errorf("Shutdown: %v", err)
	}
	waiting.closed()
}

func TestServeAfterShutdown(t *testing.T) {
	s := serve(t, milter.Config{})
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := listen("inet:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("listener left open")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
}

// flakyListener fails a few times before it accepts.
type flakyListener struct {
	net.Listener
	failures int
}

type tooManyFiles struct{}

func (tooManyFiles) Error() string { return "too many open files" }

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, tooManyFiles{}
	}
	return l.Listener.Accept()
}

func TestAcceptErrorsAreWaitedOut(t *testing.T) {
	s := serve(t, milter.Config{})
	l, err := listen("inet:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(&flakyListener{Listener: l, failures: 3}) }()
	m := greet(t, l.Addr().String(), offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.deliver(spam, "ID")
	s.only(t)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	s := serve(t, milter.Config{MaxSessions: 50})
	var open []*mta
	for i := range 100 {
		m := dial(t, s.addr)
		switch i % 4 {
		case 0:
			m.conn.Close()
		case 1:
			m.negotiate(offerAll)
			m.write(binary.BigEndian.AppendUint32(nil, 0))
		default:
			open = append(open, m)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range open {
		m.conn.Close()
	}
	if st := s.Stats(); st.Active != 0 {
		t.Errorf("stats %+v", st)
	}
	eventually(t, "goroutines gone", func() bool { return runtime.NumGoroutine() <= before })
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// TestTenThousandConnects has peers come and go in all ways, most of them rude, and
// then serves the next MTA as if nothing had been. No goroutine, file or memory
// stays behind.
func TestTenThousandConnects(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	s := serve(t, milter.Config{MaxSessions: 100, Memory: 3 << 20, SpoolDir: t.TempDir()})
	large := append(frame('O', optneg(offerAll)), frame('M', strs("<>"))...)
	large = append(large, frame('L', strs("X-Spam-Flag", " YES"))...)
	large = append(append(large, frame('N', nil)...), frame('B', make([]byte, 100_000))...)
	rude := [][]byte{
		nil, {0}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 'O'}, []byte("EHLO me\r\n"), frame('O', optneg(offerAll)),
		append(frame('O', optneg(offerAll)), frame('D', append([]byte{'M'}, bytes.Repeat([]byte("a\x00"), 100_000)...))...),
		append(frame('O', optneg(offerAll)), bytes.Repeat(frame('A', nil), 100)...), large,
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 10_000 / 8 {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Errorf("connect: %v", err)
					return
				}
				conn.Write(rude[(i+worker)%len(rude)])
				conn.(*net.TCPConn).SetLinger(0) // no port is kept waiting
				conn.Close()
			}
		})
	}
	wg.Wait()
	s.idle(t)
	m := connected(t, s)
	for range 2 { // it takes the memory that a leak would have used
		m.envelope(spam)
		for range 20 {
			m.step('L', strs("X-Long", strings.Repeat("x", 10_000)), 0x80)
		}
		m.header(spam, "ID")
		m.want('c')
		if _, code, _ := m.ending(strings.Repeat("y", 60_000)); code != 'a' {
			t.Errorf("answered %q", code)
		}
	}
	m.conn.Close()
	if got := len(s.all()); got != 2 {
		t.Errorf("%d reports, want 2", got)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "goroutines gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "files closed", func() bool { return openFiles(t) <= files })
	if st := s.Stats(); st.Panics != 0 {
		t.Errorf("stats %+v", st)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

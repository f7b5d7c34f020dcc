package testmta_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"spamreport-milter/internal/testmta"
)

// sink is an SMTP server that keeps one message.
type sink struct{ got chan string }

func (s sink) NewSession(*gosmtp.Conn) (gosmtp.Session, error) { return s, nil }
func (s sink) Reset()                                          {}
func (s sink) Logout() error                                   { return nil }
func (s sink) Mail(string, *gosmtp.MailOptions) error          { return nil }
func (s sink) Rcpt(string, *gosmtp.RcptOptions) error          { return nil }
func (s sink) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.got <- string(b)
	return err
}

func startSink(t *testing.T) (addr string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got = make(chan string, 1)
	srv := gosmtp.NewServer(sink{got})
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return l.Addr().String(), got
}

func TestRelayLogSetStop(t *testing.T) {
	testmta.Need(t)
	t.Setenv("TMPDIR", t.TempDir())
	if err := os.Chmod(filepath.Dir(os.TempDir()), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	addr, got := startSink(t)
	p, err := testmta.Start(ctx, testmta.Options{Relay: addr, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("Subject: hello\r\n\r\nworld\r\n")
	if err := sendPlain(p.Addr, "user@example.org", message); err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-got:
		if !strings.HasPrefix(b, "Received: from ") || !strings.HasSuffix(b, string(message)) {
			t.Errorf("relayed message:\n%s", b)
		}
	case <-ctx.Done():
		t.Fatalf("nothing relayed; log:\n%s", p.Log())
	}
	if line, err := p.WaitLog(ctx, "to=<user@example.org>", "status=sent"); err != nil || !strings.Contains(line, "postfix/smtp") {
		t.Errorf("log line %q, %v", line, err)
	}

	if err := p.Set(ctx, map[string]string{"smtpd_banner": "changed ESMTP"}); err != nil {
		t.Fatal(err)
	}
	if b := banner(t, p.Addr); b != "220 changed ESMTP\r\n" {
		t.Errorf("banner %q after Set", b)
	}

	stops(t, p, p.Addr)
}

// stops ends an MTA, which leaves nothing then, and may be ended twice.
func stops(t *testing.T, mta interface{ Stop() error }, addr string) {
	t.Helper()
	if err := mta.Stop(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("still listens after Stop")
	}
	nothingLeft(t)
	if err := mta.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	testmta.Need(t)
	t.Setenv("TMPDIR", t.TempDir())
	_, err := testmta.Start(context.Background(), testmta.Options{MainCF: map[string]string{"queue_directory": "relative"}})
	if err == nil || !strings.Contains(err.Error(), "chdir(relative)") {
		t.Errorf("Start: %v, want Postfix's own words", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := testmta.Start(ctx, testmta.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v", err)
	}
	nothingLeft(t)
}

func nothingLeft(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "testmta-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func banner(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b bytes.Buffer
	if _, err := io.CopyN(&b, c, int64(len("220 changed ESMTP\r\n"))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sendPlain is smtp.SendMail without STARTTLS, whose certificate nobody signed.
func sendPlain(addr, to string, message []byte) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail("sender@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// fakeT records how Need ends a test.
type fakeT struct{ fatal, skip bool }

func (f *fakeT) Helper()      {}
func (f *fakeT) Skip(...any)  { f.skip = true }
func (f *fakeT) Fatal(...any) { f.fatal = true }

func TestNeed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := testmta.Available(); !errors.Is(err, testmta.ErrUnavailable) {
		t.Fatalf("Available without Postfix: %v", err)
	}
	for _, ci := range []string{"", "true"} {
		t.Setenv("CI", ci)
		var f fakeT
		testmta.Need(&f)
		if f.fatal != (ci == "true") || f.skip == f.fatal {
			t.Errorf("CI=%q: fatal %v, skip %v", ci, f.fatal, f.skip)
		}
	}
}

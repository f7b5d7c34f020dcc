package milter_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// smtpClient speaks SMTP line by line, so that every octet is the test's.
type smtpClient struct {
	t *testing.T
	*textproto.Conn
	net net.Conn
}

func dialSMTP(t *testing.T, addr string) *smtpClient {
	t.Helper()
	return dialSMTPFrom(t, "", addr)
}

func (c *smtpClient) expect(code int) string {
	c.t.Helper()
	_, msg, err := c.ReadResponse(code)
	if err != nil {
		c.t.Fatalf("want %d: %v", code, err)
	}
	return msg
}

// cmd sends a line and expects a code; 2 stands for any 2xx.
func (c *smtpClient) cmd(code int, format string, args ...any) string {
	c.t.Helper()
	if err := c.PrintfLine(format, args...); err != nil {
		c.t.Fatal(err)
	}
	return c.expect(code)
}

// data sends a message, its lines with CRLF, and returns the last answer.
func (c *smtpClient) data(from, to string, message []byte) (code int, text string) {
	c.t.Helper()
	c.cmd(250, "MAIL FROM:<%s>", from)
	c.cmd(250, "RCPT TO:<%s>", to)
	return c.content(message)
}

func (c *smtpClient) content(message []byte) (code int, text string) {
	c.t.Helper()
	c.cmd(354, "DATA")
	stuffed := bytes.ReplaceAll(message, []byte("\r\n."), []byte("\r\n.."))
	if _, err := c.W.Write(append(stuffed, ".\r\n"...)); err != nil {
		c.t.Fatal(err)
	}
	if err := c.W.Flush(); err != nil {
		c.t.Fatal(err)
	}
	code, text, err := c.ReadResponse(0)
	var reply *textproto.Error
	if err != nil && !errors.As(err, &reply) {
		c.t.Fatal(err)
	}
	return code, text
}

// spamMessage is what a filter before us would hand on.
const (
	spamMessage = "Subject: buy\r\nX-Spam-Flag: YES\r\n\r\nnow\r\n"
	hamMessage  = "Subject: lunch\r\nX-Spam-Status: No, score=0.1\r\n\r\nat noon?\r\n"
)

func (c *smtpClient) spam() (id string) {
	c.t.Helper()
	code, text := c.data("offer@example.com", "user@example.org", []byte(spamMessage))
	if code != 250 {
		c.t.Fatalf("spam answered %d %s", code, text)
	}
	return queueID(text)
}

// startPostfix runs a scratch Postfix for the test.
func startPostfix(t testing.TB, o testmta.Options) *testmta.Postfix {
	t.Helper()
	testmta.Need(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := testmta.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Postfix's log:\n%s", p.Log())
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestPostfix is what only Postfix has: XCLIENT, and with it clients from
// everywhere that have logged in. TestMTA has what both MTAs do.
func TestPostfix(t *testing.T) {
	t.Parallel()
	s := serve(t, milter.Config{BodyLimit: 100_000})
	p := startPostfix(t, testmta.Options{
		Milters: []string{"inet:" + s.addr},
		TLS:     true,
		MainCF: map[string]string{
			"milter_default_action": "tempfail",
			"inet_protocols":        "all",

			"smtpd_sasl_auth_enable": "yes",
			"message_size_limit":     "0",
		},
	})
	// last returns the report that was added since the call before.
	seen := 0
	last := func(t *testing.T) queue.Report {
		t.Helper()
		all := s.all()
		if len(all) != seen+1 {
			t.Fatalf("%d new reports, want 1", len(all)-seen)
		}
		seen = len(all)
		return all[seen-1]
	}

	t.Run("XCLIENT changes the client", func(t *testing.T) {
		c := dialSMTP(t, p.Addr)
		c.cmd(250, "EHLO first.example.com")
		c.spam()
		last(t)
		for _, tt := range []struct {
			xclient, client, ptr string
			verified             bool
		}{
			{"ADDR=192.0.2.7 PORT=4567 NAME=mail.example.com REVERSE_NAME=mail.example.com", "192.0.2.7:4567", "mail.example.com", true},
			{"ADDR=198.51.100.8 PORT=4568 NAME=[UNAVAILABLE] REVERSE_NAME=forged.example.net", "198.51.100.8:4568", "forged.example.net", false},
			{"ADDR=203.0.113.9 PORT=4569 NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE]", "203.0.113.9:4569", "", false},
			{"ADDR=IPV6:2001:db8::9 PORT=4570 NAME=six.example.com REVERSE_NAME=six.example.com", "[2001:db8::9]:4570", "six.example.com", true},
		} {
			c.cmd(220, "XCLIENT %s", tt.xclient)
			c.cmd(250, "EHLO helo-%s", strings.Fields(tt.xclient)[0])
			c.spam()
			got := last(t).Message.Session
			if got.Client != netip.MustParseAddrPort(tt.client) || got.PTR != tt.ptr || got.PTRVerified != tt.verified {
				t.Errorf("after XCLIENT %s: client %v, PTR %q, verified %v", tt.xclient, got.Client, got.PTR, got.PTRVerified)
			}
			if want := "helo-" + strings.Fields(tt.xclient)[0]; got.HELO != want {
				t.Errorf("HELO %q, want %q", got.HELO, want)
			}
		}
	})

	t.Run("TLS and AUTH", func(t *testing.T) {
		c := dialSMTP(t, p.Addr)
		c.cmd(250, "HELO plain.example.com")
		c.spam()
		if got := last(t).Message.Session; got.TLSVersion != "" || got.AuthType != "" || got.ESMTP {
			t.Errorf("plain session: %+v", got)
		}
		c.cmd(250, "EHLO plain.example.com")
		c.cmd(220, "STARTTLS")
		conn := tls.Client(c.net, &tls.Config{InsecureSkipVerify: true})
		c.Conn = textproto.NewConn(conn)
		c.cmd(250, "EHLO tls.example.com")
		c.spam()
		got := last(t).Message.Session
		if got.TLSVersion != "TLSv1.3" || !strings.HasPrefix(got.TLSCipher, "TLS_") || !got.ESMTP || got.HELO != "tls.example.com" {
			t.Errorf("TLS session: %+v", got)
		}
		c.cmd(220, "XCLIENT LOGIN=fred")
		c.cmd(250, "EHLO auth.example.com")
		c.spam()
		if got := last(t).Message.Session; got.AuthUser != "fred" || got.AuthType == "" {
			t.Errorf("authenticated session: %+v", got)
		}
	})

	if st := s.Stats(); st.Broken != 0 || st.Panics != 0 {
		t.Errorf("stats %+v", st)
	}
	if strings.Contains(p.Log(), "warning: milter") {
		t.Errorf("Postfix has complaints:\n%s", p.Log())
	}
}

// Over the cap mail passes even where Postfix is told to refuse it without the
// milter.
func TestPostfixTooManySessions(t *testing.T) {
	t.Parallel()
	s := serve(t, milter.Config{MaxSessions: 1})
	p := startPostfix(t, testmta.Options{
		Milters: []string{"inet:" + s.addr},
		MainCF:  map[string]string{"milter_default_action": "tempfail"},
	})
	// The greeting that Start waited for is a session too.
	s.idle(t)
	first := dialSMTP(t, p.Addr)
	first.cmd(250, "EHLO first.example.com")
	first.spam()
	second := dialSMTP(t, p.Addr)
	second.cmd(250, "EHLO second.example.com")
	for range 2 {
		second.spam()
	}
	second.cmd(221, "QUIT")
	first.spam()
	if got := len(s.all()); got != 2 {
		t.Errorf("%d reports, want the 2 of the first session", got)
	}
	if strings.Contains(p.Log(), "warning:") {
		t.Errorf("Postfix has complaints:\n%s", p.Log())
	}
}

// The milter goes and comes back under a Postfix that is set up as
// contrib/postfix does it, over a unix socket.
func TestPostfixMilterRestart(t *testing.T) {
	t.Parallel()
	testmta.Need(t)
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(d) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "milter.sock")
	start := func() (*site, chan error) {
		s := serve(t, milter.Config{})
		l, err := listen("unix:" + socket)
		if err != nil {
			t.Fatal(err)
		}
		giveToPostfix(t, socket)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		return s, served
	}
	s, served := start()
	p := startPostfix(t, testmta.Options{Milters: []string{"unix:" + socket}})
	c := dialSMTP(t, p.Addr)
	c.cmd(250, "EHLO client.example.com")
	c.spam()
	s.only(t)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	c.spam() // in the session that lost its milter
	down := dialSMTP(t, p.Addr)
	down.cmd(250, "EHLO client.example.com")
	down.spam()

	again, _ := start()
	back := dialSMTP(t, p.Addr)
	back.cmd(250, "EHLO client.example.com")
	back.spam()
	again.only(t)
	s.only(t)
}

func giveToPostfix(t *testing.T, path string) {
	t.Helper()
	g, err := user.LookupGroup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, -1, gid); err != nil {
		t.Fatal(err)
	}
}

// Mail of sendmail(1) passes non_smtpd_milters: no SMTP client, and the queue id
// from the start.
func TestPostfixLocalSubmission(t *testing.T) {
	t.Parallel()
	s := serve(t, milter.Config{})
	p := startPostfix(t, testmta.Options{MainCF: map[string]string{"non_smtpd_milters": "inet:" + s.addr}})
	cmd := exec.Command("sendmail", "-f", "cron@example.org", "user@example.org")
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+p.Dir)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(spamMessage, "\r\n", "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sendmail: %v: %s", err, out)
	}
	eventually(t, "a report", func() bool { return len(s.all()) > 0 })
	got := s.only(t).Message
	if got.Session.Client.Addr() != netip.MustParseAddr("127.0.0.1") || got.Session.QueueID == "" || got.MailFrom != "cron@example.org" {
		t.Errorf("session %+v, from %q", got.Session, got.MailFrom)
	}
	if !strings.Contains(string(got.Header), "X-Spam-Flag: YES\r\n") || string(got.Body) != "now\r\n" {
		t.Errorf("header %q, body %q", got.Header, got.Body)
	}
}

// A sieve script or a user at a shell hands a spam on with sendmail(1): it passes
// non_smtpd_milters, and is taken where the network is listed.
func TestPostfixLocalReport(t *testing.T) {
	t.Parallel()
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})})
	p := startPostfix(t, testmta.Options{MainCF: map[string]string{"non_smtpd_milters": "inet:" + s.addr}})
	cmd := exec.Command("sendmail", "-f", "fred@example.org", "report@example.org")
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+p.Dir)
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(original, "\r\n", "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sendmail: %v: %s", err, out)
	}
	eventually(t, "a report", func() bool { return len(s.all()) > 0 })
	got := s.only(t)
	if got.Reporter != "fred@example.org" || got.Reason != "redirected to report@example.org" || !strings.HasPrefix(string(got.Message.Header), "Return-Path: <w@a.example>\r\nReceived: from a.example") && !strings.HasPrefix(string(got.Message.Header), "Received: from a.example") {
		t.Errorf("%s, %s:\n%s", got.Reporter, got.Reason, got.Message.Header)
	}
	if string(got.Message.Body) != "click  here \r\n" {
		t.Errorf("body %q", got.Message.Body)
	}
}

// A desk's server refuses our complaint: the bounce that Postfix itself makes of
// that comes back to us, with two lines of main.cf.
func TestPostfixOwnBounce(t *testing.T) {
	t.Parallel()
	desk, err := testnet.StartSMTP(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { desk.Close() })
	desk.RefuseTo("abuse@desk.example", 550, "no such user here")
	d := &desks{}
	s := serve(t, milter.Config{Replies: d})
	p := startPostfix(t, testmta.Options{Relay: desk.Addr, MainCF: map[string]string{
		"non_smtpd_milters": "inet:" + s.addr, "internal_mail_filter_classes": "bounce",
	}})
	c := dialSMTP(t, p.Addr)
	c.cmd(250, "EHLO client.example.com")
	if code, text := c.data("abuse+17.x@example.org", "abuse@desk.example", []byte("Subject: complaint\r\n\r\nspam\r\n")); code != 250 {
		t.Fatalf("%d %s", code, text)
	}
	eventually(t, "the bounce", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.got) > 0 })
	if got := d.got[0]; !strings.HasPrefix(got, "abuse+17.x@example.org from <> ") || !strings.Contains(got, "no such user here") || !strings.Contains(got, "report-type=delivery-status") {
		t.Errorf("got %q", got)
	}
	if len(d.got) != 1 || len(s.all()) != 0 {
		t.Errorf("%d answers, %d reports", len(d.got), len(s.all()))
	}
}

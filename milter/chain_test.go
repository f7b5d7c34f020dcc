package milter_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/milter"
	"spamreport-milter/seal"
	"spamreport-milter/trace"
)

// The milter goes and comes back, and the MTA restarts: mail never stops, and
// whoever is there again does its work.
func TestMTARestarts(t *testing.T) {
	t.Parallel()
	eachMTA(t, func(t *testing.T, start func(*testing.T, setup) mtaServer) {
		s := serve(t, milter.Config{})
		m := start(t, setup{milters: []string{s.addr}})
		c := dialSMTP(t, m.addr)
		c.cmd(250, "EHLO client.example.com")
		c.spam()
		s.only(t)

		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		if err := m.restart(ctx); err != nil {
			t.Fatal(err)
		}
		s.take()
		c = dialSMTP(t, m.addr)
		c.cmd(250, "EHLO client.example.com")
		c.spam()
		s.only(t)

		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		c.spam() // in the session that lost its milter
		c = dialSMTP(t, m.addr)
		c.cmd(250, "EHLO client.example.com")
		c.spam()
		again := serveAt(t, milter.Config{}, s.addr)
		c = dialSMTP(t, m.addr)
		c.cmd(250, "EHLO client.example.com")
		c.spam()
		again.only(t)
	})
}

// filter is a milter before ours, as content filters are: it removes the tags that
// came with the message and tags by its own mind.
type filter struct {
	gomilter.NoOpMilter
	spam    bool
	foreign int
}

func (f *filter) Header(name, value string, _ *gomilter.Modifier) (gomilter.Response, error) {
	f.spam = f.spam || strings.Contains(value, "buy")
	if strings.EqualFold(name, "X-Spam-Flag") {
		f.foreign++
	}
	return gomilter.RespContinue, nil
}

func (f *filter) Body(m *gomilter.Modifier) (gomilter.Response, error) {
	for ; f.foreign > 0; f.foreign-- {
		if err := m.ChangeHeader(f.foreign, "X-Spam-Flag", ""); err != nil {
			return nil, err
		}
	}
	if f.spam {
		if err := m.AddHeader("X-Spam-Flag", "YES"); err != nil {
			return nil, err
		}
	}
	return gomilter.RespAccept, nil
}

func TestFilterBeforeUs(t *testing.T) {
	t.Parallel()
	eachMTA(t, func(t *testing.T, start func(*testing.T, setup) mtaServer) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		lib := gomilter.Server{NewMilter: func() gomilter.Milter { return &filter{} }, Actions: gomilter.OptAddHeader | gomilter.OptChangeHeader}
		go lib.Serve(l)
		t.Cleanup(func() { lib.Close() })
		s := serve(t, milter.Config{})
		m := start(t, setup{milters: []string{l.Addr().String(), s.addr}})
		send := func(message string) {
			c := dialSMTP(t, m.addr)
			c.cmd(250, "EHLO client.example.com")
			if code, text := c.data("a@example.com", "user@example.org", []byte(message)); code != 250 {
				t.Fatalf("%d %s", code, text)
			}
		}
		send("Subject: lunch\r\nX-Spam-Flag: YES\r\n\r\nat noon?\r\n")
		if got := s.all(); len(got) != 0 {
			t.Errorf("the sender's own tag was believed: %+v", got)
		}
		send("Subject: buy\r\n\r\nnow\r\n")
		if got := s.only(t); !strings.Contains(string(got.Message.Header), "X-Spam-Flag: YES\r\n") {
			t.Errorf("header %q", got.Message.Header)
		}
	})
}

// What is sealed arrives with a seal that is good, whoever the MTA, and goes to
// nobody who is not to get it.
func TestSealAndReportThroughMTA(t *testing.T) {
	t.Parallel()
	eachMTA(t, func(t *testing.T, start func(*testing.T, setup) mtaServer) {
		box, err := testnet.StartSMTP(nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { box.Close() })
		keys := newKeys(t)
		d := &desks{}
		inside := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		s := serve(t, milter.Config{Seal: keys, Inside: inside, Replies: d, Reports: reportsTo(milter.Reports{Seal: keys, Networks: inside})})
		m := start(t, setup{milters: []string{s.addr}, tempfail: true, options: testmta.Options{Relay: box.Addr}})

		fake := "Spamreport-Seal: v=1; b=made up\r\nFrom: a@example.com\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n" +
			"Subject: prize\r\n\r\nclick  here \r\n\r\nlast\r\n\r\n"
		c := dialSMTP(t, m.addr)
		c.cmd(250, "EHLO client.example.com")
		code, text := c.data("a@example.com", "user@example.org", []byte(fake))
		if code != 250 {
			t.Fatalf("%d %s", code, text)
		}
		id := queueID(text)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		got, err := box.Wait(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		arrived, err := trace.Read(strings.NewReader(string(got[0].Data)), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		v := keys.Verify(arrived, time.Now())
		if v.Result != seal.Valid || v.Session.Client.String() != c.net.LocalAddr().String() || v.Session.QueueID != id || v.MailFrom != "a@example.com" || v.Session.Later != 1 {
			t.Errorf("the seal is %s: %+v\n%s", v.Text, v.Session, got[0].Data)
		}

		// A stranger, then a client that may, with a colleague and a desk's address.
		c.cmd(250, "MAIL FROM:<a@example.com>")
		if text := c.cmd(550, "RCPT TO:<report@example.org>"); !strings.Contains(text, "log in") {
			t.Errorf("a stranger was told %q", text)
		}
		c.cmd(250, "RSET")
		u := dialSMTPFrom(t, "127.0.0.2", m.addr)
		u.cmd(250, "EHLO laptop")
		forward := handed("fred@example.org", string(got[0].Data))
		var message strings.Builder
		for _, f := range forward.header {
			message.WriteString(f[0] + ":" + f[1] + "\r\n")
		}
		message.WriteString("\r\n" + forward.body[0])
		u.cmd(250, "MAIL FROM:<fred@example.org>")
		for _, to := range []string{"report@example.org", "colleague@example.org", "abuse+7@example.org"} {
			u.cmd(250, "RCPT TO:<%s>", to)
		}
		if code, text := u.content([]byte(message.String())); code != 250 {
			t.Fatalf("%d %s", code, text)
		}
		// Alone at report@ it is dropped, which the client is not told.
		u.cmd(250, "MAIL FROM:<fred@example.org>")
		u.cmd(250, "RCPT TO:<report@example.org>")
		if code, text := u.content([]byte(message.String())); code != 250 {
			t.Fatalf("%d %s", code, text)
		}
		reports := s.all()
		if len(reports) != 2 || reports[0].Reporter != "fred@example.org" || !strings.HasSuffix(reports[0].Reason, "the seal is valid") ||
			string(reports[0].Message.Header)+"\r\n"+string(reports[0].Message.Body) != string(got[0].Data) {
			t.Errorf("reports %+v", reports)
		}
		if len(d.got) != 1 || !strings.HasPrefix(d.got[0], "abuse+7@example.org from <fred@example.org>") {
			t.Errorf("answers %q", d.got)
		}
		if _, err := box.Wait(ctx, 2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // for what must not come
		if got = box.Messages(); len(got) != 2 || fmt.Sprint(got[1].To) != "[colleague@example.org]" {
			t.Errorf("%d messages, the second to %v", len(got), got[1].To)
		}
	})
}

// dialSMTPFrom connects from an address of loopback; empty for the usual one.
func dialSMTPFrom(t *testing.T, from, addr string) *smtpClient {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := &smtpClient{t: t, Conn: textproto.NewConn(conn), net: conn}
	c.expect(220)
	return c
}

// A user of Sendmail logs in, and what he forwards is his report.
func TestSendmailUserReports(t *testing.T) {
	t.Parallel()
	s := serve(t, milter.Config{Reports: reportsTo(milter.Reports{})})
	m := sendmailServer(t, setup{milters: []string{s.addr}, options: testmta.Options{Auth: true}})
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO laptop")
	c.cmd(250, "MAIL FROM:<fred@example.org>")
	c.cmd(550, "RCPT TO:<report@example.org>")
	c.cmd(250, "RSET")
	c.cmd(235, "AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00fred@mx.example.org\x00secret")))
	c.spam()
	if got := s.only(t).Message.Session; got.AuthUser != "fred@mx.example.org" || got.AuthType != "PLAIN" {
		t.Errorf("session %+v", got)
	}
	s.take()
	msg := "From: fred@example.org\r\nTo: report@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + original + "\r\n--b--\r\n"
	if code, text := c.data("fred@example.org", "report@example.org", []byte(msg)); code != 250 {
		t.Fatalf("%d %s", code, text)
	}
	if got := s.only(t); got.Reporter != "fred@mx.example.org" || string(got.Message.Header)+"\r\n"+string(got.Message.Body) != original {
		t.Errorf("%s: %q", got.Reporter, got.Message.Header)
	}
}

package milter_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// setup is what a test wants of an MTA, whichever it is.
type setup struct {
	milters  []string // HOST:PORT or the path of a socket, in the order of asking
	tempfail bool     // refuse mail when a milter does not answer: what passes was let pass
	options  testmta.Options
}

// mtaServer is a running MTA of either kind.
type mtaServer struct {
	addr    string
	log     func() string
	restart func(context.Context) error
}

// mtas are the kinds. Each case below runs with all of them.
var mtas = map[string]func(*testing.T, setup) mtaServer{"postfix": postfixServer, "sendmail": sendmailServer}

func eachMTA(t *testing.T, run func(t *testing.T, start func(*testing.T, setup) mtaServer)) {
	for _, name := range []string{"postfix", "sendmail"} {
		t.Run(name, func(t *testing.T) { run(t, mtas[name]) })
	}
}

func postfixServer(t *testing.T, s setup) mtaServer {
	o := s.options
	for _, m := range s.milters {
		o.Milters = append(o.Milters, mtaSocket(m, false))
	}
	o.MainCF = map[string]string{"message_size_limit": "0"}
	if s.tempfail {
		o.MainCF["milter_default_action"] = "tempfail"
	}
	p := startPostfix(t, o)
	return mtaServer{p.Addr, p.Log, p.Restart}
}

// sendmailServer uses the line of contrib/sendmail, with another port.
func sendmailServer(t *testing.T, s setup) mtaServer {
	testmta.NeedSendmail(t)
	line, err := os.ReadFile("../contrib/sendmail/spamreport-milter.mc")
	if err != nil {
		t.Fatal(err)
	}
	o := s.options
	for i, m := range s.milters {
		text := strings.Replace(string(line), "S=inet:8896@127.0.0.1", "S="+mtaSocket(m, true), 1)
		text = strings.Replace(text, "`spamreport-milter'", fmt.Sprintf("`milter%d'", i), 1)
		if s.tempfail {
			text = strings.Replace(text, ", T=", ", F=T, T=", 1)
		}
		o.MC += text
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := testmta.StartSendmail(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log := m.Log()
			t.Logf("Sendmail's log ends with:\n%s", log[max(0, len(log)-20_000):])
		}
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	return mtaServer{m.Addr, m.Log, m.Restart}
}

// queueID takes the queue id out of an MTA's "250".
func queueID(text string) string {
	if _, id, ok := strings.Cut(text, "queued as "); ok {
		return id
	}
	return strings.Fields(text)[1] // "2.0.0 ID Message accepted for delivery"
}

// TestMTA is one milter and all that a session can bring. The MTA is told to
// refuse mail without it: what passes does so because the milter said so.
func TestMTA(t *testing.T) {
	t.Parallel()
	eachMTA(t, func(t *testing.T, start func(*testing.T, setup) mtaServer) {
		s := serve(t, milter.Config{BodyLimit: 100_000})
		m := start(t, setup{milters: []string{s.addr}, tempfail: true, options: testmta.Options{TLS: true, IPv6: true}})
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				s.take()
				c.run(t, s, m)
			})
		}
		if st := s.Stats(); st.Broken != 0 || st.Panics != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

var cases = []struct {
	name string
	run  func(*testing.T, *site, mtaServer)
}{
	{"several messages", severalMessages},
	{"RSET and refused recipient", resetAndRefused},
	{"octets", exactOctets},
	{"ham", hamPasses},
	{"submit fails", submitFails},
	{"30 MB", thirtyMegabytes},
	{"pipelining", pipelined},
	{"extensions", extensions},
	{"IPv6", overIPv6},
	{"TLS", overTLS},
}

func severalMessages(t *testing.T, s *site, m mtaServer) {
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	for range 3 {
		s.take()
		id := c.spam()
		got := s.only(t).Message.Session
		if got.Client.String() != c.net.LocalAddr().String() || got.PTR != "localhost" || !got.PTRVerified {
			t.Errorf("client %v, %s, verified %v; want %v", got.Client, got.PTR, got.PTRVerified, c.net.LocalAddr())
		}
		if got.HELO != "client.example.com" || got.QueueID != id || got.Host != "mx.example.org" || got.Daemon == "" {
			t.Errorf("session %+v, want queue id %s", got, id)
		}
	}
	c.cmd(221, "QUIT")
}

func resetAndRefused(t *testing.T, s *site, m mtaServer) {
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	c.cmd(250, "MAIL FROM:<given-up@example.com>")
	c.cmd(250, "RCPT TO:<given-up@example.org>")
	c.cmd(250, "RSET")
	c.cmd(250, "MAIL FROM:<>")
	c.cmd(250, "RCPT TO:<first@example.org>")
	c.cmd(55, "RCPT TO:<refused@example.org>")
	c.cmd(250, "RCPT TO:<second@example.org>")
	if code, text := c.content([]byte(spamMessage)); code != 250 {
		t.Fatalf("%d %s", code, text)
	}
	got := s.only(t).Message
	if got.MailFrom != "" || fmt.Sprint(got.RcptTo) != "[first@example.org second@example.org]" {
		t.Errorf("envelope %q %q", got.MailFrom, got.RcptTo)
	}
}

func exactOctets(t *testing.T, s *site, m mtaServer) {
	header := "Received: from a (b [192.0.2.1])\r\n\tby c with SMTP;\r\n Mon, 1 Jan 2024 00:00:00 +0000\r\n" +
		"Subject:no space\r\nTwo:  spaces \r\nTab:\ttab\r\nEmpty:\r\nFold: a\r\n  later\r\n" +
		"Eight: \xe4\xff \xc3\xa4\r\nX-Spam-Flag: YES\r\nsubject: twice\r\n"
	body := "\r\n.leading dot\r\n..two\r\n\xff\xfe 8-bit\r\n" + strings.Repeat("y", 990) + "\r\n\r\nlast\r\n"
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	if code, text := c.data("a@example.com", "user@example.org", []byte(header+"\r\n"+body)); code != 250 {
		t.Fatalf("%d %s", code, text)
	}
	got := s.only(t).Message
	if string(got.Header) != header {
		t.Errorf("header\n%q, want\n%q", got.Header, header)
	}
	if string(got.Body) != body || got.Truncated() {
		t.Errorf("body\n%q, want\n%q", got.Body, body)
	}
}

func hamPasses(t *testing.T, s *site, m mtaServer) {
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	for range 3 {
		if code, text := c.data("friend@example.com", "user@example.org", []byte(hamMessage)); code != 250 {
			t.Errorf("%d %s", code, text)
		}
	}
	if id := c.spam(); s.only(t).Message.Session.QueueID != id {
		t.Error("report of another message")
	}
}

func submitFails(t *testing.T, s *site, m mtaServer) {
	s.with(func(context.Context, queue.Report) error { return errors.New("store is full") })
	defer s.with(nil)
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	if code, text := c.data("a@example.com", "user@example.org", []byte(spamMessage)); code != 451 || !strings.HasPrefix(text, "4.3.0 ") {
		t.Errorf("spam answered %d %s", code, text)
	}
	if code, text := c.data("a@example.com", "user@example.org", []byte(hamMessage)); code != 250 {
		t.Errorf("ham answered %d %s", code, text)
	}
	s.with(nil)
	c.spam()
	s.only(t)
}

func thirtyMegabytes(t *testing.T, s *site, m mtaServer) {
	line := strings.Repeat("0123456789", 9) + "\r\n"
	body := strings.Repeat(line, 30_000_000/len(line))
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	for _, header := range []string{"X-Spam-Flag: YES\r\n\r\n", "Subject: ham\r\n\r\n"} {
		if code, text := c.data("a@example.com", "user@example.org", []byte(header+body)); code != 250 {
			t.Fatalf("%d %s", code, text)
		}
	}
	got := s.only(t).Message
	if !got.Truncated() || string(got.Body) != body[:100_000] {
		t.Errorf("%d octets of %d kept, truncated %v", len(got.Body), got.BodySize, got.Truncated())
	}
	if got.BodySize > 1_000_000 {
		t.Errorf("milter was sent %d octets, SKIP does not work", got.BodySize)
	}
}

func pipelined(t *testing.T, s *site, m mtaServer) {
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO client.example.com")
	var all strings.Builder
	for i := range 3 {
		fmt.Fprintf(&all, "MAIL FROM:<a%d@example.com>\r\nRCPT TO:<user@example.org>\r\nRCPT TO:<refused@example.org>\r\nDATA\r\n", i)
		if _, err := c.net.Write([]byte(all.String())); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			c.expect(250) // the message before
		}
		c.expect(250)
		c.expect(250)
		c.expect(55)
		c.expect(354)
		all.Reset()
		// The end of one message and the next transaction in one go.
		all.WriteString(spamMessage + ".\r\n")
		if i == 2 {
			all.WriteString("QUIT\r\n")
		}
	}
	if _, err := c.net.Write([]byte(all.String())); err != nil {
		t.Fatal(err)
	}
	c.expect(250)
	c.expect(221)
	if got := len(s.all()); got != 3 {
		t.Errorf("%d reports, want 3", got)
	}
}

// extensions uses what the MTA offers: BDAT and SMTPUTF8 are not in all of them.
func extensions(t *testing.T, s *site, m mtaServer) {
	c := dialSMTP(t, m.addr)
	offered := c.cmd(250, "EHLO client.example.com")
	if !strings.Contains(offered, "8BITMIME") {
		t.Fatalf("offers %q", offered)
	}
	c.cmd(250, "MAIL FROM:<a@example.com> BODY=8BITMIME SIZE=100")
	c.cmd(250, "RCPT TO:<user@example.org>")
	if code, text := c.content([]byte(spamMessage + "\xe4\r\n")); code != 250 {
		t.Fatalf("%d %s", code, text)
	}
	if got := s.only(t).Message; string(got.Body) != "now\r\n\xe4\r\n" || got.MailFrom != "a@example.com" {
		t.Errorf("from %q, body %q", got.MailFrom, got.Body)
	}
	if strings.Contains(offered, "SMTPUTF8") {
		s.take()
		c.cmd(250, "MAIL FROM:<j\u00fcrgen@example.com> SMTPUTF8")
		c.cmd(250, "RCPT TO:<user@example.org>")
		c.content([]byte(spamMessage))
		if got := s.only(t).Message; got.MailFrom != "j\u00fcrgen@example.com" {
			t.Errorf("from %q", got.MailFrom)
		}
	}
	if strings.Contains(offered, "CHUNKING") {
		s.take()
		c.cmd(250, "MAIL FROM:<a@example.com>")
		c.cmd(250, "RCPT TO:<user@example.org>")
		half := len(spamMessage) - 3
		fmt.Fprintf(c.net, "BDAT %d\r\n%s", half, spamMessage[:half])
		c.expect(250)
		fmt.Fprintf(c.net, "BDAT %d LAST\r\n%s", len(spamMessage)-half, spamMessage[half:])
		c.expect(250)
		if got := s.only(t).Message; string(got.Body) != "now\r\n" {
			t.Errorf("body %q", got.Body)
		}
	}
}

func overIPv6(t *testing.T, s *site, m mtaServer) {
	_, port, _ := net.SplitHostPort(m.addr)
	c := dialSMTP(t, "[::1]:"+port)
	c.cmd(250, "EHLO client.example.com")
	c.spam()
	if got := s.only(t).Message.Session; got.Client.String() != c.net.LocalAddr().String() {
		t.Errorf("client %v, want %v", got.Client, c.net.LocalAddr())
	}
}

func overTLS(t *testing.T, s *site, m mtaServer) {
	c := dialSMTP(t, m.addr)
	c.cmd(250, "EHLO plain.example.com")
	c.cmd(220, "STARTTLS")
	conn := tls.Client(c.net, &tls.Config{InsecureSkipVerify: true})
	c.Conn = textproto.NewConn(conn)
	c.cmd(250, "EHLO tls.example.com")
	c.spam()
	got := s.only(t).Message.Session
	if got.TLSVersion != "TLSv1.3" || !strings.HasPrefix(got.TLSCipher, "TLS_") || !got.ESMTP || got.HELO != "tls.example.com" {
		t.Errorf("TLS session: %+v", got)
	}
}

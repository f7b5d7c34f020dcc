package milter_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
	"spamreport-milter/seal"
	"spamreport-milter/trace"
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

// dialSMTPFrom connects from another address of loopback.
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

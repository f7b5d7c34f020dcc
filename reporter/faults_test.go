package reporter_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// steps of a delivery with TLS and a password: what names each in the event, and
// where a refusal for good leads.
var steps = []struct {
	at    testnet.Step
	says  string
	never queue.State
}{
	{testnet.Connect, "greeting: ", queue.Deferred},
	{testnet.Hello, "EHLO: ", queue.Deferred},
	{testnet.StartTLS, "STARTTLS: ", queue.Deferred},
	{testnet.Handshake, "TLS: ", queue.Deferred},
	{testnet.Secure, "EHLO: ", queue.Deferred},
	{testnet.Auth, "AUTH: ", queue.Deferred},
	{testnet.Password, "AUTH: ", queue.Deferred},
	{testnet.Mail, "MAIL: ", queue.Deferred},
	{testnet.Rcpt, "RCPT", queue.Failed},
	{testnet.Data, "DATA: ", queue.Failed},
	{testnet.End, "end of message: ", queue.Failed},
	{testnet.Quit, "relay took it for abuse@net.test", queue.Sent},
}

// hostile steps get what only a broken or hostile relay says. One parser reads the first
// ones, another the rest.
var hostile = []testnet.Step{testnet.Connect, testnet.Secure, testnet.Password, testnet.Rcpt, testnet.End}

// forGood are replies that refuse for good, and what of them must stand in the event.
var forGood = []failure{
	{name: "5xx", fault: testnet.Fault{Say: "554 5.7.1 never\r\n"}, says: "554 5.7.1 never"},
	{name: "no code", hostile: true, fault: testnet.Fault{Say: "550 unknown here\r\n"}, says: "550 unknown here"},
	{name: "many lines", hostile: true, fault: testnet.Fault{Say: "554-5.7.1 first\r\n554-5.7.1 second\r\n554 5.7.1 third\r\n"}, says: "554 5.7.1 first "},
	{name: "odd octets", hostile: true, fault: testnet.Fault{Say: "554 5.7.1 Gr\xfc\xdfe\x00\x1b[2J\xe2\x80\xae!\r\n"}, says: "554 5.7.1 Gr??e??[2J?!"},
	{name: "long as may", hostile: true, fault: testnet.Fault{Say: "554 5.7.1 " + strings.Repeat("x", 1900) + "\r\n"}, says: "554 5.7.1 xxxx"},
}

// forNow are faults that may pass, and what must stand in the event where it is known.
var forNow = []failure{
	{name: "4xx", fault: testnet.Fault{Say: "451 4.7.1 later\r\n"}, says: "451 4.7.1 later"},
	{name: "421", fault: testnet.Fault{Say: "421 4.3.2 going down\r\n", Cut: true}, says: "421 4.3.2 going down"},
	{name: "login wanted", fault: testnet.Fault{Say: "530 5.7.0 authenticate\r\n"}, says: "530 5.7.0 authenticate"},
	{name: "hang", fault: testnet.Fault{Hang: true}, says: "timeout"},
	{name: "cut", fault: testnet.Fault{Cut: true}},
	{name: "half a reply", hostile: true, fault: testnet.Fault{Say: "25", Cut: true}},
	{name: "no reply at all", hostile: true, fault: testnet.Fault{Say: "\x00\x16\x03\xff hello\r\n", Cut: true}},
	{name: "line of 1 MB", hostile: true, fault: testnet.Fault{Say: "250" + strings.Repeat("x", 1<<20), Cut: true}},
	{name: "endless lines", hostile: true, fault: testnet.Fault{Say: "250-" + strings.Repeat("more ", 100) + "\r\n", Endless: true}},
	{name: "drop by drop", hostile: true, fault: testnet.Fault{Say: strings.Repeat("250-x\r\n", 100), Drip: 50 * time.Millisecond}, says: "timeout"},
}

type failure struct {
	name    string
	hostile bool // for hostile steps only
	fault   testnet.Fault
	says    string
}

// TestFaultsAtEachStep holds each fault at each step of the relay to the state that it
// leads to and to what is written down of it. When the relay is mended the desk gets the
// complaint, once, however often it was tried before.
func TestFaultsAtEachStep(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	defer wg.Wait() // they mostly wait, so all at once
	for _, step := range steps {
		wg.Go(func() {
			t.Run(string(step.at), func(t *testing.T) {
				d := startSecure(t, "LOGIN")
				passing := queue.Deferred
				if step.at == testnet.Quit {
					passing = queue.Sent
				}
				var id int64
				tried := 0
				try := func(faults []failure, want queue.State) {
					for _, f := range faults {
						if !f.hostile || slices.Contains(hostile, step.at) {
							tried++
							id = d.holds(id, f, step.at, want, step.says)
						}
					}
				}
				try(forGood, step.never)
				try(forNow, passing)
				want := 1
				if id != 0 {
					d.again(id)
				} else {
					want = tried
				}
				if step.at == testnet.End { // which a relay that hung took when it woke up
					want++
				}
				if got := d.relay.Messages(); len(got) != want || !got[0].TLS || got[0].User != "milter" {
					t.Errorf("the desk has %d messages, want %d", len(got), want)
				}
				for _, line := range d.relay.InClear() {
					if verb, _, _ := strings.Cut(line, " "); slices.Contains([]string{"AUTH", "MAIL", "RCPT", "DATA"}, strings.ToUpper(verb)) {
						t.Errorf("%q went in the clear", line)
					}
				}
			})
		})
	}
}

// startSecure starts a reporter whose relay wants TLS and a password.
func startSecure(t *testing.T, mechanism string) *desk {
	t.Helper()
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	relay, err := testnet.StartSMTP(ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	relay.RequireAuth("milter", "secret", mechanism)
	d := start(t, registry(found), func(c *reporter.Config) {
		c.Relay = reporter.Relay{Addr: relay.Addr, TLS: "starttls", RootCAs: roots(t, ca), User: "milter", Password: "secret", Timeout: 2 * time.Second}
		c.Poll = time.Minute // all is woken in this process, and many at once must not poll
	})
	d.relay = relay
	return d
}

// roots are the authorities of a client that believes the CA.
func roots(t *testing.T, ca *testnet.CA) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// holds has an attempt to send complaint id meet a fault, a new one for 0, and returns it,
// or 0 when it was sent.
func (d *desk) holds(id int64, f failure, at testnet.Step, want queue.State, step string) int64 {
	d.t.Helper()
	name := f.name
	d.relay.Fail(at, f.fault)
	defer d.relay.Recover()
	if id == 0 {
		id = d.let()
	} else {
		d.retry(id)
	}
	c, reason := d.tried(id)
	if c.State != want {
		d.t.Errorf("%s at %s: %s (%s), want %s", name, at, c.State, reason, want)
	}
	says := []string{step, f.says}
	if want == queue.Sent || at == testnet.Handshake { // such words are of no interest, or none
		says = says[:1]
	}
	for _, s := range says {
		if !strings.Contains(reason, s) {
			d.t.Errorf("%s at %s: reason %q lacks %q", name, at, reason, s)
		}
	}
	if len(reason) > 1000 || strings.ContainsFunc(reason, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		d.t.Errorf("%s at %s: reason %q is not fit to be read", name, at, reason)
	}
	if wait := time.Until(c.NextAttempt); c.State == queue.Deferred && wait < 4*time.Minute {
		d.t.Errorf("%s at %s: next attempt in %v", name, at, wait)
	}
	if c.State == queue.Sent {
		return 0
	}
	return id
}

// let files a complaint and lets it out.
func (d *desk) let() int64 {
	d.t.Helper()
	report := d.submit(fromSender())
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		events, err := d.Events(d.t.Context(), queue.EventFilter{ReportID: report, Action: queue.ActionFiled})
		if err != nil {
			d.t.Fatal(err)
		}
		if len(events) > 0 {
			if err := d.Approve(d.t.Context(), events[0].ComplaintID, us, "user:admin", ""); err != nil {
				d.t.Fatal(err)
			}
			return events[0].ComplaintID
		}
	}
	d.t.Fatal("the report made no complaint")
	return 0
}

// tried waits for the end of an attempt, and returns what was written down of it.
func (d *desk) tried(id int64) (*queue.Complaint, string) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		last, err := d.Events(d.t.Context(), queue.EventFilter{ComplaintID: id, Limit: 1})
		if err != nil {
			d.t.Fatal(err)
		}
		if s := last[0].To; s != queue.Ready && s != queue.Sending {
			return d.complaint(id), last[0].Reason
		}
	}
	d.t.Fatalf("complaint %d: the attempt does not end", id)
	return nil, ""
}

// retry has a person let a complaint out again.
func (d *desk) retry(id int64) {
	d.t.Helper()
	out, err := d.Decide(d.t.Context(), queue.Decision{Action: queue.ActionRetried, Actor: "user:admin", Sender: us}, id)
	if err != nil || len(out.Done) != 1 {
		d.t.Fatalf("it can't be tried again: %v, %v", out.Refused, err)
	}
}

// again retries through a mended relay: it must be sent.
func (d *desk) again(id int64) *queue.Complaint {
	d.t.Helper()
	d.retry(id)
	c, reason := d.tried(id)
	if c.State != queue.Sent {
		d.t.Errorf("through the mended relay: %s (%s)", c.State, reason)
	}
	return c
}

// TestRelayNotThere has nobody listen.
func TestRelayNotThere(t *testing.T) {
	d := start(t, registry(found), nil)
	if err := d.relay.Shut(); err != nil {
		t.Fatal(err)
	}
	id := d.let()
	c, reason := d.tried(id)
	if c.State != queue.Deferred || !strings.Contains(reason, "connect: ") || !strings.Contains(reason, "refused") {
		t.Errorf("%s (%s)", c.State, reason)
	}
	if err := d.relay.Open(); err != nil {
		t.Fatal(err)
	}
	d.again(id)
	if n := len(d.relay.Messages()); n != 1 {
		t.Errorf("the desk has it %d times", n)
	}
}

// TestRelayDoesNotAnswer has the relay's host drop what would open a connection, as one
// does whose queue for them is full.
func TestRelayDoesNotAnswer(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for full := false; !full; { // nobody accepts
		conn, err := net.DialTimeout("tcp", addr, 300*time.Millisecond)
		if full = err != nil; !full {
			defer conn.Close()
		}
	}
	d := start(t, registry(found), func(c *reporter.Config) {
		c.Relay = reporter.Relay{Addr: addr, TLS: "none", Timeout: 300 * time.Millisecond}
	})
	c, reason := d.tried(d.let())
	if c.State != queue.Deferred || !strings.Contains(reason, "connect: ") || !strings.Contains(reason, "timeout") {
		t.Errorf("%s (%s)", c.State, reason)
	}
}

// TestFaultsWithinTheMessage breaks a delivery while the message is on its way.
func TestFaultsWithinTheMessage(t *testing.T) {
	for name, c := range map[string]struct {
		fault testnet.Fault
		lines int
	}{
		"hang":    {testnet.Fault{Hang: true}, 60_000}, // more than buffers hold
		"cut":     {testnet.Fault{Cut: true}, 2_000},
		"refused": {testnet.Fault{Say: "552 5.3.4 too much\r\n", Cut: true}, 2_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t, registry(found), func(c *reporter.Config) { c.Relay.Timeout = 3 * time.Second })
			d.relay.Fail(testnet.Content, c.fault)
			m := fromSender()
			m.Body = []byte(strings.Repeat(strings.Repeat("x", 76)+"\r\n", c.lines))
			m.BodySize = int64(len(m.Body))
			d.submit(m)
			id := d.event(queue.ActionFiled).ComplaintID
			if err := d.Approve(t.Context(), id, us, "user:admin", ""); err != nil {
				t.Fatal(err)
			}
			k, reason := d.tried(id)
			d.relay.Recover()
			heard := strings.Contains(reason, "message: 552 5.3.4") // a reply may come before the connection breaks
			if heard != (k.State == queue.Failed) || !heard && k.State != queue.Deferred || !strings.Contains(reason, "message: ") {
				t.Errorf("%s (%s)", k.State, reason)
			}
			d.again(id)
			if got := d.relay.Messages(); len(got) != 1 || len(got[0].Data) < len(m.Body) {
				t.Errorf("the desk has %d messages", len(got))
			}
		})
	}
}

// TestStartTLSAttacks: who sits between us and the relay gets neither password nor
// complaint, and no word of his counts within TLS.
func TestStartTLSAttacks(t *testing.T) {
	for name, c := range map[string]struct {
		at   testnet.Step
		say  string
		want string
	}{
		"offer taken away": {testnet.Hello, "250-sink.test\r\n250 AUTH LOGIN PLAIN\r\n", "STARTTLS: it does not offer it"},
		"refused":          {testnet.StartTLS, "454 4.7.0 not today\r\n", "STARTTLS: 454"},
		"more than asked":  {testnet.StartTLS, "220 go ahead\r\n250-sink.test\r\n250 AUTH PLAIN\r\n", "STARTTLS: it says more"},
		"no EHLO":          {testnet.Hello, "502 what?\r\n", "EHLO: 502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startSecure(t, "PLAIN")
			d.relay.Fail(c.at, testnet.Fault{Say: c.say})
			id := d.let()
			if k, reason := d.tried(id); k.State != queue.Deferred || !strings.Contains(reason, c.want) {
				t.Errorf("%s (%s), want %q", k.State, reason, c.want)
			}
			for _, line := range d.relay.InClear() {
				if line != "EHLO mx.isp.test" && line != "STARTTLS" {
					t.Errorf("%q went in the clear", line)
				}
			}
			d.relay.Recover()
			d.again(id)
			if got := d.relay.Messages(); len(got) != 1 || !got[0].TLS || got[0].User != "milter" {
				t.Errorf("the desk has %+v", got)
			}
		})
	}
}

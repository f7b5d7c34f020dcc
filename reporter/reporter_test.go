package reporter_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// sender is a public address that is nobody's in these tests.
var sender = netip.MustParseAddrPort("45.66.77.88:40123")

// registry answers look-ups as told.
type registry func(netip.Addr) (contact.Answer, error)

func (r registry) Lookup(_ context.Context, a netip.Addr) (contact.Answer, error) { return r(a) }

func (r registry) LookupWithout(_ context.Context, a netip.Addr, _ []string) (contact.Answer, error) {
	return r(a)
}

func found(a netip.Addr) (contact.Answer, error) {
	return contact.Answer{Addr: a, Reason: "abuse mailbox of the network",
		Contacts: []contact.Contact{{Address: "abuse@net.test", Source: "rdap", Role: "abuse"}}}, nil
}

func nobody(a netip.Addr) (contact.Answer, error) {
	return contact.Answer{Addr: a, Reason: "the registry names no abuse mailbox",
		Evidence: []contact.Evidence{{Source: "rdap", Query: "https://rdap.test/ip/" + a.String(), Status: "404"}}}, nil
}

// desk is a running reporter between a real store and a real SMTP server.
type desk struct {
	*queue.Store
	relay *testnet.SMTP
	t     *testing.T
}

func start(t *testing.T, contacts reporter.Contacts, change func(*reporter.Config)) *desk {
	t.Helper()
	store, err := queue.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), queue.Options{Daemon: true, Host: "mx.isp.test"})
	if err != nil {
		t.Fatal(err)
	}
	relay, err := testnet.StartSMTP(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := reporter.Config{Composer: composer, Relay: reporter.Relay{Addr: relay.Addr, TLS: "none", Timeout: 2 * time.Second},
		Poll: 20 * time.Millisecond}
	if change != nil {
		change(&c)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		reporter.New(c, store, contacts).Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		relay.Close()
		stop()
		<-done
		store.Close()
	})
	return &desk{store, relay, t}
}

func (d *desk) submit(m trace.Message) int64 {
	d.t.Helper()
	id, err := d.Submit(d.t.Context(), queue.Report{Cause: queue.CauseFilter, Reporter: "X-Spam-Flag", Message: m})
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

// Approve is a person's word that a complaint may go out.
func (d *desk) Approve(ctx context.Context, id int64, sender queue.Sender, actor, reason string) error {
	out, err := d.Decide(ctx, queue.Decision{Action: queue.ActionApproved, Actor: actor, Reason: reason, Sender: sender}, id)
	for _, r := range out.Refused {
		return r.Err
	}
	return err
}

// event waits for the first event of an action.
func (d *desk) event(action string) queue.Event {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		events, err := d.Events(d.t.Context(), queue.EventFilter{Action: action})
		if err != nil {
			d.t.Fatal(err)
		}
		if len(events) > 0 {
			return events[len(events)-1]
		}
	}
	d.t.Fatalf("no event %q came", action)
	return queue.Event{}
}

func (d *desk) complaint(id int64) *queue.Complaint {
	d.t.Helper()
	k, err := d.Case(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return &k.Complaint
}

func fromSender() trace.Message {
	m := spam()
	m.Session.Client = sender
	return m
}

func TestReportBecomesHeldComplaint(t *testing.T) {
	d := start(t, registry(found), nil)
	d.submit(fromSender())
	c := d.complaint(d.event(queue.ActionFiled).ComplaintID)
	if c.State != queue.Held || c.Source != sender.Addr() || len(c.To) != 1 || c.To[0] != "abuse@net.test" || c.Subject != "Grüße" {
		t.Errorf("complaint %+v", c)
	}
	if hop := c.Incidents[0].Chain.Source(); hop == nil || hop.IP != sender.Addr() || hop.Grade != trace.GradeSession {
		t.Errorf("source hop %+v is not the session", hop)
	}
	if got := d.relay.Messages(); len(got) != 0 {
		t.Errorf("%d messages left before anybody approved", len(got))
	}
}

func TestApprovedComplaintIsDelivered(t *testing.T) {
	d := start(t, registry(found), nil)
	d.submit(fromSender())
	id := d.event(queue.ActionFiled).ComplaintID
	if err := d.Approve(t.Context(), id, us, "user:admin", ""); err != nil {
		t.Fatal(err)
	}
	got, err := d.relay.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	d.event(queue.ActionSent)
	if got[0].From != "abuse@isp.test" || len(got[0].To) != 1 || got[0].To[0] != "abuse@net.test" {
		t.Errorf("envelope %s -> %v", got[0].From, got[0].To)
	}
	_, bodies, _ := parts(t, got[0].Data)
	if !bytes.Equal(bodies[2], join(fromSender())) {
		t.Errorf("the original did not arrive octet for octet: %q", bodies[2])
	}
}

func TestNoContactIsHeldWithSourcesTried(t *testing.T) {
	d := start(t, registry(nobody), nil)
	d.submit(fromSender())
	c := d.complaint(d.event(queue.ActionFiled).ComplaintID)
	for _, want := range []string{"no contact", "names no abuse mailbox", "rdap https://rdap.test/ip/45.66.77.88: 404"} {
		if !strings.Contains(c.Hold, want) {
			t.Errorf("hold %q does not say %q", c.Hold, want)
		}
	}
	if err := d.Approve(t.Context(), c.ID, us, "user:admin", ""); !errors.Is(err, queue.ErrState) {
		t.Errorf("a complaint to nobody was approved: %v", err)
	}
}

// TestContactIsAskedForAgain covers a registry that was down when the report came.
func TestContactIsAskedForAgain(t *testing.T) {
	down := true
	d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
		if down {
			down = false
			answer, err := nobody(a)
			answer.Retry = time.Now()
			return answer, err
		}
		return found(a)
	}), nil)
	d.submit(fromSender())
	c := d.complaint(d.event(queue.ActionContact).ComplaintID)
	if c.State != queue.Held || len(c.To) != 1 || c.Hold != "" {
		t.Errorf("after the second look-up: %s to %v, hold %q", c.State, c.To, c.Hold)
	}
}

func TestStartTLSIsRequired(t *testing.T) {
	d := start(t, registry(found), func(c *reporter.Config) { c.Relay.TLS = "starttls" })
	d.submit(fromSender())
	if err := d.Approve(t.Context(), d.event(queue.ActionFiled).ComplaintID, us, "user:admin", ""); err != nil {
		t.Fatal(err)
	}
	if ev := d.event(queue.ActionDeferred); !strings.Contains(ev.Reason, "STARTTLS") {
		t.Errorf("reason %q does not name STARTTLS", ev.Reason)
	}
	if n := len(d.relay.Messages()); n != 0 {
		t.Errorf("%d messages went out in the clear", n)
	}
}

func TestStartTLS(t *testing.T) {
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	relay, err := testnet.StartSMTP(ca)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	d := start(t, registry(found), func(c *reporter.Config) {
		c.Relay = reporter.Relay{Addr: relay.Addr, TLS: "starttls", RootCAs: pool}
	})
	d.submit(fromSender())
	if err := d.Approve(t.Context(), d.event(queue.ActionFiled).ComplaintID, us, "user:admin", ""); err != nil {
		t.Fatal(err)
	}
	d.event(queue.ActionSent)
	if got := relay.Messages(); len(got) != 1 || !got[0].TLS {
		t.Errorf("%d messages, encrypted: %v", len(got), len(got) == 1 && got[0].TLS)
	}
}

// TestRefusals holds each gate to a report that it alone must stop.
func TestRefusals(t *testing.T) {
	own := trace.Options{Networks: []netip.Prefix{netip.MustParsePrefix("45.66.77.0/24")}}
	for _, c := range []struct {
		name   string
		change func(*trace.Message)
		trace  trace.Options
		want   string
	}{
		{"own user", func(m *trace.Message) { m.Session.AuthUser = "bob" }, trace.Options{}, `our own user "bob"`},
		{"null sender", func(m *trace.Message) { m.MailFrom = "" }, trace.Options{}, "null reverse-path"},
		{"broken seal", func(m *trace.Message) { m.MailFrom, m.Session.Disproved = "", "forged" }, trace.Options{}, "the seal is forged"},
		{"auto-submitted", func(m *trace.Message) {
			m.Header = append(m.Header, "Auto-Submitted: auto-replied (vacation)\r\n"...)
		}, trace.Options{}, "automatic mail"},
		{"feedback report", func(m *trace.Message) {
			m.Header = append(m.Header, "Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=x\r\n"...)
		}, trace.Options{}, "feedback report"},
		{"own network", func(*trace.Message) {}, own, "45.66.77.88"},
		{"private", func(m *trace.Message) { m.Session.Client = netip.MustParseAddrPort("10.1.2.3:25") }, trace.Options{}, "10.1.2.3"},
		{"mapped private", func(m *trace.Message) { m.Session.Client = netip.MustParseAddrPort("[::ffff:192.168.1.9]:25") }, trace.Options{}, "192.168.1.9"},
		{"documentation", func(m *trace.Message) { m.Session.Client = netip.MustParseAddrPort("203.0.113.9:25") }, trace.Options{}, "203.0.113.9"},
		{"loopback", func(m *trace.Message) { m.Session.Client = netip.MustParseAddrPort("127.0.0.1:25") }, trace.Options{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, registry(found), func(rc *reporter.Config) { rc.Trace = c.trace })
			m := fromSender()
			c.change(&m)
			id := d.submit(m)
			ev := d.event(queue.ActionClosed)
			if ev.ReportID != id || ev.Reason == "" || !strings.Contains(ev.Reason, c.want) {
				t.Errorf("closed report %d: %q, want %q", ev.ReportID, ev.Reason, c.want)
			}
			if list, err := d.List(t.Context(), queue.Filter{}); err != nil || len(list) != 0 {
				t.Errorf("%d complaints, %v", len(list), err)
			}
		})
	}
}

// TestAutoSubmittedNo pins the value that RFC 3834 gives to what a person sent.
func TestAutoSubmittedNo(t *testing.T) {
	d := start(t, registry(found), nil)
	m := fromSender()
	m.Header = append(m.Header, "Auto-Submitted: no\r\n"...)
	d.submit(m)
	d.event(queue.ActionFiled)
}

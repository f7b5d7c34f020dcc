package reporter_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

func foundTwo(a netip.Addr) (contact.Answer, error) {
	answer, err := found(a)
	answer.Contacts = append(answer.Contacts, contact.Contact{Address: "security@net.test", Source: "rdap", Role: "abuse"})
	return answer, err
}

// approved waits for the one complaint and lets it out.
func (d *desk) approved() {
	d.t.Helper()
	d.submit(fromSender())
	if err := d.Approve(d.t.Context(), d.event(queue.ActionFiled).ComplaintID, us, "user:admin", ""); err != nil {
		d.t.Fatal(err)
	}
}

// TestSeveralAddressees: who has the complaint gets it once, whoever else is refused.
func TestSeveralAddressees(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		want string
	}{
		{"one refused for now", 450, queue.ActionDeferred},
		{"one refused for good", 550, queue.ActionSent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, registry(foundTwo), nil)
			d.relay.RefuseTo("security@net.test", c.code, "not now")
			d.approved()
			ev := d.event(c.want)
			if !strings.Contains(ev.Reason, "security@net.test") || !strings.Contains(ev.Reason, "not now") {
				t.Errorf("reason %q does not say who was refused and why", ev.Reason)
			}
			if taken := d.complaint(ev.ComplaintID).Taken; !slices.Equal(taken, []string{"abuse@net.test"}) {
				t.Errorf("taken for %v", taken)
			}
			if got := d.relay.Messages(); len(got) != 1 || !slices.Equal(got[0].To, []string{"abuse@net.test"}) {
				t.Errorf("the relay got %+v", got)
			}
		})
	}
}

// TestStrangersCertificate: a relay that can't prove its name gets nothing.
func TestStrangersCertificate(t *testing.T) {
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	relay, err := testnet.StartSMTP(ca)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	d := start(t, registry(found), func(c *reporter.Config) {
		c.Relay = reporter.Relay{Addr: relay.Addr, TLS: "starttls"} // checked against the system's authorities
	})
	d.approved()
	if ev := d.event(queue.ActionDeferred); !strings.Contains(ev.Reason, "certificate") {
		t.Errorf("reason %q does not name the certificate", ev.Reason)
	}
	if n := len(relay.Messages()); n != 0 {
		t.Errorf("%d messages went to a stranger", n)
	}
}

// TestOwnMailboxIsNoContact covers a registry that names us, which would make a loop.
func TestOwnMailboxIsNoContact(t *testing.T) {
	for _, own := range []string{"Abuse@ISP.test", "postmaster@mx.isp.test"} {
		t.Run(own, func(t *testing.T) {
			t.Parallel()
			d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
				answer, err := found(a)
				answer.Contacts[0].Address = own
				return answer, err
			}), nil)
			d.submit(fromSender())
			c := d.complaint(d.event(queue.ActionFiled).ComplaintID)
			if len(c.To) != 0 || !strings.Contains(c.Hold, "our own mailbox") {
				t.Errorf("to %v, hold %q", c.To, c.Hold)
			}
		})
	}
}

// TestDeskWithAPageGetsNoMail: the complaint waits for a person who goes there.
func TestDeskWithAPageGetsNoMail(t *testing.T) {
	d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
		answer, err := found(a)
		answer.Contacts[0].Form, answer.Retry = "https://net.test/abuse", time.Now()
		return answer, err
	}), nil)
	d.submit(fromSender())
	c := d.complaint(d.event(queue.ActionFiled).ComplaintID)
	if c.State != queue.Form || !c.LookupAt.IsZero() || len(c.To) != 0 || !strings.Contains(c.Hold, "on a page only: https://net.test/abuse") {
		t.Errorf("%s to %v, hold %q", c.State, c.To, c.Hold)
	}
	if out, err := d.Decide(t.Context(), queue.Decision{Action: queue.ActionDone, Actor: "user:admin"}, c.ID); err != nil || len(out.Done) != 1 {
		t.Errorf("it can't be done: %v, %v", out, err)
	}
}

// TestTasksGather: reports of one mailing to a desk with a page make one task while it
// is open, whose text lists them all.
func TestTasksGather(t *testing.T) {
	page := "https://net.test/abuse"
	d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
		answer, err := inNetwork(a)
		if answer.Contacts[0].Form = page; a.As4()[1] == 67 {
			answer.Contacts = nil
		}
		return answer, err
	}), nil)
	report := func(from, text string, n int) {
		d.submit(mailed(from, text, n))
		d.settled()
	}
	for n := range 3 {
		report(fmt.Sprintf("45.66.%d.7", n), pillsMail, n)
		report(fmt.Sprintf("45.67.%d.7", n), pillsMail, n) // nobody is known there: those wait by themselves
	}
	report("45.66.9.7", parcelMail, 9)
	tasks := d.all(queue.Filter{States: []queue.State{queue.Form}, Sort: queue.Sort{Forward: true}})
	if len(tasks) != 2 || len(d.all(queue.Filter{States: []queue.State{queue.Held}})) != 1 {
		t.Fatalf("tasks %+v", tasks)
	}
	task := d.complaint(tasks[0].ID)
	var b strings.Builder
	if err := composer.Paste(&b, task); err != nil || len(task.Incidents) != 3 {
		t.Fatal(len(task.Incidents), err)
	}
	for _, want := range []string{"3 unsolicited bulk messages", "45.66.0.7", "45.66.1.7", "45.66.2.7"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, b.String())
		}
	}
	if out, err := d.Decide(t.Context(), queue.Decision{Action: queue.ActionDone, Actor: "user:admin"}, task.ID); err != nil || len(out.Done) != 1 {
		t.Fatal(out, err)
	}
	report("45.66.3.7", pillsMail, 3)
	if tasks := d.all(queue.Filter{States: []queue.State{queue.Form}}); len(tasks) != 2 || len(d.complaint(task.ID).Incidents) != 3 {
		t.Errorf("after it was done: %+v", tasks)
	}
	page = "https://net.test/new"
	report("45.66.4.7", pillsMail, 4)
	if tasks := d.all(queue.Filter{States: []queue.State{queue.Form}}); len(tasks) != 3 {
		t.Errorf("with another page: %+v", tasks)
	}
}

// TestOwnNetworkIsRefused holds the gate even where tracing did not know the
// network for ours and made it the source.
func TestOwnNetworkIsRefused(t *testing.T) {
	m := fromSender()
	chain := trace.Follow(&m, trace.Options{})
	report := &queue.Report{Message: m}
	if why := (reporter.Policy{}).Refuse(report, &chain); why != "" {
		t.Fatalf("refused without a reason to: %s", why)
	}
	p := reporter.Policy{Networks: []netip.Prefix{netip.PrefixFrom(sender.Addr(), 32)}}
	if why := p.Refuse(report, &chain); !strings.Contains(why, "own network") {
		t.Errorf("verdict %q about our own network", why)
	}
}

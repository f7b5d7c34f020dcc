package reporter_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// mailed is a message of a mailing from an address.
func mailed(from string, text string, n int) trace.Message {
	m := fromSender()
	m.Session.Client = netip.AddrPortFrom(netip.MustParseAddr(from), 25)
	name := fmt.Sprintf("user%d", n)
	body := strings.ReplaceAll(text, "NAME", name)
	m.RcptTo = []string{name + "@isp.test"}
	m.Header, m.Body, m.BodySize = []byte("Subject: Hello "+name+"\r\n"), []byte(body), int64(len(body))
	return m
}

const (
	pillsMail  = "Dear NAME, the best pills of the world are cheaper this week than ever before: order them now and save, our doctors answer each question.\r\n"
	parcelMail = "Hello NAME, your parcel waits in our store around the corner since nobody opened the door: choose another day on the page of our service.\r\n"
)

func inNetwork(a netip.Addr) (contact.Answer, error) {
	answer, err := high(a)
	p, _ := a.Prefix(16)
	answer.Network.First, answer.Network.Last = p.Addr(), netip.AddrFrom4([4]byte{a.As4()[0], a.As4()[1], 255, 255})
	return answer, err
}

// settled waits until no report waits.
func (d *desk) settled() {
	d.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		n, _, err := d.Waiting(d.t.Context())
		if err != nil || time.Now().After(deadline) {
			d.t.Fatalf("%d reports wait, %v", n, err)
		}
		if n == 0 {
			return
		}
	}
}

func (d *desk) all(f queue.Filter) []queue.Complaint {
	d.t.Helper()
	list, err := d.List(d.t.Context(), f)
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// TestMailingsBecomeComplaints hands in two mailings from two networks at once: that
// makes four complaints, each of one mailing about one network.
func TestMailingsBecomeComplaints(t *testing.T) {
	d := start(t, registry(inNetwork), nil)
	for n := range 24 {
		for _, text := range []string{pillsMail, parcelMail} {
			for _, network := range []string{"45.66", "45.67"} {
				d.submit(mailed(fmt.Sprintf("%s.%d.7", network, n), text, n))
			}
		}
	}
	d.settled()
	list := d.all(queue.Filter{})
	if len(list) != 4 {
		t.Fatalf("%d complaints", len(list))
	}
	for _, c := range list {
		c := d.complaint(c.ID)
		if len(c.Incidents) != 24 {
			t.Errorf("complaint %d has %d incidents", c.ID, len(c.Incidents))
		}
		for _, in := range c.Incidents {
			if string(in.Report.Message.Body[:5]) != string(c.Incidents[0].Report.Message.Body[:5]) ||
				in.Chain.Source().IP.As4()[1] != c.Source.As4()[1] {
				t.Errorf("complaint %d: %s from %s", c.ID, in.Report.Message.Body, in.Chain.Source().IP)
			}
		}
		var b strings.Builder
		if err := composer.Compose(&b, c); err != nil || !strings.Contains(b.String(), "Incidents: 24\r\n") || !strings.Contains(b.String(), c.Incidents[23].Chain.Source().IP.String()) {
			t.Errorf("%v\n%s", err, b.String())
		}
	}
}

// TestFollowUp: the first of a mailing goes out by itself, the next gather in one
// complaint, which goes out when the desk's interval is over.
func TestFollowUp(t *testing.T) {
	const interval = 3 * time.Second
	d := start(t, registry(inNetwork), func(c *reporter.Config) {
		c.Policy = reporter.Policy{Approve: reporter.ApproveJudged, Interval: interval, MaxAge: 1e6 * time.Hour}
	})
	report := func(cause queue.Cause, n int) {
		m := mailed(fmt.Sprintf("45.66.%d.7", n), pillsMail, n)
		if _, err := d.Submit(t.Context(), queue.Report{Cause: cause, Reporter: "anna@isp.test", Message: m}); err != nil {
			t.Fatal(err)
		}
		d.settled()
	}
	report(queue.CauseUser, 0)
	first := d.complaint(d.event(queue.ActionSent).ComplaintID)
	for n := range 5 {
		report(queue.CauseUser, n+1)
	}
	report(queue.CauseFilter, 6)
	report(queue.CauseFilter, 7)
	if held := d.all(queue.Filter{States: []queue.State{queue.Held}}); len(held) != 2 || held[1].LookupAt.IsZero() || !held[0].LookupAt.IsZero() {
		t.Fatalf("held %+v", held)
	}
	released := d.event(queue.ActionReleased)
	next := d.complaint(released.ComplaintID)
	if wait := next.ReadyAt.Sub(first.ReadyAt); wait < interval || len(next.Incidents) != 5 || next.Sender != us {
		t.Errorf("after %v with %d incidents as %+v", wait, len(next.Incidents), next.Sender)
	}
	if held := d.all(queue.Filter{States: []queue.State{queue.Held}}); len(held) != 1 || len(d.complaint(held[0].ID).Incidents) != 2 {
		t.Errorf("held %+v: want the filter's verdicts", held)
	}
}

// TestApprovedTakesNoMore: what a person has let out says what he saw.
func TestApprovedTakesNoMore(t *testing.T) {
	d := start(t, registry(inNetwork), nil)
	d.submit(mailed("45.66.1.7", pillsMail, 1))
	d.settled()
	id := d.all(queue.Filter{})[0].ID
	if err := d.Approve(t.Context(), id, us, "user:anna", ""); err != nil {
		t.Fatal(err)
	}
	d.submit(mailed("45.66.2.7", pillsMail, 2))
	d.settled()
	if list := d.all(queue.Filter{}); len(list) != 2 || len(d.complaint(id).Incidents) != 1 {
		t.Errorf("complaints %+v", list)
	}
}

package reporter_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// certain is a complaint that nothing speaks against.
func certain() (*queue.Report, *queue.Complaint, *contact.Answer) {
	c := complaint(fromSender())
	answer := contact.Answer{Contacts: []contact.Contact{{Address: "abuse@net.test", Scope: contact.ScopeNetwork, Confidence: contact.High}}}
	return &queue.Report{Cause: queue.CauseUser, Received: noon, Message: fromSender()}, c, &answer
}

// TestRelease holds each reason that keeps a complaint from going out by itself to
// a case that it alone decides.
func TestRelease(t *testing.T) {
	judged := reporter.Policy{Approve: reporter.ApproveJudged, Interval: 24 * time.Hour, ContactCap: 3, NetworkCap: 4, HourCap: 5}
	type all struct {
		p      reporter.Policy
		r      *queue.Report
		c      *queue.Complaint
		answer *contact.Answer
		h      reporter.History
	}
	for _, c := range []struct {
		name   string
		change func(*all)
		ok     bool
		why    string
	}{
		{"judged, user", func(*all) {}, true, ""},
		{"judged, trap", func(a *all) { a.r.Cause = queue.CauseTrap }, true, ""},
		{"judged, hand", func(a *all) { a.r.Cause = queue.CauseHand }, true, ""},
		{"judged, filter", func(a *all) { a.r.Cause = queue.CauseFilter }, false, ""},
		{"all, filter", func(a *all) { a.p.Approve, a.r.Cause = reporter.ApproveAll, queue.CauseFilter }, true, ""},
		{"manual", func(a *all) { a.p.Approve = reporter.ApproveManual }, false, ""},
		{"nothing said", func(a *all) { a.p.Approve = "" }, false, ""},
		{"nonsense", func(a *all) { a.p.Approve = "always" }, false, ""},
		{"no contact", func(a *all) { a.c.To = nil }, false, ""},
		{"claimed source", func(a *all) { a.c.Incidents[0].Chain.Hops[0].Grade = trace.GradeClaimed }, false, "source is not certain"},
		{"attested source", func(a *all) { a.c.Incidents[0].Chain.Hops[0].Grade = trace.GradeAttested }, true, ""},
		{"uncertain contact", func(a *all) { a.answer.Contacts[0].Confidence = contact.Low }, false, "abuse@net.test is not certain"},
		{"just had one", func(a *all) { a.h.Last = noon.Add(-time.Hour) }, false, "by itself the next goes out from Tue, 24 Nov 2026 11:00"},
		{"had one yesterday", func(a *all) { a.h.Last = noon.Add(-24 * time.Hour) }, true, ""},
		{"contact cap", func(a *all) { a.h.Contacts = [][]time.Time{nil, ago(1, 2, 3)} }, false, "at most 3 complaints go out by themselves to this desk"},
		{"below contact cap", func(a *all) { a.h.Contacts = [][]time.Time{ago(1, 2)} }, true, ""},
		{"network cap", func(a *all) { a.h.Network = ago(1, 2, 3, 4) }, false, "about this network"},
		{"hour cap", func(a *all) { a.h.Hour = ago(.1, .2, .3, .4, .5) }, false, "in an hour"},
		{"waited too long", func(a *all) { a.p.MaxAge = time.Hour; a.h.Now = noon.Add(26 * time.Hour) }, false, "more than 25h0m0s old"},
		{"waited its time", func(a *all) { a.p.MaxAge = time.Hour; a.h.Now = noon.Add(24 * time.Hour) }, true, ""},
		{"no caps", func(a *all) {
			a.p = reporter.Policy{Approve: reporter.ApproveJudged}
			a.h.Contacts, a.h.Hour = [][]time.Time{ago(1, 2, 3, 4)}, ago(.1, .2, .3, .4, .5, .6)
		}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, k, answer := certain()
			a := all{judged, r, k, answer, reporter.History{Now: noon}}
			c.change(&a)
			a.c.Incidents[0].Report = *a.r
			got := a.p.Release(a.c, a.answer, a.h)
			if got.Ready != c.ok || !strings.Contains(got.Hold, c.why) || (got.Hold == "") != (c.why == "") {
				t.Errorf("%+v; want %v, %q", got, c.ok, c.why)
			}
			if waits := strings.HasPrefix(c.name, "just") || strings.HasSuffix(c.name, " cap") && !c.ok; waits != got.Again.After(noon) {
				t.Errorf("asked again at %v", got.Again)
			}
		})
	}
}

// ago are times so many hours before noon.
func ago(hours ...float64) (at []time.Time) {
	for _, h := range hours {
		at = append(at, noon.Add(-time.Duration(h*float64(time.Hour))))
	}
	return at
}

// TestRoomAgain holds when a complaint is looked at again to the moment at which the
// last bound gives way: a moment before it is still held, and then it goes out.
func TestRoomAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		p     reporter.Policy
		h     reporter.History
		again time.Duration // after noon
		why   string
	}{
		{"hour", reporter.Policy{HourCap: 2}, reporter.History{Hour: ago(.1, .75)}, 15 * time.Minute, "in an hour: there is room from Mon, 23 Nov 2026 12:15:00"},
		{"hour, in a moment", reporter.Policy{HourCap: 1}, reporter.History{Hour: ago(.99)}, 5 * time.Minute, "in an hour"},
		{"hour, lowered since", reporter.Policy{HourCap: 1}, reporter.History{Hour: ago(.1, .75)}, 54 * time.Minute, "in an hour"},
		{"network", reporter.Policy{NetworkCap: 3}, reporter.History{Network: ago(1, 2, 20)}, 4 * time.Hour, "about this network"},
		{"contact", reporter.Policy{ContactCap: 1}, reporter.History{Contacts: [][]time.Time{ago(5)}}, 19 * time.Hour, "to this desk"},
		{"fuller of two contacts", reporter.Policy{ContactCap: 2}, reporter.History{Contacts: [][]time.Time{ago(1), ago(2, 23), ago(1, 20)}}, 4 * time.Hour, "to this desk"},
		{"interval", reporter.Policy{Interval: 24 * time.Hour}, reporter.History{Last: noon.Add(-time.Hour)}, 23 * time.Hour, "the desk had one at"},
		{"interval before cap", reporter.Policy{Interval: 2 * time.Hour, NetworkCap: 1}, reporter.History{Last: noon.Add(-time.Hour), Network: ago(3)}, 21 * time.Hour, "about this network"},
		{"cap before interval", reporter.Policy{Interval: 30 * time.Hour, HourCap: 1}, reporter.History{Last: noon.Add(-time.Hour), Hour: ago(.5)}, 29 * time.Hour, "the desk had one at"},
		{"all caps", reporter.Policy{HourCap: 1, NetworkCap: 1, ContactCap: 1}, reporter.History{Hour: ago(.5), Network: ago(6), Contacts: [][]time.Time{ago(7)}}, 18 * time.Hour, "about this network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, k, answer := certain()
			c.p.Approve = reporter.ApproveAll
			c.h.Now = noon
			got := c.p.Release(k, answer, c.h)
			if got.Ready || got.Again.Sub(noon) != c.again || !strings.Contains(got.Hold, c.why) {
				t.Errorf("%+v, after %v; want %v, %q", got, got.Again.Sub(noon), c.again, c.why)
			}
			if c.h.Now = got.Again.Add(-time.Microsecond); c.p.Release(k, answer, c.h).Ready != (c.name == "hour, in a moment") {
				t.Error("it is not the first moment")
			}
			if c.h.Now = got.Again; !c.p.Release(k, answer, c.h).Ready {
				t.Error("does not go out then")
			}
		})
	}
}

func TestAgeGate(t *testing.T) {
	m := fromSender()
	chain := trace.Follow(&m, trace.Options{})
	p := reporter.Policy{MaxAge: 48 * time.Hour}
	for hours, want := range map[int]bool{0: true, 47: true, 48: true, 49: false, 1000: false} {
		why := p.Refuse(&queue.Report{Message: m, Received: noon.Add(time.Duration(hours) * time.Hour)}, &chain)
		if (why == "") != want || !want && !strings.Contains(why, "too old") {
			t.Errorf("after %d hours: %q", hours, why)
		}
	}
}

func high(a netip.Addr) (contact.Answer, error) {
	answer, err := found(a)
	answer.Contacts[0].Confidence, answer.Contacts[0].Scope = contact.High, contact.ScopeNetwork
	return answer, err
}

// TestReleasedByItself runs the policies with a real queue: the first of two user's
// reports goes out, the second waits; a filter's verdict waits.
func TestReleasedByItself(t *testing.T) {
	d := start(t, registry(high), func(c *reporter.Config) {
		c.Policy = reporter.Policy{Approve: reporter.ApproveJudged, Interval: time.Hour, ContactCap: 10, NetworkCap: 10, HourCap: 10}
	})
	report := func(cause queue.Cause, body string) {
		m := fromSender()
		m.Body = []byte(body)
		if _, err := d.Submit(t.Context(), queue.Report{Cause: cause, Reporter: "anna@isp.test", Message: m}); err != nil {
			t.Fatal(err)
		}
	}
	report(queue.CauseFilter, "a\r\n")
	if c := d.complaint(d.event(queue.ActionFiled).ComplaintID); c.State != queue.Held || c.Hold != "" {
		t.Errorf("a filter's verdict is %s, %q", c.State, c.Hold)
	}
	report(queue.CauseUser, "b\r\n")
	sent := d.complaint(d.event(queue.ActionSent).ComplaintID)
	if sent.Sender != us || sent.ReadyAt.IsZero() {
		t.Errorf("sent as %+v at %v", sent.Sender, sent.ReadyAt)
	}
	report(queue.CauseUser, "c\r\n")
	for {
		list, err := d.List(t.Context(), queue.Filter{States: []queue.State{queue.Held}})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) < 2 {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if !strings.Contains(list[0].Hold, "the desk had one at") {
			t.Errorf("hold %q", list[0].Hold)
		}
		break
	}
	if n := len(d.relay.Messages()); n != 1 {
		t.Errorf("%d complaints went out", n)
	}
}

// TestCapsHoldInAStorm hands in many reports at once: no more go out than may.
func TestCapsHoldInAStorm(t *testing.T) {
	d := start(t, registry(high), func(c *reporter.Config) {
		c.Policy = reporter.Policy{Approve: reporter.ApproveAll, HourCap: 5}
	})
	for i := range 60 {
		m := fromSender()
		m.Session.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{45, 66, byte(i), 1}), 25)
		d.submit(m)
	}
	for {
		counts, err := d.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if counts[queue.Held]+counts[queue.Sent] == 60 {
			if counts[queue.Sent] != 5 {
				t.Errorf("%v: want 5 to go out", counts)
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

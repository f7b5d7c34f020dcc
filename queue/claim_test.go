package queue

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"spamreport-milter/trace"
)

func testReportOrder(t *testing.T, b *fixture) {
	b.noReport()
	first, second := b.submit(), b.submit()
	received := b.clock.now()
	b.clock.advance(time.Hour)
	c1 := b.claimReport()
	c2 := b.claimReport()
	if c1.Report.ID != first || c2.Report.ID != second || c1.Attempts != 1 {
		t.Fatalf("claimed %d (attempt %d) and %d, want %d (attempt 1) and %d", c1.Report.ID, c1.Attempts, c2.Report.ID, first, second)
	}
	b.noReport()
	b.check(b.ReleaseReport(b.ctx, c1, b.clock.now().Add(30*time.Second), "registry is down"))
	b.noReport()
	n, oldest, err := b.Waiting(b.ctx)
	b.check(err)
	if n != 2 || !oldest.Equal(received) {
		t.Errorf("%d wait since %s, want 2 since %s", n, oldest, received)
	}
	third := b.submit()
	b.clock.advance(30 * time.Second)
	if c := b.claimReport(); c.Report.ID != third {
		t.Errorf("claimed %d, want the fresh %d before a retry", c.Report.ID, third)
	}
	if c := b.claimReport(); c.Report.ID != first || c.Attempts != 1 {
		t.Errorf("claimed %d at attempt %d, want %d at attempt 1: a release is no attempt", c.Report.ID, c.Attempts, first)
	}
}

// testClaimOctets: one report is taken however large, others as long as there is room.
func testClaimOctets(t *testing.T, b *fixture) {
	for range 4 {
		b.submit() // with 6 octets of body
	}
	for _, c := range []struct {
		octets int64
		want   int
	}{{1, 1}, {7, 2}, {1 << 20, 1}} {
		if claims, err := b.ClaimReports(b.ctx, 3, c.octets, time.Minute); err != nil || len(claims) != c.want {
			t.Errorf("%d reports for %d octets, want %d: %v", len(claims), c.octets, c.want, err)
		}
	}
}

// testReportLease lets a second worker take over, then has the first one try
// everything that a claim is good for.
func testReportLease(t *testing.T, b *fixture) {
	id := b.submit()
	old := b.claimReport()
	b.clock.advance(59 * time.Second)
	b.noReport()
	b.clock.advance(time.Second)
	taken := b.claimReport()
	if taken.Report.ID != id || taken.Attempts != 2 {
		t.Fatalf("took over report %d at attempt %d, want %d at 2", taken.Report.ID, taken.Attempts, id)
	}
	_, _, err := b.File(b.ctx, old, sampleComplaint(id, Held))
	wantErr(t, err, ErrLeaseLost)
	wantErr(t, b.CloseReport(b.ctx, old, ""), ErrLeaseLost)
	wantErr(t, b.ReleaseReport(b.ctx, old, b.clock.now(), ""), ErrLeaseLost)
	wantErr(t, b.Renew(b.ctx, old, time.Hour), ErrLeaseLost)
	events, err := b.Events(b.ctx, EventFilter{})
	b.check(err)
	list, err := b.List(b.ctx, Filter{})
	b.check(err)
	if len(events) != 0 || len(list) != 0 {
		t.Errorf("the lost claim left events %v and complaints %v", events, list)
	}
	_, _, err = b.File(b.ctx, taken, sampleComplaint(id, Held))
	b.check(err)
	wantErr(t, b.CloseReport(b.ctx, taken, ""), ErrLeaseLost)
	b.clock.advance(time.Hour)
	b.noReport()
}

func testRenew(t *testing.T, b *fixture) {
	b.submit()
	report := b.claimReport()
	b.file(Ready, "abuse@example.net")
	complaint := b.claimComplaint()
	b.submit()
	held := b.claimReport()
	c := sampleComplaint(held.Report.ID, Held)
	c.LookupAt = b.clock.now()
	_, _, err := b.File(b.ctx, held, c)
	b.check(err)
	lookup, err := b.ClaimLookup(b.ctx, time.Minute)
	b.check(err)
	for _, c := range []Claim{report, complaint, lookup} {
		b.check(b.Renew(b.ctx, c, time.Hour))
	}
	b.clock.advance(59 * time.Minute)
	b.noReport()
	b.noComplaint()
	if c, err := b.ClaimLookup(b.ctx, time.Minute); c != nil || err != nil {
		t.Errorf("a renewed look-up was claimed again: %v, %v", c, err)
	}
	b.clock.advance(time.Minute)
	b.claimReport()
	b.claimComplaint()
	if c, err := b.ClaimLookup(b.ctx, time.Minute); c == nil || err != nil {
		t.Errorf("a look-up whose lease ended was not claimed: %v", err)
	}
}

func testFile(t *testing.T, b *fixture) {
	other := b.submit()
	b.check(b.CloseReport(b.ctx, b.claimReport(), "joins the next"))
	id := b.submit()
	claim := b.claimReport()
	zone := time.FixedZone("", -7*3600)
	want := Complaint{
		State: Ready, To: []string{"abuse@example.net", "noc@example.net"},
		Contact: json.RawMessage(`{"reason":"so says RIPE"}`), Source: netip.MustParseAddr("2001:db8::7"),
		Network: "EXAMPLE-NET", Party: "source network", Format: "arf", Subject: "Kaufen Sie ✓", Hold: "why not",
		MessageID: "<x@example.org>",
		Incidents: []Incident{
			{ReportID: id, Chain: trace.Chain{
				Hops: []trace.Hop{{IP: netip.MustParseAddr("2001:db8::7"), For: []string{"a@example.org"},
					Date: time.Date(2026, 1, 2, 3, 4, 5, 0, zone), Grade: trace.GradeSession}},
				Border: trace.Border{IP: netip.MustParseAddr("2001:db8::7")}, Origin: trace.Origin{Hop: -1},
				Signs: []trace.Sign{{Hop: 1, Name: "gap", Text: "nobody received it"}},
			}},
			{ReportID: other},
		},
	}
	b.clock.advance(time.Second)
	complaint, _, err := b.File(b.ctx, claim, want)
	b.check(err)
	k, err := b.Case(b.ctx, complaint)
	b.check(err)
	now := b.clock.now()
	want.ID, want.Created, want.Updated, want.ReadyAt = complaint, now, now, now
	for n := range want.Incidents {
		r, err := b.Report(b.ctx, want.Incidents[n].ReportID)
		b.check(err)
		want.Incidents[n].Report = *r
	}
	if d := diff(want, k.Complaint); d != "" {
		t.Errorf("complaint (-want +got):\n%s", d)
	}
	filed := Event{ID: 2, Time: now, ComplaintID: complaint, ReportID: id, Actor: "system:test",
		Action: ActionFiled, To: Ready, Reason: "why not"}
	if d := diff([]Event{filed}, k.Events); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func testFileRefuses(t *testing.T, b *fixture) {
	b.file(Held)
	b.submit()
	claim := b.claimReport()
	id := claim.Report.ID
	for name, spoil := range map[string]func(*Complaint){
		"state":               func(c *Complaint) { c.State = Sent },
		"ready, no contact":   func(c *Complaint) { c.State, c.To = Ready, nil },
		"no Message-ID":       func(c *Complaint) { c.MessageID = "" },
		"no source":           func(c *Complaint) { c.Source = netip.Addr{} },
		"other report":        func(c *Complaint) { c.Incidents[0].ReportID = id - 1 },
		"unknown report":      func(c *Complaint) { c.Incidents = append(c.Incidents, Incident{ReportID: id + 1}) },
		"Message-ID is taken": func(c *Complaint) { c.MessageID = sampleComplaint(id-1, Held).MessageID },
	} {
		c := sampleComplaint(id, Held, "abuse@example.net")
		spoil(&c)
		if got, _, err := b.File(b.ctx, claim, c); err == nil || got != 0 {
			t.Errorf("%s: filed as %d", name, got)
		}
	}
	list, err := b.List(b.ctx, Filter{})
	b.check(err)
	if len(list) != 1 {
		t.Errorf("%d complaints after refusals, want 1", len(list))
	}
	_, _, err = b.File(b.ctx, claim, sampleComplaint(id, Held))
	b.check(err)
}

func testCloseReport(t *testing.T, b *fixture) {
	id := b.submit()
	b.check(b.CloseReport(b.ctx, b.claimReport(), "our own network"))
	b.clock.advance(time.Hour)
	b.noReport()
	events, err := b.Events(b.ctx, EventFilter{ReportID: id})
	b.check(err)
	if len(events) != 1 || events[0].Action != ActionClosed || events[0].Reason != "our own network" {
		t.Errorf("events of the closed report: %+v", events)
	}
	if n, _, err := b.Waiting(b.ctx); n != 0 || err != nil {
		t.Errorf("%d reports wait, %v", n, err)
	}
}

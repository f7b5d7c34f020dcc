package queue

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gathering brings a complaint into the queue that reports may join.
func (b *fixture) gathering(state State, key string) int64 {
	b.t.Helper()
	b.submit()
	c := b.claimReport()
	k := sampleComplaint(c.Report.ID, state, "abuse@example.net")
	k.Gathering = Gathering{Key: key, Sketch: []byte{1, 2}}
	id, _, err := b.File(b.ctx, c, k)
	b.check(err)
	return id
}

func (b *fixture) candidates(key string) []Candidate {
	b.t.Helper()
	all, err := b.Candidates(b.ctx, key)
	b.check(err)
	return all
}

// testJoin adds a report to a complaint: it is found by its words too, and ends there.
func testJoin(t *testing.T, b *fixture) {
	id := b.gathering(Held, "k")
	if d := diff([]Candidate{{id, Held, []byte{1, 2}}}, b.candidates("k")); d != "" {
		t.Error(d)
	}
	if all := b.candidates("other"); len(all) != 0 {
		t.Errorf("%+v under another key", all)
	}
	b.submit()
	claim := b.claimReport()
	in := Incident{Report: claim.Report}
	in.Report.Reporter = "berta@example.org"
	b.check(b.Join(b.ctx, claim, id, in))
	b.noReport()
	wantErr(t, b.Join(b.ctx, claim, id, in), ErrLeaseLost)
	c := b.complaint(id)
	if len(c.Incidents) != 2 || c.Incidents[1].ReportID != claim.Report.ID {
		t.Errorf("incidents %+v", c.Incidents)
	}
	if got := b.trail(id); got != "filed>held joined>held" {
		t.Errorf("trail %s", got)
	}
	b.check(b.Approve(b.ctx, id, Sender{}, "user:anna", ""))
	out := b.claimComplaint().Complaint.Incidents
	if len(out) != 2 || len(out[0].Report.Message.Body) == 0 || len(out[1].Report.Message.Body) != 0 || out[1].Report.Received.IsZero() ||
		len(c.Incidents[1].Report.Message.Body) == 0 {
		t.Errorf("goes out with %+v", out)
	}
	list, err := b.List(b.ctx, Filter{Reporter: "berta@example.org", Text: "berta"})
	b.check(err)
	if len(list) != 1 || list[0].ID != id {
		t.Errorf("found %+v by who reported later", list)
	}
	if counts, err := b.Counts(b.ctx); err != nil || counts[Sending] != 1 {
		t.Errorf("%v, %v", counts, err)
	}
	b.verified()
}

// testJoinRefused: what goes out, what a person wrote or said no to and what is full
// takes nothing; the report's claim goes on.
func testJoinRefused(t *testing.T, b *fixture) {
	ready, edited, dropped, full := b.gathering(Ready, "k"), b.gathering(Held, "l"), b.gathering(Held, "m"), b.gathering(Held, "n")
	plain := b.file(Held, "abuse@example.net")
	if all := b.candidates("k"); len(all) != 1 || all[0].State != Ready {
		t.Errorf("%+v before it goes out", all)
	}
	b.claimComplaint()
	b.check(b.Edit(b.ctx, edited, Edit{To: []string{"abuse@example.net"}, Letter: "Dear desk"}, "user:anna", ""))
	b.check(b.Drop(b.ctx, dropped, "user:anna", ""))
	_, err := b.writer.ExecContext(b.ctx, `UPDATE incidents SET position = $1 WHERE complaint_id = $2`, MaxIncidents-1, full)
	b.check(err)
	b.submit()
	claim := b.claimReport()
	for _, id := range []int64{ready, edited, dropped, full, plain, 4711} {
		wantErr(t, b.Join(b.ctx, claim, id, Incident{Report: claim.Report}), ErrJoin, fmt.Sprint(id))
	}
	for _, key := range []string{"k", "l", "m", ""} {
		if all := b.candidates(key); len(all) != 0 {
			t.Errorf("%q: %+v", key, all)
		}
	}
	b.check(b.CloseReport(b.ctx, claim, "still ours"))
}

// testJoinForm: a person's task takes reports until he has brought it to the page.
func testJoinForm(t *testing.T, b *fixture) {
	id := b.gathering(Form, "k")
	if d := diff([]Candidate{{id, Form, []byte{1, 2}}}, b.candidates("k")); d != "" {
		t.Error(d)
	}
	b.submit()
	claim := b.claimReport()
	b.check(b.Join(b.ctx, claim, id, Incident{Report: claim.Report}))
	b.check(b.one(b.Decide(b.ctx, Decision{Action: ActionDone, Actor: "user:anna"}, id)))
	if got := b.trail(id); got != "filed>form joined>form done>sent" || len(b.complaint(id).Incidents) != 2 {
		t.Errorf("trail %s of %+v", got, b.complaint(id).Incidents)
	}
	b.submit()
	claim = b.claimReport()
	wantErr(t, b.Join(b.ctx, claim, id, Incident{Report: claim.Report}), ErrJoin)
	if all := b.candidates("k"); len(all) != 0 {
		t.Errorf("%+v after it was done", all)
	}
}

// testOvertaken files one mailing from many sides at once, of which none has seen
// another's complaint: it becomes one.
func testOvertaken(t *testing.T, b *fixture) {
	const sides = 12
	var wg sync.WaitGroup
	var filed atomic.Int32
	for range sides {
		b.submit()
		claim := b.claimReport()
		k := sampleComplaint(claim.Report.ID, Held, "abuse@example.net")
		k.Gathering = Gathering{Key: "k", Joins: newest}
		wg.Go(func() {
			_, joined, err := b.File(b.ctx, claim, k)
			if err != nil {
				t.Error(err)
			}
			if !joined {
				filed.Add(1)
			}
		})
	}
	wg.Wait()
	all := b.candidates("k")
	if len(all) != 1 || filed.Load() != 1 || len(b.complaint(all[0].ID).Incidents) != sides {
		t.Errorf("%d complaints, %d said to be filed: %+v", len(all), filed.Load(), all)
	}
	b.verified()
}

func newest(open []Candidate) (int64, bool) {
	if len(open) == 0 {
		return 0, false
	}
	return open[0].ID, true
}

// testOvertakenAlone: what was seen is not asked about again, and what takes no more
// reports is no reason not to file.
func testOvertakenAlone(t *testing.T, b *fixture) {
	seen, full := b.gathering(Held, "k"), b.gathering(Held, "k")
	_, err := b.writer.ExecContext(b.ctx, `UPDATE incidents SET position = $1 WHERE complaint_id = $2`, MaxIncidents-1, full)
	b.check(err)
	b.submit()
	claim := b.claimReport()
	k := sampleComplaint(claim.Report.ID, Held, "abuse@example.net")
	var asked []Candidate
	k.Gathering = Gathering{Key: "k", Seen: seen, Joins: func(newer []Candidate) (int64, bool) {
		asked = newer
		return newest(newer)
	}}
	id, joined, err := b.File(b.ctx, claim, k)
	b.check(err)
	if joined || id == full || len(asked) != 1 || asked[0].ID != full {
		t.Errorf("complaint %d, joined: %v, asked about %+v", id, joined, asked)
	}
}

// testFailureBesides: of many changes at once some fail half-way; the others stand, with
// their events, and what failed has left nothing.
func testFailureBesides(t *testing.T, b *fixture) {
	first := b.file(Held, "abuse@example.net")
	taken := b.complaint(first).MessageID
	const pairs = 20
	var wg sync.WaitGroup
	for i := range 2 * pairs {
		b.submit()
		claim := b.claimReport()
		k := sampleComplaint(claim.Report.ID, Held, "abuse@example.net")
		bad := i%2 == 1
		if bad {
			k.MessageID = taken
		}
		wg.Go(func() {
			if _, _, err := b.File(b.ctx, claim, k); (err != nil) != bad {
				t.Errorf("two have one Message-ID: %v, error: %v", bad, err)
			}
		})
	}
	wg.Wait()
	list, err := b.List(b.ctx, Filter{Contact: "abuse@example.net", Limit: 100})
	b.check(err)
	if n, _, err := b.Waiting(b.ctx); err != nil || n != pairs || len(list) != pairs+1 {
		t.Errorf("%d reports are still claimed, %d complaints are found, want %d and %d: %v", n, len(list), pairs, pairs+1, err)
	}
	b.verified()
}

// testRelease: what waits for its time is looked at then, and may go out; a person's
// decision ends the waiting.
func testRelease(t *testing.T, b *fixture) {
	at := b.clock.now().Add(time.Hour)
	file := func() int64 {
		b.submit()
		c := b.claimReport()
		k := sampleComplaint(c.Report.ID, Held, "abuse@example.net")
		k.LookupAt = at
		id, _, err := b.File(b.ctx, c, k)
		b.check(err)
		return id
	}
	id, dropped := file(), file()
	b.check(b.Drop(b.ctx, dropped, "user:anna", ""))
	if c, err := b.ClaimLookup(b.ctx, time.Minute); c != nil || err != nil {
		t.Fatalf("claimed %+v before its time, %v", c, err)
	}
	b.clock.advance(time.Hour)
	c, err := b.ClaimLookup(b.ctx, time.Minute)
	b.check(err)
	if c == nil || c.Complaint.ID != id {
		t.Fatalf("claimed %+v", c)
	}
	b.check(b.SetContact(b.ctx, c, Found{To: c.Complaint.To, Hold: "no room yet", LookupAt: at.Add(time.Hour), Reason: "no room yet"}))
	if got := b.trail(id); got != "filed>held" || b.complaint(id).Hold != "no room yet" {
		t.Errorf("trail %s of what only waits on, %+v", got, b.complaint(id))
	}
	b.clock.advance(time.Hour)
	c, err = b.ClaimLookup(b.ctx, time.Minute)
	b.check(err)
	f := Found{Ready: true, Sender: Sender{From: "abuse@isp.example"}, Reason: "its time has come"}
	if err := b.SetContact(b.ctx, c, f); err == nil {
		t.Error("went out to nobody")
	}
	f.To = c.Complaint.To
	b.check(b.SetContact(b.ctx, c, f))
	if got := b.trail(id); got != "filed>held released>ready" {
		t.Errorf("trail %s", got)
	}
	out := b.claimComplaint()
	if out.Complaint.ID != id || out.Complaint.Sender != f.Sender || !out.Complaint.ReadyAt.Equal(b.clock.now()) {
		t.Errorf("goes out as %+v", out.Complaint)
	}
	if c, err := b.ClaimLookup(b.ctx, time.Minute); c != nil || err != nil {
		t.Errorf("looked at again: %+v, %v", c, err)
	}
	for _, l := range []struct {
		f    LetOut
		want int
	}{
		{LetOut{}, 1}, {LetOut{Since: b.clock.now().Add(-time.Second)}, 1}, {LetOut{Since: b.clock.now()}, 0},
		{LetOut{Contact: "Abuse@example.net"}, 1}, {LetOut{Contact: "other@example.net"}, 0},
		{LetOut{Network: netip.MustParsePrefix("192.0.2.0/24")}, 1}, {LetOut{Network: netip.MustParsePrefix("192.0.3.0/24")}, 0},
	} {
		if got, err := b.LetOut(b.ctx, l.f); err != nil || len(got) != l.want {
			t.Errorf("%+v: %v, %v", l.f, got, err)
		}
	}
}

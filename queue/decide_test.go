package queue

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// testMany decides about more complaints than one transaction takes, some of which
// can't be.
func testMany(t *testing.T, b *fixture) {
	const n = maxDecided + 30
	var ids []int64
	for range n {
		ids = append(ids, b.file(Held, "abuse@example.net"))
	}
	b.check(b.Drop(b.ctx, ids[7], "user:anna", ""))
	d, err := b.Decide(b.ctx, Decision{Action: ActionApproved, Actor: "user:anna"}, append(ids, 9999, ids[3])...)
	b.check(err)
	if len(d.Done) != n-1 || slices.Contains(d.Done, ids[7]) {
		t.Errorf("%d were approved, want %d", len(d.Done), n-1)
	}
	if len(d.Refused) != 3 {
		t.Fatalf("refused: %+v", d.Refused)
	}
	wantErr(t, d.Refused[0].Err, ErrState, "is dropped")
	wantErr(t, d.Refused[1].Err, ErrNotFound, "complaint 9999")
	wantErr(t, d.Refused[2].Err, ErrState, "is ready") // named twice
	counts, err := b.Counts(b.ctx)
	b.check(err)
	if d := diff(map[State]int{Ready: n - 1, Dropped: 1}, counts); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	b.verified()
}

func testEdit(t *testing.T, b *fixture) {
	b.submit()
	c := b.claimReport()
	without := sampleComplaint(c.Report.ID, Held)
	without.Hold, without.LookupAt = "no contact: nobody found", b.clock.now().Add(time.Hour)
	id, _, err := b.File(b.ctx, c, without)
	b.check(err)
	b.check(b.Edit(b.ctx, id, Edit{To: []string{"noc@example.net"}, Letter: "Dear desk,\nplease look."}, "user:anna", "they said so by telephone"))
	k, err := b.Case(b.ctx, id)
	b.check(err)
	got := &k.Complaint
	if d := diff([]string{"noc@example.net"}, got.To); d != "" || got.Letter != "Dear desk,\nplease look." || got.Hold != "" || !got.LookupAt.IsZero() {
		t.Errorf("edited: %+v", got)
	}
	last := k.Events[len(k.Events)-1]
	want := "addressees noc@example.net in place of nobody, a text of 2 lines: they said so by telephone"
	if last.Action != ActionEdited || last.Reason != want || last.Actor != "user:anna" {
		t.Errorf("event %+v, want reason %q", last, want)
	}
	found, err := b.List(b.ctx, Filter{Contact: "noc@example.net"})
	b.check(err)
	if ids := idsOf(found); !slices.Equal(ids, []int64{id}) {
		t.Errorf("by the new contact: %v", ids)
	}
	// What does not differ leaves no event.
	b.check(b.Edit(b.ctx, id, Edit{To: got.To, Letter: got.Letter}, "user:anna", ""))
	if trail := b.trail(id); trail != "filed>held edited>held" {
		t.Errorf("trail %q", trail)
	}
	b.check(b.Edit(b.ctx, id, Edit{To: []string{"abuse@example.net"}}, "user:anna", ""))
	if found, err = b.List(b.ctx, Filter{Contact: "noc@example.net"}); err != nil || len(found) != 0 {
		t.Errorf("by the old contact: %v, %v", idsOf(found), err)
	}
	b.check(b.Approve(b.ctx, id, Sender{}, "user:anna", ""))
	wantErr(t, b.Edit(b.ctx, id, Edit{}, "user:anna", ""), ErrState, "is ready: only a held one can be edited")
	wantErr(t, b.Edit(b.ctx, 77, Edit{}, "user:anna", ""), ErrNotFound)
}

func testSuppression(t *testing.T, b *fixture) {
	id := b.file(Held, "abuse@example.net", "NOC@example.net")
	b.check(b.Suppress(b.ctx, Suppression{Address: "noc@Example.net", Actor: "user:anna", Reason: "asked us to stop", Expires: b.clock.now().Add(time.Hour)}))
	wantErr(t, b.Approve(b.ctx, id, Sender{}, "user:anna", ""), ErrState, "NOC@example.net gets no complaints (asked us to stop)", "queue edit", "queue suppress remove")
	shut, err := b.Suppressed(b.ctx, "NOC@example.net", "abuse@example.net")
	b.check(err)
	if _, ok := shut["noc@example.net"]; !ok || len(shut) != 1 {
		t.Errorf("suppressed: %v", shut)
	}
	b.clock.advance(2 * time.Hour)
	if list, err := b.Suppressions(b.ctx); err != nil || len(list) != 0 {
		t.Errorf("after it expired: %v, %v", list, err)
	}
	b.check(b.Suppress(b.ctx, Suppression{Address: "abuse@example.net", Actor: "system:test", Reason: "bounced"}))
	b.check(b.Unsuppress(b.ctx, "ABUSE@example.net", "user:anna", "they mended it"))
	wantErr(t, b.Unsuppress(b.ctx, "abuse@example.net", "user:anna", ""), ErrNotFound)
	b.check(b.Approve(b.ctx, id, Sender{}, "user:anna", ""))
	events, err := b.Events(b.ctx, EventFilter{Action: ActionUnsuppressed})
	b.check(err)
	if len(events) != 1 || events[0].Reason != "abuse@example.net: they mended it" {
		t.Errorf("events: %+v", events)
	}
}

// testRetraction takes a complaint back that one of two addressees has: he gets word.
func testRetraction(t *testing.T, b *fixture) {
	id := b.file(Ready, "abuse@example.net", "noc@example.net")
	b.check(b.Record(b.ctx, b.claimComplaint(), Outcome{State: Sent, Taken: []string{"abuse@example.net"}}))
	sender := Sender{From: "Desk <abuse@isp.test>", Host: "mx.isp.test"}
	b.check(b.one(b.Decide(b.ctx, Decision{Action: ActionRetracted, Actor: "user:anna", Reason: "it was our own", Sender: sender}, id)))
	c := b.claimComplaint().Complaint
	if c.Withdraws != id || c.Format != FormatWithdrawal || !slices.Equal(c.To, []string{"abuse@example.net"}) || c.Sender != sender ||
		!strings.HasSuffix(c.MessageID, "@mx.isp.test>") || len(c.Incidents) != 1 {
		t.Errorf("the message that takes it back is %+v", c)
	}
	if got := b.complaint(id).State; got != Retracted {
		t.Errorf("it is %s", got)
	}
}

package queue

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var allStates = []State{Held, Ready, Sending, Deferred, Sent, Failed, Dropped, Bounced, Answered, Resolved, Retracted, Form}

// testStates tries everything that can be decided in every state.
func testStates(t *testing.T, b *fixture) {
	may := map[string]map[State]State{
		ActionApproved:  {Held: Ready},
		ActionHeld:      {Ready: Held, Deferred: Held, Failed: Held, Bounced: Held, Form: Held},
		ActionDropped:   {Held: Dropped, Ready: Dropped, Deferred: Dropped, Failed: Dropped, Bounced: Dropped, Form: Dropped},
		ActionRetried:   {Deferred: Ready, Failed: Ready},
		ActionRetracted: {Sent: Retracted, Bounced: Retracted, Answered: Retracted, Resolved: Retracted},
		ActionDone:      {Form: Sent},
		ActionBounced:   {Sent: Bounced, Answered: Bounced},
		ActionAnswered:  {Sent: Answered, Bounced: Answered, Answered: Answered},
		ActionResolved:  {Sent: Resolved, Bounced: Resolved, Answered: Resolved, Resolved: Resolved},
		ActionNoted:     {Sent: Sent, Bounced: Bounced, Answered: Answered, Resolved: Resolved, Retracted: Retracted},
	}
	for action := range may {
		for _, state := range allStates {
			id := b.inState(state)
			before := b.trail(id)
			err := b.one(b.Decide(b.ctx, Decision{Action: action, Actor: "user:anna", Reason: "looks right"}, id))
			to, allowed := may[action][state]
			if !allowed {
				wantErr(t, err, ErrState, "is "+string(state)+": ", " can be "+action)
				to = state
			} else if err != nil {
				t.Errorf("%s from %s: %v", action, state, err)
			}
			if got := b.complaint(id).State; got != to {
				t.Errorf("%s from %s leads to %s, want %s", action, state, got, to)
			}
			if grown := strings.TrimPrefix(b.trail(id), before); allowed != (grown == " "+action+">"+string(to)) {
				t.Errorf("%s from %s left the events %q", action, state, grown)
			}
			b.drain()
		}
	}
	b.verified()
}

// drain sends whatever is ready, so that the next claim meets the next one.
func (b *fixture) drain() {
	for {
		c, err := b.ClaimComplaint(b.ctx, 1000*time.Hour)
		b.check(err)
		if c == nil {
			return
		}
		b.check(b.Record(b.ctx, c, Outcome{State: Sent}))
	}
}

func testApproveWithoutContact(t *testing.T, b *fixture) {
	id := b.file(Held)
	wantErr(t, b.Approve(b.ctx, id, Sender{}, "user:anna", ""), ErrState, "no contact", "drop it")
	if c := b.complaint(id); c.State != Held || !c.ReadyAt.IsZero() {
		t.Errorf("after the refusal it is %s, ready at %s", c.State, c.ReadyAt)
	}
	if got := b.trail(id); got != "filed>held" {
		t.Errorf("the refusal left events: %s", got)
	}
}

func testUnknownIDs(t *testing.T, b *fixture) {
	wantErr(t, b.Approve(b.ctx, 7, Sender{}, "user:anna", ""), ErrNotFound, "complaint 7")
	wantErr(t, b.Drop(b.ctx, 7, "user:anna", ""), ErrNotFound, "complaint 7")
	_, err := b.Case(b.ctx, 7)
	wantErr(t, err, ErrNotFound, "complaint 7")
	_, err = b.Report(b.ctx, 7)
	wantErr(t, err, ErrNotFound, "report 7")
}

func testDelivery(t *testing.T, b *fixture) {
	b.noComplaint()
	id := b.file(Held, "abuse@example.net")
	b.noComplaint()
	sender := Sender{From: "abuse@example.org", Host: "mx.example.org", Agent: "test/1"}
	b.check(b.Approve(b.ctx, id, sender, "user:anna", "clear case"))
	approved := b.clock.now()
	b.clock.advance(time.Second)
	c := b.claimComplaint()
	if c.Complaint.State != Sending || c.Complaint.Attempts != 1 || !c.Complaint.ReadyAt.Equal(approved) {
		t.Errorf("claimed as %s, attempt %d, ready at %s", c.Complaint.State, c.Complaint.Attempts, c.Complaint.ReadyAt)
	}
	if c.Complaint.Sender != sender {
		t.Errorf("claimed in the name of %+v, approved in that of %+v", c.Complaint.Sender, sender)
	}
	if len(c.Complaint.Incidents) != 1 || len(c.Complaint.Incidents[0].Report.Message.Header) == 0 {
		t.Errorf("claimed without its message: %+v", c.Complaint.Incidents)
	}
	b.noComplaint()
	for _, state := range []State{Held, Ready, Sending, Dropped, ""} {
		if err := b.Record(b.ctx, c, Outcome{State: state}); err == nil {
			t.Errorf("an attempt ended %q", state)
		}
	}
	if err := b.Record(b.ctx, c, Outcome{State: Deferred}); err == nil {
		t.Error("a complaint was deferred without a time")
	}
	again := b.clock.now().Add(time.Hour)
	b.check(b.Record(b.ctx, c, Outcome{State: Deferred, NextAttempt: again, Taken: []string{"abuse@example.net"}, Reason: "450 later"}))
	if got := b.complaint(id); got.State != Deferred || !got.NextAttempt.Equal(again) {
		t.Errorf("it is %s until %s, want deferred until %s", got.State, got.NextAttempt, again)
	}
	b.noComplaint()
	b.clock.advance(time.Hour)
	c = b.claimComplaint()
	if !slices.Equal(c.Complaint.Taken, []string{"abuse@example.net"}) {
		t.Errorf("delivered to %q so far, want what the first attempt said", c.Complaint.Taken)
	}
	if c.Complaint.Attempts != 2 || !c.Complaint.NextAttempt.IsZero() {
		t.Errorf("attempt %d, next at %s, want 2 and none", c.Complaint.Attempts, c.Complaint.NextAttempt)
	}
	b.check(b.Record(b.ctx, c, Outcome{State: Sent, Reason: "250 queued as 1"}))
	wantErr(t, b.Record(b.ctx, c, Outcome{State: Sent}), ErrLeaseLost)
	b.clock.advance(1000 * time.Hour)
	b.noComplaint()
	if got, want := b.trail(id), "filed>held approved>ready sending>sending deferred>deferred sending>sending sent>sent"; got != want {
		t.Errorf("events %s\nwant   %s", got, want)
	}
	k, err := b.Case(b.ctx, id)
	b.check(err)
	if e := k.Events[1]; e.Actor != "user:anna" || e.Reason != "clear case" || e.From != Held || !e.Time.Equal(approved) {
		t.Errorf("the approval stands as %+v", e)
	}
}

func testComplaintLease(t *testing.T, b *fixture) {
	b.file(Ready, "abuse@example.net")
	old := b.claimComplaint()
	b.clock.advance(time.Minute)
	taken := b.claimComplaint()
	if taken.Complaint.ID != old.Complaint.ID || taken.Complaint.Attempts != 2 {
		t.Fatalf("took over %d at attempt %d", taken.Complaint.ID, taken.Complaint.Attempts)
	}
	wantErr(t, b.Record(b.ctx, old, Outcome{State: Failed}), ErrLeaseLost)
	wantErr(t, b.Renew(b.ctx, old, time.Hour), ErrLeaseLost)
	b.check(b.Record(b.ctx, taken, Outcome{State: Sent}))
	if got, want := b.trail(old.Complaint.ID), "filed>ready sending>sending sending>sending sent>sent"; got != want {
		t.Errorf("events %s\nwant   %s", got, want)
	}
}

func testLookup(t *testing.T, b *fixture) {
	hold := func() int64 {
		b.submit()
		claim := b.claimReport()
		c := sampleComplaint(claim.Report.ID, Held)
		c.LookupAt = b.clock.now().Add(time.Hour)
		id, _, err := b.File(b.ctx, claim, c)
		b.check(err)
		return id
	}
	claim := func(want int64) *LookupClaim {
		t.Helper()
		c, err := b.ClaimLookup(b.ctx, time.Minute)
		b.check(err)
		if want == 0 && c != nil || want != 0 && (c == nil || c.Complaint.ID != want) {
			t.Fatalf("claimed %+v, want complaint %d", c, want)
		}
		return c
	}
	b.file(Held)                      // nobody will ever be found
	b.file(Held, "abuse@example.net") // has one
	id := hold()
	claim(0)
	b.clock.advance(time.Hour)
	c := claim(id)
	claim(0)
	later := b.clock.now().Add(time.Hour)
	b.check(b.SetContact(b.ctx, c, Found{LookupAt: later, Hold: "no contact", Reason: "registry is down"}))
	if got := b.complaint(id); !got.LookupAt.Equal(later) || got.Hold != "no contact" {
		t.Errorf("look-up at %s, hold %q", got.LookupAt, got.Hold)
	}
	b.clock.advance(time.Hour)
	c = claim(id)
	b.check(b.SetContact(b.ctx, c, Found{To: []string{"abuse@example.net"}, Contact: []byte(`{}`), Network: "NET",
		Reason: "found"}))
	wantErr(t, b.SetContact(b.ctx, c, Found{}), ErrLeaseLost)
	if got := b.complaint(id); len(got.To) != 1 || got.Network != "NET" || string(got.Contact) != "{}" || !got.LookupAt.IsZero() || got.State != Held {
		t.Errorf("after the contact was found: %+v", got)
	}
	b.check(b.Approve(b.ctx, id, Sender{}, "user:anna", ""))
	if got, want := b.trail(id), "filed>held contact>held contact>held approved>ready"; got != want {
		t.Errorf("events %s\nwant   %s", got, want)
	}
	// The desk that was found has a page only.
	id = hold()
	b.clock.advance(time.Hour)
	c = claim(id)
	if err := b.SetContact(b.ctx, c, Found{To: []string{"abuse@example.net"}, Form: true, Ready: true}); err == nil {
		t.Error("goes out, and to a page")
	}
	b.check(b.SetContact(b.ctx, c, Found{Form: true, Hold: "a page only", LookupAt: later, Reason: "a page only"}))
	if got := b.complaint(id); got.State != Form || !got.LookupAt.IsZero() || b.trail(id) != "filed>held tasked>form" {
		t.Errorf("%s of %+v", b.trail(id), got)
	}
	b.clock.advance(time.Hour)
	claim(0)
	// A person is faster than the registry.
	id = hold()
	b.clock.advance(time.Hour)
	c = claim(id)
	b.check(b.Drop(b.ctx, id, "user:anna", ""))
	wantErr(t, b.SetContact(b.ctx, c, Found{To: []string{"abuse@example.net"}}), ErrLeaseLost)
	b.clock.advance(time.Hour)
	claim(0)
}

package queue

import (
	"slices"
	"testing"
	"time"
)

// testWould holds what would be done against what is done, for every action on
// complaints of all states, without contact, shut and unknown ones among them.
func testWould(t *testing.T, b *fixture) {
	b.check(b.Suppress(b.ctx, Suppression{Address: "shut@example.net", Actor: "user:anna", Reason: "full"}))
	for _, action := range []string{ActionApproved, ActionHeld, ActionDropped, ActionRetried, ActionRetracted, ActionDone} {
		ids := []int64{9999, b.file(Held), b.file(Held, "Shut@example.net")}
		for _, state := range allStates {
			if state != Ready { // the way to the others would take it
				ids = append(ids, b.inState(state))
			}
		}
		ids = append(ids, b.inState(Ready))
		would, err := b.Would(b.ctx, action, ids...)
		b.check(err)
		if seen, err := b.Would(b.ctx, action, ids...); err != nil || !slices.Equal(seen.Done, would.Done) {
			t.Errorf("%s: looking changed something: %v then %v, %v", action, would.Done, seen.Done, err)
		}
		did, err := b.Decide(b.ctx, Decision{Action: action, Actor: "user:anna"}, ids...)
		b.check(err)
		if len(did.Done) == 0 || !slices.Equal(did.Done, would.Done) {
			t.Errorf("%s: would do %v, did %v", action, would.Done, did.Done)
		}
		if !slices.EqualFunc(did.Refused, would.Refused, func(a, b Refusal) bool { return a.ID == b.ID && a.Err.Error() == b.Err.Error() }) {
			t.Errorf("%s: would refuse %v, refused %v", action, would.Refused, did.Refused)
		}
		b.drain()
	}
}

func testPick(t *testing.T, b *fixture) {
	var ids []int64
	for range 3 {
		ids = append(ids, b.file(Held, "abuse@example.net"))
	}
	list, err := b.Pick(b.ctx, ids[2], 9999, ids[0])
	b.check(err)
	if got := idsOf(list); !slices.Equal(got, []int64{ids[2], ids[0]}) {
		t.Errorf("picked %v", got)
	}
	counts, err := b.CountReports(b.ctx, ids[0], 9999)
	b.check(err)
	if d := diff(map[int64]int{ids[0]: 1}, counts); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	if got := StatesFor(ActionRetried); !slices.Equal(got, []State{Deferred, Failed}) {
		t.Errorf("retried from %v", got)
	}
}

// testWasHead: every end that the trail once had is known again, also when the events
// up to it were purged, and no other.
func testWasHead(t *testing.T, b *fixture) {
	b.file(Held)
	noted := b.verified()
	b.clock.advance(48 * time.Hour)
	b.file(Held)
	now := b.verified()
	for _, seen := range []Trail{noted, now} {
		if same, err := b.WasHead(b.ctx, seen.Head, seen.Hash); err != nil || !same {
			t.Errorf("end %d is not known again: %v", seen.Head, err)
		}
	}
	if same, err := b.WasHead(b.ctx, noted.Head, now.Hash); err != nil || same {
		t.Errorf("another hash is taken: %v", err)
	}
	_, err := b.WasHead(b.ctx, now.Head+1, now.Hash)
	wantErr(t, err, ErrNotFound)
	_, err = b.Purge(b.ctx, Retention{Events: 24 * time.Hour})
	b.check(err)
	if seen := b.verified(); seen.First != noted.Head+1 {
		t.Fatalf("the trail begins with %d", seen.First)
	}
	if same, err := b.WasHead(b.ctx, noted.Head, noted.Hash); err != nil || !same {
		t.Errorf("the end before what was purged is not known again: %v", err)
	}
}

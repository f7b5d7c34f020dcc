package queue

import (
	"testing"
	"time"
)

func testTrail(t *testing.T, b *fixture) {
	if seen := b.verified(); seen.Events != 0 {
		t.Errorf("a new queue has %d events", seen.Events)
	}
	b.inState(Sent)
	b.inState(Dropped)
	seen := b.verified()
	if seen.Events != 5 || seen.First != 1 || seen.Head != 5 || len(seen.Hash) != 32 {
		t.Errorf("verified: %+v", seen)
	}
	b.inState(Held)
	if again := b.verified(); again.Head != 6 || string(again.Hash) == string(seen.Hash) {
		t.Errorf("after one more event: %+v", again)
	}
}

// testAlteredTrail does to the trail what somebody with the password of the database
// could do to hide something.
func testAlteredTrail(t *testing.T, b *fixture) {
	for range 4 {
		b.inState(Dropped)
	}
	b.verified()
	for _, test := range []struct{ alter, mend, want string }{
		{`UPDATE events SET reason = 'x' WHERE id = 3`, `UPDATE events SET reason = '' WHERE id = 3`, "event 3 is not what was written"},
		{`UPDATE events SET actor = 'user:bert' WHERE id = 4`, `UPDATE events SET actor = 'user:anna' WHERE id = 4`, "event 4 is not"},
		{`UPDATE events SET time = time + 1 WHERE id = 2`, `UPDATE events SET time = time - 1 WHERE id = 2`, "event 2 is not"},
		{`UPDATE events SET complaint_id = 2 WHERE id = 2`, `UPDATE events SET complaint_id = 1 WHERE id = 2`, "event 2 is not"},
		{`UPDATE events SET to_state = 'sent' WHERE id = 2`, `UPDATE events SET to_state = 'dropped' WHERE id = 2`, "event 2 is not"},
		{`UPDATE events SET id = 99 WHERE id = 8`, `UPDATE events SET id = 8 WHERE id = 99`, "event 8 is gone"},
		{`UPDATE events SET id = -1 WHERE id = 1`, `UPDATE events SET id = 1 WHERE id = -1`, "event 1 is gone"},
		{`UPDATE trail SET head_id = 7`, `UPDATE trail SET head_id = 8`, "event 8 was added behind the end"},
		{`UPDATE trail SET head_hash = base_hash`, ``, "the end of the trail"},
		{`DELETE FROM events WHERE id = 5`, ``, "event 5 is gone"},
		{`DELETE FROM events WHERE id >= 5`, ``, "events 5 to 8 are gone"},
	} {
		_, err := b.writer.Exec(test.alter)
		b.check(err)
		_, err = b.Verify(b.ctx, func(int64, int64) {})
		wantErr(t, err, ErrAltered, test.want)
		if test.mend != "" {
			_, err = b.writer.Exec(test.mend)
			b.check(err)
			b.verified()
		}
	}
}

func testTallies(t *testing.T, b *fixture) {
	since := b.clock.now()
	b.inState(Sent)
	b.clock.advance(24 * time.Hour)
	b.inState(Sent)
	b.inState(Dropped)
	daily, err := b.Daily(b.ctx, TallyAction, since)
	b.check(err)
	first, second := since.Truncate(24*time.Hour), since.Add(24*time.Hour).Truncate(24*time.Hour)
	want := []Tally{
		{first, TallyAction, "filed", 1}, {first, TallyAction, "sending", 1}, {first, TallyAction, "sent", 1},
		{second, TallyAction, "dropped", 1}, {second, TallyAction, "filed", 2}, {second, TallyAction, "sending", 1}, {second, TallyAction, "sent", 1},
	}
	if d := diff(want, daily); d != "" {
		t.Errorf("daily (-want +got):\n%s", d)
	}
	for what, want := range map[string][]Tally{
		TallyContact: {{What: TallyContact, Name: "abuse@example.net", N: 3}},
		TallyCause:   {{What: TallyCause, Name: "user", N: 3}},
		TallyAction:  {{What: TallyAction, Name: "filed", N: 3}, {What: TallyAction, Name: "sending", N: 2}},
	} {
		top, err := b.Top(b.ctx, what, since, 2)
		b.check(err)
		if d := diff(want, top); d != "" {
			t.Errorf("top %s (-want +got):\n%s", what, d)
		}
	}
}

func testTurns(t *testing.T, b *fixture) {
	type turn struct {
		wait, paused time.Duration
		asked        int
	}
	check := func(what string, server string, daily int, within time.Duration, want turn) {
		t.Helper()
		var got turn
		var err error
		got.wait, got.paused, got.asked, err = b.TakeTurn(b.ctx, server, time.Second, daily, within)
		b.check(err)
		if got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	check("first", "a", 4, time.Minute, turn{asked: 1})
	check("second", "a", 4, time.Minute, turn{wait: time.Second, asked: 2})
	check("no time", "a", 4, time.Second, turn{wait: 2 * time.Second, asked: 2})
	check("third", "a", 4, time.Minute, turn{wait: 2 * time.Second, asked: 3})
	check("another server", "b", 0, time.Minute, turn{asked: 1})
	check("fourth", "a", 4, time.Minute, turn{wait: 3 * time.Second, asked: 4})
	now := b.clock.now()
	check("past the day's number", "a", 4, time.Minute, turn{paused: now.Truncate(day).Add(day).Sub(now), asked: 4})
	b.clock.advance(day)
	check("the next day", "a", 4, time.Minute, turn{asked: 1})
	b.check(b.Pause(b.ctx, "a", time.Hour))
	b.check(b.Pause(b.ctx, "a", time.Minute)) // shortens nothing
	check("paused", "a", 4, time.Minute, turn{paused: time.Hour, asked: 1})
	b.clock.advance(time.Hour)
	check("after the pause", "a", 4, time.Minute, turn{asked: 2})
}

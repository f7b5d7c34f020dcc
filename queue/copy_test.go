package queue

import (
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCopy takes a queue with something of everything from SQLite to PostgreSQL and
// back, and works on with it.
func TestCopy(t *testing.T) {
	c := &clock{t: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
	dir, shared := t.TempDir(), database(t)
	first := &fixture{t: t, ctx: t.Context(), clock: c, Store: openAt(t, filepath.Join(dir, "queue.db"), c.now)}
	for _, state := range allStates {
		if state != Ready { // which the next claim would take
			first.inState(state)
		}
	}
	first.inState(Ready)
	first.check(first.Suppress(first.ctx, Suppression{Address: "noc@example.net", Actor: "user:anna", Reason: "asked"}))
	first.check(first.PutContact(first.ctx, netip.MustParseAddr("192.0.2.0"), netip.MustParseAddr("192.0.2.255"), c.now().Add(time.Hour), []byte("x")))
	_, _, _, err := first.TakeTurn(first.ctx, "rdap.example", time.Second, 5, time.Minute)
	first.check(err)
	last := first.submit()
	list, err := first.List(first.ctx, Filter{})
	first.check(err)
	head := first.verified()
	first.check(first.Close())

	there := copied(t, filepath.Join(dir, "queue.db"), shared, c)
	back := copied(t, shared, filepath.Join(dir, "back.db"), c)
	if !slices.EqualFunc(there, back, func(a, b Copied) bool {
		return a.Table == b.Table && a.Rows == b.Rows && string(a.Hash) == string(b.Hash)
	}) {
		t.Errorf("there %+v\nback  %+v", there, back)
	}
	for _, place := range []string{shared, filepath.Join(dir, "back.db")} {
		b := &fixture{t: t, ctx: t.Context(), clock: c, serial: 1000, Store: openAt(t, place, c.now)}
		if seen := b.verified(); seen.Head != head.Head || string(seen.Hash) != string(head.Hash) {
			t.Errorf("trail of the copy: %+v, want %+v", seen, head)
		}
		again, err := b.List(b.ctx, Filter{})
		b.check(err)
		if d := diff(list, again); d != "" {
			t.Errorf("complaints (-original +copy):\n%s", d)
		}
		if id := b.submit(); id <= last {
			t.Errorf("report %d after %d", id, last)
		}
		if id := b.inState(Held); id <= list[0].ID {
			t.Errorf("complaint %d after %d", id, list[0].ID)
		}
		b.check(b.Close())
	}
}

// copied copies one queue to another, as the command does.
func copied(t *testing.T, from, to string, c *clock) []Copied {
	t.Helper()
	source := alone(t, from, c, false)
	defer source.Close()
	target := alone(t, to, c, true)
	defer target.Close()
	done, err := Copy(t.Context(), source, target, func(string, int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	var rows int64
	for _, d := range done {
		rows += d.Rows
	}
	if len(done) != len(tables) || rows < 100 {
		t.Errorf("%d tables with %d rows were copied", len(done), rows)
	}
	// What is there is not written over.
	_, err = Copy(t.Context(), source, target, func(string, int64, int64) {})
	wantErr(t, err, ErrNotEmpty, "copy to a new one")
	return done
}

func alone(t *testing.T, place string, c *clock, daemon bool) *Store {
	t.Helper()
	s, err := Open(t.Context(), place, Options{Alone: true, Daemon: daemon, Host: "test", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCopyNeedsPeace refuses while a daemon works one of the queues, and keeps
// daemons out meanwhile.
func TestCopyNeedsPeace(t *testing.T) {
	for name, place := range map[string]string{"SQLite": filepath.Join(t.TempDir(), "queue.db"), "PostgreSQL": database(t)} {
		t.Run(name, func(t *testing.T) {
			daemon := openAt(t, place, nil)
			_, err := Open(t.Context(), place, Options{Alone: true})
			wantErr(t, err, ErrInUse)
			if err := daemon.Close(); err != nil {
				t.Fatal(err)
			}
			c := &clock{t: time.Now()}
			quiet := alone(t, place, c, false)
			_, err = Open(t.Context(), place, Options{Daemon: true})
			wantErr(t, err, ErrInUse)
			if err := quiet.Close(); err != nil {
				t.Fatal(err)
			}
			openAt(t, place, nil)
		})
	}
}

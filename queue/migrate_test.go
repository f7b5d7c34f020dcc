package queue

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestUpgrade opens a queue of each earlier schema. Everything in it must be there
// as if this program had written it.
func TestUpgrade(t *testing.T) {
	for schema := 1; schema < 2; schema++ {
		t.Run(fmt.Sprint(schema), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			load(t, path, fmt.Sprintf("testdata/schema%d.sql", schema))
			_, err := Open(t.Context(), path, Options{})
			if err == nil || !strings.Contains(err.Error(), "has schema 1, this program needs 2: start `spamreport-milter serve`") {
				t.Errorf("a command opened it: %v", err)
			}
			c := &clock{t: time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC)}
			b := &fixture{t: t, ctx: t.Context(), clock: c, serial: 100, Store: openAt(t, path, c.now)}
			b.checkOfSchema1()
			b.inState(Sent)
			b.verified()
			b.check(b.Close())
			b.Store = openAt(t, path, c.now) // and again, as it is now
			b.verified()
		})
	}
}

// load makes a database of a dump.
func load(t *testing.T, path, dump string) {
	t.Helper()
	statements, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(statements)); err != nil {
		t.Fatal(err)
	}
}

func (b *fixture) checkOfSchema1() {
	b.t.Helper()
	if seen := b.verified(); seen.Events != 6 || seen.First != 1 {
		b.t.Errorf("trail: %+v", seen)
	}
	sent := b.complaint(1)
	if sent.State != Sent || string(sent.Contact) != `{"reason":"the registry says so"}` || len(sent.Taken) != 1 {
		b.t.Errorf("complaint 1: %+v", sent)
	}
	if r := sent.Incidents[0].Report; string(r.Message.Header) != "Subject: offer 0\r\n" || string(r.Message.Body) != "Buy!\r\n" || r.Purged {
		b.t.Errorf("its report: %+v", r)
	}
	if trail := b.trail(1); trail != "filed>held approved>ready sending>sending sent>sent" {
		b.t.Errorf("its trail: %s", trail)
	}
	counts, err := b.Counts(b.ctx)
	b.check(err)
	if d := diff(map[State]int{Sent: 1, Held: 1}, counts); d != "" {
		b.t.Errorf("counts (-want +got):\n%s", d)
	}
	for name, f := range map[string]Filter{
		"contact": {Contact: "abuse@example.net"}, "text": {Text: "offer"}, "reporter": {Reporter: "X-Spam-Flag"}, "sender": {Text: "sender.example"},
	} {
		if list, err := b.List(b.ctx, f); err != nil || len(list) != 2 {
			b.t.Errorf("by %s: %v, %v", name, idsOf(list), err)
		}
	}
	if n, _, err := b.Waiting(b.ctx); n != 1 || err != nil {
		b.t.Errorf("%d reports wait (%v), want 1", n, err)
	}
	if tallies, err := b.Top(b.ctx, TallyAction, time.Unix(0, 0).Add(day), 10); err != nil || len(tallies) == 0 || tallies[0].Name != ActionFiled || tallies[0].N != 2 {
		b.t.Errorf("tallies: %+v, %v", tallies, err)
	}
}

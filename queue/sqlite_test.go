package queue

import (
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spamreport-milter/trace"
)

func TestSQLite(t *testing.T) {
	suite(t, func(t testing.TB, now func() time.Time) *Store {
		return openAt(t, filepath.Join(t.TempDir(), "queue.db"), now)
	})
}

// openAt opens the queue at path and closes it when the test ends.
func openAt(t testing.TB, path string, now func() time.Time) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{Daemon: true, Host: "test", Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSpaceGivenBack purges the mail of a queue and looks at the size of its file.
func TestSpaceGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	c := &clock{t: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
	b := &fixture{t: t, ctx: t.Context(), clock: c, Store: openAt(t, path, c.now)}
	for range 50 {
		body := make([]byte, 40<<10)
		rand.Read(body)
		_, err := b.Submit(b.ctx, Report{Message: trace.Message{Body: body}})
		b.check(err)
		b.check(b.CloseReport(b.ctx, b.claimReport(), "own network"))
	}
	size := func() int64 {
		b.check(b.engine.scrub(b.Store, b.ctx)) // all of it into the file
		info, err := os.Stat(path)
		b.check(err)
		return info.Size()
	}
	before := size()
	c.advance(48 * time.Hour)
	p, err := b.Purge(b.ctx, Retention{Mail: 24 * time.Hour})
	b.check(err)
	if after := size(); p.Mail != 50 || after > before/4 {
		t.Errorf("%d mails were purged, and of %d octets %d are left", p.Mail, before, after)
	}
}

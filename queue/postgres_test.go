package queue

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"spamreport-milter/internal/testpg"
)

// scratch is one PostgreSQL for all tests of the package, started by the first.
var scratch struct {
	once   sync.Once
	server *testpg.Server
	err    error
}

// stopScratch ends the server, if any test started it.
func stopScratch() error {
	if scratch.server == nil {
		return nil
	}
	return scratch.server.Stop()
}

// database returns the URL of a new empty database.
func database(t testing.TB) string {
	t.Helper()
	scratch.once.Do(func() { scratch.server, scratch.err = testpg.Start(context.Background(), false) })
	if scratch.err != nil {
		t.Fatal(scratch.err)
	}
	url, err := scratch.server.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func TestPostgreSQL(t *testing.T) {
	suite(t, func(t testing.TB, now func() time.Time) *Store {
		return openAt(t, database(t), now)
	})
}

// TestServerAway: what can't be stored is refused soon, and all goes on by itself
// when the server is back.
func TestServerAway(t *testing.T) {
	server, err := testpg.Start(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	url, err := server.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &fixture{t: t, ctx: t.Context(), Store: openAt(t, url, nil)}
	first := b.submit()
	server.Down()
	start := time.Now()
	if id, err := b.Submit(b.ctx, sampleReport(2)); err == nil {
		t.Errorf("report %d was taken without a server", id)
	}
	if d := time.Since(start); d > 2*postgres.patience {
		t.Errorf("refused after %s only", d)
	}
	if err := server.Up(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if id := b.submit(); id <= first {
		t.Errorf("report %d after %d", id, first)
	}
	if got := b.claimReport().Report.ID; got != first {
		t.Errorf("claimed %d, want %d, which was acknowledged", got, first)
	}
	if _, err := Open(b.ctx, "postgres:///nobody?host=/nonexistent&user=x", Options{Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a server that is not there was opened")
	}
}

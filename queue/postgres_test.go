package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
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

// ownServer starts a server for one test, which may kill it, and returns the URL of an
// empty database there. durable is as for testpg.Start.
func ownServer(t testing.TB, durable bool) (*testpg.Server, string) {
	t.Helper()
	server, err := testpg.Start(t.Context(), durable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	url, err := server.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return server, url
}

func TestPostgreSQL(t *testing.T) {
	suite(t, func(t testing.TB, now func() time.Time) *Store {
		return openAt(t, database(t), now)
	})
}

// TestServerAway: what can't be stored is refused soon, and all goes on by itself
// when the server is back.
func TestServerAway(t *testing.T) {
	server, url := ownServer(t, true)
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
}

// TestServerRefuses opens what can't be worked with. A command says so at once, and
// so does a daemon where waiting would not help.
func TestServerRefuses(t *testing.T) {
	place := database(t)
	openAt(t, place, nil)
	spoiled := func(spoil string) string {
		other := database(t)
		s := openAt(t, other, nil)
		if _, err := s.writer.Exec(spoil); err != nil {
			t.Fatal(err)
		}
		return other
	}
	for name, test := range map[string]struct {
		url    string
		daemon bool
		want   []string
	}{
		"no server":         {"postgres:///x?host=/nonexistent&user=x", false, []string{"does not answer", "a retry helps"}},
		"no such database":  {strings.Replace(place, "///postgres?", "///nobody?", 1), true, []string{"does not exist", "create the database"}},
		"no such user":      {strings.Replace(place, "user=test", "user=bert", 1), true, []string{"does not let us in", "pg_hba.conf"}},
		"not set up":        {database(t), false, []string{"has schema 0, this program needs", "serve"}},
		"newer":             {spoiled(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`), true, []string{"has schema 99", "newer version"}},
		"another program's": {spoiled(`DROP TABLE goose_db_version`), true, []string{"another program"}},
		"no URL":            {"postgres://%zz", true, []string{"URL of the queue"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), test.url, Options{Daemon: test.daemon, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

// TestRuleAlone has two hosts rule at once: the second waits for the first.
func TestRuleAlone(t *testing.T) {
	place := database(t)
	one, two := openAt(t, place, nil), openAt(t, place, nil)
	done, err := one.RuleAlone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := two.RuleAlone(soon); err == nil {
		t.Error("two hosts rule at once")
	}
	done()
	if done, err = two.RuleAlone(t.Context()); err != nil {
		t.Fatal(err)
	}
	done()
}

func TestPasswordIsNotShown(t *testing.T) {
	_, err := Open(t.Context(), "postgres://anna:sesame@127.0.0.1:1/x", Options{})
	if err == nil || strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), "anna") {
		t.Errorf("error: %v", err)
	}
}

// TestServerKilled kills the server over and over while reports come in and are
// filed. What was acknowledged is there, and in exactly one place.
func TestServerKilled(t *testing.T) {
	server, url := ownServer(t, true)
	s := openAt(t, url, nil)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	acked := map[int64]string{}
	var workers sync.WaitGroup
	for n := range 6 {
		workers.Go(func() {
			for i := n * 1_000_000; ctx.Err() == nil; i++ {
				if id, err := s.Submit(t.Context(), sampleReport(i)); err == nil {
					mu.Lock()
					acked[id] = fmt.Sprint(i)
					mu.Unlock()
				}
			}
		})
		workers.Go(func() {
			for ctx.Err() == nil {
				_ = fileNext(ctx, s, time.Second) // it fails while the server is away
			}
		})
	}
	for range 3 {
		time.Sleep(500 * time.Millisecond)
		server.Down()
		if err := server.Up(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	stop()
	workers.Wait()
	if len(acked) < 50 {
		t.Fatalf("only %d reports were acknowledged", len(acked))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkAcked(t, url, acked)
}

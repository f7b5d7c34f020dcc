package queue

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"
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

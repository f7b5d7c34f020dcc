package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"spamreport-milter/queue"
)

// TestLongListsAreReadInParts: whatever is read at once, all of it comes, once and in
// order, and the end says whether there is more.
func TestLongListsAreReadInParts(t *testing.T) {
	store, err := queue.Open(t.Context(), filepath.Join(t.TempDir(), queueFile), queue.Options{Daemon: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := range 7 {
		if _, err := plant(t.Context(), store, i, queue.Held, "pills"); err != nil {
			t.Fatal(err)
		}
	}
	for limit := 1; limit <= 8; limit++ {
		for atOnce := 1; atOnce <= 8; atOnce++ {
			var ids []int64
			next, err := readPages(t.Context(), store, queue.Filter{Limit: limit}, atOnce, true, func(rows []listRow, done int) error {
				for _, r := range rows {
					ids = append(ids, r.ID)
				}
				if len(rows) > atOnce || done != len(ids) || rows[0].reports != 1 {
					return fmt.Errorf("%d rows at once, %d told of %d", len(rows), done, len(ids))
				}
				return nil
			})
			want := []int64{7, 6, 5, 4, 3, 2, 1}[:min(limit, 7)]
			if err != nil || !slices.Equal(ids, want) || (next != "") != (limit < 7) {
				t.Errorf("limit %d, %d at once: %v, next %q, %v", limit, atOnce, ids, next, err)
			}
		}
	}
}

package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"sort"
	"time"
)

// EventsAfter returns the events that follow one, oldest first.
func (s *Store) EventsAfter(ctx context.Context, id int64, most int) (events []Event, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		// Numbers have no gaps, but for those that were purged before all others.
		var first sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT min(id) FROM events WHERE id > $1`, id).Scan(&first); err != nil || !first.Valid {
			return err
		}
		events, err = readEvents(ctx, tx, EventFilter{After: id, Before: first.Int64 + int64(most), Limit: most})
		slices.Reverse(events)
		return err
	})
	return events, err
}

// EventBefore returns the number of the last event before a time, 0 for none: the trail
// is in the order of time, but for clocks that were set back.
func (s *Store) EventBefore(ctx context.Context, at time.Time) (id int64, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		var first, last sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT min(id) FROM events`).Scan(&first); err != nil || !first.Valid {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT max(id) FROM events`).Scan(&last); err != nil {
			return err
		}
		var fault error
		n := sort.Search(int(last.Int64-first.Int64)+1, func(i int) bool {
			var time int64
			err := tx.QueryRowContext(ctx, `SELECT time FROM events WHERE id >= $1 ORDER BY id LIMIT 1`, first.Int64+int64(i)).Scan(&time)
			if err != nil {
				fault = err
			}
			return time >= micros(at)
		})
		id = first.Int64 + int64(n) - 1
		return fault
	})
	return id, err
}

// Answer returns the stored answer about the contact of a complaint; nil for none.
func (s *Store) Answer(ctx context.Context, complaint int64) (answer json.RawMessage, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		answer, err = readAnswer(ctx, tx, complaint)
		return err
	})
	return answer, err
}

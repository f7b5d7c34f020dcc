package queue

import (
	"context"
	"math"
)

// Case is a complaint with everything that is known about it.
type Case struct {
	Complaint Complaint // with incidents and their reports
	Events    []Event   // oldest first
}

// Case returns one complaint's case, or ErrNotFound.
func (s *Store) Case(ctx context.Context, id int64) (*Case, error) {
	var k Case
	err := s.view(ctx, func(tx *transaction) error {
		c, err := readWhole(ctx, tx, id, math.MaxInt)
		if err != nil {
			return err
		}
		k.Complaint = *c
		k.Events, err = history(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &k, nil
}

// Counts returns how many complaints are in each state; states without any are
// absent.
func (s *Store) Counts(ctx context.Context) (map[State]int, error) {
	counts := make(map[State]int)
	err := s.view(ctx, func(tx *transaction) error {
		rows, err := tx.QueryContext(ctx, `SELECT name, n FROM tallies WHERE day = 0 AND what = $1 AND n <> 0`, tallyState)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var state State
			var n int
			if err := rows.Scan(&state, &n); err != nil {
				return err
			}
			counts[state] = n
		}
		return rows.Err()
	})
	return counts, err
}

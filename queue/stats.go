package queue

import (
	"context"
	"time"
)

// Tally is one count over some days.
type Tally struct {
	Day  time.Time `json:"day,omitzero"` // UTC midnight; zero for all days together
	What string    `json:"what"`         // TallyAction …
	Name string    `json:"name"`
	N    int64     `json:"n"`
}

// Daily returns the counts of each day since then of one kind, oldest first. Days
// without any are absent.
func (s *Store) Daily(ctx context.Context, what string, since time.Time) ([]Tally, error) {
	return s.tallied(ctx, `SELECT day, name, n FROM tallies WHERE day >= $1 AND day > 0 AND what = $2 ORDER BY day, name`,
		what, micros(since)/microsPerDay, what)
}

// Top returns the largest sums since then of one kind, at most n of them.
func (s *Store) Top(ctx context.Context, what string, since time.Time, n int) ([]Tally, error) {
	return s.tallied(ctx, `
		SELECT 0, name, sum(n) AS total FROM tallies WHERE day >= $1 AND day > 0 AND what = $2
		GROUP BY name ORDER BY total DESC, name LIMIT $3`, what, micros(since)/microsPerDay, what, n)
}

func (s *Store) tallied(ctx context.Context, query, what string, args ...any) (all []Tally, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			t := Tally{What: what}
			var day int64
			if err := rows.Scan(&day, &t.Name, &t.N); err != nil {
				return err
			}
			t.Day = fromMicros(day * microsPerDay)
			all = append(all, t)
		}
		return rows.Err()
	})
	return all, err
}

package queue

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Turn is when a server may be asked.
type Turn struct {
	At     time.Time // the caller's turn; wait until then
	Paused time.Time // in place of a turn: it is not to be asked before then
	Asked  int       // questions of this day, this one included
}

// TakeTurn reserves the next turn at a server for one question, so that all hosts
// together keep to one pace and one number of questions a day (UTC); daily is 0 for
// any number. A server that Pause was called for gives no turn until then.
func (s *Store) TakeTurn(ctx context.Context, server string, pace time.Duration, daily int) (t Turn, err error) {
	return commit(ctx, s, func(ctx context.Context, tx *change) (t Turn, err error) {
		now := micros(s.now())
		if err := s.turnOf(ctx, tx, server); err != nil {
			return t, err
		}
		var free, paused, day int64
		err = tx.QueryRowContext(ctx, `SELECT free_at, paused, day, asked FROM turns WHERE server = $1`+s.engine.row, server).
			Scan(&free, &paused, &day, &t.Asked)
		if err != nil {
			return t, err
		}
		if today := now / microsPerDay; day != today {
			day, t.Asked = today, 0
		}
		switch {
		case paused > now:
			t.Paused = fromMicros(paused)
			return t, nil
		case daily > 0 && t.Asked >= daily:
			t.Paused = fromMicros((day + 1) * microsPerDay)
			return t, nil
		}
		at := max(now, free)
		t.At = fromMicros(at)
		t.Asked++
		_, err = tx.ExecContext(ctx, `UPDATE turns SET free_at = $1, day = $2, asked = $3 WHERE server = $4`,
			at+pace.Microseconds(), day, t.Asked, server)
		return t, err
	})
}

// Pause keeps a server from being asked until then; all hosts know it.
func (s *Store) Pause(ctx context.Context, server string, until time.Time) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if err := s.turnOf(ctx, tx, server); err != nil {
			return none, err
		}
		_, err = tx.ExecContext(ctx, `UPDATE turns SET paused = $1 WHERE server = $2 AND paused < $1`, micros(until), server)
		return none, err
	})
	return err
}

// turnOf sees that a server has a row. It looks first: rows are made once.
func (s *Store) turnOf(ctx context.Context, tx *change, server string) error {
	var one int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM turns WHERE server = $1`, server).Scan(&one)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO turns (server, free_at, paused, day, asked) VALUES ($1, 0, 0, 0, 0) ON CONFLICT DO NOTHING`, server)
	return err
}

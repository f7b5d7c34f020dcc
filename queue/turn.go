package queue

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// TakeTurn reserves the next turn at a server for one question, so that all hosts
// together keep to one pace and one number of questions a day (UTC); daily is 0 for
// any number. wait is how long it is until then; longer than within, nothing is
// reserved. paused is how long the server is not to be asked, in place of a turn:
// after Pause, or past the day's number. asked is how many questions the day had.
func (s *Store) TakeTurn(ctx context.Context, server string, pace time.Duration, daily int, within time.Duration) (wait, paused time.Duration, asked int, err error) {
	_, err = commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if err := s.turnOf(ctx, tx, server); err != nil {
			return none, err
		}
		var free, until, day int64
		err = tx.QueryRowContext(ctx, `SELECT free_at, paused, day, asked FROM turns WHERE server = $1`+s.engine.row, server).
			Scan(&free, &until, &day, &asked)
		if err != nil {
			return none, err
		}
		now := micros(s.now())
		wait, paused = 0, 0 // this may run twice
		if today := now / microsPerDay; day != today {
			day, asked = today, 0
		}
		switch {
		case until > now:
			paused = time.Duration(until-now) * time.Microsecond
			return none, nil
		case daily > 0 && asked >= daily:
			paused = time.Duration((day+1)*microsPerDay-now) * time.Microsecond
			return none, nil
		}
		if wait = time.Duration(max(0, free-now)) * time.Microsecond; wait > within {
			return none, nil
		}
		asked++
		_, err = tx.ExecContext(ctx, `UPDATE turns SET free_at = $1, day = $2, asked = $3 WHERE server = $4`,
			now+(wait+pace).Microseconds(), day, asked, server)
		return none, err
	})
	return wait, paused, asked, err
}

// Pause keeps a server from being asked for a while; all hosts know it. It never
// shortens another.
func (s *Store) Pause(ctx context.Context, server string, d time.Duration) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if err := s.turnOf(ctx, tx, server); err != nil {
			return none, err
		}
		_, err = tx.ExecContext(ctx, `UPDATE turns SET paused = $1 WHERE server = $2 AND paused < $1`, micros(s.now().Add(d)), server)
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

package queue

import (
	"context"
	"database/sql"
	"fmt"
)

// Filter chooses complaints. Zero fields choose all.
type Filter struct {
	States []State
	Before int64 // only complaints with lower ids: the last id of the page before
	Limit  int   // 100 if zero
}

// List returns complaints, newest first, without Contact and Incidents.
func (s *Store) List(ctx context.Context, f Filter) (list []Complaint, err error) {
	var w where
	in(&w, "state", f.States)
	if f.Before != 0 {
		w.and("id < ", f.Before)
	}
	err = s.view(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+complaintColumns+`, '' FROM complaints`+w.clause()+
			` ORDER BY id DESC LIMIT `+w.arg(limit(f.Limit)), w.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			c, err := scanComplaint(rows)
			if err != nil {
				return err
			}
			list = append(list, *c)
		}
		return rows.Err()
	})
	return list, err
}

// Case is a complaint with everything that is known about it.
type Case struct {
	Complaint Complaint // with incidents and their reports
	Events    []Event   // oldest first
}

// Case returns one complaint's case, or ErrNotFound.
func (s *Store) Case(ctx context.Context, id int64) (*Case, error) {
	var k Case
	err := s.view(ctx, func(tx *sql.Tx) error {
		c, err := readComplaint(ctx, tx, id)
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

// Approve lets a held complaint go out, or one that failed go out again, in the
// sender's name. Actor is "user:NAME". One without contact is refused with
// ErrState.
func (s *Store) Approve(ctx context.Context, id int64, sender Sender, actor, reason string) error {
	name, err := encode(sender)
	if err != nil {
		return err
	}
	_, err = commit(ctx, s, func(ctx context.Context, tx *sql.Tx) (none struct{}, err error) {
		err = s.move(ctx, tx, Event{ComplaintID: id, Actor: actor, Action: ActionApproved, Reason: reason})
		if err != nil {
			return none, err
		}
		r, err := tx.ExecContext(ctx, `
			UPDATE complaints SET due = 0, ready_at = $1, sender = $2, attempts = 0
			WHERE id = $3 AND addressees <> '[]'`, micros(s.now()), name, id)
		if err != nil {
			return none, err
		}
		if n, err := r.RowsAffected(); err != nil || n > 0 {
			return none, err
		}
		return none, stateError(fmt.Sprintf("complaint %d has no contact and can't be approved: wait for the next look-up, or drop it", id))
	})
	if err == nil {
		s.wakeWorkers()
	}
	return err
}

// Drop ends a complaint that was not sent yet.
func (s *Store) Drop(ctx context.Context, id int64, actor, reason string) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *sql.Tx) (none struct{}, err error) {
		return none, s.move(ctx, tx, Event{ComplaintID: id, Actor: actor, Action: ActionDropped, Reason: reason})
	})
	return err
}

// Counts returns how many complaints are in each state; states without any are
// absent.
func (s *Store) Counts(ctx context.Context) (map[State]int, error) {
	counts := make(map[State]int)
	err := s.view(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT state, count(*) FROM complaints GROUP BY state`)
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

package queue

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// Pick returns those of the complaints that there are, in the order of ids, without
// Contact and Incidents.
func (s *Store) Pick(ctx context.Context, ids ...int64) (list []Complaint, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		for some := range slices.Chunk(ids, maxDecided) {
			found, err := pick(ctx, tx, some)
			if err != nil {
				return err
			}
			for _, id := range some {
				if c, ok := found[id]; ok {
					list = append(list, *c)
				}
			}
		}
		return nil
	})
	return list, err
}

func pick(ctx context.Context, tx *transaction, ids []int64) (map[int64]*Complaint, error) {
	var w where
	in(&w, "id", ids)
	rows, err := tx.QueryContext(ctx, `SELECT `+complaintColumns+` FROM complaints`+w.clause(), w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[int64]*Complaint, len(ids))
	for rows.Next() {
		c, err := scanComplaint(rows)
		if err != nil {
			return nil, err
		}
		found[c.ID] = c
	}
	return found, rows.Err()
}

// Would returns what Decide would do now, and does nothing.
func (s *Store) Would(ctx context.Context, action string, ids ...int64) (all Decided, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		for some := range slices.Chunk(ids, maxDecided) {
			found, err := pick(ctx, tx, some)
			if err != nil {
				return err
			}
			var to []string
			for _, c := range found {
				to = append(to, c.To...)
			}
			shut, err := shutOf(ctx, tx, to, s.now())
			if err != nil {
				return err
			}
			all.judge(some, found, action, shut)
		}
		return nil
	})
	return all, err
}

func (d *Decided) judge(ids []int64, found map[int64]*Complaint, action string, shut map[string]Suppression) {
	for _, id := range ids {
		c, ok := found[id]
		if !ok {
			d.Refused = append(d.Refused, Refusal{id, fmt.Errorf("complaint %d is %w", id, ErrNotFound)})
			continue
		}
		if _, err := (standing{c.State, c.To}).may(id, action, shut); err != nil {
			d.Refused = append(d.Refused, Refusal{id, err})
			continue
		}
		d.Done = append(d.Done, id)
	}
}

// StatesFor returns the states in which a complaint can be taken along an action.
func StatesFor(action string) []State { return slices.Clone(transitions[action].from) }

// CountReports returns how many reports each of the complaints speaks of.
func (s *Store) CountReports(ctx context.Context, ids ...int64) (map[int64]int, error) {
	counts := make(map[int64]int, len(ids))
	err := s.view(ctx, func(tx *transaction) error {
		for some := range slices.Chunk(ids, maxDecided) {
			var w where
			in(&w, "complaint_id", some)
			of, err := column[int64](ctx, tx, `SELECT complaint_id FROM incidents`+w.clause(), w.args...)
			if err != nil {
				return err
			}
			for _, id := range of {
				counts[id]++
			}
		}
		return nil
	})
	return counts, err
}

// WasHead reports whether the trail once ended with event id and this hash: so it
// has not been written anew since that was noted. ErrNotFound means that the event
// was purged, or has not been yet.
func (s *Store) WasHead(ctx context.Context, id int64, noted []byte) (same bool, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		var hash []byte
		err := tx.QueryRowContext(ctx, `
			SELECT hash FROM events WHERE id = $1
			UNION ALL SELECT base_hash FROM trail WHERE base_id = $1`, id).Scan(&hash)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("event %d is %w", id, ErrNotFound)
		}
		same = bytes.Equal(hash, noted)
		return err
	})
	return same, err
}

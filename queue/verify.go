package queue

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrAltered means that the trail is not as it was written.
var ErrAltered = errors.New("audit trail was altered")

// Trail is what a verification has seen.
type Trail struct {
	Events int64 // that are there
	First  int64 // number of the oldest; older ones were purged, or there are none
	Head   int64 // number of the newest
	Hash   []byte
	Erased int64 // reasons that were erased with a person's traces
}

// verifyStep is how many events are read at once.
const verifyStep = 10_000

// Verify follows the trail from its oldest event to the newest, and returns
// ErrAltered with the first line that does not fit: one that was removed, added,
// moved or altered. It calls progress now and then with the events seen and how
// many there are to see.
//
// What it can't see is a trail that was rewritten as a whole, hash by hash, by
// somebody who may write the database: for that, compare Hash with one that was
// noted elsewhere.
func (s *Store) Verify(ctx context.Context, progress func(done, all int64)) (seen Trail, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		var base int64
		var head []byte
		err := tx.QueryRowContext(ctx, `SELECT base_id, base_hash, head_id, head_hash FROM trail`).Scan(&base, &seen.Hash, &seen.Head, &head)
		if err != nil {
			return err
		}
		at, all := base, seen.Head-base
		for at < seen.Head {
			last, err := seen.follow(ctx, tx, at)
			if err != nil {
				return err
			}
			if last == at {
				return fmt.Errorf("%w: events %d to %d are gone", ErrAltered, at+1, seen.Head)
			}
			at = last
			progress(seen.Events, all)
		}
		return seen.end(ctx, tx, base, head)
	})
	return seen, err
}

// follow verifies the events next behind at, and returns the last of them.
func (v *Trail) follow(ctx context.Context, tx *transaction, at int64) (int64, error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT id, time, coalesce(complaint_id, 0), coalesce(report_id, 0), actor, action, from_state, to_state, reason, salt, erased, hash
		FROM events WHERE id > $1 ORDER BY id LIMIT $2`, at, verifyStep)
	if err != nil {
		return at, err
	}
	defer rows.Close()
	for rows.Next() {
		var e Event
		var micros int64
		var salt, erased, hash []byte
		err := rows.Scan(&e.ID, &micros, &e.ComplaintID, &e.ReportID, &e.Actor, &e.Action, &e.From, &e.To, &e.Reason, &salt, &erased, &hash)
		if err != nil {
			return at, err
		}
		e.Time = fromMicros(micros)
		if e.ID != at+1 {
			return at, fmt.Errorf("%w: event %d is gone", ErrAltered, at+1)
		}
		if err := v.take(&e, salt, erased, hash); err != nil {
			return at, err
		}
		at = e.ID
	}
	return at, rows.Err()
}

func (v *Trail) take(e *Event, salt, erased, hash []byte) error {
	reason := erased
	if erased == nil {
		reason = digest(salt, e.Reason)
	} else {
		v.Erased++
	}
	if v.Hash = link(v.Hash, e, reason); !bytes.Equal(v.Hash, hash) {
		return fmt.Errorf("%w: event %d is not what was written there, or does not follow the one before", ErrAltered, e.ID)
	}
	if v.Events == 0 {
		v.First = e.ID
	}
	v.Events++
	return nil
}

// end looks whether the trail ends where it should.
func (v *Trail) end(ctx context.Context, tx *transaction, base int64, head []byte) error {
	var first, last sql.NullInt64
	if err := tx.QueryRowContext(ctx, `SELECT min(id), max(id) FROM events`).Scan(&first, &last); err != nil {
		return err
	}
	switch {
	case first.Valid && first.Int64 <= base:
		return fmt.Errorf("%w: event %d was purged and is there again", ErrAltered, first.Int64)
	case last.Valid && last.Int64 > v.Head:
		return fmt.Errorf("%w: event %d was added behind the end", ErrAltered, last.Int64)
	case !bytes.Equal(v.Hash, head):
		return fmt.Errorf("%w: the end of the trail is not event %d", ErrAltered, v.Head)
	}
	return nil
}

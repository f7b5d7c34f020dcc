package queue

import (
	"context"
	"math"
	"slices"
)

// EventFilter chooses events. Zero fields choose all.
type EventFilter struct {
	ComplaintID int64
	ReportID    int64
	Action      string
	Before      int64 // only events with lower ids: the last id of the page before
	After       int64 // only events with higher ids
	Limit       int   // 100 if zero
}

// Events returns the trail, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) (events []Event, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		events, err = readEvents(ctx, tx, f)
		return err
	})
	return events, err
}

// readEvents puts only the conditions that are set into the query, so that each
// of them can use its index.
func readEvents(ctx context.Context, tx *transaction, f EventFilter) ([]Event, error) {
	var w where
	if f.ComplaintID != 0 {
		w.and("complaint_id = ", f.ComplaintID)
	}
	if f.ReportID != 0 {
		w.and("report_id = ", f.ReportID)
	}
	if f.Action != "" {
		w.and("action = ", f.Action)
	}
	if f.Before != 0 {
		w.and("id < ", f.Before)
	}
	if f.After != 0 {
		w.and("id > ", f.After)
	}
	rows, err := tx.QueryContext(ctx, `
		SELECT id, time, coalesce(complaint_id, 0), coalesce(report_id, 0), actor, action, from_state, to_state, reason
		FROM events`+w.clause()+` ORDER BY id DESC LIMIT `+w.arg(limit(f.Limit)), w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.ComplaintID, &e.ReportID, &e.Actor, &e.Action, &e.From, &e.To, &e.Reason); err != nil {
			return nil, err
		}
		e.Time = fromMicros(at)
		events = append(events, e)
	}
	return events, rows.Err()
}

// history returns all events of a complaint, oldest first.
func history(ctx context.Context, tx *transaction, complaint int64) ([]Event, error) {
	events, err := readEvents(ctx, tx, EventFilter{ComplaintID: complaint, Limit: math.MaxInt32})
	slices.Reverse(events)
	return events, err
}

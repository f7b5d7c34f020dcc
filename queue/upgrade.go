package queue

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"math"
	"slices"
	"time"
)

//go:embed upgrade2.sql
var schema2 string

// upgrade2 brings a queue of the first schema over: answers move to rows of their
// own, the trail is chained, and terms and counts are made of what is there.
func upgrade2(ctx context.Context, t *sql.Tx) error {
	tx := &transaction{Tx: t}
	if _, err := tx.ExecContext(ctx, schema2); err != nil {
		return err
	}
	s := &Store{clock: time.Now}
	c := &change{transaction: tx, unnamed: true}
	ids, err := column[int64](ctx, tx, `SELECT id FROM complaints ORDER BY id`)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.upgradeComplaint(ctx, c, id); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `ALTER TABLE complaints DROP COLUMN contact`); err != nil {
		return err
	}
	if err := upgradeTrail(ctx, c); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO tallies (day, what, name, n) SELECT 0, 'state', state, count(*) FROM complaints GROUP BY state`)
	return err
}

func (s *Store) upgradeComplaint(ctx context.Context, c *change, id int64) error {
	var answer string
	if err := c.QueryRowContext(ctx, `SELECT contact FROM complaints WHERE id = $1`, id).Scan(&answer); err != nil {
		return err
	}
	row, err := s.keepAnswer(ctx, c, json.RawMessage(answer))
	if err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, `UPDATE complaints SET answer_id = $1 WHERE id = $2`, row, id); err != nil {
		return err
	}
	complaint, err := readComplaint(ctx, c.transaction, id)
	if err != nil {
		return err
	}
	c.addTerms(id, termsOf(complaint))
	return c.writeTerms(ctx)
}

// upgradeTrail writes the events that are there anew, as a chain, with their times.
func upgradeTrail(ctx context.Context, c *change) error {
	events, err := readEvents(ctx, c.transaction, EventFilter{Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return nil
	}
	slices.Reverse(events)
	if _, err := c.ExecContext(ctx, `DELETE FROM events`); err != nil {
		return err
	}
	c.events = events
	head, err := chain(ctx, c, events[0].ID-1, nil)
	if err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, `UPDATE trail SET base_id = $1, head_id = $2, head_hash = $3`,
		events[0].ID-int64(1), events[0].ID+int64(len(events))-1, head); err != nil {
		return err
	}
	for i := range c.events {
		c.events[i].From, c.events[i].To = "", "" // counted from the complaints themselves
	}
	return count(ctx, c)
}

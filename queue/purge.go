package queue

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Retention is how long each kind of data is kept; zero is for ever. Complaints that
// nobody has decided about yet stay, with all that belongs to them.
type Retention struct {
	Mail       time.Duration // octets and recipients of reported mail
	Answers    time.Duration // raw answers of registries, with the decision made of them
	Complaints time.Duration // complaints, reports and chains
	Events     time.Duration // the audit trail
}

// Purged is what a step removed.
type Purged struct {
	Mail, Answers, Complaints, Reports, Events int64
}

// purgeStep is how many rows are looked at, and at most removed, at once: what else
// waits for the writer waits some milliseconds. Then others have the writer for
// purgeRest times as long as that took.
const (
	purgeStep = 100
	purgeRest = 4
)

// settled are the states in which nobody waits for anything.
var settled = inList(Sent, Failed, Dropped, Bounced, Answered, Resolved, Retracted)

func inList(states ...State) string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	return `('` + strings.Join(names, `', '`) + `')`
}

// kind is one kind of data and how it is removed.
type kind struct {
	// rows selects the rows older than $3 behind the position ($1, $2), oldest
	// first, $4 of them: id, age, and 1 where nobody needs it.
	rows string
	// remove takes away those of the rows that still are there and free.
	remove func(s *Store, ctx context.Context, tx *change, ids []int64) (int64, error)
}

// needed is true of a report r that an unsettled complaint has.
var needed = `EXISTS (SELECT 1 FROM incidents i JOIN complaints c ON c.id = i.complaint_id
	WHERE i.report_id = r.id AND c.state NOT IN ` + settled + `)`

var (
	oldMail = kind{`SELECT id, received, CASE WHEN ` + needed + ` THEN 0 ELSE 1 END FROM reports r
		WHERE due IS NULL AND mail_id <> 0 AND (received, id) > ($1, $2) AND received < $3 ORDER BY received, id LIMIT $4`,
		(*Store).purgeMail}
	oldAnswers = kind{`SELECT id, stored, CASE WHEN EXISTS
			(SELECT 1 FROM complaints c WHERE c.answer_id = a.id AND (c.updated >= $3 OR c.state NOT IN ` + settled + `)) THEN 0 ELSE 1 END
		FROM answers a WHERE (stored, id) > ($1, $2) AND stored < $3 ORDER BY stored, id LIMIT $4`,
		(*Store).purgeAnswers}
	oldComplaints = kind{`SELECT id, updated, CASE WHEN state IN ` + settled + ` THEN 1 ELSE 0 END FROM complaints
		WHERE (updated, id) > ($1, $2) AND updated < $3 ORDER BY updated, id LIMIT $4`,
		(*Store).purgeComplaints}
	oldReports = kind{`SELECT id, received, CASE WHEN EXISTS (SELECT 1 FROM incidents i WHERE i.report_id = r.id) THEN 0 ELSE 1 END
		FROM reports r WHERE due IS NULL AND (received, id) > ($1, $2) AND received < $3 ORDER BY received, id LIMIT $4`,
		(*Store).purgeReports}
	oldEvents = kind{`SELECT id, time, 1 FROM (SELECT id, time FROM events WHERE id > $2 ORDER BY id LIMIT $4) AS oldest
		WHERE time < $3 AND CAST($1 AS BIGINT) >= 0`, // by number: clocks are set back
		(*Store).purgeEvents}
)

// Purge removes what is past its time, in small steps, and gives the space back.
// Any number of hosts may do so at once.
func (s *Store) Purge(ctx context.Context, r Retention) (p Purged, err error) {
	for _, k := range []struct {
		age   time.Duration
		kind  kind
		count *int64
	}{
		{r.Mail, oldMail, &p.Mail},
		{r.Complaints, oldComplaints, &p.Complaints},
		{r.Complaints, oldReports, &p.Reports},
		{r.Answers, oldAnswers, &p.Answers},
		{r.Events, oldEvents, &p.Events},
	} {
		if k.age == 0 {
			continue
		}
		if *k.count, err = s.sweep(ctx, k.kind, micros(s.now().Add(-k.age))); err != nil {
			return p, fmt.Errorf("retention: %w", err)
		}
	}
	if p == (Purged{}) {
		return p, nil
	}
	return p, s.engine.giveBack(s, ctx)
}

// sweep goes once along all rows of a kind that are old enough. It looks beside the
// writer, who only removes.
func (s *Store) sweep(ctx context.Context, k kind, before int64) (removed int64, err error) {
	at := oldRow{}
	for {
		page, err := s.oldRows(ctx, k.rows, at.age, at.id, before, purgeStep)
		if err != nil || len(page) == 0 {
			return removed, err
		}
		at = page[len(page)-1]
		var free []int64
		for _, row := range page {
			if row.free {
				free = append(free, row.id)
			}
		}
		if len(free) == 0 {
			continue
		}
		start := time.Now()
		n, err := commit(ctx, s, func(ctx context.Context, tx *change) (int64, error) { return k.remove(s, ctx, tx, free) })
		removed += n
		if err != nil {
			return removed, err
		}
		select {
		case <-ctx.Done():
			return removed, ctx.Err()
		case <-time.After(purgeRest * time.Since(start)):
		}
	}
}

type oldRow struct {
	id, age int64
	free    bool
}

func (s *Store) oldRows(ctx context.Context, query string, args ...any) (page []oldRow, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r oldRow
			if err := rows.Scan(&r.id, &r.age, &r.free); err != nil {
				return err
			}
			page = append(page, r)
		}
		return rows.Err()
	})
	return page, err
}

// still returns those of the ids that a condition still holds for, and keeps others
// from changing them.
func (s *Store) still(ctx context.Context, tx *change, table, condition string, ids []int64) ([]int64, error) {
	var w where
	in(&w, "r.id", ids)
	return column[int64](ctx, tx.transaction, `SELECT id FROM `+table+` r`+w.clause()+` AND `+condition+` ORDER BY id`+s.engine.work, w.args...)
}

// purgeMail takes the mail from reports, and removes the octets with the last report
// that had them.
func (s *Store) purgeMail(ctx context.Context, tx *change, ids []int64) (int64, error) {
	ids, err := s.still(ctx, tx, "reports", "due IS NULL AND mail_id <> 0 AND NOT "+needed, ids)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	return int64(len(ids)), unlinkMail(ctx, tx, ids)
}

func unlinkMail(ctx context.Context, tx *change, reports []int64) error {
	var w where
	in(&w, "id", reports)
	mails, err := column[int64](ctx, tx.transaction, `SELECT DISTINCT mail_id FROM reports`+w.clause(), w.args...)
	if err != nil {
		return err
	}
	if err := onAll(ctx, tx, `DELETE FROM recipients`, "report_id", reports); err != nil {
		return err
	}
	if err := onAll(ctx, tx, `UPDATE reports SET mail_id = 0, mail_from = ''`, "id", reports); err != nil {
		return err
	}
	w = where{}
	in(&w, "id", mails)
	_, err = tx.ExecContext(ctx, `DELETE FROM mail`+w.clause()+
		` AND id <> 0 AND NOT EXISTS (SELECT 1 FROM reports r WHERE r.mail_id = mail.id)`, w.args...)
	return err
}

// purgeAnswers removes answers. A complaint that got one in this moment from
// another host keeps it: the database refuses, and the next run sees it.
func (s *Store) purgeAnswers(ctx context.Context, tx *change, ids []int64) (int64, error) {
	ids, err := s.still(ctx, tx, "answers", `NOT EXISTS
		(SELECT 1 FROM complaints c WHERE c.answer_id = r.id AND c.state NOT IN `+settled+`)`, ids)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := onAll(ctx, tx, `UPDATE complaints SET answer_id = NULL`, "answer_id", ids); err != nil {
		return 0, err
	}
	return int64(len(ids)), onAll(ctx, tx, `DELETE FROM answers`, "id", ids)
}

// purgeComplaints removes complaints. Their reports go by themselves, when no other
// complaint has them.
func (s *Store) purgeComplaints(ctx context.Context, tx *change, ids []int64) (int64, error) {
	ids, err := s.still(ctx, tx, "complaints", "state IN "+settled, ids)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, id := range ids {
		c, err := readComplaint(ctx, tx.transaction, id)
		if err != nil {
			return 0, err
		}
		if err := replaceTerms(ctx, tx, id, termsOf(c), nil); err != nil {
			return 0, err
		}
		s.add(tx, Event{ComplaintID: id, Actor: s.system, Action: ActionPurged, From: c.State})
	}
	if err := onAll(ctx, tx, `DELETE FROM incidents`, "complaint_id", ids); err != nil {
		return 0, err
	}
	return int64(len(ids)), onAll(ctx, tx, `DELETE FROM complaints`, "id", ids)
}

// purgeReports removes reports that belong to no complaint.
func (s *Store) purgeReports(ctx context.Context, tx *change, ids []int64) (int64, error) {
	ids, err := s.still(ctx, tx, "reports", `due IS NULL AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.report_id = r.id)`, ids)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := unlinkMail(ctx, tx, ids); err != nil {
		return 0, err
	}
	return int64(len(ids)), onAll(ctx, tx, `DELETE FROM reports`, "id", ids)
}

// purgeEvents removes the oldest events, as far as they follow each other. The trail
// begins behind them from then on, with the hash of the last one.
func (s *Store) purgeEvents(ctx context.Context, tx *change, ids []int64) (removed int64, err error) {
	var base int64
	if err := tx.QueryRowContext(ctx, `SELECT base_id FROM trail WHERE one = 1`+s.engine.row).Scan(&base); err != nil {
		return 0, err
	}
	last := base
	for _, id := range ids {
		if id == last+1 {
			last = id
		}
	}
	if last == base {
		return 0, nil
	}
	var hash []byte
	if err := tx.QueryRowContext(ctx, `SELECT hash FROM events WHERE id = $1`, last).Scan(&hash); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM events WHERE id <= $1`, last); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE trail SET base_id = $1, base_hash = $2`, last, hash)
	return last - base, err
}

// onAll runs a statement on the rows whose column is one of the ids.
func onAll(ctx context.Context, tx *change, statement, column string, ids []int64) error {
	var w where
	in(&w, column, ids)
	_, err := tx.ExecContext(ctx, statement+w.clause(), w.args...)
	return err
}

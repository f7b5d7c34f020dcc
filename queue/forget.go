package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// erasedAddress stands where a forgotten address stood. RFC 2606 keeps the name from ever
// being one.
const erasedAddress = "erased@invalid"

// Forgotten is how much of a person was erased.
type Forgotten struct {
	Reports    int `json:"reports"`    // whose mail or reporter was erased
	Complaints int `json:"complaints"` // in which something was erased
	Events     int `json:"events"`     // whose reason was erased
	Answers    int `json:"answers"`    // of registries, and remembered contacts
	Dropped    int `json:"dropped"`    // complaints that had not gone out and can't any more
}

// Forget erases an address everywhere but in the list of suppressed addresses, which
// keeps complaints from it: mail that it stands in, as sender, recipient or in the
// text, is removed, and so is every other word of it. The trail keeps who did what
// to which complaint when, and the digests of the reasons that went. Progress is
// told now and then: what is looked through, and how far that is.
func (s *Store) Forget(ctx context.Context, address, actor string, progress func(what string, done, all int64)) (f Forgotten, err error) {
	m, err := newMatcher(address)
	if err != nil {
		return f, err
	}
	x := &eraser{Store: s, matcher: m, actor: actor, progress: progress, reports: map[int64]bool{}, complaints: map[int64]bool{}}
	if err := x.find(ctx); err != nil {
		return f, err
	}
	for _, step := range []func(context.Context) error{x.eraseComplaints, x.eraseReports, x.eraseEvents, x.eraseAnswers} {
		if err := step(ctx); err != nil {
			return x.Forgotten, err
		}
	}
	return x.Forgotten, s.engine.scrub(s, ctx)
}

// eraser forgets one address.
type eraser struct {
	*Store
	*matcher
	Forgotten
	actor      string
	progress   func(what string, done, all int64)
	reports    map[int64]bool // of which the mail goes
	complaints map[int64]bool
}

// eraseStep is how many rows are read at once.
const eraseStep = 500

// each calls fn with the key and the columns of every row of a table, some at once.
func (x *eraser) each(ctx context.Context, what, table, key string, columns []string, fn func(tx *transaction, id int64, values [][]byte) error) error {
	var last sql.NullInt64
	err := x.view(ctx, func(tx *transaction) error {
		return tx.QueryRowContext(ctx, `SELECT max(`+key+`) FROM `+table).Scan(&last)
	})
	for from := int64(0); err == nil && from <= last.Int64 && last.Valid; from += eraseStep {
		x.progress(what, from, last.Int64)
		err = x.view(ctx, func(tx *transaction) error {
			return eachOf(ctx, tx, table, key, columns, from, func(id int64, values [][]byte) error { return fn(tx, id, values) })
		})
	}
	return err
}

func eachOf(ctx context.Context, tx *transaction, table, key string, columns []string, from int64, fn func(int64, [][]byte) error) error {
	query := `SELECT ` + key
	for _, c := range columns {
		query += `, ` + c
	}
	rows, err := tx.QueryContext(ctx, query+` FROM `+table+` WHERE `+key+` >= $1 AND `+key+` < $2`, from, from+eraseStep)
	if err != nil {
		return err
	}
	defer rows.Close()
	var id int64
	values := make([][]byte, len(columns))
	into := []any{&id}
	for i := range values {
		into = append(into, &values[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := fn(id, values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// find notes the reports and complaints that the address stands in.
func (x *eraser) find(ctx context.Context) error {
	mails := map[int64]bool{}
	err := x.each(ctx, "mail", "mail", "id", []string{"coding", "header", "body"}, func(_ *transaction, id int64, v [][]byte) error {
		in, err := x.inMail(string(v[0]), v[1], v[2])
		if in {
			mails[id] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	err = x.each(ctx, "reports", "reports", "id", []string{"reporter", "reason", "mail_from", "coalesce(session, '')", "CAST(mail_id AS TEXT)"},
		func(_ *transaction, id int64, v [][]byte) error {
			if x.inAny(v[:4]) || mails[number10(v[4])] {
				x.reports[id] = true
			}
			return nil
		})
	if err != nil {
		return err
	}
	err = x.each(ctx, "recipients", "recipients", "report_id", []string{"address"}, func(_ *transaction, id int64, v [][]byte) error {
		if x.inAny(v) {
			x.reports[id] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	note := func(_ *transaction, id int64, v [][]byte) error {
		if x.inAny(v) {
			x.complaints[id] = true
		}
		return nil
	}
	err = x.each(ctx, "complaints", "complaints", "id", []string{"addressees", "taken", "subject", "hold", "letter"}, note)
	if err != nil {
		return err
	}
	return x.each(ctx, "chains", "incidents", "complaint_id", []string{"chain", "CAST(report_id AS TEXT)"}, func(tx *transaction, id int64, v [][]byte) error {
		if x.reports[number10(v[1])] {
			x.complaints[id] = true
		}
		return note(tx, id, v[:1])
	})
}

func number10(b []byte) (n int64) {
	fmt.Sscan(string(b), &n)
	return n
}

func (x *eraser) eraseComplaints(ctx context.Context) error {
	for i, id := range sorted(x.complaints) {
		x.progress("erase complaints", int64(i), int64(len(x.complaints)))
		_, err := commit(ctx, x.Store, func(ctx context.Context, tx *change) (none struct{}, err error) {
			return none, x.eraseComplaint(ctx, tx, id)
		})
		if errors.Is(err, ErrNotFound) {
			continue // purged meanwhile
		}
		if err != nil {
			return err
		}
		x.Forgotten.Complaints++
	}
	return nil
}

func sorted(set map[int64]bool) []int64 {
	ids := make([]int64, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (x *eraser) eraseComplaint(ctx context.Context, tx *change, id int64) error {
	c, err := readComplaint(ctx, tx.transaction, id)
	if err != nil {
		return err
	}
	if err := x.settle(ctx, tx, c); err != nil {
		return err
	}
	old := termsOf(c)
	to, err := encodeList(x.replaceAll(c.To))
	if err != nil {
		return err
	}
	taken, err := encodeList(x.replaceAll(c.Taken))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE complaints SET addressees = $1, taken = $2, subject = $3, hold = $4, letter = $5,
		gathers = NULL, sketch = $7 WHERE id = $6`,
		to, taken, x.replace(c.Subject), x.replace(c.Hold), x.replace(c.Letter), id, []byte{})
	if err != nil {
		return err
	}
	if err := x.eraseChains(ctx, tx, id); err != nil {
		return err
	}
	for _, in := range c.Incidents {
		if x.reports[in.ReportID] {
			if err := x.eraseReport(ctx, tx, in.ReportID); err != nil {
				return err
			}
		}
	}
	if c, err = readComplaint(ctx, tx.transaction, id); err != nil {
		return err
	}
	x.add(tx, Event{ComplaintID: id, Actor: x.actor, Action: ActionForgotten})
	return replaceTerms(ctx, tx, id, old, termsOf(c))
}

// settle drops a complaint that has not gone out: with its evidence it loses its
// ground.
func (x *eraser) settle(ctx context.Context, tx *change, c *Complaint) error {
	if c.State == Sending {
		return fmt.Errorf("complaint %d is being sent: forget again when it is", c.ID)
	}
	if _, err := next(c.ID, c.State, ActionDropped); err != nil || c.State == Failed || c.State == Bounced {
		return nil // it is over already
	}
	d, err := x.decide(ctx, tx, Decision{Action: ActionDropped, Actor: x.actor, Reason: "a person's data in it was erased"}, []int64{c.ID})
	x.Dropped += len(d.Done)
	return err
}

func (x *eraser) eraseChains(ctx context.Context, tx *change, complaint int64) error {
	chains, err := column[string](ctx, tx.transaction, `SELECT chain FROM incidents WHERE complaint_id = $1`, complaint)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if now := x.replace(chain); now != chain {
			_, err := tx.ExecContext(ctx, `UPDATE incidents SET chain = $1 WHERE complaint_id = $2 AND chain = $3`, now, complaint, chain)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseReports erases those that belong to no complaint.
func (x *eraser) eraseReports(ctx context.Context) error {
	for some := range slices.Chunk(sorted(x.reports), eraseStep) {
		_, err := commit(ctx, x.Store, func(ctx context.Context, tx *change) (none struct{}, err error) {
			for _, id := range some {
				if err := x.eraseReport(ctx, tx, id); err != nil {
					return none, err
				}
			}
			return none, nil
		})
		if err != nil {
			return err
		}
		x.Forgotten.Reports += len(some)
	}
	return nil
}

// eraseReport takes a report's mail and what else is the person's. One that waits is
// closed.
func (x *eraser) eraseReport(ctx context.Context, tx *change, id int64) error {
	var reporter, reason, session sql.NullString
	var due sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT reporter, reason, session, due FROM reports WHERE id = $1`, id).Scan(&reporter, &reason, &session, &due)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	session.String = x.replace(session.String)
	_, err = tx.ExecContext(ctx, `UPDATE reports SET reporter = $1, reason = $2, session = $3, due = NULL, lease = NULL WHERE id = $4`,
		x.replace(reporter.String), x.replace(reason.String), session, id)
	if err != nil {
		return err
	}
	if due.Valid {
		x.add(tx, Event{ReportID: id, Actor: x.actor, Action: ActionClosed, Reason: "a person's data in it was erased"})
	}
	return unlinkMail(ctx, tx, []int64{id})
}

// eraseEvents takes reasons out of the trail and leaves their digests.
func (x *eraser) eraseEvents(ctx context.Context) error {
	return x.each(ctx, "events", "events", "id", []string{"reason", "salt"}, func(_ *transaction, id int64, v [][]byte) error {
		if !x.in(v[0]) {
			return nil
		}
		x.Forgotten.Events++
		_, err := commit(ctx, x.Store, func(ctx context.Context, tx *change) (none struct{}, err error) {
			_, err = tx.ExecContext(ctx, `UPDATE events SET reason = '', erased = $1 WHERE id = $2`, digest(v[1], string(v[0])), id)
			return none, err
		})
		return err
	})
}

// eraseAnswers removes what registries said of the address. It is asked again when it
// is needed.
func (x *eraser) eraseAnswers(ctx context.Context) error {
	err := x.each(ctx, "answers", "answers", "id", []string{"coding", "answer"}, func(_ *transaction, id int64, v [][]byte) error {
		answer, err := unpack(string(v[0]), v[1])
		if err != nil || !x.inAnswer(answer) {
			return err
		}
		x.Answers++
		_, err = commit(ctx, x.Store, func(ctx context.Context, tx *change) (none struct{}, err error) {
			if _, err := tx.ExecContext(ctx, `UPDATE complaints SET answer_id = NULL WHERE answer_id = $1`, id); err != nil {
				return none, err
			}
			_, err = tx.ExecContext(ctx, `DELETE FROM answers WHERE id = $1`, id)
			return none, err
		})
		return err
	})
	if err != nil {
		return err
	}
	return x.eraseContacts(ctx)
}

// eraseContacts forgets remembered answers. They are looked through beside the
// writer, who only removes.
func (x *eraser) eraseContacts(ctx context.Context) error {
	var found [][]byte
	err := x.view(ctx, func(tx *transaction) error {
		answers, err := column[[]byte](ctx, tx, `SELECT answer FROM contacts`)
		for _, a := range answers {
			if x.inAnswer(a) {
				found = append(found, a)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = commit(ctx, x.Store, func(ctx context.Context, tx *change) (none struct{}, err error) {
		for _, a := range found {
			if _, err := tx.ExecContext(ctx, `DELETE FROM contacts WHERE answer = $1`, a); err != nil {
				return none, err
			}
		}
		return none, nil
	})
	x.Answers += len(found)
	return err
}

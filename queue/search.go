package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// search is the way to the complaints that a filter chooses. There are three: along
// the order of the list, along the complaints of each wanted state, or along those
// under the rarest term; what else is asked is looked at on the way. Which one is
// short is found out by counting a little first: the engines' own planners can't
// know, for they plan before they see the values.
type search struct {
	sort   Sort
	states []State
	along  string // "state", "term" or "" for the order of the list
	terms  []int64
	w      where
}

func (s *Store) query(ctx context.Context, tx *transaction, f Filter) (q *search, err error) {
	q = &search{sort: f.Sort, states: f.States}
	if err := f.Sort.check(); err != nil {
		return nil, err
	}
	if q.terms, err = f.terms(); err != nil {
		return nil, err
	}
	f.conditions(&q.w)
	if err := q.bounds(ctx, tx, f); err != nil {
		return nil, err
	}
	if f.After != "" {
		if err := q.behind(f.After); err != nil {
			return nil, err
		}
	}
	return q, q.choose(ctx, tx)
}

// bounds turns times into numbers, which lists are walked by.
func (q *search) bounds(ctx context.Context, tx *transaction, f Filter) error {
	for _, b := range []struct {
		at        time.Time
		condition string
		query     string
	}{
		{f.Since.Add(-slack), "c.id >= ", `SELECT id FROM complaints WHERE created >= $1 ORDER BY created, id LIMIT 1`},
		{f.Until.Add(slack), "c.id <= ", `SELECT id FROM complaints WHERE created < $1 ORDER BY created DESC, id DESC LIMIT 1`},
	} {
		if b.at.Year() < 1970 { // was zero
			continue
		}
		var id int64
		err := tx.QueryRowContext(ctx, b.query, micros(b.at)).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			id, err = -1, nil
			if b.condition == "c.id >= " {
				b.condition = "c.id = "
			}
		}
		if err != nil {
			return err
		}
		q.w.and(b.condition, id)
	}
	return nil
}

// behind asks for what comes after a position.
func (q *search) behind(after string) error {
	key, id, err := q.sort.position(after)
	if err != nil {
		return err
	}
	beyond := "<"
	if q.sort.Forward {
		beyond = ">"
	}
	if q.sort.key() == SortCreated {
		q.w.and("c.id "+beyond+" ", id)
		return nil
	}
	column := "c." + sorts[q.sort.key()].column
	q.w.conditions = append(q.w.conditions, fmt.Sprintf("(%s, c.id) %s (%s, %s)", column, beyond, q.w.arg(key), q.w.arg(id)))
	return nil
}

// choose finds the rarest term and puts it first, and takes the way along states
// where these are fewer.
func (q *search) choose(ctx context.Context, tx *transaction) error {
	shortest := -1
	for i, t := range q.terms {
		var n int
		const probe = `SELECT count(*) FROM (SELECT 1 FROM terms WHERE term = $1 LIMIT 1000) AS few`
		if err := tx.QueryRowContext(ctx, probe, t).Scan(&n); err != nil {
			return err
		}
		if shortest < 0 || n < shortest {
			shortest = n
			q.terms[0], q.terms[i] = q.terms[i], q.terms[0]
		}
	}
	if shortest >= 0 {
		q.along = "term"
	}
	if len(q.states) == 0 || shortest >= 0 && shortest < 1000 {
		return nil
	}
	var n int
	var w where
	in(&w, "state", q.states)
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM complaints`+w.clause()+` LIMIT `+w.arg(few)+`) AS few`, w.args...).Scan(&n)
	if n < few || shortest < 0 && q.sort.key() != SortSource { // of which no index is by state
		q.along = "state"
	}
	return err
}

// complaints runs the search.
func (q *search) complaints(ctx context.Context, tx *transaction, limit int) (list []Complaint, err error) {
	query, args := q.sql(complaintColumns, limit)
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c, err := scanComplaint(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, *c)
	}
	return list, rows.Err()
}

func (q *search) ids(ctx context.Context, tx *transaction) ([]int64, error) {
	query, args := q.sql("id", 0)
	return column[int64](ctx, tx, query, args...)
}

// sql writes the query: the numbers of the page first, and then what is wanted of
// these complaints. A limit of 0 is none.
func (q *search) sql(columns string, limit int) (query string, args []any) {
	w := where{slices.Clone(q.w.conditions), slices.Clone(q.w.args)}
	column := sorts[q.sort.key()].column
	var page string
	if q.along == "state" {
		page = q.alongStates(&w, column, limit)
	} else {
		in(&w, "c.state", q.states)
		page = q.alongOne(&w, column, limit)
	}
	return `SELECT ` + columns + ` FROM complaints WHERE id IN (SELECT id FROM (` + page + `) AS page)` + q.order(0, column, "id"), w.args
}

// alongStates takes as many as are wanted of each state, because an index holds the
// order of one state only.
func (q *search) alongStates(w *where, column string, limit int) string {
	q.having(w, q.terms)
	pages := make([]string, len(q.states))
	for i, state := range q.states {
		one := where{conditions: append(slices.Clone(w.conditions), "c.state = "+w.arg(state))}
		pages[i] = `SELECT * FROM (SELECT c.id, c.` + column + ` AS k FROM complaints c` + one.clause() + q.order(limit, "c."+column, "c.id") + `) AS one`
	}
	return strings.Join(pages, " UNION ALL ") + q.order(limit, "k", "id")
}

// alongOne walks along the rarest term, or along the list itself.
func (q *search) alongOne(w *where, column string, limit int) string {
	if q.along != "term" {
		return `SELECT c.id FROM complaints c` + w.clause() + q.order(limit, "c."+column, "c.id")
	}
	w.and("t.term = ", q.terms[0])
	q.having(w, q.terms[1:])
	w.conditions = append(w.conditions, "c.id = t.complaint_id")
	key := "c." + column
	if column == "id" {
		key = "t.complaint_id" // which the index is sorted by
	}
	// CROSS keeps SQLite to this order.
	return `SELECT c.id FROM terms t CROSS JOIN complaints c` + w.clause() + q.order(limit, key, "t.complaint_id")
}

// having asks for more terms.
func (q *search) having(w *where, terms []int64) {
	for _, t := range terms {
		w.conditions = append(w.conditions, `EXISTS (SELECT 1 FROM terms x WHERE x.term = `+w.arg(t)+` AND x.complaint_id = c.id)`)
	}
}

// order is the end of a query that is sorted by keys, the same way all.
func (q *search) order(limit int, keys ...string) string {
	direction := " DESC"
	if q.sort.Forward {
		direction = ""
	}
	order := ` ORDER BY ` + strings.Join(keys, direction+", ") + direction
	if limit > 0 {
		order += fmt.Sprintf(` LIMIT %d`, limit)
	}
	return order
}

package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// table is one that a copy takes over, with the columns that order its rows.
type table struct {
	name string
	key  string
	seq  bool // ids are given by the engine
}

// tables in an order in which each refers only to those before it.
var tables = []table{
	{"mail", "id", true}, {"reports", "id", true}, {"recipients", "report_id, position", false},
	{"answers", "id", true}, {"complaints", "id", true}, {"incidents", "complaint_id, position", false},
	{"terms", "term, complaint_id", false}, {"events", "id", false}, {"trail", "one", false},
	{"tallies", "day, what, name", false}, {"suppressions", "address", false}, {"turns", "server", false},
	{"contacts", "base, bits, first, last", false},
}

// ErrNotEmpty means that a queue is to be written over, which is not done.
var ErrNotEmpty = errors.New("queue is not empty")

// Copied is one table of a copy, compared on both sides.
type Copied struct {
	Table string
	Rows  int64
	Hash  []byte // SHA-256 over all rows in order; the same on both sides
}

// copyStep is how many rows are taken at once.
const copyStep = 500

// Copy takes everything from one queue into another, which must be new, and then
// compares counts and hashes of each table. Both must be open as Alone. When it fails
// the target is of no use: remove it and begin again.
func Copy(ctx context.Context, from, to *Store, progress func(table string, done, all int64)) (done []Copied, err error) {
	if err := to.empty(ctx); err != nil {
		return nil, err
	}
	for _, t := range tables {
		if err := copyTable(ctx, from, to, t, progress); err != nil {
			return done, fmt.Errorf("copy %s: %w", t.name, err)
		}
	}
	if err := copySequences(ctx, from, to); err != nil {
		return done, err
	}
	for _, t := range tables {
		c, err := compare(ctx, from, to, t, progress)
		if err != nil {
			return done, err
		}
		done = append(done, c)
	}
	return done, nil
}

// empty makes sure that nothing is in a queue but what its schema begins with.
func (s *Store) empty(ctx context.Context) error {
	return s.view(ctx, func(tx *transaction) error {
		for _, t := range tables {
			var n int64
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+t.name+` LIMIT 2) AS some_rows`).Scan(&n); err != nil {
				return err
			}
			if first := t.name == "mail" || t.name == "trail"; n > 1 || n == 1 && !first {
				return fmt.Errorf("%w: %s has rows in %s; copy to a new one", ErrNotEmpty, s.place, t.name)
			}
		}
		return nil
	})
}

func copyTable(ctx context.Context, from, to *Store, t table, progress func(string, int64, int64)) error {
	return from.view(ctx, func(tx *transaction) error {
		var all int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM `+t.name).Scan(&all); err != nil {
			return err
		}
		return scanTable(ctx, tx, t, func(columns []string, page [][]any, done int64) error {
			progress("copy "+t.name, done, all)
			return to.put(ctx, t, columns, page)
		})
	})
}

// put inserts rows as they were. Those that the schema begins with are replaced.
func (s *Store) put(ctx context.Context, t table, columns []string, page [][]any) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if t.name == "trail" {
			if _, err := tx.ExecContext(ctx, `DELETE FROM trail`); err != nil {
				return none, err
			}
		}
		rows := newRows(ctx, tx, `INSERT INTO `+t.name+` (`+strings.Join(columns, ", ")+`)`)
		for _, values := range page {
			if t.name == "mail" && values[0] == int64(purgedMail) {
				continue
			}
			if err := rows.add(values...); err != nil {
				return none, err
			}
		}
		return none, rows.flush()
	})
	return err
}

// scanTable reads a table in its order, some rows at once.
func scanTable(ctx context.Context, tx *transaction, t table, take func(columns []string, page [][]any, done int64) error) error {
	rows, err := tx.QueryContext(ctx, `SELECT * FROM `+t.name+` ORDER BY `+t.key)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	var page [][]any
	var done int64
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			if octets, ok := v.([]byte); ok {
				values[i] = blob(octets) // SQLite gives none as a nil slice, which is no NULL
			}
		}
		done++
		if page = append(page, values); len(page) == copyStep {
			if err := take(columns, page, done); err != nil {
				return err
			}
			page = nil
		}
	}
	if err := rows.Err(); err != nil || len(page) == 0 {
		return err
	}
	return take(columns, page, done)
}

// copySequences sees that no id is given twice, not even one whose row is gone.
func copySequences(ctx context.Context, from, to *Store) error {
	for _, t := range tables {
		if !t.seq {
			continue
		}
		var last int64
		if err := from.reader.QueryRowContext(ctx, from.engine.lastID(t.name)).Scan(&last); err != nil {
			return fmt.Errorf("last id of %s: %w", t.name, err)
		}
		if last == 0 {
			continue
		}
		_, err := commit(ctx, to, func(ctx context.Context, tx *change) (none struct{}, err error) {
			return none, to.engine.setLastID(ctx, tx, t.name, last)
		})
		if err != nil {
			return fmt.Errorf("last id of %s: %w", t.name, err)
		}
	}
	return nil
}

// compare holds both sides of a table against each other.
func compare(ctx context.Context, from, to *Store, t table, progress func(string, int64, int64)) (Copied, error) {
	one, err := from.sum(ctx, t, progress)
	if err != nil {
		return one, err
	}
	other, err := to.sum(ctx, t, progress)
	if err != nil {
		return one, err
	}
	if one.Rows != other.Rows || !bytes.Equal(one.Hash, other.Hash) {
		return one, fmt.Errorf("copy of %s differs: %d rows (%x) became %d (%x): remove the target and begin again",
			t.name, one.Rows, one.Hash, other.Rows, other.Hash)
	}
	return one, nil
}

func (s *Store) sum(ctx context.Context, t table, progress func(string, int64, int64)) (c Copied, err error) {
	c.Table = t.name
	h := sha256.New()
	err = s.view(ctx, func(tx *transaction) error {
		return scanTable(ctx, tx, t, func(columns []string, page [][]any, done int64) error {
			c.Rows = done
			progress("compare "+t.name, done, 0)
			for _, values := range page {
				if err := hashRow(h, columns, values); err != nil {
					return err
				}
			}
			return nil
		})
	})
	c.Hash = h.Sum(nil)
	return c, err
}

// hashRow hashes a row by its columns' names and values; their order in the table is
// the engine's affair.
func hashRow(h hash.Hash, columns []string, values []any) error {
	sum := make([]byte, sha256.Size) // of the columns, in any order
	for i, v := range values {
		one := sha256.New()
		part(one, []byte(columns[i]))
		switch v := v.(type) {
		case nil:
			part(one, []byte("null"))
		case int64:
			part(one, []byte("number"))
			number(one, v)
		case string:
			part(one, []byte("text"))
			part(one, []byte(v))
		case []byte:
			part(one, []byte("octets"))
			part(one, v)
		default:
			return fmt.Errorf("column %s holds a %T", columns[i], v)
		}
		for j, b := range one.Sum(nil) {
			sum[j] ^= b
		}
	}
	h.Write(sum)
	return nil
}

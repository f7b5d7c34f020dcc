package queue

import (
	"context"
	"fmt"
	"strings"
)

// rows inserts many rows with few statements, whose texts are few as well: what is
// compiled once for each text is compiled seldom.
type rows struct {
	ctx    context.Context
	tx     *change
	insert string // up to VALUES
	suffix string // behind the rows
	width  int    // values of a row
	args   []any
}

// batches are how many rows one statement takes.
var batches = []int{64, 16, 4, 1}

func newRows(ctx context.Context, tx *change, insert string) *rows {
	return &rows{ctx: ctx, tx: tx, insert: insert}
}

func (r *rows) add(values ...any) error {
	r.width = len(values)
	r.args = append(r.args, values...)
	if len(r.args) == batches[0]*r.width {
		return r.flush()
	}
	return nil
}

func (r *rows) flush() error {
	for len(r.args) > 0 {
		left := len(r.args) / r.width
		n := batches[len(batches)-1]
		for _, b := range batches {
			if b <= left {
				n = b
				break
			}
		}
		if _, err := r.tx.ExecContext(r.ctx, r.insert+r.values(n)+r.suffix, r.args[:n*r.width]...); err != nil {
			return err
		}
		r.args = r.args[n*r.width:]
	}
	r.args = nil
	return nil
}

// values is VALUES with place-holders for n rows.
func (r *rows) values(n int) string {
	var b strings.Builder
	b.WriteString(" VALUES ")
	for i := range n * r.width {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%r.width == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if r.tx.unnamed {
			b.WriteString("?")
		} else {
			fmt.Fprintf(&b, "$%d", i+1)
		}
	}
	return b.String() + ")"
}

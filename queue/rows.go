package queue

import (
	"context"
	"fmt"
	"strings"
)

// rows inserts many rows with few statements.
type rows struct {
	ctx    context.Context
	tx     *change
	insert string // up to VALUES
	suffix string // behind the rows
	args   []any
	marks  strings.Builder
}

// maxArgs keeps a statement below the arguments that SQLite takes (32,766); what
// is compiled anew each time should be short.
const maxArgs = 1000

func newRows(ctx context.Context, tx *change, insert string) *rows {
	return &rows{ctx: ctx, tx: tx, insert: insert}
}

func (r *rows) add(values ...any) error {
	sep := ", ("
	for i := range values {
		fmt.Fprintf(&r.marks, "%s$%d", sep, len(r.args)+i+1)
		sep = ", "
	}
	r.marks.WriteByte(')')
	r.args = append(r.args, values...)
	if len(r.args)+len(values) > maxArgs {
		return r.flush()
	}
	return nil
}

func (r *rows) flush() error {
	if len(r.args) == 0 {
		return nil
	}
	marks := strings.TrimPrefix(r.marks.String(), ", ")
	_, err := r.tx.ExecContext(r.ctx, r.insert+" VALUES "+marks+r.suffix, r.args...)
	r.args, r.marks = nil, strings.Builder{}
	return err
}

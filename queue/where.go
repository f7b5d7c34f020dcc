package queue

import (
	"fmt"
	"strings"
)

// where collects the conditions of a query and their arguments.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition that ends before its argument.
func (w *where) and(condition string, arg any) {
	w.conditions = append(w.conditions, condition+w.arg(arg))
}

// in asks that column has one of the values; no values ask nothing.
func in[T any](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = w.arg(v)
	}
	w.conditions = append(w.conditions, column+" IN ("+strings.Join(marks, ", ")+")")
}

// arg adds an argument and returns its place-holder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) clause() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// limit is the length of a page.
func limit(n int) int {
	if n <= 0 {
		return 100
	}
	return n
}

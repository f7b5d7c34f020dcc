package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// readAtOnce is how many complaints are read at once, whatever is wanted.
const readAtOnce = 1000

// readPages reads as many rows as the filter wants and hands them on, some at once.
// It returns the position of the last one when there are more behind it.
func readPages(ctx context.Context, store *queue.Store, f queue.Filter, atOnce int, count bool, take func(rows []listRow, done int) error) (next string, err error) {
	left, done := f.Limit, 0
	for {
		size := min(left, atOnce)
		f.Limit = size + 1 // one more tells whether there is a next page
		list, err := store.List(ctx, f)
		if err != nil {
			return "", err
		}
		more := len(list) > size
		list = list[:min(size, len(list))]
		rows, err := listRows(ctx, store, list, count)
		if err != nil {
			return "", err
		}
		left, done = left-len(list), done+len(list)
		if err := take(rows, done); err != nil || !more {
			return "", err
		}
		if f.After = f.Sort.Position(&list[size-1]); left == 0 {
			return f.After, nil
		}
	}
}

// listRow is a complaint as lists show it.
type listRow struct {
	*queue.Complaint
	reports int
	now     time.Time
}

func listRows(ctx context.Context, store *queue.Store, list []queue.Complaint, count bool) ([]listRow, error) {
	var counts map[int64]int
	if count {
		ids := make([]int64, len(list))
		for i := range list {
			ids[i] = list[i].ID
		}
		var err error
		if counts, err = store.CountReports(ctx, ids...); err != nil {
			return nil, err
		}
	}
	rows := make([]listRow, len(list))
	for i := range list {
		rows[i] = listRow{&list[i], counts[list[i].ID], time.Now()}
	}
	return rows, nil
}

// view is the row for programs.
func (r *listRow) view() any {
	return struct {
		complaintJSON
		Reports int `json:"reports"`
	}{complaintView(r.Complaint), r.reports}
}

func needReports(columns []column) bool {
	return slices.ContainsFunc(columns, func(c column) bool { return c.name == "reports" })
}

// nextPage is the command that was typed, going on behind a position.
func nextPage(args []string, after string) string {
	words := []string{"spamreport-milter"}
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--after":
			i++
		case strings.HasPrefix(args[i], "--after="):
		default:
			words = append(words, quoted(args[i]))
		}
	}
	return strings.Join(append(words, "--after", after), " ")
}

// quoted writes an argument as a POSIX shell reads it.
func quoted(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// defaultLimit is the length of a page for a person.
const defaultLimit = 50

// QueueListCmd lists complaints.
type QueueListCmd struct {
	complaintFilter `embed:""`
	ordering        `embed:""`
	After           string   `placeholder:"POSITION" help:"What comes behind the page before; its last line says where that ends."`
	Columns         []string `placeholder:"COLUMN" help:"What to show, joined by commas: ${columns}."`
	CSV             bool     `name:"csv" xor:"form" help:"Comma-separated values (RFC 4180), for spreadsheets."`
	JSON            bool     `name:"json" xor:"form" help:"One JSON object a line."`
	Closed          bool     `help:"The reports that ended without a complaint instead, and why."`
}

// Help is shown by `queue list --help`.
func (*QueueListCmd) Help() string {
	return `A filter takes the complaints that everything given is true of. A list that goes on ends
with the command for the next page.

    spamreport-milter queue list --state held --text "cheap pills"
    spamreport-milter queue list --since 7d --network 192.0.2.0/24 --sort source
    spamreport-milter queue list --since 2026-11-01 --csv --limit 100000 > november.csv`
}

// Run prints a page, and below it what is not in it.
func (c *QueueListCmd) Run(e *Env) error {
	f, columns, err := c.wanted(time.Now())
	if err != nil {
		return err
	}
	return withQueue(e, func(store *queue.Store) error {
		if c.Closed {
			return c.closed(e, store, f.Limit)
		}
		next, err := c.print(e, store, f, columns)
		if err != nil {
			return err
		}
		return c.rest(e, store, next)
	})
}

// wanted checks everything that was given before anything is opened.
func (c *QueueListCmd) wanted(now time.Time) (f queue.Filter, columns []column, err error) {
	if f, err = c.filter(now); err != nil {
		return f, nil, err
	}
	f.Sort, f.After = c.order(), c.After
	if f.Limit, err = c.limit(defaultLimit); err != nil {
		return f, nil, err
	}
	if c.Closed && (c.set() || c.Columns != nil || c.CSV || c.Reverse || c.Sort != queue.SortCreated) {
		return f, nil, usage("--closed lists reports: of the other options it takes --limit, --after and --json only")
	}
	if c.JSON && c.Columns != nil {
		return f, nil, usage("--json gives whole objects: leave --columns away")
	}
	columns, err = columnsOf(c.Columns, c.CSV)
	return f, columns, err
}

// print writes the list and returns where it ends, if it goes on behind that.
func (c *QueueListCmd) print(e *Env, store *queue.Store, f queue.Filter, columns []column) (next string, err error) {
	var w rowWriter = &tableWriter{w: newTable(e.Stdout), columns: columns}
	switch {
	case c.JSON:
		w = &jsonWriter{bufio.NewWriter(e.Stdout)}
	case c.CSV:
		w = newCSV(e.Stdout, columns)
	}
	p := newProgress(e.Stderr)
	if isTerminal(e.Stdout) {
		p.quiet = true // the list itself is to be seen
	}
	next, err = readPages(e.Context, store, f, readAtOnce, c.JSON || needReports(columns), func(rows []listRow, done int) error {
		p.show("complaints", int64(done), int64(f.Limit))
		return w.write(rows)
	})
	p.end()
	return next, errors.Join(err, w.end())
}

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

// rest is what comes below the page; programs get it beside their data.
func (c *QueueListCmd) rest(e *Env, store *queue.Store, next string) error {
	out := e.Stdout
	if c.JSON || c.CSV {
		out = e.Stderr
	}
	if next != "" {
		fmt.Fprintf(out, "\nmore: %s\n", nextPage(e.Args, next))
	}
	if c.JSON || c.CSV {
		return nil
	}
	return writeRest(e, store)
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

// writeRest says what stands in the queue altogether, and what has not got there.
func writeRest(e *Env, store *queue.Store) error {
	counts, err := store.Counts(e.Context)
	if err != nil {
		return err
	}
	if all := countsLine(counts); all != "" {
		fmt.Fprintf(e.Stdout, "\nin all: %s\n", all)
	}
	waiting, oldest, err := store.Waiting(e.Context)
	if err != nil || waiting == 0 {
		return err
	}
	fmt.Fprintf(e.Stdout, "reports waiting to be traced: %d, the oldest for %s; the daemon does that\n",
		waiting, age(time.Since(oldest)))
	return nil
}

func countsLine(counts map[queue.State]int) string {
	var parts []string
	for _, s := range states {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// closed lists the reports that never became complaints, newest first.
func (c *QueueListCmd) closed(e *Env, store *queue.Store, size int) error {
	f := queue.EventFilter{Action: queue.ActionClosed, Limit: size + 1}
	if c.After != "" {
		n, err := strconv.ParseInt(c.After, 10, 64)
		if err != nil || n < 1 {
			return usage("--after %q is no position in a list of closed reports", c.After)
		}
		f.Before = n
	}
	events, err := store.Events(e.Context, f)
	if err != nil {
		return err
	}
	next := ""
	if len(events) > size {
		events = events[:size]
		next = fmt.Sprint(events[size-1].ID)
	}
	if c.JSON {
		err = writeJSONLines(e, events, func(ev *queue.Event) any { return ev })
	} else {
		err = writeClosed(e, events)
	}
	if err != nil || next == "" {
		return err
	}
	out := e.Stdout
	if c.JSON {
		out = e.Stderr
	}
	fmt.Fprintf(out, "\nmore: %s\n", nextPage(e.Args, next))
	return nil
}

func writeClosed(e *Env, events []queue.Event) error {
	if len(events) == 0 {
		fmt.Fprintln(e.Stdout, "no report was closed without a complaint")
		return nil
	}
	w := newTable(e.Stdout)
	fmt.Fprintln(w, "REPORT\tCLOSED\tREASON")
	for _, ev := range events {
		fmt.Fprintf(w, "%d\t%s\t%s\n", ev.ReportID, stamp(ev.Time), visible(ev.Reason))
	}
	return w.Flush()
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

// age is a duration in its largest unit, as people say it.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// recipients are the addressees for a list.
func recipients(c *queue.Complaint) string { return cmp.Or(strings.Join(c.To, ","), "none") }

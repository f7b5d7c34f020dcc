package main

import (
	"bufio"
	"fmt"
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
	if err != nil {
		return "", err
	}
	return next, w.end()
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

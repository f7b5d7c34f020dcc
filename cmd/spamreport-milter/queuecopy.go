package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"spamreport-milter/queue"
)

// QueueCopyCmd takes the whole queue elsewhere.
type QueueCopyCmd struct {
	To   string `required:"" placeholder:"PLACE" help:"The new queue: the path of a file, or postgres://USER@HOST/DATABASE."`
	From string `placeholder:"PLACE" help:"The queue to copy, in place of the configured one."`
}

// Help is shown by `queue copy --help`.
func (*QueueCopyCmd) Help() string {
	return `Everything is taken over as it is, numbers and the audit trail included, and both sides are
compared row by row. Stop the daemons first. The target must be new: a database without
tables, or no file. When a copy fails, remove the target and begin again.

    spamreport-milter queue copy --to postgres://spamreport@db.isp.example/spamreport
    spamreport-milter queue copy --from postgres://spamreport@db.isp.example/spamreport --to /tmp/queue.db

A password does not belong on a command line: libpq's ~/.pgpass and PGPASSWORD are read.`
}

// Run copies and prints a line for each table.
func (c *QueueCopyCmd) Run(e *Env) error {
	ctx := context.WithoutCancel(e.Context)
	options := queue.Options{Alone: true, Host: e.Config.Reporter.Sender.Host, Log: e.Log}
	from, err := queue.Open(ctx, place(cmp.Or(c.From, e.Config.queue())), options)
	if err != nil {
		return &exitError{exUnavailable, err}
	}
	defer from.Close()
	options.Daemon = true // makes what is missing
	to, err := queue.Open(ctx, place(c.To), options)
	if err != nil {
		return &exitError{exUnavailable, fmt.Errorf("target: %w", err)}
	}
	defer to.Close()
	p := newProgress(e.Stderr)
	done, err := queue.Copy(e.Context, from, to, p.show)
	p.end()
	switch {
	case errors.Is(err, queue.ErrNotEmpty):
		return &exitError{exData, err}
	case err != nil:
		return &exitError{exTempFail, err}
	}
	return writeCopied(e, done)
}

// place lets the directory of a queue stand for its file.
func place(name string) string {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, queueFile)
	}
	return name
}

func writeCopied(e *Env, done []queue.Copied) error {
	w := newTable(e.Stdout)
	fmt.Fprintln(w, "TABLE\tROWS\tSHA-256 OF BOTH SIDES")
	for _, t := range done {
		fmt.Fprintf(w, "%s\t%d\t%x\n", t.Table, t.Rows, t.Hash)
	}
	return w.Flush()
}

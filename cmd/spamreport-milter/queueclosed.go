package main

import (
	"fmt"
	"strconv"

	"spamreport-milter/queue"
)

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

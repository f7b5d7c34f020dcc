package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// QueueWatchCmd prints events as they are written.
type QueueWatchCmd struct {
	JSON bool `name:"json" help:"One JSON object a line: first the number of complaints in each state, then each event."`
}

// Help is shown by `queue watch --help`.
func (*QueueWatchCmd) Help() string {
	return `Begins with how many complaints are in which state, and goes on until Ctrl-C. What all hosts
of a shared queue do is seen.`
}

// watchEach is how often it looks.
const watchEach = time.Second

// Run follows the trail until it is interrupted, which is its normal end.
func (c *QueueWatchCmd) Run(e *Env) error {
	return withQueue(e, func(store *queue.Store) error {
		err := c.follow(e, store)
		if e.Context.Err() != nil {
			return nil
		}
		return err
	})
}

func (c *QueueWatchCmd) follow(e *Env, store *queue.Store) error {
	at := int64(0)
	newest, err := store.Events(e.Context, queue.EventFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		at = newest[0].ID
	}
	if err := c.begin(e, store); err != nil {
		return err
	}
	for {
		events, err := eventsAfter(e.Context, store, at)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := c.print(e, &ev); err != nil {
				return err
			}
			at = ev.ID
		}
		select {
		case <-e.Context.Done():
			return nil
		case <-time.After(watchEach):
		}
	}
}

func (c *QueueWatchCmd) begin(e *Env, store *queue.Store) error {
	counts, err := store.Counts(e.Context)
	if err != nil {
		return err
	}
	if c.JSON {
		return newJSON(e.Stdout).Encode(struct {
			States map[queue.State]int `json:"states"`
		}{counts})
	}
	all := countsLine(counts)
	if all == "" {
		all = "no complaints"
	}
	_, err = fmt.Fprintf(e.Stdout, "%s  in all: %s\n", stamp(time.Now()), all)
	return err
}

func (c *QueueWatchCmd) print(e *Env, ev *queue.Event) error {
	if c.JSON {
		return newJSON(e.Stdout).Encode(ev)
	}
	_, err := fmt.Fprintln(e.Stdout, eventLine(ev, coloured(e.Stdout)))
	return err
}

// eventsAfter returns all events behind one, oldest first. The queue gives the newest
// first, so that a burst is read backwards to where it began.
func eventsAfter(ctx context.Context, store *queue.Store, at int64) (events []queue.Event, err error) {
	f := queue.EventFilter{After: at, Limit: 1000}
	for {
		page, err := store.Events(ctx, f)
		if err != nil {
			return nil, err
		}
		events = append(events, page...)
		if len(page) < f.Limit {
			slices.Reverse(events)
			return events, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// Colours of actions, as parameters of ECMA-48's SGR; none is plain.
var actionColour = map[string]string{
	queue.ActionFiled: "36", queue.ActionJoined: "36", queue.ActionReleased: "34", queue.ActionApproved: "34", queue.ActionSent: "32", queue.ActionResolved: "1;32",
	queue.ActionAnswered: "1;36", queue.ActionDeferred: "33", queue.ActionPostponed: "33", queue.ActionBounced: "31",
	queue.ActionFailed: "1;31", queue.ActionDropped: "2", queue.ActionClosed: "2", queue.ActionRetracted: "35",
	queue.ActionForgotten: "1;35", queue.ActionPurged: "2",
}

func eventLine(ev *queue.Event, colour bool) string {
	var about []string
	if ev.ComplaintID != 0 {
		about = append(about, fmt.Sprintf("complaint %d", ev.ComplaintID))
	}
	if ev.ReportID != 0 {
		about = append(about, fmt.Sprintf("report %d", ev.ReportID))
	}
	action := picture{colour}.paint(actionColour[ev.Action], fmt.Sprintf("%-12s", ev.Action))
	return strings.TrimRight(fmt.Sprintf("%s  %s  %-24s  %s%s", stamp(ev.Time), action, strings.Join(about, ", "), visible(ev.Actor),
		visible(prefixed(": ", ev.Reason))), " ")
}

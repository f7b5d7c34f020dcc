package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// QueueCmd groups what a person does with complaints.
type QueueCmd struct {
	List    QueueListCmd    `cmd:"" help:"List complaints, newest first."`
	Show    QueueShowCmd    `cmd:"" help:"Show one complaint: chain, contact, events, and what would be sent."`
	Approve QueueApproveCmd `cmd:"" help:"Let complaints go out."`
	Drop    QueueDropCmd    `cmd:"" help:"Say no to complaints: they are never sent."`
}

// QueueListCmd lists complaints.
type QueueListCmd struct {
	State  []string `short:"s" xor:"which" placeholder:"STATE" help:"Only these states: held, ready, sending, deferred, sent, failed, dropped."`
	Limit  int      `short:"n" default:"50" help:"At most this many."`
	JSON   bool     `help:"One JSON object a line."`
	Closed bool     `xor:"which" help:"The reports that ended without a complaint instead, and why."`
}

// Run prints a table, and below it what is not in the table.
func (c *QueueListCmd) Run(e *Env) error {
	wanted, err := parseStates(c.State)
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return &exitError{exUsage, fmt.Errorf("--limit %d lists nothing: give at least 1", c.Limit)}
	}
	store, err := openQueue(e)
	if err != nil {
		return err
	}
	defer store.Close()
	if c.Closed {
		return c.closed(e, store)
	}
	list, err := store.List(e.Context, queue.Filter{States: wanted, Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSONLines(e, list, func(c *queue.Complaint) any { return complaintView(c) })
	}
	writeList(e, list, time.Now())
	return writeRest(e, store)
}

func writeList(e *Env, list []queue.Complaint, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(e.Stdout, "no complaints")
		return
	}
	w := tabwriter.NewWriter(e.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tAGE\tSOURCE\tCONTACT\tSUBJECT")
	for _, c := range list {
		to := strings.Join(c.To, ",")
		if to == "" {
			to = "none"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.State, age(now.Sub(c.Created)), c.Source, to, visible(clip(c.Subject, 40)))
	}
	w.Flush()
}

// writeRest says what the list does not show: complaints past its end and
// reports that still wait for a worker.
func writeRest(e *Env, store *queue.Store) error {
	counts, err := store.Counts(e.Context)
	if err != nil {
		return err
	}
	var parts []string
	for _, s := range states {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(e.Stdout, "\nin all: %s\n", strings.Join(parts, ", "))
	}
	waiting, oldest, err := store.Waiting(e.Context)
	if err != nil || waiting == 0 {
		return err
	}
	fmt.Fprintf(e.Stdout, "reports waiting to be traced: %d, the oldest for %s; the daemon does that\n",
		waiting, age(time.Since(oldest)))
	return nil
}

// closed lists the reports that never became complaints, newest first.
func (c *QueueListCmd) closed(e *Env, store *queue.Store) error {
	events, err := store.Events(e.Context, queue.EventFilter{Action: queue.ActionClosed, Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSONLines(e, events, func(ev *queue.Event) any { return ev })
	}
	if len(events) == 0 {
		fmt.Fprintln(e.Stdout, "no report was closed without a complaint")
		return nil
	}
	w := tabwriter.NewWriter(e.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "REPORT\tCLOSED\tREASON")
	for _, ev := range events {
		fmt.Fprintf(w, "%d\t%s\t%s\n", ev.ReportID, stamp(ev.Time), visible(ev.Reason))
	}
	return w.Flush()
}

// QueueShowCmd shows one complaint.
type QueueShowCmd struct {
	ID      int64 `arg:"" help:"Number of the complaint."`
	Message bool  `short:"m" help:"Print only the message, octet for octet as it goes to the relay."`
	JSON    bool  `help:"The whole case as one JSON object."`
}

// Run prints the case so that a person can decide on it alone.
func (c *QueueShowCmd) Run(e *Env) error {
	store, err := openQueue(e)
	if err != nil {
		return err
	}
	defer store.Close()
	k, err := store.Case(e.Context, c.ID)
	if err != nil {
		return queueError(err)
	}
	switch {
	case c.Message:
		return reporter.Compose(e.Stdout, &k.Complaint, e.Config.Reporter.Sender)
	case c.JSON:
		return newJSON(e.Stdout).Encode(caseView(k))
	}
	return writeCase(e, k)
}

// decision is what a person says to complaints.
type decision struct {
	IDs    []int64 `arg:"" name:"id" help:"Numbers of complaints."`
	Reason string  `short:"r" placeholder:"TEXT" help:"Why; goes into the audit trail."`
}

// QueueApproveCmd approves.
type QueueApproveCmd struct {
	decision `embed:""`
}

// Run approves each; one that cannot be does not keep the others back.
func (c *QueueApproveCmd) Run(e *Env) error {
	return c.decide(e, queue.ActionApproved)
}

// QueueDropCmd drops.
type QueueDropCmd struct {
	decision `embed:""`
}

// Run drops each; one that cannot be does not keep the others back.
func (c *QueueDropCmd) Run(e *Env) error {
	return c.decide(e, queue.ActionDropped)
}

func (d *decision) decide(e *Env, action string) error {
	store, err := openQueue(e)
	if err != nil {
		return err
	}
	defer store.Close()
	out, err := store.Decide(e.Context, queue.Decision{
		Action: action, Actor: actor(), Reason: d.Reason, Sender: e.Config.Reporter.Sender,
	}, d.IDs...)
	for _, id := range out.Done {
		fmt.Fprintf(e.Stdout, "complaint %d %s\n", id, action)
	}
	faults := []error{err}
	for _, r := range out.Refused {
		faults = append(faults, r.Err)
	}
	return queueError(errors.Join(faults...))
}

// queueError gives errors about ids and states the status of a wrong argument,
// and those of the store itself that of a fault which may pass.
func queueError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, queue.ErrNotFound), errors.Is(err, queue.ErrState):
		return &exitError{exData, err}
	}
	return &exitError{exTempFail, err}
}

// states in the order in which a complaint goes through them.
var states = []queue.State{
	queue.Held, queue.Ready, queue.Sending, queue.Deferred, queue.Sent, queue.Failed, queue.Dropped,
}

func parseStates(names []string) ([]queue.State, error) {
	var wanted []queue.State
	for _, n := range names {
		s := queue.State(strings.ToLower(n))
		if !slices.Contains(states, s) {
			return nil, &exitError{exUsage, fmt.Errorf("no state is called %q: there are %v", n, states)}
		}
		wanted = append(wanted, s)
	}
	return wanted, nil
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

// clip shortens a text for a column, at a character's end.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func writeJSONLines[T any](e *Env, list []T, view func(*T) any) error {
	enc := newJSON(e.Stdout)
	for i := range list {
		if err := enc.Encode(view(&list[i])); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

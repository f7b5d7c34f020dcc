package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// The commands that decide differ in their action only.
type (
	// QueueApproveCmd lets complaints go out.
	QueueApproveCmd struct {
		decision `embed:""`
	}
	// QueueHoldCmd takes complaints back to the person's desk.
	QueueHoldCmd struct {
		decision `embed:""`
	}
	// QueueDropCmd says no to complaints.
	QueueDropCmd struct {
		decision `embed:""`
	}
	// QueueRetryCmd sends again at once what was refused.
	QueueRetryCmd struct {
		decision `embed:""`
	}
	// QueueRetractCmd takes back complaints that desks have.
	QueueRetractCmd struct {
		decision `embed:""`
	}
	// QueueDoneCmd notes that a person has brought complaints to desks' pages.
	QueueDoneCmd struct {
		decision `embed:""`
	}
)

// Run approves.
func (c *QueueApproveCmd) Run(e *Env) error { return c.run(e, queue.ActionApproved) }

// Run holds.
func (c *QueueHoldCmd) Run(e *Env) error { return c.run(e, queue.ActionHeld) }

// Run drops.
func (c *QueueDropCmd) Run(e *Env) error { return c.run(e, queue.ActionDropped) }

// Run retries.
func (c *QueueRetryCmd) Run(e *Env) error { return c.run(e, queue.ActionRetried) }

// Run retracts.
func (c *QueueRetractCmd) Run(e *Env) error { return c.run(e, queue.ActionRetracted) }

// Run notes.
func (c *QueueDoneCmd) Run(e *Env) error { return c.run(e, queue.ActionDone) }

// decision is what a person says to complaints: to some by their numbers, or to all
// that a filter takes.
type decision struct {
	IDs             []string `arg:"" optional:"" name:"id" help:"Numbers of complaints, also from-to: 17-25."`
	complaintFilter `embed:""`
	ordering        `embed:""`
	Reason          string `short:"r" placeholder:"TEXT" help:"Why; goes into the audit trail."`
	DryRun          bool   `help:"Show what would be done, and do nothing."`
	Yes             bool   `short:"y" help:"Don't ask before many are decided at once."`
}

// Help is shown by --help of each.
func (*decision) Help() string {
	return `Numbers or a filter say which. Without --state a filter takes those whose state allows it.
Before a filter or a range is obeyed it says how many complaints that are, and asks; those
that were counted are decided, and no others that come meanwhile. One that can't be does
not keep the others back; the exit status is then 65.

    spamreport-milter queue approve 17 18
    spamreport-milter queue drop --network 192.0.2.0/24 --reason "our customer" --dry-run
    spamreport-milter queue approve --since 24h --limit 100 --yes`
}

func (d *decision) run(e *Env, action string) error {
	which, err := d.which(action)
	if err != nil {
		return err
	}
	return withQueue(e, func(store *queue.Store) error {
		ids, err := which(e, store)
		switch {
		case err != nil:
			return err
		case len(ids) == 0:
			fmt.Fprintln(e.Stdout, "no complaint is like that: nothing done")
			return nil
		case d.DryRun:
			return d.preview(e, store, action, ids)
		}
		counted, err := d.confirm(e, store, action, ids)
		if err != nil {
			return err
		}
		return d.decide(e, store, action, counted)
	})
}

// which says how the complaints are found, or what is wrong with the command.
func (d *decision) which(action string) (func(*Env, *queue.Store) ([]int64, error), error) {
	f, err := d.filter(time.Now())
	if err != nil {
		return nil, err
	}
	limit, err := d.limit(0)
	if err != nil {
		return nil, err
	}
	switch {
	case len(d.IDs) > 0 && (d.set() || d.Limit != nil):
		return nil, usage("numbers or a filter, not both: it would not be clear which are meant")
	case len(d.IDs) > 0:
		ids, err := parseIDs(d.IDs)
		return func(*Env, *queue.Store) ([]int64, error) { return ids, nil }, err
	case !d.set():
		return nil, usage("name complaints by number, or by a filter such as --state held")
	}
	if len(f.States) == 0 {
		f.States = queue.StatesFor(action)
	}
	f.Sort = d.order()
	return func(e *Env, store *queue.Store) ([]int64, error) {
		ids, err := store.IDs(e.Context, f)
		if limit > 0 && len(ids) > limit {
			ids = ids[:limit]
		}
		return ids, err
	}, nil
}

// preview lists what would be done, and why the rest would not.
func (d *decision) preview(e *Env, store *queue.Store, action string, ids []int64) error {
	out, err := store.Would(e.Context, action, ids...)
	if err != nil {
		return err
	}
	list, err := store.Pick(e.Context, out.Done...)
	if err != nil {
		return err
	}
	rows, err := listRows(e.Context, store, list, false)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		columns, _ := columnsOf(nil, false) // as usual
		w := tableWriter{w: newTable(e.Stdout), columns: columns}
		if err := errors.Join(w.write(rows), w.end()); err != nil {
			return err
		}
		fmt.Fprintln(e.Stdout)
	}
	fmt.Fprintf(e.Stdout, "%s would be %s\n", complaints(len(out.Done)), action)
	return refused(out.Refused)
}

// confirm asks before many are decided, and returns those that were counted, with
// those that can't be. Numbers that were named one by one are the person's word already.
func (d *decision) confirm(e *Env, store *queue.Store, action string, ids []int64) (queue.Decided, error) {
	ranged := slices.ContainsFunc(d.IDs, func(arg string) bool { return strings.Contains(arg, "-") })
	if d.Yes || !d.set() && !ranged {
		return queue.Decided{Done: ids}, nil
	}
	would, err := store.Would(e.Context, action, ids...)
	if err != nil || len(would.Done) == 0 {
		return would, err
	}
	question := fmt.Sprintf("%s will be %s.", complaints(len(would.Done)), action)
	if n := len(would.Refused); n > 0 {
		question += fmt.Sprintf(" %d can't be.", n)
	}
	return would, confirm(e, question)
}

// decidedAtOnce is how many are decided before the next is said of the progress.
const decidedAtOnce = 500

func (d *decision) decide(e *Env, store *queue.Store, action string, counted queue.Decided) error {
	p := newProgress(e.Stderr)
	all := queue.Decided{Refused: counted.Refused}
	wanted := len(counted.Done) + len(counted.Refused)
	reached := func() int { return len(all.Done) + len(all.Refused) }
	var fault error
	for some := range slices.Chunk(counted.Done, decidedAtOnce) {
		part, err := store.Decide(e.Context, queue.Decision{
			Action: action, Actor: actor(), Reason: d.Reason, Sender: e.Config.Reporter.Sender,
		}, some...)
		all.Done = append(all.Done, part.Done...)
		all.Refused = append(all.Refused, part.Refused...)
		if fault = err; err != nil {
			break
		}
		p.show(action, int64(reached()), int64(wanted))
	}
	p.end()
	writeDecided(e, action, all, wanted)
	if fault != nil {
		return fmt.Errorf("%d of %s not reached, say it again: %w", wanted-reached(), complaints(wanted), fault)
	}
	return refused(all.Refused)
}

// fewDecided are told one by one.
const fewDecided = 20

func writeDecided(e *Env, action string, all queue.Decided, wanted int) {
	if len(all.Done) <= fewDecided {
		for _, id := range all.Done {
			fmt.Fprintf(e.Stdout, "complaint %d %s\n", id, action)
		}
	}
	if wanted > 1 {
		fmt.Fprintf(e.Stdout, "%s %s, %d refused\n", complaints(len(all.Done)), action, len(all.Refused))
	}
}

// refused says why complaints were left as they were, each reason once.
func refused(list []queue.Refusal) error {
	ids := map[string][]int64{}
	var reasons []string
	var faults []error
	for _, r := range list {
		why := reason(r)
		if ids[why] == nil {
			reasons = append(reasons, why)
		}
		ids[why] = append(ids[why], r.ID)
	}
	for _, why := range reasons {
		if some := ids[why]; len(some) == 1 {
			faults = append(faults, fmt.Errorf("complaint %d %s", some[0], why))
		} else {
			faults = append(faults, fmt.Errorf("%d complaints, each %s: %s", len(some), why, ranges(some)))
		}
	}
	if faults == nil {
		return nil
	}
	return &exitError{exData, errors.Join(faults...)}
}

func complaints(n int) string {
	if n == 1 {
		return "1 complaint"
	}
	return fmt.Sprintf("%d complaints", n)
}

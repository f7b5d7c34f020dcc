package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// ReportCmd hands in spam by hand.
type ReportCmd struct {
	Reason string   `short:"r" placeholder:"TEXT" help:"Why this is abuse; goes into the audit trail."`
	Reply  bool     `help:"The messages are not spam but answers to complaints: bounces, tickets, what desks write."`
	Paths  []string `arg:"" optional:"" name:"file" help:"Messages, mbox files, directories and Maildirs; standard input when there are none."`
}

// Help is shown by `report --help`.
func (*ReportCmd) Help() string {
	return `Hands in messages as they were received, header and body, unaltered: saved with
"view source" or as .eml, piped in by a sieve script, or a whole mailbox. Each message
becomes one report. It goes into the queue like a message that the milter recorded; the
daemon traces it and files the complaint.

    spamreport-milter report spam.eml
    spamreport-milter report < spam.eml
    spamreport-milter report ~/Maildir/.Junk

With --reply they are answers to complaints instead, which is only needed where they do
not come through the milter: the mark in the address they came to says to which.

A seal that our own milter has put on a message proves who brought it; see docs/seal.md.
A file that begins with a "From " line is an mbox, any other is one message. A file that
is no message is named on standard error and the others are taken; the exit status is
then 65, 66 for one that cannot be read, or 75 for one that the queue did not take.`
}

// learn takes answers to complaints.
func (c *ReportCmd) learn(e *Env, store *queue.Store) error {
	w, err := composerOf(e)
	if err != nil {
		return err
	}
	learner := &reporter.Learner{Composer: w, Memory: store, Log: e.Log}
	in := messages{limit: e.Config.Milter.BodyLimit, stdin: e.Stdin, stderr: e.Stderr}
	in.each = func(file string, m *trace.Message) error {
		to, ok := learner.Recipient(m)
		if !ok {
			in.fault(exData, fmt.Errorf("%s: it did not come to an address that a complaint of ours named (see reporter.answers)", file))
			return nil
		}
		if err := learner.Reply(e.Context, to, *m); err != nil {
			in.fault(exTempFail, fmt.Errorf("%s: %w", file, err))
			return nil
		}
		fmt.Fprintf(e.Stdout, "answer taken: %s\n", file)
		return nil
	}
	return errors.Join(in.read(e.Context, c.Paths), in.failed("taken"))
}

// Run submits each message; one that cannot be taken does not keep the others back.
func (c *ReportCmd) Run(e *Env) error {
	store, err := openQueue(e)
	if err != nil {
		return err
	}
	defer store.Close()
	if c.Reply {
		return c.learn(e, store)
	}
	keys, err := openSeal(e.Config)
	if err != nil {
		return &exitError{exUnavailable, err}
	}
	in := messages{limit: e.Config.Milter.BodyLimit, stdin: e.Stdin, stderr: e.Stderr}
	in.each = func(file string, m *trace.Message) error {
		reason := c.Reason
		if keys != nil {
			reason = join(reason, keys.Prove(m, time.Now()))
		}
		id, err := store.Submit(e.Context, queue.Report{
			Received: time.Now(), Cause: queue.CauseHand, Reporter: actor(), Reason: reason, Message: *m,
		})
		if err != nil {
			in.fault(exTempFail, fmt.Errorf("%s: %w", file, err))
			return nil
		}
		fmt.Fprintf(e.Stdout, "report %d: %s\n", id, file)
		return nil
	}
	return errors.Join(in.read(e.Context, c.Paths), in.failed("taken"))
}

// join puts two remarks into one sentence.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// openQueue opens the store that the daemon made.
func openQueue(e *Env) (*queue.Store, error) {
	store, err := queue.Open(context.WithoutCancel(e.Context), e.Config.queue(),
		queue.Options{Host: e.Config.Reporter.Sender.Host, Log: e.Log})
	if err != nil {
		return nil, &exitError{exUnavailable, err}
	}
	return store, nil
}

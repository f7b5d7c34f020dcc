package main

import (
	"errors"

	"spamreport-milter/queue"
)

// QueueCmd groups what a person does with complaints.
type QueueCmd struct {
	List     QueueListCmd     `cmd:"" help:"List complaints, newest first."`
	Show     QueueShowCmd     `cmd:"" help:"Show one complaint: chain, contact, events, and what would be sent."`
	Approve  QueueApproveCmd  `cmd:"" help:"Let complaints go out."`
	Hold     QueueHoldCmd     `cmd:"" help:"Take complaints back: they wait for a person again."`
	Drop     QueueDropCmd     `cmd:"" help:"Say no to complaints: they are never sent."`
	Edit     QueueEditCmd     `cmd:"" help:"Change whom a held complaint goes to and what it says."`
	Retry    QueueRetryCmd    `cmd:"" help:"Send deferred and failed complaints again, now."`
	Retract  QueueRetractCmd  `cmd:"" help:"Take back complaints that were sent: their desks are told so."`
	Done     QueueDoneCmd     `cmd:"" help:"Note that you have brought complaints to the pages of their desks."`
	Stats    QueueStatsCmd    `cmd:"" help:"Show what came, went out and came of it, by day."`
	Watch    QueueWatchCmd    `cmd:"" help:"Print what happens as it happens."`
	Export   QueueExportCmd   `cmd:"" help:"Pack a case with all evidence into a zip, for lawyers and the police."`
	Suppress QueueSuppressCmd `cmd:"" help:"Addresses that get no complaints."`
	Forget   QueueForgetCmd   `cmd:"" help:"Erase a person's traces."`
	Verify   QueueVerifyCmd   `cmd:"" help:"Check that the audit trail is as it was written."`
	Copy     QueueCopyCmd     `cmd:"" help:"Copy the queue to another database: SQLite to PostgreSQL and back."`
}

// withQueue opens the queue for fn, and gives its errors their exit status.
func withQueue(e *Env, fn func(*queue.Store) error) error {
	store, err := openQueue(e)
	if err != nil {
		return err
	}
	defer store.Close()
	return queueError(fn(store))
}

// queueError gives errors about ids, states and filters the status of a wrong
// argument, and those of the store itself that of a fault which may pass.
func queueError(err error) error {
	var told *exitError
	switch {
	case err == nil, errors.As(err, &told):
		return err
	case errors.Is(err, queue.ErrFilter):
		return &exitError{exUsage, err}
	case errors.Is(err, queue.ErrNotFound), errors.Is(err, queue.ErrState), errors.Is(err, queue.ErrAltered):
		return &exitError{exData, err}
	}
	return &exitError{exTempFail, err}
}

package main

import "spamreport-milter/reporter"

// QueueCmd groups what a person does with complaints.
type QueueCmd struct {
	List    QueueListCmd    `cmd:"" help:"List complaints, newest first."`
	Show    QueueShowCmd    `cmd:"" help:"Show one complaint: chain, contact, events, and what would be sent."`
	Approve QueueApproveCmd `cmd:"" help:"Let complaints go out."`
	Hold    QueueHoldCmd    `cmd:"" help:"Take complaints back: they wait for a person again."`
	Drop    QueueDropCmd    `cmd:"" help:"Say no to complaints: they are never sent."`
	Retry   QueueRetryCmd   `cmd:"" help:"Send deferred and failed complaints again, now."`
	Retract QueueRetractCmd `cmd:"" help:"Take back complaints that were sent: their desks are told so."`
	Done    QueueDoneCmd    `cmd:"" help:"Note that you have brought complaints to the pages of their desks."`
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

package main

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

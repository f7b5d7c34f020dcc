package main

import (
	"time"

	"spamreport-milter/queue"
)

// QueueShowCmd shows one complaint.
type QueueShowCmd struct {
	ID      int64 `arg:"" help:"Number of the complaint."`
	Message bool  `short:"m" xor:"form" help:"Print only the message, octet for octet as it goes to the relay."`
	JSON    bool  `name:"json" xor:"form" help:"The whole case as one JSON object."`
}

// Run prints the case so that a person can decide on it alone.
func (c *QueueShowCmd) Run(e *Env) error {
	return withQueue(e, func(store *queue.Store) error {
		k, err := store.Case(e.Context, c.ID)
		switch {
		case err != nil:
			return err
		case c.Message:
			return compose(e, e.Stdout, &k.Complaint)
		case c.JSON:
			return newJSON(e.Stdout).Encode(caseView(k))
		}
		p := newPaper(e.Stdout, coloured(e.Stdout), time.Local)
		if err := p.write(k); err != nil {
			return err
		}
		return p.message(e, &k.Complaint)
	})
}

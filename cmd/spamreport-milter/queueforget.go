package main

import (
	"fmt"
	"strings"

	"spamreport-milter/queue"
)

// QueueForgetCmd erases a person's traces.
type QueueForgetCmd struct {
	Address string `arg:"" help:"The person's mail address."`
	Yes     bool   `short:"y" help:"Don't ask."`
	JSON    bool   `name:"json" help:"The counts as one JSON object."`
}

// Help is shown by `queue forget --help`.
func (*QueueForgetCmd) Help() string {
	return `Mail in which the address stands, as sender, recipient or in the text, is removed, and every
other word of it: in reports, complaints, chains, answers of registries and reasons in the
audit trail. Complaints that have not gone out are dropped with that evidence. The trail keeps
who did what to which complaint when, and stays verifiable.

What was sent is with those who got it. The list of suppressed addresses keeps the address,
because it must know whom not to write to. Copies elsewhere, such as backups, are not reached.`
}

// Run says what that means, asks, and erases.
func (c *QueueForgetCmd) Run(e *Env) error {
	if local, domain, _ := strings.Cut(c.Address, "@"); local == "" || domain == "" || strings.ContainsAny(c.Address, " <>\t\r\n") {
		return usage("%q is no mail address: write it bare, like anna@isp.example", c.Address)
	}
	return withQueue(e, func(store *queue.Store) error { return c.forget(e, store) })
}

func (c *QueueForgetCmd) forget(e *Env, store *queue.Store) error {
	if !c.Yes {
		fmt.Fprint(e.Stderr, c.Help(), "\n\n")
		if err := confirm(e, fmt.Sprintf("All traces of %s will be erased, for good.", visible(c.Address))); err != nil {
			return err
		}
	}
	p := newProgress(e.Stderr)
	f, err := store.Forget(e.Context, c.Address, actor(), p.show)
	p.end()
	if err != nil {
		return fmt.Errorf("erased so far: %s; begin again: %w", forgottenText(f), err)
	}
	if c.JSON {
		return newJSON(e.Stdout).Encode(f)
	}
	fmt.Fprintf(e.Stdout, "erased: %s\n", forgottenText(f))
	return c.remains(e, store)
}

func forgottenText(f queue.Forgotten) string {
	return fmt.Sprintf("%d reports, %d complaints (%d of them dropped), %d events, %d answers of registries",
		f.Reports, f.Complaints, f.Dropped, f.Events, f.Answers)
}

// remains says where the address still stands.
func (c *QueueForgetCmd) remains(e *Env, store *queue.Store) error {
	shut, err := store.Suppressed(e.Context, c.Address)
	if err != nil || len(shut) == 0 {
		return err
	}
	for a := range shut {
		fmt.Fprintf(e.Stdout, "%s stays in the list of suppressed addresses, so that it gets no complaints. To take it out there too:\n    spamreport-milter queue suppress remove %s\n", a, quoted(a))
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
)

// QueueSuppressCmd groups what is done with addresses that get no complaints.
type QueueSuppressCmd struct {
	List   SuppressListCmd   `cmd:"" help:"List the addresses that get no complaints."`
	Add    SuppressAddCmd    `cmd:"" help:"Keep complaints from addresses."`
	Remove SuppressRemoveCmd `cmd:"" help:"Let addresses have complaints again."`
}

// SuppressListCmd lists.
type SuppressListCmd struct {
	JSON bool `name:"json" help:"One JSON object a line."`
}

// Run lists all of them.
func (c *SuppressListCmd) Run(e *Env) error {
	return withQueue(e, func(store *queue.Store) error {
		list, err := store.Suppressions(e.Context)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSONLines(e, list, func(p *queue.Suppression) any { return p })
		case len(list) == 0:
			fmt.Fprintln(e.Stdout, "no address is suppressed")
			return nil
		}
		w := newTable(e.Stdout)
		fmt.Fprintln(w, "ADDRESS\tSINCE\tUNTIL\tBY\tREASON")
		for _, p := range list {
			until := "for good"
			if !p.Expires.IsZero() {
				until = stamp(p.Expires)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", visible(p.Address), stamp(p.Since), until, visible(p.Actor), visible(p.Reason))
		}
		return w.Flush()
	})
}

// SuppressAddCmd adds.
type SuppressAddCmd struct {
	Addresses []string `arg:"" name:"mailbox" help:"Mailboxes."`
	Reason    string   `short:"r" placeholder:"TEXT" help:"Why; it is told to whoever wants to write there."`
	For       string   `placeholder:"TIME" help:"How long, such as 30d or 2w; for good if not given."`
}

// Run adds all of them, or none when one is wrong.
func (c *SuppressAddCmd) Run(e *Env) error {
	addresses, err := mailboxes(c.Addresses)
	if err != nil {
		return err
	}
	var expires time.Time
	if c.For != "" {
		d, ok := parseAge(c.For)
		if !ok {
			return usage("--for %q is no time such as 30d or 2w", c.For)
		}
		expires = time.Now().Add(d)
	}
	return withQueue(e, func(store *queue.Store) error {
		for _, a := range addresses {
			err := store.Suppress(e.Context, queue.Suppression{Address: a, Expires: expires, Actor: actor(), Reason: c.Reason})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.Stdout, "%s gets no complaints\n", strings.ToLower(a))
		}
		return nil
	})
}

// SuppressRemoveCmd removes.
type SuppressRemoveCmd struct {
	Addresses []string `arg:"" name:"mailbox" help:"Mailboxes."`
	Reason    string   `short:"r" placeholder:"TEXT" help:"Why; goes into the audit trail."`
}

// Run removes each; one that is not there does not keep the others back.
func (c *SuppressRemoveCmd) Run(e *Env) error {
	return withQueue(e, func(store *queue.Store) error {
		var missing []error
		for _, a := range c.Addresses {
			switch err := store.Unsuppress(e.Context, a, actor(), c.Reason); {
			case errors.Is(err, queue.ErrNotFound):
				missing = append(missing, fmt.Errorf("%s is not in the list of suppressed addresses", visible(a)))
			case err != nil:
				return err
			default:
				fmt.Fprintf(e.Stdout, "%s gets complaints again\n", visible(strings.ToLower(a)))
			}
		}
		if missing != nil {
			return &exitError{exData, errors.Join(missing...)}
		}
		return nil
	})
}

func mailboxes(list []string) ([]string, error) {
	checked := make([]string, len(list))
	for i, a := range list {
		var err error
		if checked[i], err = contact.Mailbox(a); err != nil {
			return nil, usage("%q is no mailbox: %w", a, err)
		}
	}
	return checked, nil
}

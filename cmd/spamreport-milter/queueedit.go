package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"spamreport-milter/queue"
)

// QueueEditCmd changes to whom a complaint goes and what it says.
type QueueEditCmd struct {
	ID     int64    `arg:"" help:"Number of the complaint."`
	To     []string `placeholder:"MAILBOX" help:"Whom to write to, in place of those there are; may be repeated."`
	Text   string   `placeholder:"FILE" help:"A file with the text, or - for standard input; an empty one brings the usual text back."`
	Reason string   `short:"r" placeholder:"TEXT" help:"Why; goes into the audit trail."`
}

// Help is shown by `queue edit --help`.
func (*QueueEditCmd) Help() string {
	return `Opens addressees and text in $VISUAL or $EDITOR, else vi, unless --to or --text say what is
new. Only a held complaint can be edited. The report and the original message in it stay as
they are; the change is an event.

    spamreport-milter queue edit 17
    spamreport-milter queue edit 17 --to abuse@net.example --reason "they wrote so"`
}

// Run edits. What a person wrote is never lost: when it can't be taken, its file stays.
func (c *QueueEditCmd) Run(e *Env) error {
	return withQueue(e, func(store *queue.Store) error {
		k, err := editable(e.Context, store, c.ID)
		if err != nil {
			return err
		}
		if c.To == nil && c.Text == "" {
			at := *e
			at.Context = context.WithoutCancel(e.Context) // Ctrl-C in the editor must not lose its text
			return c.byHand(&at, store, k)
		}
		d, err := c.byFlags(e, k)
		if err != nil {
			return err
		}
		return c.save(e, store, k, d)
	})
}

// byFlags changes what the flags say and leaves the rest.
func (c *QueueEditCmd) byFlags(e *Env, k *queue.Complaint) (d *draft, err error) {
	d = &draft{to: k.To, text: k.Letter}
	if c.To != nil {
		d.to = c.To
	}
	if c.Text != "" {
		if d.text, err = readText(e, c.Text); err != nil {
			return nil, err
		}
	}
	if err := d.check(); err != nil {
		return nil, &exitError{exData, err}
	}
	return d, nil
}

// editable returns a complaint that may be edited now, with its incidents.
func editable(ctx context.Context, store *queue.Store, id int64) (*queue.Complaint, error) {
	would, err := store.Would(ctx, queue.ActionEdited, id)
	if err != nil {
		return nil, err
	}
	if err := refused(would.Refused); err != nil {
		return nil, err
	}
	k, err := store.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	return &k.Complaint, nil
}

func readText(e *Env, name string) (string, error) {
	in := e.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", &exitError{exNoInput, err}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxLetter+1))
	if err != nil {
		return "", &exitError{exNoInput, err}
	}
	return string(b), nil
}

// save writes the change, unless somebody was faster.
func (c *QueueEditCmd) save(e *Env, store *queue.Store, k *queue.Complaint, d *draft) error {
	letter, err := letterOf(e, k, d)
	if err != nil {
		return err
	}
	if slices.Equal(d.to, k.To) && letter == k.Letter {
		fmt.Fprintf(e.Stdout, "complaint %d: nothing changed\n", k.ID)
		return nil
	}
	now, err := editable(e.Context, store, k.ID)
	if err != nil {
		return err
	}
	if !now.Updated.Equal(k.Updated) {
		return &exitError{exTempFail, fmt.Errorf("complaint %d was changed meanwhile: look at it and edit again", k.ID)}
	}
	if err := store.Edit(e.Context, k.ID, queue.Edit{To: d.to, Letter: letter}, actor(), c.Reason); err != nil {
		return err
	}
	fmt.Fprintf(e.Stdout, "complaint %d edited\n", k.ID)
	return warnSuppressed(e, store, d.to)
}

// letterOf is a person's text, or none where it is the usual one, which names the
// addressees: those there were, or those there are to be.
func letterOf(e *Env, k *queue.Complaint, d *draft) (string, error) {
	letter := plainText(d.text)
	for _, to := range [][]string{k.To, d.to} {
		as := *k
		as.To = to
		usual, err := usualText(e, &as)
		if err != nil {
			return "", err
		}
		if letter == plainText(usual) {
			return "", nil
		}
	}
	return letter, nil
}

// warnSuppressed tells what will keep a complaint from being approved.
func warnSuppressed(e *Env, store *queue.Store, to []string) error {
	shut, err := store.Suppressed(e.Context, to...)
	if err != nil {
		return err
	}
	for _, a := range to {
		if p, ok := shut[strings.ToLower(a)]; ok {
			fmt.Fprintf(e.Stderr, "%s gets no complaints (%s): lift that with `queue suppress remove`, or approving is refused\n", a, visible(p.Reason))
		}
	}
	return nil
}

// byHand lets a person edit until it is right, or until he gives up.
func (c *QueueEditCmd) byHand(e *Env, store *queue.Store, k *queue.Complaint) error {
	usual, err := usualText(e, k)
	if err != nil {
		return err
	}
	name, err := writeDraft(k, cmp.Or(k.Letter, usual))
	if err != nil {
		return err
	}
	keep := func(err error) error {
		return fmt.Errorf("%w\nnothing was changed; what you wrote is in %s", err, name)
	}
	for {
		if err := openEditor(e, name); err != nil {
			return keep(&exitError{exUnavailable, err})
		}
		d, err := readDraft(name)
		if err == nil {
			if err := c.save(e, store, k, d); err != nil {
				return keep(err)
			}
			return os.Remove(name)
		}
		err = &exitError{exData, err}
		if !isTerminal(e.Stdin) {
			return keep(err)
		}
		if fmt.Fprintln(e.Stderr, err); !ask(e, "Edit again?") {
			return keep(&exitError{exTempFail, errors.New("given up")})
		}
	}
}

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"spamreport-milter/queue"
)

// QueueVerifyCmd follows the audit trail.
type QueueVerifyCmd struct {
	Noted string `placeholder:"EVENT:HASH" help:"Also check that the trail once ended so, as an earlier run said."`
	JSON  bool   `name:"json" help:"One JSON object."`
}

// Help is shown by `queue verify --help`.
func (*QueueVerifyCmd) Help() string {
	return `Each event's hash covers the one before, so that none can be removed, added, moved or
altered without all later ones telling. Somebody who may write the database can write the
whole trail anew, though. Against that note what this prints at another place, on paper or
another machine, and give it to --noted later:

    spamreport-milter queue verify
    spamreport-milter queue verify --noted 1234:9f86d0…

The exit status is 65 when the trail was altered.`
}

// Run prints what the trail is.
func (c *QueueVerifyCmd) Run(e *Env) error {
	id, hash, err := parseNoted(c.Noted)
	if err != nil {
		return err
	}
	return withQueue(e, func(store *queue.Store) error {
		seen, err := verify(e, store)
		if err != nil {
			return err
		}
		if err := compareNoted(e, store, id, hash); err != nil {
			return err
		}
		if c.JSON {
			return newJSON(e.Stdout).Encode(trailView(seen))
		}
		text := trailText(seen)
		if id != 0 {
			text += fmt.Sprintf("as noted  the trail ended with event %d and its hash then\n", id)
		}
		_, err = io.WriteString(e.Stdout, text)
		return err
	})
}

func verify(e *Env, store *queue.Store) (queue.Trail, error) {
	p := newProgress(e.Stderr)
	defer p.end()
	return store.Verify(e.Context, func(done, all int64) { p.show("events", done, all) })
}

// parseNoted reads what an earlier run printed; no event for nothing.
func parseNoted(text string) (id int64, hash []byte, err error) {
	if text == "" {
		return 0, nil, nil
	}
	event, digits, _ := strings.Cut(text, ":")
	id, err = strconv.ParseInt(event, 10, 64)
	if err == nil {
		hash, err = hex.DecodeString(digits)
	}
	if err != nil || id < 1 || len(hash) != 32 {
		return 0, nil, usage("--noted %q is no EVENT:HASH with 64 hexadecimal digits, as `queue verify` prints it", text)
	}
	return id, hash, nil
}

func compareNoted(e *Env, store *queue.Store, id int64, hash []byte) error {
	if id == 0 {
		return nil
	}
	same, err := store.WasHead(e.Context, id, hash)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return &exitError{exData, fmt.Errorf("event %d is not in the trail: it was purged after its time, or the trail was written anew and is shorter", id)}
	case err != nil:
		return err
	case !same:
		return &exitError{exData, fmt.Errorf("%w: event %d has another hash than was noted: the trail was written anew", queue.ErrAltered, id)}
	}
	return nil
}

// trailText says what a verification has seen, in lines that can be noted.
func trailText(t queue.Trail) string {
	var b strings.Builder
	fmt.Fprintf(&b, "trail     unbroken, %d events", t.Events)
	if t.Events > 0 {
		fmt.Fprintf(&b, ", %d to %d", t.First, t.Head)
	}
	b.WriteByte('\n')
	if t.Events > 0 && t.First > 1 {
		fmt.Fprintf(&b, "purged    events up to %d, after their time\n", t.First-1)
	}
	if t.Erased > 0 {
		fmt.Fprintf(&b, "erased    the reasons of %d events, with persons' traces\n", t.Erased)
	}
	fmt.Fprintf(&b, "head      %d:%x\n", t.Head, t.Hash)
	return b.String()
}

// trailJSON is the same for programs.
type trailJSON struct {
	Events int64  `json:"events"`
	First  int64  `json:"first"`
	Head   int64  `json:"head"`
	Hash   string `json:"hash"`
	Erased int64  `json:"erased"`
}

func trailView(t queue.Trail) trailJSON {
	return trailJSON{t.Events, t.First, t.Head, hex.EncodeToString(t.Hash), t.Erased}
}

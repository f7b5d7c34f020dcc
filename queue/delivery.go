package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ComplaintClaim is a complaint to be sent. It ends by Record.
type ComplaintClaim struct {
	lease
	Complaint Complaint // with incidents and their reports, of which the first has its mail
}

// ClaimComplaint takes the next complaint that is ready, deferred and due, or
// left over by a worker whose lease ended; nil when there is none.
func (s *Store) ClaimComplaint(ctx context.Context, d time.Duration) (*ComplaintClaim, error) {
	c := &ComplaintClaim{lease: lease{
		token: rand.Text(),
		renew: `UPDATE complaints SET due = $3 WHERE id = $1 AND lease = $2`,
	}}
	found, err := commit(ctx, s, func(ctx context.Context, tx *change) (bool, error) {
		now := s.now()
		err := tx.QueryRowContext(ctx, nextComplaint+s.engine.work, micros(now)).Scan(&c.id)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if err := s.move(ctx, tx, Event{ComplaintID: c.id, Actor: s.system, Action: ActionSending}); err != nil {
			return false, err
		}
		_, err = tx.ExecContext(ctx, `UPDATE complaints SET lease = $1, due = $2, attempts = attempts + 1, gathers = NULL, sketch = $4 WHERE id = $3`,
			c.token, micros(now.Add(d)), c.id, []byte{})
		return true, err
	})
	if err != nil || !found {
		return nil, err
	}
	if err := s.load(ctx, c.id, &c.Complaint); err != nil {
		return nil, err
	}
	return c, nil
}

// load fills in a complaint that was just claimed.
func (s *Store) load(ctx context.Context, id int64, into *Complaint) error {
	return s.view(ctx, func(tx *transaction) error {
		c, err := readComplaint(ctx, tx, id)
		if err == nil {
			*into = *c
		}
		return err
	})
}

// Outcome is what became of an attempt to send.
type Outcome struct {
	State       State     // Sent, Deferred or Failed
	NextAttempt time.Time // for Deferred
	Taken       []string  // addressees that have it now
	Reason      string    // what the relay said
}

// outcomes are the actions that end a claim, by the state they lead to.
var outcomes = map[State]string{Sent: ActionSent, Deferred: ActionDeferred, Failed: ActionFailed}

// Record ends a claim with its outcome.
func (s *Store) Record(ctx context.Context, c *ComplaintClaim, o Outcome) error {
	action, ok := outcomes[o.State]
	if !ok {
		return fmt.Errorf("an attempt ends sent, deferred or failed, not %q", o.State)
	}
	if o.State == Deferred && o.NextAttempt.IsZero() {
		return errors.New("a deferred complaint needs the time of its next attempt")
	}
	taken, err := encodeList(append(c.Complaint.Taken, o.Taken...))
	if err != nil {
		return err
	}
	_, err = commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if err := endClaim(ctx, tx, &c.lease); err != nil {
			return none, err
		}
		err = s.move(ctx, tx, Event{ComplaintID: c.id, Actor: s.system, Action: action, Reason: o.Reason})
		if err != nil {
			return none, err
		}
		due := sql.NullInt64{Int64: micros(o.NextAttempt), Valid: o.State == Deferred}
		_, err = tx.ExecContext(ctx, `UPDATE complaints SET due = $1, taken = $2 WHERE id = $3`, due, taken, c.id)
		return none, err
	})
	return err
}

func endClaim(ctx context.Context, tx *change, l *lease) error {
	return owned(tx.ExecContext(ctx, `UPDATE complaints SET lease = NULL WHERE id = $1 AND lease = $2`, l.id, l.token))
}

// LookupClaim is a held complaint that is to be looked at again. It ends by
// SetContact. A person who decides about the complaint meanwhile ends it too.
type LookupClaim struct {
	lease
	Complaint Complaint // with incidents and their reports
}

// ClaimLookup takes the next held complaint that is due to be looked at; nil when
// there is none.
func (s *Store) ClaimLookup(ctx context.Context, d time.Duration) (*LookupClaim, error) {
	c := &LookupClaim{lease: lease{
		token: rand.Text(),
		renew: `UPDATE complaints SET lookup_at = $3 WHERE id = $1 AND lease = $2`,
	}}
	found, err := commit(ctx, s, func(ctx context.Context, tx *change) (bool, error) {
		now := s.now()
		err := tx.QueryRowContext(ctx, `
			UPDATE complaints SET lease = $2, lookup_at = $3
			WHERE id = (`+nextLookup+s.engine.work+`) RETURNING id`, micros(now), c.token, micros(now.Add(d))).Scan(&c.id)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil || !found {
		return nil, err
	}
	if err := s.load(ctx, c.id, &c.Complaint); err != nil {
		return nil, err
	}
	return c, nil
}

// Found is what a repeated look-up ended in.
type Found struct {
	To       []string        // still empty when nobody was found
	Contact  json.RawMessage // the whole answer
	Network  string
	Format   string // in which the contact takes complaints; empty for as before
	ASN      uint32
	Hold     string    // why the complaint is held from now on
	LookupAt time.Time // when to look again; zero for never
	Reason   string    // for the event
	Key      string    // of its Gathering from now on
	// Ready lets it out now, in the name of Sender.
	Ready  bool
	Sender Sender
	// Form makes it a person's task, to be brought to the desk's page.
	Form bool
}

// WaitsOn reports whether a look found a complaint's addressees as they were, and their
// time has not come.
func (f *Found) WaitsOn(c *Complaint) bool {
	return !f.Ready && !f.Form && !f.LookupAt.IsZero() && len(f.To) > 0 && slices.Equal(f.To, c.To) && f.Network == c.Network
}

// SetContact ends a look-up. The complaint stays held unless it is ready now, or a
// person's task; LookupAt counts only for a held one. That it has to wait on is no event:
// thousands may wait under one cap, and look whether there is room.
func (s *Store) SetContact(ctx context.Context, c *LookupClaim, f Found) error {
	if f.Ready && len(f.To) == 0 {
		return errors.New("a complaint without contact can't be ready")
	}
	if f.Ready && f.Form {
		return errors.New("a complaint goes out or to a page, not both")
	}
	to, err := encodeList(f.To)
	if err != nil {
		return err
	}
	action := ActionContact
	switch {
	case f.Ready:
		action = ActionReleased
	case f.Form:
		action, f.LookupAt = ActionTasked, time.Time{}
	}
	_, err = commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if err := endClaim(ctx, tx, &c.lease); err != nil {
			return none, err
		}
		e := Event{ComplaintID: c.id, Actor: s.system, Action: action, Reason: f.Reason}
		if err := s.shift(ctx, tx, &e); err != nil {
			return none, err
		}
		if !f.WaitsOn(&c.Complaint) {
			s.add(tx, e)
		}
		answer, err := s.keepAnswer(ctx, tx, f.Contact)
		if err != nil {
			return none, err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE complaints SET addressees = $1, answer_id = $2, network = $3, asn = $4, hold = $5, lookup_at = $6, format = $9,
				gathers = CASE WHEN gathers IS NULL THEN gathers ELSE $8 END WHERE id = $7`,
			to, answer, text(f.Network), f.ASN, text(f.Hold), moment(f.LookupAt), c.id, gatherKey(f.Key), cmp.Or(f.Format, c.Complaint.Format))
		if err == nil && f.Ready {
			err = s.letOut(ctx, tx, c.id, f.Sender)
		}
		if err != nil {
			return none, err
		}
		now := c.Complaint
		now.To, now.Network, now.ASN = f.To, f.Network, f.ASN
		return none, replaceTerms(ctx, tx, c.id, termsOf(&c.Complaint), termsOf(&now))
	})
	if err == nil && f.Ready {
		s.wakeWorkers()
	}
	return err
}

// letOut gives a complaint that is ready now to the workers.
func (s *Store) letOut(ctx context.Context, tx *change, id int64, sender Sender) error {
	name, err := encode(sender)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE complaints SET due = 0, lookup_at = NULL, ready_at = $1, sender = $2 WHERE id = $3`,
		micros(s.now()), name, id)
	return err
}

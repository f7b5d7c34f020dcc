package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Decision is what is to become of complaints.
type Decision struct {
	// Action is a key of transitions that a person or an answer of the desk
	// causes: ActionApproved, ActionHeld, ActionDropped, ActionRetried,
	// ActionRetracted, ActionDone, ActionBounced, ActionAnswered, ActionResolved
	// or ActionNoted.
	Action string
	Actor  string // "user:NAME", "desk:ADDRESS" …
	Reason string
	// Sender is in whose name goes out what goes out.
	Sender Sender
}

// Decided is what came of a Decision.
type Decided struct {
	Done    []int64
	Refused []Refusal
}

// Refusal is why one complaint was left as it was: ErrNotFound or ErrState.
type Refusal struct {
	ID  int64
	Err error
}

// maxDecided is how many complaints are changed in one transaction: other work
// waits for no more than these.
const maxDecided = 500

// Decide does the same to many complaints. One that can't be changed keeps no other
// back. When an error cuts it short, what is in Decided is done and stays.
func (s *Store) Decide(ctx context.Context, d Decision, ids ...int64) (all Decided, err error) {
	for some := range slices.Chunk(ids, maxDecided) {
		part, err := commit(ctx, s, func(ctx context.Context, tx *change) (Decided, error) {
			return s.decide(ctx, tx, d, some)
		})
		if err != nil {
			return all, err
		}
		all.Done = append(all.Done, part.Done...)
		all.Refused = append(all.Refused, part.Refused...)
	}
	if len(all.Done) > 0 {
		s.wakeWorkers()
	}
	return all, nil
}

func (s *Store) decide(ctx context.Context, tx *change, d Decision, ids []int64) (out Decided, err error) {
	found, err := s.standing(ctx, tx, ids)
	if err != nil {
		return out, err
	}
	shut, err := shutAddresses(ctx, tx, found, s.now())
	if err != nil {
		return out, err
	}
	for _, id := range ids {
		c, ok := found[id]
		if !ok {
			out.Refused = append(out.Refused, Refusal{id, fmt.Errorf("complaint %d is %w", id, ErrNotFound)})
			continue
		}
		to, err := c.may(id, d.Action, shut)
		if err != nil {
			out.Refused = append(out.Refused, Refusal{id, err})
			continue
		}
		delete(found, id) // named twice, done once
		out.Done = append(out.Done, id)
		s.add(tx, Event{ComplaintID: id, Actor: d.Actor, Action: d.Action, From: c.state, To: to, Reason: d.Reason})
	}
	if len(out.Done) == 0 {
		return out, nil
	}
	return out, s.apply(ctx, tx, d, out.Done)
}

// standing is what a decision depends on.
type standing struct {
	state State
	to    []string
}

// standing returns the complaints of ids that there are, and keeps them as they are
// until the commit.
func (s *Store) standing(ctx context.Context, tx *change, ids []int64) (map[int64]standing, error) {
	var w where
	in(&w, "id", ids)
	rows, err := tx.QueryContext(ctx, `SELECT id, state, addressees FROM complaints`+w.clause()+` ORDER BY id`+s.engine.row, w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[int64]standing, len(ids))
	for rows.Next() {
		var id int64
		var c standing
		var to string
		if err := rows.Scan(&id, &c.state, &to); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(to), &c.to); err != nil {
			return nil, fmt.Errorf("addressees of complaint %d: %w", id, err)
		}
		found[id] = c
	}
	return found, rows.Err()
}

// may returns where the action leads to, or why it can't be done.
func (c standing) may(id int64, action string, shut map[string]Suppression) (State, error) {
	to, err := next(id, c.state, action)
	if err != nil || to != Ready {
		return to, err
	}
	if len(c.to) == 0 {
		return "", stateError(fmt.Sprintf("complaint %d has no contact and can't be %s: wait for the next look-up, name one with `queue edit`, or drop it", id, action))
	}
	for _, a := range c.to {
		if sup, ok := shut[strings.ToLower(a)]; ok {
			return "", stateError(fmt.Sprintf("complaint %d can't be %s: %s gets no complaints (%s); name another with `queue edit`, or lift that with `queue suppress remove`",
				id, action, a, sup.Reason))
		}
	}
	return to, nil
}

// apply changes the rows of complaints that may be changed.
func (s *Store) apply(ctx context.Context, tx *change, d Decision, ids []int64) error {
	t := transitions[d.Action]
	if t.to == "" {
		return nil // it stays in the trail only
	}
	var w where
	set := `state = ` + w.arg(t.to) + `, updated = ` + w.arg(micros(s.now())) + `, lookup_at = NULL, lease = NULL, due = NULL`
	if t.to == Ready {
		sender, err := encode(d.Sender)
		if err != nil {
			return err
		}
		// A deferred one stays the same message: the relay may have had it once.
		set = strings.Replace(set, "due = NULL", "due = 0", 1) + `, attempts = 0,
			ready_at = CASE WHEN state = 'deferred' THEN ready_at ELSE ` + w.arg(micros(s.now())) + ` END,
			sender = CASE WHEN state = 'deferred' THEN sender ELSE ` + w.arg(sender) + ` END`
	}
	if t.to == Dropped || t.to == Sent {
		set += `, gathers = NULL, sketch = ` + w.arg([]byte{})
	}
	in(&w, "id", ids)
	if _, err := tx.ExecContext(ctx, `UPDATE complaints SET `+set+w.clause(), w.args...); err != nil {
		return err
	}
	if d.Action != ActionRetracted {
		return nil
	}
	for _, id := range ids {
		if err := s.withdraw(ctx, tx, d, id); err != nil {
			return err
		}
	}
	return nil
}

// FormatWithdrawal is the format of the message that takes a complaint back.
const FormatWithdrawal = "withdrawal"

// withdraw lets those who have a complaint know that it is taken back. The message
// is a complaint of its own, so that it is sent, tried again and shown like one.
func (s *Store) withdraw(ctx context.Context, tx *change, d Decision, id int64) error {
	c, err := readComplaint(ctx, tx.transaction, id)
	if err != nil {
		return err
	}
	w := Complaint{
		State: Ready, To: c.Taken, Source: c.Source, Network: c.Network, ASN: c.ASN, Party: c.Party, Domain: c.Domain,
		Format: FormatWithdrawal, Subject: c.Subject, Withdraws: id, Sender: d.Sender,
		MessageID: fmt.Sprintf("<%d.%s@%s>", id, strings.ToLower(rand.Text()), d.Sender.Host), Incidents: c.Incidents,
	}
	if len(w.To) == 0 {
		return nil // a person brought it to a page
	}
	n, err := s.insertComplaint(ctx, tx, &w)
	if err != nil {
		return err
	}
	s.add(tx, Event{ComplaintID: n, Actor: d.Actor, Action: ActionFiled, To: Ready, Reason: fmt.Sprintf("takes complaint %d back: %s", id, d.Reason)})
	return nil
}

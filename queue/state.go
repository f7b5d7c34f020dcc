package queue

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Actions of events. Those that move a complaint are in transitions.
const (
	ActionFiled     = "filed"     // a report became a complaint
	ActionJoined    = "joined"    // a report became part of a complaint that was there
	ActionReleased  = "released"  // its time had come: it goes out by itself
	ActionClosed    = "closed"    // a report ended without complaint
	ActionPostponed = "postponed" // a report is tried again later
	ActionContact   = "contact"   // the contact was looked up again
	ActionTasked    = "tasked"    // the same, and its desk has a page only: a person's task
	ActionApproved  = "approved"
	ActionHeld      = "held"
	ActionEdited    = "edited"
	ActionDropped   = "dropped"
	ActionReopened  = "reopened" // it came back, and another contact is looked for
	ActionRetried   = "retried"
	ActionRetracted = "retracted"
	ActionSending   = "sending" // a worker took it
	ActionSent      = "sent"
	ActionDeferred  = "deferred"
	ActionFailed    = "failed"
	ActionBounced   = "bounced"
	ActionAnswered  = "answered"
	ActionResolved  = "resolved"
	ActionNoted     = "noted" // something came back that changes nothing
	ActionDone      = "done"  // a person has pasted it into the desk's page

	ActionSuppressed   = "suppressed"   // an address gets nothing any more
	ActionUnsuppressed = "unsuppressed" // it does again
	ActionForgotten    = "forgotten"    // a person's traces were erased
	ActionPurged       = "purged"       // its time was over
)

// transition is one way between states; an empty to leaves the state as it is.
type transition struct {
	from []State
	to   State
}

// transitions holds every way between states that there is. A complaint that is
// being sent may be taken again when its lease has ended.
var transitions = map[string]transition{
	ActionApproved:  {[]State{Held}, Ready},
	ActionReleased:  {[]State{Held}, Ready},
	ActionHeld:      {[]State{Ready, Deferred, Failed, Bounced, Form}, Held},
	ActionEdited:    {[]State{Held}, Held},
	ActionDropped:   {[]State{Held, Ready, Deferred, Failed, Bounced, Form}, Dropped},
	ActionReopened:  {[]State{Bounced}, Held},
	ActionRetried:   {[]State{Deferred, Failed}, Ready},
	ActionRetracted: {[]State{Sent, Bounced, Answered, Resolved}, Retracted},
	ActionContact:   {[]State{Held}, Held},
	ActionTasked:    {[]State{Held}, Form},
	ActionSending:   {[]State{Ready, Deferred, Sending}, Sending},
	ActionSent:      {[]State{Sending}, Sent},
	ActionDeferred:  {[]State{Sending}, Deferred},
	ActionFailed:    {[]State{Sending}, Failed},
	ActionBounced:   {[]State{Sent, Answered}, Bounced},
	ActionAnswered:  {[]State{Sent, Bounced, Answered}, Answered},
	ActionResolved:  {[]State{Sent, Bounced, Answered, Resolved}, Resolved},
	ActionNoted:     {[]State{Sent, Bounced, Answered, Resolved, Retracted}, ""},
	ActionDone:      {[]State{Form}, Sent},
}

// stateError is a sentence for a person that is ErrState.
type stateError string

func (e stateError) Error() string { return string(e) }
func (e stateError) Unwrap() error { return ErrState }

// next returns where action takes complaint id from its state.
func next(id int64, from State, action string) (State, error) {
	t := transitions[action]
	if slices.Contains(t.from, from) {
		return cmp.Or(t.to, from), nil
	}
	return "", stateError(fmt.Sprintf("complaint %d is %s: only %s can be %s", id, from, either(t.from), action))
}

func either(states []State) string {
	if len(states) == 1 {
		return "a " + string(states[0]) + " one"
	}
	var b strings.Builder
	for i, s := range states {
		switch i {
		case 0:
		case len(states) - 1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	return b.String() + " ones"
}

// move takes a complaint along e.Action and writes the event. Whatever the old
// state was waiting for (claim, retry, look-up) ends; the caller sets anew what
// the new state waits for, in the same transaction.
func (s *Store) move(ctx context.Context, tx *change, e Event) error {
	if err := s.shift(ctx, tx, &e); err != nil {
		return err
	}
	s.add(tx, e)
	return nil
}

// shift is move without the event, which it fills in.
func (s *Store) shift(ctx context.Context, tx *change, e *Event) error {
	err := tx.QueryRowContext(ctx, `SELECT state FROM complaints WHERE id = $1`+s.engine.row, e.ComplaintID).Scan(&e.From)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("complaint %d is %w", e.ComplaintID, ErrNotFound)
	}
	if err != nil {
		return err
	}
	if e.To, err = next(e.ComplaintID, e.From, e.Action); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE complaints SET state = $1, updated = $2, due = NULL, lookup_at = NULL, lease = NULL WHERE id = $3`,
		e.To, micros(s.now()), e.ComplaintID)
	return err
}

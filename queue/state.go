package queue

import (
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
	ActionClosed    = "closed"    // a report ended without complaint
	ActionPostponed = "postponed" // a report is tried again later
	ActionContact   = "contact"   // the contact was looked up again
	ActionApproved  = "approved"
	ActionDropped   = "dropped"
	ActionSending   = "sending" // a worker took it
	ActionSent      = "sent"
	ActionDeferred  = "deferred"
	ActionFailed    = "failed"
)

// transition is one way between states.
type transition struct {
	from []State
	to   State
}

// transitions holds every way between states that there is. A complaint that is
// being sent may be taken again when its lease has ended.
var transitions = map[string]transition{
	ActionApproved: {[]State{Held, Failed}, Ready},
	ActionDropped:  {[]State{Held, Ready, Deferred, Failed}, Dropped},
	ActionContact:  {[]State{Held}, Held},
	ActionSending:  {[]State{Ready, Deferred, Sending}, Sending},
	ActionSent:     {[]State{Sending}, Sent},
	ActionDeferred: {[]State{Sending}, Deferred},
	ActionFailed:   {[]State{Sending}, Failed},
}

// stateError is a sentence for a person that is ErrState.
type stateError string

func (e stateError) Error() string { return string(e) }
func (e stateError) Unwrap() error { return ErrState }

// next returns where action takes complaint id from its state.
func next(id int64, from State, action string) (State, error) {
	t := transitions[action]
	if slices.Contains(t.from, from) {
		return t.to, nil
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
func (s *Store) move(ctx context.Context, tx *sql.Tx, e Event) error {
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
	if err != nil {
		return err
	}
	return s.addEvent(ctx, tx, e)
}

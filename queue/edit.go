package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Edit is what a person changes in a held complaint.
type Edit struct {
	To     []string
	Letter string // empty for the usual text
}

// Edit changes a complaint and leaves what was changed in the trail. Nothing is
// written when nothing differs.
func (s *Store) Edit(ctx context.Context, id int64, e Edit, actor, reason string) error {
	to, err := encodeList(e.To)
	if err != nil {
		return err
	}
	_, err = commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		c, err := readComplaint(ctx, tx.transaction, id)
		if err != nil {
			return none, err
		}
		what := e.differs(c)
		if what == "" {
			return none, nil
		}
		if reason != "" {
			what += ": " + reason
		}
		if err := s.move(ctx, tx, Event{ComplaintID: id, Actor: actor, Action: ActionEdited, Reason: what}); err != nil {
			return none, err
		}
		if len(e.To) > 0 && len(c.To) == 0 {
			c.Hold = "" // it was held for want of a contact
		}
		_, err = tx.ExecContext(ctx, `UPDATE complaints SET addressees = $1, letter = $2, hold = $3, lookup_at = $4, gathers = NULL, sketch = $6 WHERE id = $5`,
			to, text(e.Letter), text(c.Hold), lookupOf(e.To, c), id, []byte{}) // what a person wrote speaks of what he saw
		if err != nil {
			return none, err
		}
		old := termsOf(c)
		c.To = e.To
		return none, replaceTerms(ctx, tx, id, old, termsOf(c))
	})
	return err
}

// lookupOf is when the contact is asked for again: as before, while there is none.
func lookupOf(to []string, c *Complaint) any {
	if len(to) > 0 || c.LookupAt.IsZero() {
		return nil
	}
	return micros(c.LookupAt)
}

// differs says in words what an edit changes.
func (e *Edit) differs(c *Complaint) string {
	var what []string
	if !slices.Equal(e.To, c.To) {
		what = append(what, fmt.Sprintf("addressees %s in place of %s", listed(e.To), listed(c.To)))
	}
	switch {
	case e.Letter == c.Letter:
	case e.Letter == "":
		what = append(what, "the usual text again")
	default:
		what = append(what, fmt.Sprintf("a text of %d lines", strings.Count(e.Letter, "\n")+1))
	}
	return strings.Join(what, ", ")
}

func listed(addresses []string) string {
	if len(addresses) == 0 {
		return "nobody"
	}
	return strings.Join(addresses, ", ")
}

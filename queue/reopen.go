package queue

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
)

// Reopen takes a complaint that came back to its beginning: it is held without a
// contact, and one is looked up at once. It gets a Message-ID of its own, because
// what goes out next is another message to somebody else. A person decides about it
// again. ErrState where it has not bounced.
func (s *Store) Reopen(ctx context.Context, id int64, actor, reason string) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		c, err := readComplaint(ctx, tx.transaction, id)
		if err != nil {
			return none, err
		}
		if err := s.move(ctx, tx, Event{ComplaintID: id, Actor: actor, Action: ActionReopened, Reason: reason}); err != nil {
			return none, err
		}
		old := termsOf(c)
		c.To, c.Hold = nil, reason
		c.MessageID = fmt.Sprintf("<%d.%s@%s", id, strings.ToLower(rand.Text()), c.MessageID[strings.LastIndexByte(c.MessageID, '@')+1:])
		_, err = tx.ExecContext(ctx, `
			UPDATE complaints SET addressees = '[]', taken = '[]', attempts = 0, ready_at = 0, sender = '{}', 
				hold = $1, message_id = $2, lookup_at = $3, gathers = NULL, sketch = $4 WHERE id = $5`,
			text(c.Hold), c.MessageID, micros(s.now()), []byte{}, id)
		if err != nil {
			return none, err
		}
		return none, replaceTerms(ctx, tx, id, old, termsOf(c))
	})
	if err == nil {
		s.wakeWorkers()
	}
	return err
}

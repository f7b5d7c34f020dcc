package queue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// The trail is a chain: each event's hash covers the one before it, so that no
// line can be taken out or altered without all later ones telling. Reasons are
// covered by a salted digest, which stays when a person's traces are erased: the
// chain holds, and the words can't be guessed back.

const saltSize = 16

// link returns the hash of an event behind the one with the hash before: SHA-256
// over that hash and the event's fields, each with its length in front.
func link(before []byte, e *Event, reason []byte) []byte {
	h := sha256.New()
	part(h, before)
	number(h, e.ID)
	number(h, micros(e.Time))
	number(h, e.ComplaintID)
	number(h, e.ReportID)
	for _, s := range []string{e.Actor, e.Action, string(e.From), string(e.To)} {
		part(h, []byte(s))
	}
	part(h, reason)
	return h.Sum(nil)
}

func number(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func part(h hash.Hash, b []byte) {
	number(h, int64(len(b)))
	h.Write(b)
}

// digest is what the chain covers of a reason.
func digest(salt []byte, reason string) []byte {
	h := sha256.New()
	part(h, salt)
	h.Write([]byte(reason))
	return h.Sum(nil)
}

// add notes an event of the transaction. It is written when all else is.
func (s *Store) add(c *change, e Event) {
	e.Time = s.now()
	e.Actor, e.Reason = text(e.Actor), text(e.Reason)
	c.events = append(c.events, e)
}

// record writes the events and counts that the members of a group left. The row of
// the trail is theirs until the commit, so that daemons on other hosts wait, and
// the chain is one.
func (s *Store) record(ctx context.Context, c *change) error {
	if len(c.events) == 0 {
		return nil
	}
	var id int64
	var head []byte
	err := c.QueryRowContext(ctx, `SELECT head_id, head_hash FROM trail WHERE one = 1`+s.engine.row).Scan(&id, &head)
	if err != nil {
		return err
	}
	if head, err = chain(ctx, c, id, head); err != nil {
		return err
	}
	id += int64(len(c.events))
	if _, err = c.ExecContext(ctx, `UPDATE trail SET head_id = $1, head_hash = $2 WHERE one = 1`, id, head); err != nil {
		return err
	}
	return count(ctx, c)
}

// chain inserts the events behind the one that is head, and returns the new head.
func chain(ctx context.Context, c *change, id int64, head []byte) ([]byte, error) {
	salts := make([]byte, saltSize*len(c.events))
	rand.Read(salts) // never fails
	rows := newRows(ctx, c, `INSERT INTO events
		(id, time, complaint_id, report_id, actor, action, from_state, to_state, reason, salt, hash)`)
	for i := range c.events {
		e := &c.events[i]
		id++
		e.ID = id
		salt := salts[i*saltSize:][:saltSize]
		head = link(head, e, digest(salt, e.Reason))
		err := rows.add(e.ID, micros(e.Time), orNull(e.ComplaintID), orNull(e.ReportID),
			e.Actor, e.Action, e.From, e.To, e.Reason, salt, head)
		if err != nil {
			return nil, err
		}
	}
	return head, rows.flush()
}

// orNull is an id in a column that is NULL for none.
func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

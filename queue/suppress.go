package queue

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Suppression is an address that gets no complaints: it bounced, or asked for that.
type Suppression struct {
	Address string    `json:"address"` // in lower case
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires,omitzero"` // zero for never
	Actor   string    `json:"actor"`
	Reason  string    `json:"reason"`
}

// Suppress keeps complaints from an address until p.Expires. Held and approved ones
// are refused to it from then on.
func (s *Store) Suppress(ctx context.Context, p Suppression) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		return none, s.suppress(ctx, tx, p)
	})
	return err
}

func (s *Store) suppress(ctx context.Context, tx *change, p Suppression) error {
	address := text(strings.ToLower(p.Address))
	_, err := tx.ExecContext(ctx, `
		INSERT INTO suppressions (address, since, expires, actor, reason) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (address) DO UPDATE SET since = excluded.since, expires = excluded.expires,
			actor = excluded.actor, reason = excluded.reason`,
		address, micros(s.now()), micros(p.Expires), text(p.Actor), text(p.Reason))
	if err != nil {
		return err
	}
	s.add(tx, Event{Actor: p.Actor, Action: ActionSuppressed, Reason: address + ": " + p.Reason})
	return nil
}

// Unsuppress lets an address have complaints again, or is ErrNotFound.
func (s *Store) Unsuppress(ctx context.Context, address, actor, reason string) error {
	address = strings.ToLower(address)
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		r, err := tx.ExecContext(ctx, `DELETE FROM suppressions WHERE address = $1`, address)
		if err != nil {
			return none, err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return none, orErr(err, fmt.Errorf("%s is %w of suppressed addresses", address, ErrNotFound))
		}
		s.add(tx, Event{Actor: actor, Action: ActionUnsuppressed, Reason: strings.TrimSuffix(address+": "+reason, ": ")})
		return none, nil
	})
	return err
}

func orErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Suppressions returns all addresses that get nothing now, in their order.
func (s *Store) Suppressions(ctx context.Context) (list []Suppression, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		var w where
		list, err = readSuppressions(ctx, tx, &w, s.now())
		return err
	})
	return list, err
}

// Suppressed returns those of the addresses that get nothing now, in lower case.
func (s *Store) Suppressed(ctx context.Context, addresses ...string) (shut map[string]Suppression, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		shut, err = shutOf(ctx, tx, addresses, s.now())
		return err
	})
	return shut, err
}

// shutAddresses are those among the addressees of complaints.
func shutAddresses(ctx context.Context, tx *change, found map[int64]standing, now time.Time) (map[string]Suppression, error) {
	all := map[string]bool{}
	for _, c := range found {
		for _, a := range c.to {
			all[a] = true
		}
	}
	addresses := make([]string, 0, len(all))
	for a := range all {
		addresses = append(addresses, a)
	}
	return shutOf(ctx, tx.transaction, addresses, now)
}

func shutOf(ctx context.Context, tx *transaction, addresses []string, now time.Time) (map[string]Suppression, error) {
	shut := map[string]Suppression{}
	if len(addresses) == 0 {
		return shut, nil
	}
	lower := make([]string, len(addresses))
	for i, a := range addresses {
		lower[i] = strings.ToLower(a)
	}
	var w where
	in(&w, "address", lower)
	list, err := readSuppressions(ctx, tx, &w, now)
	for _, p := range list {
		shut[p.Address] = p
	}
	return shut, err
}

func readSuppressions(ctx context.Context, tx *transaction, w *where, now time.Time) (list []Suppression, err error) {
	w.conditions = append(w.conditions, `(expires = 0 OR expires > `+w.arg(micros(now))+`)`)
	rows, err := tx.QueryContext(ctx, `SELECT address, since, expires, actor, reason FROM suppressions`+w.clause()+` ORDER BY address`, w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Suppression
		var since, expires int64
		if err := rows.Scan(&p.Address, &since, &expires, &p.Actor, &p.Reason); err != nil {
			return nil, err
		}
		p.Since, p.Expires = fromMicros(since), fromMicros(expires)
		list = append(list, p)
	}
	return list, rows.Err()
}

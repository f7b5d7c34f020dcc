package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"time"
)

// Claim is work that one worker has for a while. When its lease ends anybody may
// take the work, and what is written under the old claim gets ErrLeaseLost.
type Claim interface{ held() *lease }

// lease proves a claim by a random token in the claimed row.
type lease struct {
	id    int64
	token string
	renew string // SQL that moves the end of the lease
}

func (l *lease) held() *lease { return l }

// Renew makes the lease of a claim end a while from now instead.
func (s *Store) Renew(ctx context.Context, c Claim, lease time.Duration) error {
	l := c.held()
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		return none, owned(tx.ExecContext(ctx, l.renew, l.id, l.token, micros(s.now().Add(lease))))
	})
	return err
}

// owned turns the outcome of an UPDATE that asks for the token into ErrLeaseLost
// when it met no row.
func owned(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = ErrLeaseLost
	}
	return err
}

// ReportClaim is a report to be worked on. It ends by one of File, Join,
// CloseReport and ReleaseReport.
type ReportClaim struct {
	lease
	Report   Report
	Attempts int // how often it was claimed, this time included
}

// nextReports, nextComplaint and nextLookup find work that is due at $1.
const (
	nextReports   = `SELECT id, due, body_size FROM reports WHERE due <= $1 ORDER BY due, id LIMIT $4`
	nextComplaint = `SELECT id FROM complaints WHERE due <= $1 ORDER BY due, id LIMIT 1`
	nextLookup    = `SELECT id FROM complaints WHERE lookup_at <= $1 ORDER BY lookup_at, id LIMIT 1`
)

// ClaimReports takes the next reports that are due, fresh ones first: many for the price
// of one. It takes n at most, and no further ones when those before have so many octets
// of body. The claims last for the lease unless renewed. With an error
// may come claims all the same; what could not be read comes up again when its lease
// ends.
func (s *Store) ClaimReports(ctx context.Context, n int, octets int64, d time.Duration) ([]*ReportClaim, error) {
	token := rand.Text()
	claims, err := commit(ctx, s, func(ctx context.Context, tx *change) (claims []*ReportClaim, err error) {
		now := s.now()
		rows, err := tx.QueryContext(ctx, `
			UPDATE reports SET lease = $2, due = $3, attempts = attempts + 1
			WHERE id IN (SELECT id FROM (
				SELECT id, body_size, sum(body_size) OVER (ORDER BY due, id) AS octets FROM (`+nextReports+s.engine.work+`) AS waiting
			) AS added WHERE octets - body_size < $5) RETURNING id, attempts`,
			micros(now), token, micros(now.Add(d)), n, octets)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			c := &ReportClaim{lease: lease{token: token, renew: `UPDATE reports SET due = $3 WHERE id = $1 AND lease = $2`}}
			if err := rows.Scan(&c.id, &c.Attempts); err != nil {
				return nil, err
			}
			claims = append(claims, c)
		}
		return claims, rows.Err()
	})
	if err != nil || len(claims) == 0 {
		return nil, err
	}
	slices.SortFunc(claims, func(a, b *ReportClaim) int { return cmp.Compare(a.id, b.id) })
	return s.readClaimed(ctx, claims)
}

// readClaimed fills the reports in.
func (s *Store) readClaimed(ctx context.Context, claims []*ReportClaim) (read []*ReportClaim, err error) {
	var faults []error
	err = s.view(ctx, func(tx *transaction) error {
		for _, c := range claims {
			r, err := readReport(ctx, tx, c.id, mailColumns)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			c.Report = *r
			read = append(read, c)
		}
		return nil
	})
	return read, errors.Join(append(faults, err)...)
}

// File ends a report with a complaint, which is held, ready or form, has its
// Message-ID, and the report among its incidents. It returns the complaint's
// id. Complaint, incidents, event and the report's end are one change. ID,
// Created and Updated are set here, as is ReadyAt of a ready one if zero.
// LookupAt counts only for a held one. Beside it the report may make complaints to
// other parties: all are filed, or none. Where its Gathering says so, the report joins
// a complaint that was filed meanwhile, and none of these is made.
func (s *Store) File(ctx context.Context, claim *ReportClaim, c Complaint, beside ...Complaint) (id int64, joined bool, err error) {
	all := append([]Complaint{c}, beside...)
	for i := range all {
		if err := all[i].check(claim.id); err != nil {
			return 0, false, err
		}
	}
	id, err = commit(ctx, s, func(ctx context.Context, tx *change) (id int64, err error) {
		if id, joined, err = s.joinNewer(ctx, tx, claim, &c); joined || err != nil {
			return id, err
		}
		return s.fileAll(ctx, tx, claim, all)
	})
	if err == nil {
		s.wakeWorkers()
	}
	return id, joined, err
}

// fileAll returns the id of the first.
func (s *Store) fileAll(ctx context.Context, tx *change, claim *ReportClaim, all []Complaint) (first int64, err error) {
	if err := endReport(ctx, tx, claim); err != nil {
		return 0, err
	}
	s.counted(tx, TallyCause, string(claim.Report.Cause))
	for i := range all {
		c := &all[i]
		id, err := s.insertComplaint(ctx, tx, c)
		if err != nil {
			return 0, err
		}
		first = cmp.Or(first, id)
		s.add(tx, Event{ComplaintID: id, ReportID: claim.id, Actor: s.system, Action: ActionFiled, To: c.State, Reason: c.Hold})
	}
	return first, nil
}

func endReport(ctx context.Context, tx *change, c *ReportClaim) error {
	return owned(tx.ExecContext(ctx, `UPDATE reports SET due = NULL, lease = NULL WHERE id = $1 AND lease = $2`, c.id, c.token))
}

// CloseReport ends a report without a complaint. The reason stands in an event.
func (s *Store) CloseReport(ctx context.Context, c *ReportClaim, reason string) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		if err := endReport(ctx, tx, c); err != nil {
			return none, err
		}
		s.counted(tx, TallyCause, string(c.Report.Cause))
		s.add(tx, Event{ReportID: c.id, Actor: s.system, Action: ActionClosed, Reason: reason})
		return none, nil
	})
	return err
}

// ReleaseReport gives a report back, to be claimed again from retryAt on. Attempts
// count anew.
func (s *Store) ReleaseReport(ctx context.Context, c *ReportClaim, retryAt time.Time, reason string) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		err = owned(tx.ExecContext(ctx, `UPDATE reports SET due = $3, lease = NULL, attempts = 0 WHERE id = $1 AND lease = $2`,
			c.id, c.token, micros(retryAt)))
		if err != nil {
			return none, err
		}
		s.add(tx, Event{ReportID: c.id, Actor: s.system, Action: ActionPostponed, Reason: reason})
		return none, nil
	})
	return err
}

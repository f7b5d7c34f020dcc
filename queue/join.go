package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Gathering is how reports of one mailing find the complaint that they belong to.
type Gathering struct {
	// Key is equal for complaints that reports may move between: about the same, to
	// the same. A complaint with an empty one stays about its one report.
	Key string
	// Sketch is what the mailing is known by; its form is the reporter's.
	Sketch []byte
	// Seen is the newest complaint of the key that the mailing was compared with, and
	// Joins chooses among those that were filed since, newest first, the one that the
	// report joins. It may be asked more than once; nil joins none.
	Seen  int64
	Joins func([]Candidate) (id int64, ok bool)
}

// Candidate is a complaint that may still take reports.
type Candidate struct {
	ID     int64
	State  State // Held, Form or Ready
	Sketch []byte
}

// ErrJoin means that a complaint takes no report any more: it goes out, a person
// has decided about it, or it is full.
var ErrJoin = errors.New("complaint takes no more reports")

const (
	// MaxIncidents of one complaint; reading a case must stay cheap.
	MaxIncidents = 1000
	// MaxCandidates that one mailing is compared with, the newest first.
	MaxCandidates = 100
)

const selectCandidates = `SELECT id, state, sketch FROM complaints WHERE gathers = $1 AND id > $2 ORDER BY id DESC LIMIT $3`

func gatherKey(key string) sql.NullInt64 {
	return sql.NullInt64{Int64: term("gathers", key), Valid: key != ""}
}

// Candidates returns the complaints of a key that may still take reports, newest
// first, of many the newest hundred.
func (s *Store) Candidates(ctx context.Context, key string) (all []Candidate, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		all, err = readCandidates(ctx, tx, key, 0)
		return err
	})
	return all, err
}

// readCandidates returns those that were filed after one.
func readCandidates(ctx context.Context, tx *transaction, key string, after int64) (all []Candidate, err error) {
	rows, err := tx.QueryContext(ctx, selectCandidates, gatherKey(key), after, MaxCandidates)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Candidate
		if err := rows.Scan(&c.ID, &c.State, &c.Sketch); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// Join ends a report's claim by adding it to a complaint, the report filled in. It
// fails with ErrJoin when that can't take it any more; the claim goes on then.
func (s *Store) Join(ctx context.Context, claim *ReportClaim, complaint int64, in Incident) error {
	in.ReportID = claim.id
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		return none, s.join(ctx, tx, claim, complaint, in)
	})
	return err
}

func (s *Store) join(ctx context.Context, tx *change, claim *ReportClaim, complaint int64, in Incident) error {
	position, state, err := s.nextPosition(ctx, tx, complaint)
	if err != nil {
		return err
	}
	if err := endReport(ctx, tx, claim); err != nil {
		return err
	}
	if err := insertIncident(ctx, tx, complaint, position, in); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE complaints SET updated = $1 WHERE id = $2`, micros(s.now()), complaint); err != nil {
		return err
	}
	s.counted(tx, TallyCause, string(claim.Report.Cause))
	s.add(tx, Event{ComplaintID: complaint, ReportID: claim.id, Actor: s.system, Action: ActionJoined, From: state, To: state})
	tx.addTerms(complaint, incidentTerms(&in))
	return nil
}

// nextPosition returns where the next incident of a complaint stands, and keeps the
// complaint as it is until the commit.
func (s *Store) nextPosition(ctx context.Context, tx *change, complaint int64) (position int, state State, err error) {
	var key sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT state, gathers FROM complaints WHERE id = $1`+s.engine.row, complaint).Scan(&state, &key)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !key.Valid {
		return 0, "", fmt.Errorf("%d: %w", complaint, ErrJoin)
	}
	if err != nil {
		return 0, "", err
	}
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(position) + 1, 0) FROM incidents WHERE complaint_id = $1`, complaint).Scan(&position)
	if err == nil && position >= MaxIncidents {
		err = fmt.Errorf("%d has %d: %w", complaint, position, ErrJoin)
	}
	return position, state, err
}

// joinNewer adds the report to a complaint that its reporter has not seen, where the
// gathering finds one. What others file of the key meanwhile waits for the commit.
func (s *Store) joinNewer(ctx context.Context, tx *change, claim *ReportClaim, c *Complaint) (id int64, joined bool, err error) {
	g := &c.Gathering
	if g.Key == "" || g.Joins == nil {
		return 0, false, nil
	}
	if s.engine.keyLock != "" {
		if _, err := tx.ExecContext(ctx, s.engine.keyLock, int32(gatherKey(g.Key).Int64)); err != nil {
			return 0, false, err
		}
	}
	newer, err := readCandidates(ctx, tx.transaction, g.Key, g.Seen)
	if err != nil {
		return 0, false, err
	}
	id, ok := g.Joins(newer)
	if !ok {
		return 0, false, nil
	}
	for _, in := range c.Incidents {
		if in.ReportID == claim.id {
			in.Proof = nil // it speaks of complaints that are not made now
			err = s.join(ctx, tx, claim, id, in)
		}
	}
	if errors.Is(err, ErrJoin) {
		return 0, false, nil
	}
	return id, err == nil, err
}

// LetOut chooses complaints that were let out: to a mailbox, about a network, or all.
type LetOut struct {
	Contact string
	Network netip.Prefix
	Since   time.Time
	Limit   int
}

// LetOut returns when complaints were let out after f.Since, newest first. Those that a
// person has taken back don't count.
func (s *Store) LetOut(ctx context.Context, f LetOut) (at []time.Time, err error) {
	var w where
	w.and("c.ready_at <> 0 AND c.ready_at > ", micros(f.Since))
	w.conditions = append(w.conditions, `c.state NOT IN ('held', 'dropped', 'form')`)
	filter := Filter{Contact: f.Contact, Network: f.Network}
	filter.conditions(&w)
	terms, err := filter.terms()
	if err != nil {
		return nil, err
	}
	(&search{}).having(&w, terms)
	err = s.view(ctx, func(tx *transaction) error {
		all, err := column[int64](ctx, tx, `SELECT c.ready_at FROM complaints c`+w.clause()+
			` ORDER BY c.ready_at DESC LIMIT `+w.arg(limit(f.Limit)), w.args...)
		for _, n := range all {
			at = append(at, fromMicros(n))
		}
		return err
	})
	return at, err
}

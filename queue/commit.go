package queue

import (
	"context"
	"database/sql"
	"errors"
)

// maxGroup bounds one transaction: how much a crash can undo that nobody was
// told of, and how long the first of a group waits for the last.
const maxGroup = 128

// change is the transaction that a group of jobs writes in. New reports, terms, events
// and counts are collected: they are stored together, and who writes to the trail
// holds it until the commit, so that comes last.
type change struct {
	*transaction
	reports []*incoming
	events  []Event
	tallies []tally
	terms   []termRow
	unnamed bool // place-holders of many rows are ? and not $1
	careful bool // what one member did can be undone without the others
}

// errSpoiled means that a member failed half-way in a change that is not careful.
var errSpoiled = errors.New("a change failed half-way")

// job is one change that waits for the writer. It may run several times, but is
// committed at most once.
type job struct {
	ctx  context.Context
	run  func(context.Context, *change) error
	done chan error
	// report is to be stored, in place of run. It fails only when the database
	// does.
	report *incoming
}

// commit has the writer run fn and returns when the change is durable. The
// error of a ctx that ends before the writer took the change means that nothing
// was changed; after that the outcome is waited for, a few seconds at worst, and
// fn's own context doesn't end. Changes that wait together share one sync of the
// disk.
func commit[T any](ctx context.Context, s *Store, fn func(context.Context, *change) (T, error)) (T, error) {
	var result, none T
	j := &job{run: func(ctx context.Context, c *change) (err error) {
		result, err = fn(ctx, c)
		return err
	}}
	if err := s.hand(ctx, j); err != nil {
		return none, err
	}
	return result, nil
}

// hand gives a job to the writer and waits for its end.
func (s *Store) hand(ctx context.Context, j *job) error {
	j.ctx, j.done = ctx, make(chan error, 1)
	if err := s.enter(); err != nil {
		return err
	}
	defer s.pending.Done()
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.explain(<-j.done)
}

func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.pending.Add(1)
	return nil
}

// run is a writer: it takes all changes that wait and commits them together.
func (s *Store) run() {
	for j := range s.jobs {
		s.runGroup(s.gather(j))
	}
}

// gather adds to first what waits at this moment. It never waits itself: while
// one group is being synced the next one assembles.
func (s *Store) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case j, ok := <-s.jobs:
			if !ok {
				return group
			}
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

// runGroup commits a group and tells each member. When the engine gave up the
// whole transaction, as SQLite does on a full disk, each is tried alone: a small
// report may still fit where a large one did not.
func (s *Store) runGroup(group []*job) {
	// The callers' contexts don't reach in here: SQLite undoes the work of all
	// when a statement is interrupted.
	ctx, cancel := s.patient()
	defer cancel()
	errs, err := s.transact(ctx, group, false)
	if errors.Is(err, errSpoiled) {
		errs, err = s.transact(ctx, group, true)
	}
	switch {
	case err == nil:
		tell(group, func(i int) error { return errs[i] })
	case len(group) == 1, ctx.Err() != nil, !s.engine.undone(err):
		tell(group, func(int) error { return err })
	default:
		for _, j := range group {
			s.runGroup([]*job{j})
		}
	}
}

// transact runs and commits a group. It returns the members' errors, or a second
// one when the transaction did not survive. To be careful costs each member a
// savepoint, and SQLite a copy of the pages that it writes to: few groups need it.
func (s *Store) transact(ctx context.Context, group []*job, careful bool) (errs []error, broken error) {
	if err := s.engine.ready(s, ctx); err != nil {
		return nil, err
	}
	tx, err := s.begin(ctx, s.writer, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // does nothing after Commit
	c := &change{transaction: tx, unnamed: s.engine.unnamed, careful: careful}
	if errs, err = c.runMembers(ctx, group); err != nil {
		return nil, err
	}
	if len(c.reports) > 0 {
		if err := s.engine.insertReports(s, ctx, c, c.reports); err != nil {
			return nil, err
		}
	}
	if err := c.writeTerms(ctx); err != nil {
		return nil, err
	}
	if err := s.record(ctx, c); err != nil {
		return nil, err
	}
	return errs, tx.Commit()
}

// begin starts a transaction. A connection that the server has closed since it was
// last used fails here, where nothing is lost by taking the next.
func (s *Store) begin(ctx context.Context, db *pool, o *sql.TxOptions) (tx *transaction, err error) {
	for range s.engine.beginnings {
		if tx, err = db.begin(ctx, o); err == nil || ctx.Err() != nil {
			break
		}
	}
	return tx, err
}

// patient is the context of one group. A server that went away must not hold up
// the MTA; a file on this machine has SQLite's own patience.
func (s *Store) patient() (context.Context, context.CancelFunc) {
	if s.engine.patience == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), s.engine.patience)
}

func tell(group []*job, outcome func(i int) error) {
	for i, j := range group {
		j.done <- outcome(i)
	}
}

// runMembers runs the members of a group in turn. It returns their errors, or a
// second one when the transaction did not survive.
func (c *change) runMembers(ctx context.Context, group []*job) (errs []error, broken error) {
	errs = make([]error, len(group))
	for i, j := range group {
		if errs[i] = context.Cause(j.ctx); errs[i] != nil {
			continue
		}
		if j.report != nil {
			c.reports = append(c.reports, j.report)
			continue
		}
		if errs[i], broken = c.runMember(ctx, j); broken != nil {
			return nil, broken
		}
	}
	return errs, nil
}

func (c *change) runMember(ctx context.Context, j *job) (err, broken error) {
	if c.careful {
		return c.runSaved(ctx, j)
	}
	c.touched = false
	if err = c.runTold(ctx, j.run); err != nil && c.touched {
		return nil, errSpoiled
	}
	return err, nil
}

// runTold forgets what a member that fails has noted.
func (c *change) runTold(ctx context.Context, run func(context.Context, *change) error) error {
	events, tallies, terms := len(c.events), len(c.tallies), len(c.terms)
	err := run(ctx, c)
	if err != nil {
		c.events, c.tallies, c.terms = c.events[:events], c.tallies[:tallies], c.terms[:min(terms, len(c.terms))]
	}
	return err
}

func (c *change) runSaved(ctx context.Context, j *job) (err, broken error) {
	if _, err := c.ExecContext(ctx, "SAVEPOINT member"); err != nil {
		return nil, err
	}
	err = c.runTold(ctx, func(ctx context.Context, c *change) error {
		if err := j.run(ctx, c); err != nil {
			return err
		}
		return c.writeTerms(ctx) // else a later one that fails would undo them
	})
	if err != nil {
		if _, failed := c.ExecContext(ctx, "ROLLBACK TO SAVEPOINT member"); failed != nil {
			return nil, err // which is why there is nothing to roll back
		}
	}
	_, broken = c.ExecContext(ctx, "RELEASE SAVEPOINT member")
	return err, broken
}

package queue

import (
	"context"
	"database/sql"
)

// maxGroup bounds one transaction: how much a crash can undo that nobody was
// told of, and how long the first of a group waits for the last.
const maxGroup = 128

// job is one change that waits for the writer. It may run twice, but is
// committed at most once.
type job struct {
	ctx  context.Context
	run  func(context.Context, *sql.Tx) error
	done chan error
}

// commit has the writer run fn and returns when the change is durable. The
// error of a ctx that ends before the writer took the change means that nothing
// was changed; after that the outcome is waited for, a few seconds at worst, and
// fn's own context doesn't end. Changes that wait together share one sync of the
// disk.
func commit[T any](ctx context.Context, s *Store, fn func(context.Context, *sql.Tx) (T, error)) (T, error) {
	var result, none T
	j := &job{ctx: ctx, done: make(chan error, 1), run: func(ctx context.Context, tx *sql.Tx) (err error) {
		result, err = fn(ctx, tx)
		return err
	}}
	if err := s.enter(); err != nil {
		return none, err
	}
	defer s.pending.Done()
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	if err := <-j.done; err != nil {
		return none, s.explain(err)
	}
	return result, nil
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

// run is the writer: it takes all changes that wait and commits them together.
func (s *Store) run() {
	defer close(s.stopped)
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
	if err := s.engine.ready(s); err != nil {
		tell(group, func(int) error { return err })
		return
	}
	// The callers' contexts don't reach in here: SQLite undoes the work of all
	// when a statement is interrupted.
	ctx, cancel := s.patient()
	defer cancel()
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		tell(group, func(int) error { return err })
		return
	}
	defer tx.Rollback() // does nothing after Commit
	errs, err := runMembers(ctx, tx, group)
	if err == nil {
		err = tx.Commit()
	}
	switch {
	case err == nil:
		tell(group, func(i int) error { return errs[i] })
	case len(group) == 1, ctx.Err() != nil: // nobody waits for an absent server twice
		tell(group, func(int) error { return err })
	default:
		tx.Rollback() // frees the connection; err says more than its error
		for _, j := range group {
			s.runGroup([]*job{j})
		}
	}
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

// runMembers runs each member in a savepoint of its own. It returns the members'
// errors, or a second one when the transaction did not survive.
func runMembers(ctx context.Context, tx *sql.Tx, group []*job) (errs []error, broken error) {
	errs = make([]error, len(group))
	for i, j := range group {
		if errs[i] = context.Cause(j.ctx); errs[i] != nil {
			continue
		}
		if _, err := tx.ExecContext(ctx, "SAVEPOINT member"); err != nil {
			return nil, err
		}
		if errs[i] = j.run(ctx, tx); errs[i] != nil {
			if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT member"); err != nil {
				return nil, errs[i] // which is why there is nothing to roll back
			}
		}
		if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT member"); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

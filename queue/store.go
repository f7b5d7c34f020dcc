package queue

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Options is what a Store obeys besides its path.
type Options struct {
	// Daemon says that this process works the queue. It makes the directory
	// (0700), the file (0600) and the schema where they are missing, brings an
	// older schema up to date, keeps other daemons out (ErrInUse), and frees
	// the claims of one that was killed. Commands don't set it.
	Daemon bool
	// Alone refuses (ErrInUse) while daemons have the queue open, and keeps them
	// out until it is closed.
	Alone bool
	// Host names this machine in events as system:HOST; os.Hostname if empty.
	Host string
	// Log takes the schema's changes; slog.Default if nil.
	Log *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Store is a queue in one SQLite file, or in a PostgreSQL database that several
// machines share. Its methods may be called from any number of goroutines, and
// several processes may have it open.
// Times it returns are UTC, to the microsecond.
type Store struct {
	path      string // of the file, or URL of the database
	place     string // the same as it may be shown
	engine    *engine
	writer    *pool // a connection for each writer
	reader    *pool
	prepared  bool       // the schema fits
	setUp     sync.Mutex // guards prepared and preparing
	preparing *preparation
	daemon    bool
	log       *slog.Logger
	clock     func() time.Time
	ownClock  bool         // set by a test
	offset    atomic.Int64 // of a shared database's clock from ours, in nanoseconds
	synced    time.Time    // when offset was taken
	system    string       // the actor of what no person did
	lock      *os.File     // keeps other daemons out; nil in a command
	file      os.FileInfo  // of the file as it was opened

	jobs    chan *job
	running sync.WaitGroup // writers
	pending sync.WaitGroup // changes under way

	mu     sync.Mutex
	closed bool
	wake   chan struct{}
}

// Open opens the queue in the file path, or in the PostgreSQL database of a URL
// like postgres://user@host/database. Without o.Daemon a missing file is
// ErrNoQueue. It refuses a queue that can't be written, is damaged, or has a
// schema that this program doesn't know, and says what to do about it.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s := &Store{
		path:   path,
		place:  path,
		engine: engineOf(path),
		log:    cmp.Or(o.Log, slog.Default()),
		clock:  o.Now,
		daemon: o.Daemon,
		system: "system:" + o.Host,
		jobs:   make(chan *job),
		wake:   make(chan struct{}),
	}
	if s.ownClock = s.clock != nil; !s.ownClock {
		s.clock = time.Now
	}
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, err
		}
		s.system += host
	}
	if s.engine == &postgres {
		s.place = withoutPassword(path)
	}
	err := s.engine.connect(s, o)
	if err == nil {
		err = s.engine.ready(s, ctx)
	}
	if err != nil && (!o.Daemon || !s.engine.mayReturn(err)) {
		return nil, errors.Join(s.explain(err), s.disconnect())
	}
	if err != nil {
		s.log.Error("queue does not answer, reports are refused for now", "err", s.explain(err))
	}
	for range s.engine.writers {
		s.running.Go(s.run)
	}
	if o.Daemon && s.engine.soleDaemon {
		if err := s.inherit(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close refuses new changes, waits until those under way are durable, and
// closes the file. Claims stay taken until their leases end.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.pending.Wait()
	close(s.jobs)
	s.running.Wait()
	return s.disconnect()
}

// Wake returns a channel that is closed at the next change in this process that
// may give workers something to do. Take it before looking for work, so that
// nothing slips in between. Changes by other processes, leases that end and
// retries that fall due don't close it: look for these now and then.
func (s *Store) Wake() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wake
}

func (s *Store) wakeWorkers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wake)
	s.wake = make(chan struct{})
}

func (s *Store) now() time.Time {
	return s.clock().Add(time.Duration(s.offset.Load())).UTC().Truncate(time.Microsecond)
}

// view runs fn on one unchanging view of the queue.
func (s *Store) view(ctx context.Context, fn func(*transaction) error) error {
	if err := s.engine.ready(s, ctx); err != nil {
		return s.explain(err)
	}
	tx, err := s.begin(ctx, s.reader, &sql.TxOptions{ReadOnly: true, Isolation: s.engine.unchanging})
	if err != nil {
		return s.explain(err)
	}
	defer tx.Rollback() // nothing to keep
	return s.explain(fn(tx))
}

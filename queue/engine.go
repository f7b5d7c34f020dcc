package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// engine is what differs between the databases. All else is the same SQL.
type engine struct {
	name   string // also the directory of its migrations
	goose  goose.Dialect
	tables string // counts all tables, and those called $1

	// upgrades are the migrations that are more than SQL.
	upgrades []*goose.Migration
	// locker keeps programs that start together from each migrating; nil for
	// an engine with one daemon.
	locker func() (lock.SessionLocker, error)

	// connect makes s.writer and s.reader.
	connect func(s *Store, o Options) error
	// ready says why a commit would not be kept; nil for nothing to say.
	ready func(s *Store, ctx context.Context) error
	// hint adds what to do to an error of the database at a place.
	hint func(place string, err error) error
	// insertReports stores reports and sets their ids. It is what runs for each
	// tagged mail, and so is written for each engine.
	insertReports func(s *Store, ctx context.Context, tx *change, all []*incoming) error
	// undone reports whether after this error nothing was changed for sure.
	undone func(err error) bool
	// giveBack returns the space of removed rows to the system.
	giveBack func(s *Store, ctx context.Context) error
	// scrub sees that what was erased can't be read from the file any more.
	scrub func(s *Store, ctx context.Context) error
	// lastID is a query for the last id that was given in a table; setLastID makes
	// the next one follow it.
	lastID    func(table string) string
	setLastID func(ctx context.Context, tx *change, table string, last int64) error
	// mayReturn reports whether an error at the start may pass by itself, so that
	// a daemon goes on without its queue for now.
	mayReturn func(err error) bool

	unnamed    bool               // takes ?, and is slow with very many names like $1
	compiles   bool               // gains by compiled statements
	writers    int                // at once
	beginnings int                // tries of a transaction's first statement, as connections may be stale
	soleDaemon bool               // all claims are of the daemon before, when one starts
	unchanging sql.IsolationLevel // of a view
	work       string             // ends a SELECT of work that nobody else may take
	row        string             // ends a SELECT of a row that is to be changed
	ruleLock   string             // the same for who rules about what may go out
	keyLock    string             // waits for other writers that have locked $1, until the commit
	patience   time.Duration      // for one group; as long as it takes when zero
}

// engineOf tells the engine by the place of a queue: a URL, or the path of a file.
func engineOf(place string) *engine {
	if strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://") {
		return &postgres
	}
	return &sqlite
}

// maxUpgrade bounds how long a queue may take to be brought up to date.
const maxUpgrade = time.Hour

// preparation is the one under way.
type preparation struct {
	done chan struct{} // closed at its end
	err  error
}

// prepare sees that the schema fits, until that has succeeded once. It goes on when the one who asked for it waits no longer: a large
// queue takes its time to be brought up to date.
func (s *Store) prepare(ctx context.Context) error {
	s.setUp.Lock()
	if s.prepared {
		s.setUp.Unlock()
		return nil
	}
	p := s.preparing
	if p == nil {
		p = &preparation{done: make(chan struct{})}
		s.preparing = p
		go s.prepareNow(p)
	}
	s.setUp.Unlock()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("queue %s is not ready yet: a retry helps: %w", s.place, context.Cause(ctx))
	}
}

func (s *Store) prepareNow(p *preparation) {
	defer close(p.done)
	ctx, cancel := context.WithTimeout(context.Background(), maxUpgrade)
	defer cancel()
	p.err = s.migrate(ctx)
	s.setUp.Lock()
	defer s.setUp.Unlock()
	s.prepared, s.preparing = p.err == nil, nil
}

func (s *Store) explain(err error) error {
	if err == nil {
		return nil
	}
	return s.engine.hint(s.place, err)
}

// open takes the two sides of a database.
func (s *Store) open(writer, reader *sql.DB) {
	writer.SetMaxOpenConns(s.engine.writers)
	writer.SetMaxIdleConns(s.engine.writers)
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	s.writer, s.reader = newPool(writer, s.engine.compiles), newPool(reader, s.engine.compiles)
}

func (s *Store) disconnect() error {
	var faults []error
	for _, db := range []*pool{s.reader, s.writer} {
		if db != nil {
			faults = append(faults, db.Close())
		}
	}
	if s.lock != nil {
		faults = append(faults, s.lock.Close())
	}
	return errors.Join(faults...)
}

package queue

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// engine is what differs between the databases. All else is the same SQL.
type engine struct {
	name   string // also the directory of its migrations
	goose  goose.Dialect
	tables string // counts all tables, and those called $1

	// connect opens s.writer and s.reader.
	connect func(s *Store, ctx context.Context, daemon bool) error
	// ready says why a commit would not be kept; nil for nothing to say.
	ready func(s *Store) error
	// hint adds what to do to an error of the database at a place.
	hint func(place string, err error) error

	soleDaemon bool               // all claims are of the daemon before, when one starts
	unchanging sql.IsolationLevel // of a view
	work       string             // ends a SELECT of work that nobody else may take
	row        string             // ends a SELECT of a row that is to be changed
	patience   time.Duration      // for one group; as long as it takes when zero
}

// engineOf tells the engine by the place of a queue: a URL, or the path of a file.
func engineOf(place string) *engine {
	if strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://") {
		return &postgres
	}
	return &sqlite
}

func (s *Store) connect(ctx context.Context, daemon bool) error {
	if err := s.engine.connect(s, ctx, daemon); err != nil {
		return err
	}
	if err := s.migrate(ctx, daemon); err != nil {
		return err
	}
	return s.compile(ctx)
}

func (s *Store) explain(err error) error {
	if err == nil {
		return nil
	}
	return s.engine.hint(s.place, err)
}

func (s *Store) compile(ctx context.Context) error {
	s.compiled = make(map[string]*sql.Stmt)
	for db, queries := range map[*sql.DB][]string{
		s.writer: {insertMail, insertReport, insertRecipient},
		s.reader: {selectBlock, selectContact},
	} {
		for _, q := range queries {
			stmt, err := db.PrepareContext(ctx, q)
			if err != nil {
				return err
			}
			s.compiled[q] = stmt // closed with db
		}
	}
	return nil
}

func (s *Store) disconnect() error {
	var faults []error
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			faults = append(faults, db.Close())
		}
	}
	if s.lock != nil {
		faults = append(faults, s.lock.Close())
	}
	return errors.Join(faults...)
}

// migrate compares the schema with the one we know, and as a daemon brings it
// there. Commands must not: the daemon that runs beside them may be
// of the older version.
func (s *Store) migrate(ctx context.Context, daemon bool) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	sources := p.ListSources()
	want := sources[len(sources)-1].Version
	have, err := s.schemaVersion(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return fmt.Errorf("queue %s has schema %d, this program knows %d: it was written by a newer version, install that", s.place, have, want)
	case have == want:
		return nil
	case !daemon:
		return fmt.Errorf("queue %s has schema %d, this program needs %d: start `spamreport-milter serve` of this version first", s.place, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	s.log.Info("queue schema brought up to date", "queue", s.place, "from", have, "to", want)
	return nil
}

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.engine.name)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.engine.goose, s.writer, files, goose.WithDisableGlobalRegistry(true))
}

// schemaVersion is 0 for an empty database.
func (s *Store) schemaVersion(ctx context.Context) (version int64, err error) {
	var tables, ours int
	err = s.writer.QueryRowContext(ctx, s.engine.tables, goose.DefaultTablename).Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return 0, err
	}
	if ours == 0 {
		return 0, fmt.Errorf("%s is the database of another program: name another one", s.place)
	}
	err = s.writer.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+` WHERE is_applied`).Scan(&version)
	return version, err
}

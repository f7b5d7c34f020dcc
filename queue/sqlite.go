package queue

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many queries run beside the writer.
const readers = 4

// connect opens the file and makes sure of its schema.
func (s *Store) connect(ctx context.Context, daemon bool) (err error) {
	if daemon {
		if err = makeFile(s.path); err != nil {
			return err
		}
		if s.lock, err = lockDaemon(s.path); err != nil {
			return err
		}
	}
	if err = s.open(ctx, daemon); err != nil {
		return errors.Join(err, s.disconnect())
	}
	return nil
}

func (s *Store) open(ctx context.Context, daemon bool) error {
	var err error
	if s.file, err = os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w at %s: start `spamreport-milter serve` first or name another with --state-dir", ErrNoQueue, s.path)
	} else if err != nil {
		return err
	}
	dsn, err := dataSource(s.path)
	if err != nil {
		return err
	}
	if s.writer, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if s.reader, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	if err := s.migrate(ctx, daemon); err != nil {
		return err
	}
	return s.compile(ctx)
}

// inPlace makes sure that the open file is the one at the path. SQLite goes on in
// a file that was removed or replaced, and what it acknowledges there is lost.
func (s *Store) inPlace() error {
	now, err := os.Stat(s.path)
	if err == nil && os.SameFile(s.file, now) {
		return nil
	}
	return fmt.Errorf("%w: %s was moved, removed or replaced; put it back or restart", ErrMoved, s.path)
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

// makeFile creates an empty database with a mode of our own: SQLite would leave
// mail readable to all, and gives its -wal and -shm files the mode of this one.
func makeFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// dataSource is the SQLite URI of path. WAL lets commands read while the daemon
// writes; synchronous=FULL syncs it at every commit, without which a commit may
// be lost with the power.
func dataSource(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	q := url.Values{
		"mode":      {"rw"},
		"_txlock":   {"immediate"},
		"_dqs":      {"0"},
		"_error_rc": {"1"},
		"_pragma": {
			"busy_timeout(10000)",
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(ON)",
			// 16 MiB of log between its copyings into the file: intake of
			// 20 KB reports is a tenth faster than with SQLite's 4 MiB.
			"wal_autocheckpoint(4000)",
			"journal_size_limit(67108864)", // a burst's log is given back
		},
	}
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}).String(), nil
}

// migrate compares the schema with the one we know, and as a daemon brings it
// there. Commands must not: the daemon that runs beside them may be
// of the older version.
func (s *Store) migrate(ctx context.Context, daemon bool) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files,
		goose.WithDisableGlobalRegistry(true))
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
		return fmt.Errorf("queue %s has schema %d, this program knows %d: it was written by a newer version, install that", s.path, have, want)
	case have == want:
		return nil
	case !daemon:
		return fmt.Errorf("queue %s has schema %d, this program needs %d: start `spamreport-milter serve` of this version first", s.path, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	s.log.Info("queue schema brought up to date", "queue", s.path, "from", have, "to", want)
	return nil
}

// schemaVersion is 0 for an empty file.
func (s *Store) schemaVersion(ctx context.Context) (version int64, err error) {
	var tables, ours int
	err = s.writer.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = $1) FROM sqlite_master WHERE type = 'table'`,
		goose.DefaultTablename).Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return 0, err
	}
	if ours == 0 {
		return 0, fmt.Errorf("%s is the database of another program: name another file", s.path)
	}
	err = s.writer.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+` WHERE is_applied`).Scan(&version)
	return version, err
}

// hints says for SQLite's primary result codes what happened and what to do.
var hints = map[int]string{
	sqlite3.SQLITE_BUSY:     "another process holds queue %s: a retry helps",
	sqlite3.SQLITE_CANTOPEN: "queue %s can't be opened: check owner and mode of the file and its directory",
	sqlite3.SQLITE_CORRUPT:  "queue %s is damaged: restore it from a backup, or move it away to start a new one",
	sqlite3.SQLITE_FULL:     "no space left for queue %s: a retry helps when there is",
	sqlite3.SQLITE_IOERR:    "queue %s can't be read or written: check the disk and its space",
	sqlite3.SQLITE_NOTADB:   "%s is no queue: restore it from a backup, or move it away to start a new one",
	sqlite3.SQLITE_READONLY: "queue %s can't be written: check owner and mode of the file and its directory",
}

// explain adds a hint to errors of the file, SQLite's or the system's.
func explain(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf(hints[sqlite3.SQLITE_CANTOPEN]+": %w", path, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	const primary = 0xff // the rest of a result code is detail
	if hint, ok := hints[e.Code()&primary]; ok {
		return fmt.Errorf(hint+": %w", path, err)
	}
	return err
}

package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers is how many queries run beside the writer.
const readers = 4

// sqlite is one file on this machine, with one daemon.
var sqlite = engine{
	name:          "sqlite",
	goose:         goose.DialectSQLite3,
	tables:        `SELECT count(*), count(*) FILTER (WHERE name = $1) FROM sqlite_master WHERE type = 'table'`,
	connect:       (*Store).connectFile,
	ready:         (*Store).readyFile,
	hint:          hintSQLite,
	insertReports: insertIntoFile,
	undone:        func(error) bool { return true }, // a commit that failed is rolled back
	mayReturn:     func(error) bool { return false },
	giveBack:      (*Store).shrink,
	scrub:         (*Store).scrubFile,
	lastID: func(table string) string {
		return `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '` + table + `'), 0)`
	},
	setLastID: func(ctx context.Context, tx *change, table string, last int64) error {
		_, err := tx.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = $1 WHERE name = $2`, last, table)
		return err
	},
	upgrades:   []*goose.Migration{goose.NewGoMigration(2, &goose.GoFunc{RunTx: upgrade2}, nil)},
	unnamed:    true,
	compiles:   true,
	writers:    1,
	beginnings: 1,
	soleDaemon: true,
}

// connectFile opens the file.
func (s *Store) connectFile(o Options) (err error) {
	if o.Daemon {
		if err = makeFile(s.path); err != nil {
			return err
		}
	}
	if s.file, err = os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w at %s: start `spamreport-milter serve` first or name another with --state-dir", ErrNoQueue, s.path)
	} else if err != nil {
		return err
	}
	if o.Daemon || o.Alone {
		if s.lock, err = lockDaemon(s.path); err != nil {
			return err
		}
	}
	dsn, err := dataSource(s.path)
	if err != nil {
		return err
	}
	writer, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	reader, err := sql.Open("sqlite", dsn)
	if err != nil {
		return errors.Join(err, writer.Close())
	}
	s.open(writer, reader)
	return nil
}

// readyFile is asked before each commit and view.
func (s *Store) readyFile(ctx context.Context) error {
	if err := s.inPlace(); err != nil {
		return err
	}
	return s.prepare(ctx)
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

// shrink gives the file's free pages back, some at once. A file that was made by the
// first schema keeps them for later use.
func (s *Store) shrink(ctx context.Context) error {
	for before := int64(-1); ; {
		left, err := commit(ctx, s, func(ctx context.Context, tx *change) (left int64, err error) {
			if _, err := tx.ExecContext(ctx, `PRAGMA incremental_vacuum(500)`); err != nil {
				return 0, err
			}
			err = tx.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&left)
			return left, err
		})
		if err != nil || left == 0 || left == before {
			return err
		}
		before = left
	}
}

// scrubFile empties the log, which still holds the pages as they were. Removed rows
// are overwritten in the file itself: secure_delete.
func (s *Store) scrubFile(ctx context.Context) error {
	var busy, pages, copied int
	err := s.writer.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &copied)
	if err == nil && busy != 0 {
		err = errors.New("erased, but still readable in the log of the queue until other programs that read it end")
	}
	return err
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
			"auto_vacuum(2)", // of a new file: what purges free can be given back
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(ON)",
			// 16 MiB of log between its copyings into the file: intake of
			// 20 KB reports is a tenth faster than with SQLite's 4 MiB.
			"wal_autocheckpoint(4000)",
			"secure_delete(ON)",
			"journal_size_limit(67108864)", // a burst's log is given back
		},
	}
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}).String(), nil
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

// hintSQLite adds a hint to errors of the file, SQLite's or the system's.
func hintSQLite(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf(hints[sqlite3.SQLITE_CANTOPEN]+": %w", path, err)
	}
	var e *sqlitedriver.Error
	if !errors.As(err, &e) {
		return err
	}
	const primary = 0xff // the rest of a result code is detail
	if hint, ok := hints[e.Code()&primary]; ok {
		return fmt.Errorf(hint+": %w", path, err)
	}
	return err
}

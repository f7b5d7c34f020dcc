package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// postgres is a database that several daemons share. What one of them claims the
// others pass by, and what a dead one had is taken over when its leases end.
var postgres = engine{
	name:          "postgres",
	goose:         goose.DialectPostgres,
	tables:        `SELECT count(*), count(*) FILTER (WHERE tablename = $1) FROM pg_tables WHERE schemaname = current_schema()`,
	connect:       (*Store).connectServer,
	ready:         (*Store).readyServer,
	hint:          hintPostgres,
	insertReports: insertIntoServer,
	undone:        answered,
	mayReturn:     away,
	giveBack:      func(*Store, context.Context) error { return nil }, // autovacuum does
	scrub:         func(*Store, context.Context) error { return nil },
	lastID: func(table string) string {
		return `SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('` + table + `', 'id')::regclass), 0)`
	},
	setLastID: func(ctx context.Context, tx *change, table string, last int64) error {
		_, err := tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence('`+table+`', 'id'), $1)`, last)
		return err
	},
	locker:     func() (lock.SessionLocker, error) { return lock.NewPostgresSessionLocker() },
	writers:    2,
	beginnings: readers + 1,
	unchanging: sql.LevelRepeatableRead,
	work:       " FOR UPDATE SKIP LOCKED",
	row:        " FOR UPDATE",
	ruleLock:   `SELECT pg_advisory_xact_lock(2, 0)`,
	keyLock:    `SELECT pg_advisory_xact_lock(1, $1)`,
	patience:   5 * time.Second,
}

// inUse is the advisory lock that each open queue shares, and a copy has alone.
const inUse = 7311960184

// connectServer makes the pools of connections; they connect by themselves, again
// after the server was away.
func (s *Store) connectServer(o Options) error {
	c, err := pgx.ParseConfig(s.path)
	if err != nil {
		return fmt.Errorf("URL of the queue: %w", err)
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = s.engine.patience
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "spamreport-milter"
	}
	writer := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return announce(ctx, conn, o.Alone)
	}))
	s.open(writer, stdlib.OpenDB(*c))
	return nil
}

// announce takes the lock for as long as the connection lasts.
func announce(ctx context.Context, conn *pgx.Conn, alone bool) error {
	query, fault := `SELECT pg_try_advisory_lock_shared($1)`, "is being copied"
	if alone {
		query, fault = `SELECT pg_try_advisory_lock($1)`, "is in use: stop all daemons that share it, and commands"
	}
	var got bool
	err := conn.QueryRow(ctx, query, inUse).Scan(&got)
	if err == nil && !got {
		err = fmt.Errorf("%w: the database %s", ErrInUse, fault)
	}
	return err
}

// readyServer is asked before each commit and view. It brings a daemon that was
// started without the server up, and keeps the time of the server: leases of all
// hosts are measured with one clock.
func (s *Store) readyServer(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if s.ownClock {
		return nil
	}
	s.setUp.Lock()
	defer s.setUp.Unlock()
	if time.Since(s.synced) < time.Minute {
		return nil
	}
	tx, err := s.begin(ctx, s.reader, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // it only asks
	var server time.Time
	before := time.Now()
	if err := tx.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&server); err != nil {
		return err
	}
	now := time.Now()
	s.offset.Store(int64(server.Sub(before.Add(now.Sub(before) / 2).Round(0))))
	s.synced = now
	return nil
}

// answered reports whether it was the server that said no, not the way to it.
func answered(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && !slices.Contains([]string{"08", "57"}, class(e)) || errors.Is(err, ErrInUse) || errors.Is(err, errMailRace)
}

// away reports whether it was the way to the server, or the server is starting or
// ending: that passes by itself.
func away(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return slices.Contains([]string{"08", "53", "57"}, class(e))
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded)
}

// class is the first two characters of a SQLSTATE.
func class(e *pgconn.PgError) string { return e.Code[:min(2, len(e.Code))] }

// withoutPassword is the URL as it may stand in logs.
func withoutPassword(place string) string {
	u, err := url.Parse(place)
	if err != nil {
		return "PostgreSQL"
	}
	return u.Redacted()
}

// hintPostgres says what happened and what to do.
func hintPostgres(place string, err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if away(err) {
			return fmt.Errorf("queue %s does not answer: a retry helps when the server is back: %w", place, err)
		}
		return err
	}
	hint, ok := map[string]string{
		"08": "the connection to queue %s broke: a retry helps",
		"28": "queue %s does not let us in: check user, password and pg_hba.conf",
		"3D": "queue %s does not exist: create the database",
		"40": "queue %s had two changes at once: a retry helps",
		"42": "queue %s is not as this program left it: check the user's rights and the schema",
		"53": "queue %s has no room: free disk space or connections; a retry helps then",
		"57": "queue %s is being shut down or started: a retry helps",
	}[class(e)]
	if !ok {
		return err
	}
	return fmt.Errorf(hint+": %w", place, err)
}

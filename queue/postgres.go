package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is a database that several daemons share. What one of them claims the
// others pass by, and what a dead one had is taken over when its leases end.
var postgres = engine{
	name:       "postgres",
	goose:      goose.DialectPostgres,
	tables:     `SELECT count(*), count(*) FILTER (WHERE tablename = $1) FROM pg_tables WHERE schemaname = current_schema()`,
	connect:    (*Store).connectServer,
	ready:      func(*Store) error { return nil },
	hint:       hintPostgres,
	unchanging: sql.LevelRepeatableRead,
	work:       " FOR UPDATE SKIP LOCKED",
	row:        " FOR UPDATE",
	patience:   10 * time.Second,
}

// migrationLock keeps daemons that start together from each migrating. The number
// is ours alone.
const migrationLock = 7311960184

// connectServer makes the pools of connections; they connect by themselves, again
// after the server was away.
func (s *Store) connectServer(ctx context.Context, _ bool) error {
	c, err := pgx.ParseConfig(s.path)
	if err != nil {
		return err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = s.engine.patience
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "spamreport-milter"
	}
	s.writer = stdlib.OpenDB(*c)
	s.writer.SetMaxOpenConns(1)
	s.reader = stdlib.OpenDB(*c)
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return s.writer.PingContext(ctx)
}

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
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("queue %s does not answer: a retry helps when the server is back: %w", place, err)
	case !errors.As(err, &e):
		return err
	}
	class := e.Code[:min(2, len(e.Code))]
	hint, ok := map[string]string{
		"08": "the connection to queue %s broke: a retry helps",
		"28": "queue %s does not let us in: check user, password and pg_hba.conf",
		"3D": "queue %s does not exist: create the database",
		"40": "queue %s had two changes at once: a retry helps",
		"42": "queue %s is not as this program left it: check the user's rights and the schema",
		"53": "queue %s has no room: free disk space or connections; a retry helps then",
		"57": "queue %s is being shut down or started: a retry helps",
	}[class]
	if !ok {
		return err
	}
	return fmt.Errorf(hint+": %w", place, err)
}

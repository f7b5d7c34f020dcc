// Package testpg starts a PostgreSQL server of its own for tests: in a scratch
// directory, on a Unix socket there, gone when it is stopped.
package testpg

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"database/sql"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Server is a running PostgreSQL.
type Server struct {
	dir     string
	bin     string
	as      *syscall.Credential // postgres refuses to run as root
	log     bytes.Buffer
	process *exec.Cmd
	schemas atomic.Int64
}

// Start makes a cluster and starts it. durable syncs each commit to disk, as a
// server that is in use does; without it the cluster is as fast as memory.
func Start(ctx context.Context, durable bool) (*Server, error) {
	s := &Server{}
	if err := s.make(ctx); err != nil {
		return nil, err
	}
	if err := s.Up(ctx, durable); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.log.String())
	}
	return s, nil
}

func (s *Server) make(ctx context.Context) error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	if len(found) == 0 {
		return fmt.Errorf("no PostgreSQL server: apt-get install postgresql")
	}
	slices.Sort(found)
	s.bin = filepath.Dir(found[len(found)-1])
	var err error
	if s.dir, err = os.MkdirTemp("", "testpg-*"); err != nil {
		return err
	}
	if err := s.dropRoot(); err != nil {
		return err
	}
	initdb := s.command(ctx, "initdb", "-D", s.data(), "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// dropRoot gives the directory to an account that may run a server.
func (s *Server) dropRoot() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers on this system
	gid, _ := strconv.Atoi(u.Gid)
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, uid, gid)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	return c
}

// Up starts the server again after Down, and waits for it.
func (s *Server) Up(ctx context.Context, durable bool) error {
	sync := "off"
	if durable {
		sync = "on"
	}
	s.process = s.command(context.WithoutCancel(ctx), "postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=",
		"-c", "fsync="+sync, "-c", "synchronous_commit="+sync, "-c", "full_page_writes="+sync, "-c", "max_connections=200")
	s.process.Stdout, s.process.Stderr = &s.log, &s.log
	if err := s.process.Start(); err != nil {
		return err
	}
	for range 300 {
		if s.command(ctx, "pg_isready", "-q", "-h", s.dir).Run() == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("PostgreSQL did not start")
}

// Down ends the server at once, with all connections, as when its machine fails.
func (s *Server) Down() {
	s.process.Process.Signal(syscall.SIGQUIT)
	s.process.Wait()
}

// Stop ends the server and removes its files.
func (s *Server) Stop() error {
	s.Down()
	return os.RemoveAll(s.dir)
}

// Schema makes a new empty schema and returns the URL of it as a database.
func (s *Server) Schema(ctx context.Context) (string, error) {
	name := fmt.Sprintf("s%d", s.schemas.Add(1))
	db, err := sql.Open("pgx", s.url("public"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "CREATE SCHEMA "+name)
	return s.url(name), err
}

func (s *Server) url(schema string) string {
	q := url.Values{"host": {s.dir}, "user": {"test"}, "search_path": {schema}}
	return "postgres:///postgres?" + q.Encode()
}

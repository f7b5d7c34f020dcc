package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// lockSuffix names the file beside the queue that the daemon keeps locked. The
// queue itself cannot be: SQLite locks it, and any close of it would let go.
const lockSuffix = ".lock"

// ErrInUse means that another daemon works this queue.
var ErrInUse = errors.New("queue is in use by another daemon")

// lockDaemon makes this process the only daemon of the queue until it ends,
// however it ends. The file holds its pid, for people.
func lockDaemon(path string) (*os.File, error) {
	f, err := os.OpenFile(path+lockSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 20)) // empty while the other one is starting
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w, pid %s: stop that one, or name another queue with --state-dir (%s)",
				ErrInUse, strings.TrimSpace(string(pid)), path)
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// inherit frees the work that the last daemon had claimed when it was killed.
// Nobody else can have claims: there is one daemon.
func (s *Store) inherit(ctx context.Context) error {
	_, err := commit(ctx, s, func(ctx context.Context, tx *change) (none struct{}, err error) {
		for _, free := range []string{
			`UPDATE reports SET due = 0, lease = NULL WHERE lease IS NOT NULL`,
			`UPDATE complaints SET due = 0, lease = NULL WHERE lease IS NOT NULL AND due IS NOT NULL`,
			`UPDATE complaints SET lookup_at = 1, lease = NULL WHERE lease IS NOT NULL AND lookup_at IS NOT NULL`,
		} {
			if _, err := tx.ExecContext(ctx, free); err != nil {
				return none, err
			}
		}
		return none, nil
	})
	return err
}

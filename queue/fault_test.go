package queue

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"spamreport-milter/trace"
)

func TestOpenRefuses(t *testing.T) {
	queue := func(t *testing.T, spoil string) string {
		path := filepath.Join(t.TempDir(), "queue.db")
		s := openAt(t, path, nil)
		if spoil != "" {
			if _, err := s.writer.Exec(spoil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := func(t *testing.T, content string) string {
		path := filepath.Join(t.TempDir(), "queue.db")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name   string
		create bool
		path   func(*testing.T) string
		want   []string
	}{
		{"missing", false, func(t *testing.T) string { return filepath.Join(t.TempDir(), "queue.db") },
			[]string{"no queue at ", "queue.db", "start `spamreport-milter serve`", "--state-dir"}},
		{"a directory", true, func(t *testing.T) string { return t.TempDir() }, []string{"can't be opened", "check"}},
		{"parent is a file", true, func(t *testing.T) string { return file(t, "") + "/queue.db" }, []string{"not a directory"}},
		{"text", true, func(t *testing.T) string { return file(t, strings.Repeat("Dear Sir, ", 1000)) }, []string{"is no queue", "backup"}},
		{"cut short", true, func(t *testing.T) string {
			path := queue(t, "")
			if err := os.Truncate(path, 6000); err != nil {
				t.Fatal(err)
			}
			return path
		}, []string{"is damaged", "backup"}},
		{"never set up", false, func(t *testing.T) string { return file(t, "") }, []string{"has schema 0, this program needs", "serve"}},
		{"newer", true, func(t *testing.T) string {
			return queue(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, []string{"has schema 99", "newer version"}},
		{"another program's", true, func(t *testing.T) string { return queue(t, `DROP TABLE goose_db_version`) },
			[]string{"another program"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := test.path(t)
			s, err := Open(t.Context(), path, Options{Daemon: test.create})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
}

func TestOpenMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	_, err := Open(t.Context(), path, Options{})
	wantErr(t, err, ErrNoQueue)
	if _, err := os.Stat(path); err == nil {
		t.Error("looking for a queue made one")
	}
}

// TestModes looks at the modes of all files while they are in use, under a umask
// that would let everybody read.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "var", "queue")
	s := openAt(t, filepath.Join(dir, "queue.db"), nil)
	if _, err := s.Submit(t.Context(), sampleReport(1)); err != nil {
		t.Fatal(err)
	}
	want := map[string]os.FileMode{"": 0o700, "queue.db": 0o600, "queue.db-wal": 0o600, "queue.db-shm": 0o600}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%s has mode %o, want %o", info.Name(), got, mode)
		}
	}
}

// TestReadOnly opens a queue whose files an ordinary user may not write.
func TestReadOnly(t *testing.T) {
	top, err := os.MkdirTemp("", "queue") // t.TempDir lets nobody else in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "queue")
	path := filepath.Join(dir, "queue.db")
	if err := openAt(t, path, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	for _, mode := range []struct{ file, dir os.FileMode }{{0o444, 0o555}, {0o000, 0o555}, {0o444, 0o444}} {
		if err := errors.Join(os.Chmod(path, mode.file), os.Chmod(dir, mode.dir)); err != nil {
			t.Fatal(err)
		}
		said, err := ordinary(t, process(t, "open", path), top).Output()
		if err == nil || !strings.Contains(string(said), "check owner and mode of the file") {
			t.Errorf("file %o in directory %o: %v, %q", mode.file, mode.dir, err, said)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// ordinary has a process run by an ordinary user, because root may write any
// file. The binary is copied into dir: go test builds it where nobody may look.
func ordinary(t *testing.T, cmd *exec.Cmd, dir string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		return cmd
	}
	exe, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = filepath.Join(dir, "test")
	if err := os.WriteFile(cmd.Path, exe, 0o755); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Dir = dir
	return cmd
}

// TestFull fills the space up: what does not fit is refused, what fits in the
// same group is stored, and with new space all goes on. The database may be at
// its limit, which fails one statement, or the disk, which fails the commit.
func TestFull(t *testing.T) {
	for name, test := range map[string]struct {
		limit func(*testing.T, *Store, int64) // leaves this many bytes
		want  string
	}{
		"database": {limitPages, "no space left"},
		"disk":     {limitFiles, "check the disk and its space"},
	} {
		path := filepath.Join(t.TempDir(), "queue.db")
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openAt(t, path, nil)
				submit := func(size int) func() error {
					return func() error {
						body := make([]byte, size)
						rand.Read(body) // or it would be compressed
						_, err := s.Submit(t.Context(), Report{Message: trace.Message{Body: body}})
						return err
					}
				}
				test.limit(t, s, 300_000)
				errs := together(s, submit(100), submit(1<<20), submit(101))
				if errs[0] != nil || errs[2] != nil {
					t.Errorf("small reports beside a large one got %v and %v", errs[0], errs[2])
				}
				if errs[1] == nil || !strings.Contains(errs[1].Error(), test.want) {
					t.Errorf("a report larger than the space got %v", errs[1])
				}
				test.limit(t, s, 1<<30)
				if err := submit(1 << 20)(); err != nil {
					t.Errorf("with space again: %v", err)
				}
				if n, _, err := s.Waiting(t.Context()); n != 3 || err != nil {
					t.Errorf("%d reports are stored (%v), want 3", n, err)
				}
			})
		})
	}
}

func limitPages(t *testing.T, s *Store, left int64) {
	t.Helper()
	var pages, size int64
	if err := s.writer.QueryRow(`SELECT * FROM pragma_page_count, pragma_page_size`).Scan(&pages, &size); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+left/size)); err != nil {
		t.Fatal(err)
	}
}

// limitFiles has the system refuse to make any file larger than the queue's log
// is, plus what is left, until the test ends.
func limitFiles(t *testing.T, s *Store, left int64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // or the write would kill us
	log, err := os.Stat(s.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	limit.Cur = min(uint64(log.Size()+left), old.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	})
}

// TestDurable asks both pools whether a commit is synced: what the power takes
// away can't be shown by killing a process.
func TestDurable(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "queue.db"), nil)
	for _, db := range []*pool{s.writer, s.reader} {
		var journal string
		var sync int
		err := errors.Join(db.QueryRow(`PRAGMA journal_mode`).Scan(&journal), db.QueryRow(`PRAGMA synchronous`).Scan(&sync))
		const full = 2
		if err != nil || journal != "wal" || sync != full {
			t.Errorf("journal_mode %s, synchronous %d (%v), want wal and %d", journal, sync, err, full)
		}
	}
}

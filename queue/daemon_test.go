package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSecondDaemon is refused with the pid of the first, and let in after it.
func TestSecondDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	first := openAt(t, path, nil)
	_, err := Open(t.Context(), path, Options{Daemon: true, Host: "test"})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("second daemon: %v, want ErrInUse with pid %d", err, os.Getpid())
	}
	command, err := Open(t.Context(), path, Options{Host: "test"})
	if err != nil {
		t.Fatalf("a command beside the daemon: %v", err)
	}
	// Neither the refusal nor the command's end may have let go of the lock.
	command.Close()
	if _, err := Open(t.Context(), path, Options{Daemon: true, Host: "test"}); !errors.Is(err, ErrInUse) {
		t.Errorf("second daemon after a command: %v", err)
	}
	first.Close()
	openAt(t, path, nil)
}

// TestInherit starts a daemon after one that died with claims of every kind: each
// piece of work can be claimed at once, and once.
func TestInherit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	b := &fixture{t: t, ctx: t.Context(), Store: openAt(t, path, nil)}
	b.file(Ready, "abuse@example.net")
	b.submit()
	claim := b.claimReport()
	lookup := sampleComplaint(claim.Report.ID, Held)
	lookup.LookupAt = time.Unix(1, 0)
	_, _, err := b.File(b.ctx, claim, lookup)
	b.check(err)
	b.submit()
	b.claimAll(1, 1, 1)
	b.claimAll(0, 0, 0)
	b.Close()
	b.Store = openAt(t, path, nil)
	b.claimAll(1, 1, 1)
	b.claimAll(0, 0, 0)
}

// claimAll takes what there is for an hour and compares the counts.
func (f *fixture) claimAll(reports, complaints, lookups int) {
	f.t.Helper()
	var got [3]int
	for {
		r, err := f.ClaimReports(f.ctx, 10, 1<<20, time.Hour)
		f.check(err)
		c, err := f.ClaimComplaint(f.ctx, time.Hour)
		f.check(err)
		l, err := f.ClaimLookup(f.ctx, time.Hour)
		f.check(err)
		if len(r) == 0 && c == nil && l == nil {
			break
		}
		got[0] += len(r)
		if c != nil {
			got[1]++
		}
		if l != nil {
			got[2]++
		}
	}
	if want := [3]int{reports, complaints, lookups}; got != want {
		f.t.Errorf("claimed %d reports, %d complaints, %d look-ups, want %v", got[0], got[1], got[2], want)
	}
}

// TestMoved takes the file away from under a daemon: what it can't keep it must
// not acknowledge. In its place again it is as good as before.
func TestMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, nil)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), sampleReport(1)); !errors.Is(err, ErrMoved) {
		t.Errorf("submit without the file: %v, want ErrMoved", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), sampleReport(2)); !errors.Is(err, ErrMoved) {
		t.Errorf("submit beside another file: %v, want ErrMoved", err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(t.Context(), sampleReport(3)); err != nil {
		t.Errorf("submit after the file came back: %v", err)
	}
}

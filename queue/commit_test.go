package queue

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	sqlitedriver "modernc.org/sqlite"
)

// commits counts SQLite's commits of the files that tests opened, by path.
var commits sync.Map

func init() {
	sqlitedriver.RegisterConnectionHook(func(conn sqlitedriver.ExecQuerierContext, dsn string) error {
		path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file://"), "?")
		n, _ := commits.LoadOrStore(path, new(atomic.Int64))
		conn.(sqlitedriver.HookRegisterer).RegisterCommitHook(func() int32 {
			n.(*atomic.Int64).Add(1)
			return 0
		})
		return nil
	})
}

func commitsOf(path string) int64 {
	n, _ := commits.Load(path)
	return n.(*atomic.Int64).Load()
}

// holdUp keeps the writer busy until the gate is closed.
func holdUp(s *Store) (gate chan struct{}) {
	gate = make(chan struct{})
	go commit(context.Background(), s, func(context.Context, *change) (none struct{}, err error) {
		<-gate
		return
	})
	synctest.Wait()
	return gate
}

// together holds the writer up until all changes wait for it, then returns
// their errors.
func together(s *Store, changes ...func() error) []error {
	gate := holdUp(s)
	errs := make([]error, len(changes))
	var wg sync.WaitGroup
	for i, change := range changes {
		wg.Go(func() { errs[i] = change() })
	}
	synctest.Wait()
	close(gate)
	wg.Wait()
	return errs
}

func TestGroupCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		s := openAt(t, path, nil)
		const n = maxGroup
		var submits []func() error
		for i := range n {
			submits = append(submits, func() error {
				_, err := s.Submit(t.Context(), sampleReport(i))
				return err
			})
		}
		before := commitsOf(path)
		for _, err := range together(s, submits...) {
			if err != nil {
				t.Error(err)
			}
		}
		// One for the change that held the writer up, one for all the rest.
		if got := commitsOf(path) - before; got != 2 {
			t.Errorf("%d submits took %d commits, want 1", n, got-1)
		}
		if waiting, _, err := s.Waiting(t.Context()); waiting != n || err != nil {
			t.Errorf("%d reports are stored (%v), want %d", waiting, err, n)
		}
	})
}

// TestGroupMembers has changes in one group of which one fails at once and one
// after half of its work: the others stand, and the half is undone.
func TestGroupMembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		b := &fixture{t: t, ctx: t.Context(), Store: openAt(t, path, nil)}
		taken := sampleComplaint(b.submit(), Held)
		_, _, err := b.File(b.ctx, b.claimReport(), taken)
		b.check(err)
		submit := func() error { _, err := b.Submit(b.ctx, sampleReport(7)); return err }
		b.submit()
		claim := b.claimReport()
		taken.Incidents[0].ReportID = claim.Report.ID
		errs := together(b.Store, submit,
			func() error { return b.Drop(b.ctx, 9, "user:anna", "") },
			func() error { _, _, err := b.File(b.ctx, claim, taken); return err }, // its Message-ID is taken
			submit)
		if errs[0] != nil || errs[3] != nil {
			t.Errorf("good members got %v and %v", errs[0], errs[3])
		}
		wantErr(t, errs[1], ErrNotFound)
		if errs[2] == nil {
			t.Error("two complaints have one Message-ID")
		}
		if n, _, err := b.Waiting(b.ctx); n != 3 || err != nil {
			t.Errorf("%d reports wait (%v), want the claimed one and two new ones", n, err)
		}
		b.check(b.CloseReport(b.ctx, claim, "still ours"))
	})
}

// TestSubmitEndsWaiting ends a context while its report waits for the writer.
func TestSubmitEndsWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		s := openAt(t, path, nil)
		ctx, cancel := context.WithCancel(t.Context())
		gate := holdUp(s)
		ended := make(chan error)
		go func() {
			_, err := s.Submit(ctx, sampleReport(1))
			ended <- err
		}()
		synctest.Wait()
		cancel()
		wantErr(t, <-ended, context.Canceled)
		close(gate)
		if n, _, err := s.Waiting(t.Context()); n != 0 || err != nil {
			t.Errorf("%d reports are stored (%v), want none", n, err)
		}
	})
}

// TestSubmitEndsTooLate ends a context while its change is being made: the
// outcome is that of the change.
func TestSubmitEndsTooLate(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "queue.db"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	id, err := commit(ctx, s, func(ctx context.Context, tx *change) (int64, error) {
		cancel()
		in, err := s.incoming(&Report{})
		if err != nil {
			return 0, err
		}
		err = s.engine.insertReports(s, ctx, tx, []*incoming{in})
		return in.id, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Report(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// TestCloseWaits closes the store while reports wait: they are stored.
func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		s := openAt(t, path, nil)
		gate := holdUp(s)
		errs := make(chan error)
		for i := range 2 {
			go func() {
				_, err := s.Submit(t.Context(), sampleReport(i))
				errs <- err
			}()
		}
		synctest.Wait()
		go func() { errs <- s.Close() }()
		synctest.Wait()
		_, err := s.Submit(t.Context(), sampleReport(3))
		wantErr(t, err, ErrClosed)
		close(gate)
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
	s := openAt(t, path, nil)
	if n, _, err := s.Waiting(t.Context()); n != 2 || err != nil {
		t.Errorf("%d reports are stored (%v), want 2", n, err)
	}
}

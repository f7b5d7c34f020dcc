package queue

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests start their own binary as the other process; these say as what.
const (
	roleVar = "QUEUE_TEST_ROLE"
	pathVar = "QUEUE_TEST_PATH"
)

var roles = map[string]func(path string) error{
	"flood":   flood,
	"approve": approveAll,
	"open":    openOnly,
	"share":   func(path string) error { return work(path, time.Second) },
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVar)]
	if !ok {
		pack(nil) // makes its channels here, not in the bubble of one test
		code := m.Run()
		if err := stopScratch(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
	if err := role(os.Getenv(pathVar)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// process is this binary in another role.
func process(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), roleVar+"="+role, pathVar+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// flood submits and files until it is killed, and prints "ID SERIAL" for each
// report that was acknowledged.
func flood(path string) error { return work(path, time.Hour) }

func work(path string, lease time.Duration) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{Daemon: true, Host: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for n := range 8 {
		go func() {
			for i := 0; ; i++ {
				serial := os.Getpid()*1_000_000 + n*100_000 + i
				id, err := s.Submit(ctx, sampleReport(serial))
				if err != nil {
					errs <- err
				}
				fmt.Printf("%d %d\n", id, serial)
			}
		}()
		go func() {
			for {
				if err := fileNext(ctx, s, lease); err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

func fileNext(ctx context.Context, s *Store, lease time.Duration) error {
	wake := s.Wake()
	claims, err := s.ClaimReports(ctx, 2, 1<<20, lease)
	if err != nil {
		return err
	}
	if len(claims) == 0 {
		select {
		case <-wake:
		case <-time.After(lease):
		}
		return nil
	}
	for _, c := range claims {
		_, _, err = s.File(ctx, c, sampleComplaint(c.Report.ID, Held, "abuse@example.net"))
		if err != nil && !errors.Is(err, ErrLeaseLost) { // it took so long that another one has it
			return err
		}
	}
	return nil
}

// TestKill kills a busy process a few times. What was acknowledged must be there
// once, and every report must either wait or have ended in one complaint.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	acked := map[int64]string{}
	for range 3 {
		floodAndKill(t, "flood", path, acked)
		checkAcked(t, path, acked)
	}
}

func floodAndKill(t *testing.T, role, path string, acked map[int64]string) {
	cmd := process(t, role, path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil { // a line may be cut by the kill
			break
		}
		id, serial, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			t.Fatalf("the process says: %s", line)
		}
		acked[number] = serial
		if n == 200 {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() // killed
	if !killed {
		t.Fatal("the process ended by itself")
	}
}

func checkAcked(t *testing.T, path string, acked map[int64]string) {
	s := openAt(t, path, nil)
	defer s.Close()
	last := int64(0)
	seen := map[string]int64{}
	for id, serial := range acked {
		last = max(last, id)
		r, err := s.Report(t.Context(), id)
		if err != nil {
			t.Fatalf("an acknowledged report is lost: %v", err)
		}
		if got := string(r.Message.Header); got != "Subject: "+serial+"\r\n" {
			t.Errorf("report %d is %q, want serial %s", id, got, serial)
		}
		if other := seen[serial]; other != 0 {
			t.Errorf("serial %s is both report %d and %d", serial, id, other)
		}
		seen[serial] = id
	}
	var bad int
	err := s.reader.QueryRow(`SELECT count(*) FROM reports r WHERE (due IS NULL) <>
		((SELECT count(*) FROM incidents WHERE report_id = r.id) = 1 AND
		 (SELECT count(*) FROM events WHERE report_id = r.id) = 1)`).Scan(&bad)
	if err != nil || bad != 0 {
		t.Errorf("%d reports neither wait nor ended once (%v)", bad, err)
	}
	if _, err := s.Verify(t.Context(), func(int64, int64) {}); err != nil {
		t.Error(err)
	}
	var doubled int
	err = s.reader.QueryRow(`SELECT count(*) - count(DISTINCT mail_id) FROM reports`).Scan(&doubled)
	if err != nil || doubled != 0 {
		t.Errorf("%d reports are stored twice (%v)", doubled, err)
	}
}

// TestTwoDaemons has two daemons work one PostgreSQL, and kills both over and over,
// each at its own times. In the end every report has ended in exactly one
// complaint.
func TestTwoDaemons(t *testing.T) {
	url := database(t)
	if err := openAt(t, url, nil).Close(); err != nil {
		t.Fatal(err)
	}
	var hosts sync.WaitGroup
	ackedBy := [2]map[int64]string{{}, {}}
	for host := range ackedBy {
		hosts.Go(func() {
			for range 3 + host {
				floodAndKill(t, "share", url, ackedBy[host])
			}
		})
	}
	hosts.Wait()
	acked := ackedBy[0]
	maps.Copy(acked, ackedBy[1])
	s := openAt(t, url, nil)
	for deadline := time.Now().Add(time.Minute); ; {
		if err := fileNext(t.Context(), s, time.Second); err != nil {
			t.Fatal(err)
		}
		if n, _, err := s.Waiting(t.Context()); err != nil || n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what the dead had is not taken over")
		}
	}
	checkAcked(t, url, acked)
	var reports, complaints, incidents int
	err := s.reader.QueryRow(`SELECT (SELECT count(*) FROM reports), (SELECT count(*) FROM complaints), (SELECT count(DISTINCT report_id) FROM incidents)`).
		Scan(&reports, &complaints, &incidents)
	if err != nil || reports != complaints || reports != incidents || reports < len(acked) {
		t.Errorf("%d reports (%d acknowledged) are in %d complaints with %d incidents (%v)", reports, len(acked), complaints, incidents, err)
	}
}

// approveAll is the command line: it approves what it is told on its input.
func approveAll(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{Host: "test"})
	if err != nil {
		return err
	}
	defer s.Close()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		id, err := strconv.ParseInt(in.Text(), 10, 64)
		if err != nil {
			return err
		}
		d, err := s.Decide(ctx, Decision{Action: ActionApproved, Actor: "user:anna", Reason: "by hand"}, id)
		if err != nil || len(d.Done) != 1 {
			return fmt.Errorf("%v, %w", d.Refused, err)
		}
	}
	return nil
}

// TestTwoProcesses approves in one process what another goes on filing and
// sending.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	b := &fixture{t: t, ctx: t.Context(), Store: openAt(t, path, nil)}
	cmd := process(t, "approve", path)
	in, err := cmd.StdinPipe()
	b.check(err)
	var said bytes.Buffer
	cmd.Stdout = &said
	b.check(cmd.Start())
	const n = 50
	for range n {
		fmt.Fprintln(in, b.file(Held, "abuse@example.net"))
		if c, err := b.ClaimComplaint(b.ctx, time.Minute); err != nil {
			t.Fatal(err)
		} else if c != nil {
			b.check(b.Record(b.ctx, c, Outcome{State: Sent}))
		}
	}
	b.check(in.Close())
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the other process: %v: %s", err, &said)
	}
	b.drain()
	counts, err := b.Counts(b.ctx)
	b.check(err)
	if d := diff(map[State]int{Sent: n}, counts); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
}

func openOnly(path string) error {
	s, err := Open(context.Background(), path, Options{Daemon: true, Host: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return s.Close()
}

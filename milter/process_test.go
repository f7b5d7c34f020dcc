package milter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// childEnv makes the test binary a daemon: a milter on an address with a real
// store in a directory, "ADDR DIR".
const childEnv = "MILTER_TEST_CHILD"

func TestMain(m *testing.M) {
	if at, dir, ok := strings.Cut(os.Getenv(childEnv), " "); ok {
		if err := serveChild(at, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveChild(at, dir string) error {
	log := slog.New(slog.DiscardHandler)
	store, err := queue.Open(context.Background(), filepath.Join(dir, "queue.db"), queue.Options{Daemon: true, Log: log})
	if err != nil {
		return err
	}
	defer store.Close()
	s, err := milter.New(milter.Config{Submitter: store, Log: log, MaxSessions: 2000, SpoolDir: dir})
	if err != nil {
		return err
	}
	l, err := listen("inet:" + at)
	if err != nil {
		return err
	}
	return s.Serve(l)
}

// child is a running daemon.
type child struct {
	cmd *exec.Cmd
}

func startChild(t testing.TB, at, dir string) *child {
	t.Helper()
	c := &child{exec.Command(os.Args[0], "-test.run=^$")}
	c.cmd.Env = append(os.Environ(), childEnv+"="+at+" "+dir)
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", at)
		if err == nil {
			conn.Close()
			return c
		}
		if time.Now().After(deadline) {
			c.kill()
			t.Fatal("the daemon does not listen")
		}
	}
}

// kill ends the daemon as a power failure would.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// memory returns what the process has in memory now and had at most, in MiB.
func (c *child) memory(t testing.TB) (now, most float64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	mib := func(name string) float64 {
		_, rest, _ := strings.Cut(string(status), "\n"+name+":")
		kb, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		return float64(kb) / 1024
	}
	return mib("VmRSS"), mib("VmHWM")
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKilledUnderLoad kills the daemon again and again while MTAs talk to it. What
// an MTA was told is recorded is there afterwards, and mail never stops.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	at, dir := freePort(t), t.TempDir()
	d := startChild(t, at, dir)
	p := startPostfix(t, testmta.Options{Milters: []string{"inet:" + at}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var told []string
	for n := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("ID%d-%d", n, i)
				if recorded(at, id) {
					mu.Lock()
					told = append(told, id)
					mu.Unlock()
				}
			}
		})
	}
	passed := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := smtp.SendMail(p.Addr, nil, "a@example.com", []string{"user@example.org"}, []byte(spamMessage)); err != nil {
				t.Errorf("mail stopped: %v", err)
				return
			}
			passed++
		}
	})
	for range 6 {
		time.Sleep(250 * time.Millisecond)
		d.kill()
		time.Sleep(50 * time.Millisecond)
		d = startChild(t, at, dir)
	}
	cancel()
	wg.Wait()
	d.kill()

	store, err := queue.Open(t.Context(), filepath.Join(dir, "queue.db"), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	there := make(map[string]bool)
	for id := int64(1); ; id++ {
		r, err := store.Report(t.Context(), id)
		if err != nil {
			break
		}
		there[r.Message.Session.QueueID] = true
	}
	for _, id := range told {
		if !there[id] {
			t.Errorf("%s was told to be recorded and is not there", id)
		}
	}
	if len(told) < 20 || passed < 10 {
		t.Errorf("%d recorded, %d passed through Postfix: too few to prove anything", len(told), passed)
	}
	t.Logf("%d messages recorded over 6 kills, %d through Postfix", len(told), passed)
}

// recorded delivers one tagged message and reports whether the milter said that it
// is done. Any fault of the connection is a no.
func recorded(at, id string) bool {
	conn, err := net.Dial("tcp", at)
	if err != nil {
		time.Sleep(5 * time.Millisecond)
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var all []byte
	for _, f := range [][]byte{
		frame('O', optneg(offerAll)), frame('C', connectData("h", '4', 1, "192.0.2.1")),
		frame('D', append([]byte{'M'}, strs("i", id)...)), frame('M', strs("<a@example.com>")),
		frame('L', strs("X-Spam-Flag", " YES")), frame('N', nil), frame('E', nil),
	} {
		all = append(all, f...)
	}
	if _, err := conn.Write(all); err != nil {
		return false
	}
	for _, want := range []byte{'O', 'c', 'a'} {
		if code, _, err := readFrame(conn); err != nil || code != want {
			return false
		}
	}
	return true
}

package reporter_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/internal/testpg"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// childVar holds what this binary is to deliver when a test starts it to be killed.
const childVar = "REPORTER_TEST_CHILD"

type child struct {
	Queue, Relay, CA string
	Lease            time.Duration
}

func TestMain(m *testing.M) {
	if job := os.Getenv(childVar); job != "" {
		if err := deliver(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// deliver is the daemon's part that delivers, until it is killed.
func deliver(job string) error {
	var c child
	if err := json.Unmarshal([]byte(job), &c); err != nil {
		return err
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	ctx := context.Background()
	store, err := queue.Open(ctx, c.Queue, queue.Options{Daemon: true, Host: "mx.isp.test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	w := composer
	w.Answers, w.Key = "abuse+*@isp.test", []byte("secret")
	reporter.New(reporter.Config{Composer: w, Lease: c.Lease, Poll: 100 * time.Millisecond,
		Relay: reporter.Relay{Addr: c.Relay, TLS: "starttls", RootCAs: roots, User: "milter", Password: "secret", Timeout: time.Minute},
	}, store, registry(nobody)).Run(ctx)
	return errors.New("nobody killed it")
}

// kill is one death: of the process at the step, where the relay does what the fault says.
type kill struct {
	at    testnet.Step
	name  string
	fault testnet.Fault
}

// kills are all steps, of a relay that is silent there, so that the process dies waiting,
// or breaks in another way, so that it dies with that in hand. At QUIT the relay has said
// that it took the message, and that is not recorded yet.
func kills() []kill {
	var all []kill
	for _, at := range []testnet.Step{testnet.Connect, testnet.Hello, testnet.StartTLS, testnet.Handshake, testnet.Secure, testnet.Auth,
		testnet.Password, testnet.Mail, testnet.Rcpt, testnet.Data, testnet.Content, testnet.End, testnet.Quit} {
		all = append(all,
			kill{at, "waiting", testnet.Fault{Hang: true}},
			kill{at, "cut", testnet.Fault{Cut: true}},
			kill{at, "refused for now", testnet.Fault{Say: "451 4.3.0 later\r\n", Cut: at == testnet.Content}},
			kill{at, "refused for good", testnet.Fault{Say: "554 5.7.1 never\r\n", Cut: at == testnet.Content}})
	}
	return append(all,
		kill{testnet.End, "taken and silent", testnet.Fault{Keep: true, Hang: true}},
		kill{testnet.End, "taken and cut", testnet.Fault{Keep: true, Cut: true}},
		kill{testnet.End, "taken and said", testnet.Fault{Keep: true, Say: "250 2.0.0 taken\r\n"}})
}

// TestKilledAtEachStep kills the process that delivers at each step of the relay, whole
// and broken. The next one delivers all: nothing is lost, one message at most comes twice
// and is the same octets then, and the trail says what happened.
func TestKilledAtEachStep(t *testing.T) {
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	next := make(chan kill)
	for range 4 { // more than processors: they wait for each other's disk
		wg.Go(func() {
			for k := range next {
				t.Run(string(k.at)+" "+k.name, func(t *testing.T) {
					newDeath(t, ca, filepath.Join(t.TempDir(), "queue.db"), time.Hour).die(k)
				})
			}
		})
	}
	for _, k := range kills() {
		next <- k
	}
	close(next)
}

// TestKilledBesideOthers does the same on a database that other hosts share: there the
// lease of the dead one must run out.
func TestKilledBesideOthers(t *testing.T) {
	server, err := testpg.Start(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []testnet.Step{testnet.Rcpt, testnet.Content, testnet.End, testnet.Quit} {
		t.Run(string(at), func(t *testing.T) {
			url, err := server.Schema(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			newDeath(t, ca, url, 2*time.Second).die(kill{at, "waiting", testnet.Fault{Hang: true}})
		})
	}
}

// death is one queue of complaints that are ready, and the relay for them.
type death struct {
	*testing.T
	relay *testnet.SMTP
	child child
	ids   []int64
}

func newDeath(t *testing.T, ca *testnet.CA, path string, lease time.Duration) *death {
	relay, err := testnet.StartSMTP(ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	relay.RequireAuth("milter", "secret", "LOGIN")
	d := &death{T: t, relay: relay, child: child{path, relay.Addr, ca.File, lease}}
	store := d.open(true)
	defer store.Close()
	for range 3 {
		d.ids = append(d.ids, d.ready(store))
	}
	return d
}

func (d *death) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *death) open(daemon bool) *queue.Store {
	d.Helper()
	store, err := queue.Open(d.Context(), d.child.Queue, queue.Options{Daemon: daemon, Host: "mx.isp.test", Log: slog.New(slog.DiscardHandler)})
	d.must(err)
	return store
}

// ready files a complaint that may go out.
func (d *death) ready(store *queue.Store) int64 {
	d.Helper()
	m := fromSender()
	_, err := store.Submit(d.Context(), queue.Report{Cause: queue.CauseFilter, Reporter: "X-Spam-Flag", Message: m})
	d.must(err)
	claim, err := store.ClaimReport(d.Context(), time.Minute)
	d.must(err)
	id, err := store.File(d.Context(), claim, queue.Complaint{State: queue.Ready, Sender: us, Source: sender.Addr(), Format: "arf",
		To: []string{"abuse@net.test", "security@net.test"}, MessageID: fmt.Sprintf("<%d.stable@mx.isp.test>", claim.Report.ID),
		Incidents: []queue.Incident{{ReportID: claim.Report.ID, Report: claim.Report, Chain: trace.Follow(&m, trace.Options{})}}})
	d.must(err)
	return id
}

// start starts the process that delivers.
func (d *death) start() (kill func()) {
	d.Helper()
	exe, err := os.Executable()
	d.must(err)
	job, err := json.Marshal(d.child)
	d.must(err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVar+"="+string(job))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	d.must(cmd.Start())
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	d.Cleanup(kill)
	return kill
}

// die lets the second session that comes to the step be the last of the process.
func (d *death) die(k kill) {
	ctx, cancel := context.WithTimeout(d.Context(), time.Minute)
	defer cancel()
	k.fault.Skip = 1
	d.relay.Fail(k.at, k.fault)
	kill := d.start()
	d.must(d.relay.Reached(ctx, k.at, 2))
	kill()
	d.relay.Recover()
	store := d.open(false)
	defer store.Close()
	d.verify(store)
	kill = d.start()
	for _, id := range d.ids {
		d.sent(ctx, store, id)
	}
	kill()
	d.verify(store)
	d.count()
}

func (d *death) verify(store *queue.Store) {
	d.Helper()
	if _, err := store.Verify(d.Context(), func(_, _ int64) {}); err != nil {
		d.Error(err)
	}
}

// sent waits until a complaint is sent. What the relay refused before the kill, and what
// would wait for minutes, a person tries again.
func (d *death) sent(ctx context.Context, store *queue.Store, id int64) {
	d.Helper()
	for ctx.Err() == nil {
		k, err := store.Case(ctx, id)
		d.must(err)
		switch k.Complaint.State {
		case queue.Sent:
			if len(k.Complaint.Taken) != 2 {
				d.Errorf("complaint %d is sent to %v", id, k.Complaint.Taken)
			}
			return
		case queue.Deferred, queue.Failed:
			_, err := store.Decide(ctx, queue.Decision{Action: queue.ActionRetried, Actor: "user:admin", Sender: us}, id)
			d.must(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.Fatalf("complaint %d is not sent", id)
}

// count has each complaint come once to each addressee, but for one message.
func (d *death) count() {
	d.Helper()
	first, repeats := map[string]testnet.Message{}, 0
	has := map[string]int{}
	for _, m := range d.relay.Messages() {
		for _, to := range m.To {
			has[m.EnvelopeID+" "+to]++
		}
		id := m.EnvelopeID
		if f, again := first[id]; again {
			repeats++
			if !bytes.Equal(f.Data, m.Data) && len(f.To) == len(m.To) || f.From != m.From {
				d.Errorf("the repeat of %s is another message", id)
			}
		} else {
			first[id] = m
		}
	}
	if len(first) != len(d.ids) || len(has) != 2*len(d.ids) {
		d.Errorf("%d of %d complaints came, to %d addressees", len(first), len(d.ids), len(has))
	}
	if repeats > 1 {
		d.Errorf("%d messages came twice", repeats)
	}
	for key, n := range has {
		if n > cmp.Or(repeats, 0)+1 {
			d.Errorf("%s: %d times", key, n)
		}
	}
}

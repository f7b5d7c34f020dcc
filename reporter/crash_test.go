package reporter_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	reporter.New(reporter.Config{Composer: w, Lease: c.Lease, Poll: time.Second,
		Relay: reporter.Relay{Addr: c.Relay, TLS: "starttls", RootCAs: roots, User: "milter", Password: "secret", Timeout: time.Minute},
	}, store, registry(nobody)).Run(ctx)
	return errors.New("nobody killed it")
}

// death is that of the process, when the relay does at a step what the fault says.
type death struct {
	at    testnet.Step
	fault testnet.Fault
}

// dying are deaths at the steps of a relay that breaks there: silent at each, so that the
// process dies waiting, or in another way, so that it dies with that in hand. At QUIT the relay has
// said that it took the message, and that is not recorded yet.
var dying = map[string][]death{
	"waiting": at(testnet.Fault{Hang: true}, testnet.Connect, testnet.Hello, testnet.StartTLS, testnet.Handshake, testnet.Secure,
		testnet.Auth, testnet.Password, testnet.Mail, testnet.Rcpt, testnet.Data, testnet.Content, testnet.End, testnet.Quit),
	"cut": at(testnet.Fault{Cut: true}, testnet.Connect, testnet.StartTLS, testnet.Auth, testnet.Rcpt, testnet.Data,
		testnet.Content, testnet.End, testnet.Quit),
	"refused for now": at(testnet.Fault{Say: "451 4.3.0 later\r\n"}, testnet.Mail, testnet.Rcpt, testnet.Data,
		testnet.End, testnet.Quit),
	"refused for good": at(testnet.Fault{Say: "554 5.7.1 never\r\n"}, testnet.Mail, testnet.Rcpt, testnet.Data,
		testnet.End, testnet.Quit),
	"taken": {
		{testnet.End, testnet.Fault{Keep: true, Hang: true}},
		{testnet.End, testnet.Fault{Keep: true, Cut: true}},
		{testnet.End, testnet.Fault{Keep: true, Say: "250 2.0.0 taken\r\n"}},
	},
}

func at(f testnet.Fault, steps ...testnet.Step) (all []death) {
	for _, s := range steps {
		all = append(all, death{s, f})
	}
	return all
}

// doubtful reports whether the relay may have the message when the process dies and its
// word is not recorded.
func (d death) doubtful() bool {
	return slices.Contains([]testnet.Step{testnet.Content, testnet.End, testnet.Quit}, d.at)
}

// TestKilledAtEachStep kills the process that delivers at each step of the relay, whole
// and broken. The next one goes on: nothing is lost, a death makes one message at most
// come twice and the same octets then, and the trail says what happened.
func TestKilledAtEachStep(t *testing.T) {
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, deaths := range dying {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newLives(t, ca, filepath.Join(t.TempDir(), "queue.db"), time.Hour).die(deaths)
		})
	}
}

// TestKilledBesideOthers does so on a database that other hosts share: there the lease
// of the dead one must run out.
func TestKilledBesideOthers(t *testing.T) {
	t.Parallel()
	server, err := testpg.Start(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	ca, err := testnet.NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	url, err := server.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newLives(t, ca, url, time.Second).die(at(testnet.Fault{Hang: true}, testnet.Connect, testnet.Rcpt, testnet.Content, testnet.End, testnet.Quit))
}

// lives are those of one queue: what delivers it, one after the other, and the relay.
type lives struct {
	*testing.T
	relay *testnet.SMTP
	child child
	ids   []int64
}

func newLives(t *testing.T, ca *testnet.CA, path string, lease time.Duration) *lives {
	relay, err := testnet.StartSMTP(ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	relay.RequireAuth("milter", "secret", "LOGIN")
	l := &lives{T: t, relay: relay, child: child{path, relay.Addr, ca.File, lease}}
	return l
}

func (l *lives) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lives) open(daemon bool) *queue.Store {
	l.Helper()
	store, err := queue.Open(l.Context(), l.child.Queue, queue.Options{Daemon: daemon, Host: "mx.isp.test", Log: slog.New(slog.DiscardHandler)})
	l.must(err)
	return store
}

// ready files a complaint that may go out.
func (l *lives) ready(store *queue.Store) int64 {
	l.Helper()
	m := fromSender()
	_, err := store.Submit(l.Context(), queue.Report{Cause: queue.CauseFilter, Reporter: "X-Spam-Flag", Message: m})
	l.must(err)
	claims, err := store.ClaimReports(l.Context(), 1, 1<<20, time.Minute)
	if err != nil || len(claims) != 1 {
		l.Fatalf("%d reports, %v", len(claims), err)
	}
	claim := claims[0]
	id, _, err := store.File(l.Context(), claim, queue.Complaint{State: queue.Ready, Sender: us, Source: sender.Addr(), Format: "arf",
		To: []string{"abuse@net.test", "security@net.test"}, MessageID: fmt.Sprintf("<%d.stable@mx.isp.test>", claim.Report.ID),
		Incidents: []queue.Incident{{ReportID: claim.Report.ID, Report: claim.Report, Chain: trace.Follow(&m, trace.Options{})}}})
	l.must(err)
	return id
}

// start starts the process that delivers.
func (l *lives) start() (kill func()) {
	l.Helper()
	exe, err := os.Executable()
	l.must(err)
	job, err := json.Marshal(l.child)
	l.must(err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVar+"="+string(job))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	l.must(cmd.Start())
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	l.Cleanup(kill)
	return kill
}

// die lets the second session that comes to each step be the last of its process.
func (l *lives) die(deaths []death) {
	ctx, cancel := context.WithTimeout(l.Context(), 2*time.Minute)
	defer cancel()
	store := l.open(true)
	for range 2*len(deaths) + 1 {
		l.ids = append(l.ids, l.ready(store))
	}
	l.must(store.Close())
	doubts := 0
	for _, d := range deaths {
		d.fault.Skip = 1
		l.relay.Fail(d.at, d.fault)
		kill := l.start()
		l.must(l.relay.Reached(ctx, d.at))
		kill()
		l.relay.Recover()
		l.must(l.relay.Idle(ctx)) // until it took what it had, if it does
		if d.doubtful() {
			doubts++
		}
	}
	store = l.open(false)
	defer store.Close()
	l.verify(store)
	kill := l.start()
	for _, id := range l.ids {
		l.sent(ctx, store, id)
	}
	kill()
	l.verify(store)
	l.count(doubts)
}

func (l *lives) verify(store *queue.Store) {
	l.Helper()
	if _, err := store.Verify(l.Context(), func(_, _ int64) {}); err != nil {
		l.Error(err)
	}
}

// sent waits until a complaint is sent. What the relay refused before the kill, and what
// would wait for minutes, a person tries again.
func (l *lives) sent(ctx context.Context, store *queue.Store, id int64) {
	l.Helper()
	for ctx.Err() == nil {
		k, err := store.Case(ctx, id)
		l.must(err)
		switch k.Complaint.State {
		case queue.Sent:
			if len(k.Complaint.Taken) != 2 {
				l.Errorf("complaint %d is sent to %v", id, k.Complaint.Taken)
			}
			return
		case queue.Deferred, queue.Failed:
			_, err := store.Decide(ctx, queue.Decision{Action: queue.ActionRetried, Actor: "user:admin", Sender: us}, id)
			l.must(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.Fatalf("complaint %d is not sent", id)
}

// count has each complaint come to each addressee, and no more messages come twice than
// there were doubts.
func (l *lives) count(doubts int) {
	l.Helper()
	first, repeats, has := map[string]testnet.Message{}, 0, map[string]bool{}
	for _, m := range l.relay.Messages() {
		for _, to := range m.To {
			if key := m.EnvelopeID + " " + to; has[key] {
				repeats++
			} else {
				has[key] = true
			}
		}
		f, again := first[m.EnvelopeID]
		if !again {
			first[m.EnvelopeID] = m
		} else if !bytes.Equal(f.Data, m.Data) || f.From != m.From {
			l.Errorf("the repeat of %s is another message", m.EnvelopeID)
		}
	}
	if len(has) != 2*len(l.ids) {
		l.Errorf("%d complaints came to %d addressees, not to two each", len(first), len(has))
	}
	if repeats > 2*doubts { // both addressees of one message each
		l.Errorf("%d addressees have a message twice, with %d deaths in doubt", repeats, doubts)
	}
	l.Logf("%d complaints, %d messages, %d deaths in doubt", len(l.ids), len(l.relay.Messages()), doubts)
}

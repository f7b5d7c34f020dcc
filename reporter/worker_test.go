package reporter_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// asking is a registry that answers nothing before it is cancelled.
type asking chan struct{}

func (a asking) Lookup(ctx context.Context, _ netip.Addr) (contact.Answer, error) {
	close(a)
	<-ctx.Done()
	return contact.Answer{}, ctx.Err()
}

func (a asking) LookupWithout(ctx context.Context, addr netip.Addr, _ []string) (contact.Answer, error) {
	return a.Lookup(ctx, addr)
}

// TestStopGivesReportBack: what a stopping reporter had in hand is there for the
// next one at once, not when its lease ends.
func TestStopGivesReportBack(t *testing.T) {
	store, err := queue.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), queue.Options{Daemon: true, Host: "mx.isp.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Submit(t.Context(), queue.Report{Cause: queue.CauseFilter, Reporter: "X-Spam-Flag", Message: fromSender()}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	registry, done := make(asking), make(chan struct{})
	go func() {
		reporter.New(reporter.Config{Composer: composer, Grace: 50 * time.Millisecond}, store, registry).Run(ctx)
		close(done)
	}()
	<-registry
	stop()
	<-done
	claims, err := store.ClaimReports(t.Context(), 1, 1<<20, time.Minute)
	if err != nil || len(claims) != 1 {
		t.Fatalf("the report is not there for the next reporter: %v, %v", claims, err)
	}
}

// TestPanicEndsNothing: a report that makes us panic keeps no other back.
func TestPanicEndsNothing(t *testing.T) {
	poison := netip.MustParseAddrPort("45.66.78.1:25")
	d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
		if a == poison.Addr() {
			panic("poison")
		}
		return found(a)
	}), nil)
	m := fromSender()
	m.Session.Client = poison
	d.submit(m)
	d.submit(fromSender())
	if c := d.complaint(d.event(queue.ActionFiled).ComplaintID); c.Source != sender.Addr() {
		t.Errorf("complaint about %s", c.Source)
	}
	if waiting, _, err := d.Waiting(t.Context()); err != nil || waiting != 1 {
		t.Errorf("%d reports wait (%v), want the poisonous one", waiting, err)
	}
}

// poisoned is a queue that makes its worker panic, once it is armed.
type poisoned struct {
	*queue.Store
	armed atomic.Bool
}

func (p *poisoned) Suppressed(ctx context.Context, addresses ...string) (map[string]queue.Suppression, error) {
	if p.armed.CompareAndSwap(true, false) {
		panic("poison")
	}
	return p.Store.Suppressed(ctx, addresses...)
}

// TestPanicWhileSending: the complaint is sent when the lease of who panicked has run out.
func TestPanicWhileSending(t *testing.T) {
	store, err := queue.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), queue.Options{Daemon: true, Host: "mx.isp.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	relay, err := testnet.StartSMTP(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	q := &poisoned{Store: store}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		reporter.New(reporter.Config{Composer: composer, Relay: reporter.Relay{Addr: relay.Addr, TLS: "none"},
			Lease: 500 * time.Millisecond, Poll: 100 * time.Millisecond}, q, registry(found)).Run(ctx)
		close(done)
	}()
	defer func() { stop(); <-done }()
	d := &desk{store, relay, t}
	d.submit(fromSender())
	id := d.event(queue.ActionFiled).ComplaintID
	q.armed.Store(true)
	if err := d.Approve(t.Context(), id, us, "user:admin", ""); err != nil {
		t.Fatal(err)
	}
	d.event(queue.ActionSent)
	if n := len(relay.Messages()); n != 1 || q.armed.Load() {
		t.Errorf("the desk has it %d times, poison left: %v", n, q.armed.Load())
	}
}

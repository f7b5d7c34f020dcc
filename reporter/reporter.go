// Package reporter says what is said to whom: it turns reports into complaints
// (who is answerable, may we, who takes it) and delivers the complaints that a
// person has approved. Two kinds of workers, with the queue between them and
// everything else.
package reporter

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"spamreport-milter/auth"
	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Queue is what the workers need of the store.
type Queue interface {
	ClaimReports(ctx context.Context, n int, octets int64, lease time.Duration) ([]*queue.ReportClaim, error)
	File(ctx context.Context, claim *queue.ReportClaim, c queue.Complaint, beside ...queue.Complaint) (id int64, joined bool, err error)
	CloseReport(ctx context.Context, claim *queue.ReportClaim, reason string) error
	ReleaseReport(ctx context.Context, claim *queue.ReportClaim, retryAt time.Time, reason string) error
	Renew(ctx context.Context, claim queue.Claim, lease time.Duration) error

	ClaimLookup(ctx context.Context, lease time.Duration) (*queue.LookupClaim, error)
	// Beside returns who has another complaint about the same report, in lower case.
	Beside(ctx context.Context, id int64) (map[string]int64, error)
	SetContact(ctx context.Context, claim *queue.LookupClaim, found queue.Found) error

	ClaimComplaint(ctx context.Context, lease time.Duration) (*queue.ComplaintClaim, error)
	Record(ctx context.Context, claim *queue.ComplaintClaim, o queue.Outcome) error

	// Suppressed returns those of the addresses that get no complaints, in lower case.
	Suppressed(ctx context.Context, addresses ...string) (map[string]queue.Suppression, error)

	// Candidates are complaints that may take a report, which Join does.
	Candidates(ctx context.Context, key string) ([]queue.Candidate, error)
	Join(ctx context.Context, claim *queue.ReportClaim, complaint int64, in queue.Incident) error
	// LetOut is when complaints went out before, newest first.
	LetOut(ctx context.Context, f queue.LetOut) ([]time.Time, error)

	// RuleAlone keeps other hosts from ruling about what may go out until done.
	RuleAlone(ctx context.Context) (done func(), err error)
	// Wake returns a channel that is closed when this process adds work.
	Wake() <-chan struct{}
}

// Contacts finds who answers for an address.
type Contacts interface {
	Lookup(ctx context.Context, a netip.Addr) (contact.Answer, error)
	// LookupWithout passes by mailboxes that mail came back from.
	LookupWithout(ctx context.Context, a netip.Addr, gone []string) (contact.Answer, error)
}

// Domains finds who answers for domains, where further parties are to be addressed.
type Domains interface {
	LookupDomain(ctx context.Context, name string) (contact.Answer, error)
	Feedback(ctx context.Context, message []byte) (contact.Answer, error)
	Freemail(domain string) bool
}

// Authentication proves which domain a message comes from.
type Authentication interface {
	Check(ctx context.Context, m *trace.Message, c *trace.Chain) (auth.Verdict, error)
}

// Config is what an operator decides. Zero durations mean the defaults.
type Config struct {
	Composer
	Relay Relay
	DKIM  *DKIM // nil: the relay signs, or nobody
	Trace trace.Options
	// Policy is who may cause sending, and how much. Its Networks are those of Trace.
	Policy Policy
	// Parties are keys of PartyNames: who is addressed besides the source's network.
	// All but "customer" need Domains and Authentication.
	Parties        []string
	Domains        Domains
	Authentication Authentication
	Log            *slog.Logger

	// Lease is how long work stays taken when its worker dies; 5 minutes. A
	// worker that lives renews it.
	Lease time.Duration
	// Poll is how often work from other processes is looked for; 2 seconds.
	Poll time.Duration
	// Grace is how long work under way may go on after the end was asked for;
	// 20 seconds.
	Grace time.Duration
}

// Reporter runs the workers.
type Reporter struct {
	Config
	queue    Queue
	contacts Contacts
	now      func() time.Time

	releasing sync.Mutex // held from counting what went out to filing what may
}

// New makes a Reporter; nothing runs yet.
func New(c Config, q Queue, contacts Contacts) *Reporter {
	defaults(&c.Lease, 5*time.Minute)
	defaults(&c.Poll, 2*time.Second)
	defaults(&c.Grace, 20*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Policy.Networks = c.Trace.Networks
	return &Reporter{Config: c, queue: q, contacts: contacts, now: time.Now}
}

func defaults(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// Run works until ctx ends, then lets what is under way finish within the grace
// and returns. What could not finish is taken up again when its lease ends.
func (r *Reporter) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.Grace, cancel) })()
	var wg sync.WaitGroup
	wg.Go(func() {
		f := newFilers(r)
		r.loop(ctx, func() (bool, error) { return f.next(ctx, work) })
		f.running.Wait()
	})
	wg.Go(func() { r.loop(ctx, func() (bool, error) { return r.lookUpNext(work) }) })
	wg.Go(func() { r.loop(ctx, func() (bool, error) { return r.deliverNext(work) }) })
	wg.Wait()
}

// loop calls next as long as it finds work, then waits for more.
func (r *Reporter) loop(ctx context.Context, next func() (bool, error)) {
	for ctx.Err() == nil {
		woken := r.queue.Wake() // before looking, so that nothing slips in between
		busy, err := r.guard(next)
		if err != nil {
			r.Log.Error("worker", "err", err)
		}
		if busy && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-woken:
		case <-time.After(r.Poll):
		}
	}
}

// keep renews a claim until done is called: a slow registry or relay must not make
// a second worker take up the same work.
func (r *Reporter) keep(ctx context.Context, c queue.Claim) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(r.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := r.queue.Renew(ctx, c, r.Lease); err != nil && ctx.Err() == nil {
				r.Log.Warn("lease not renewed", "err", err)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// guard keeps one poisonous message from ending the daemon. Its lease runs out
// and it is tried again.
func (r *Reporter) guard(next func() (bool, error)) (busy bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return next()
}

// marshal leaves out which address of the network was asked about, and when: all
// complaints about the network then have the same answer, which is stored once.
func marshal(a contact.Answer) json.RawMessage {
	a.Addr, a.Cached = netip.Addr{}, time.Time{}
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // plain data of our own
	}
	return b
}

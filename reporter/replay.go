package reporter

import (
	"context"
	"net/netip"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Step is one thing that a replay would have done.
type Step struct {
	At     time.Time
	Action string // of a queue.Event
	Report int64  // 0 where no report was decided about
	// Complaint is as it stands now; zero for a closed report. Its ID is the replay's.
	Complaint queue.Complaint
	First     int64 // report that the complaint was filed for
	Reason    string
}

// Replay runs reports through the decisions of a Reporter, in the time in which they
// came, on a queue in memory. What may go out counts as gone at once; nothing is sent.
type Replay struct {
	reporter *Reporter
	memory   *memory
}

// NewReplay makes a Replay that tells of each step.
func NewReplay(c Config, contacts Contacts, each func(Step)) *Replay {
	m := newMemory(each)
	c.Parties = nil // those besides the source's network ask DNS, and never go out by themselves
	r := New(c, m, contacts)
	r.now = func() time.Time { return m.now }
	return &Replay{r, m}
}

// Report decides about a report at a time, which never goes back, and before that about
// all that had to wait until then. The report needs its ID.
func (p *Replay) Report(ctx context.Context, at time.Time, r *queue.Report) error {
	if err := p.Until(ctx, at); err != nil {
		return err
	}
	return p.reporter.file(ctx, &queue.ReportClaim{Report: *r})
}

// Until decides about all that waits for its time until then.
func (p *Replay) Until(ctx context.Context, at time.Time) error {
	for {
		k := p.memory.due(at)
		if k == nil {
			break
		}
		p.memory.advance(k.LookupAt)
		k.LookupAt = time.Time{}
		if err := p.reporter.lookUp(ctx, &queue.LookupClaim{Complaint: k.Complaint}); err != nil {
			return err
		}
	}
	p.memory.advance(at)
	return nil
}

// Decide does what a person did at a time about the complaint that was filed for a
// report: a queue.Decision's action, or ActionEdited. Where the replay has none, or it
// stands otherwise, nothing happens.
func (p *Replay) Decide(ctx context.Context, at time.Time, action string, report int64) error {
	if err := p.Until(ctx, at); err != nil {
		return err
	}
	p.memory.decide(action, report)
	return nil
}

// LetOut counts a complaint that the replay does not decide about: one that takes
// another back.
func (p *Replay) LetOut(ctx context.Context, at time.Time, c *queue.Complaint) error {
	if err := p.Until(ctx, at); err != nil {
		return err
	}
	p.memory.out = append(p.memory.out, departed{at, c.To, c.Source})
	return nil
}

// Shut names addresses that get no complaints, each in its time.
func (p *Replay) Shut(list []queue.Suppression) {
	p.memory.shut = map[string]queue.Suppression{}
	for _, s := range list {
		p.memory.shut[s.Address] = s
	}
}

// Source is the address that a report would be about; not ok where nobody believable
// names one.
func (p *Replay) Source(r *queue.Report) (a netip.Addr, ok bool) {
	chain := trace.Follow(&r.Message, p.reporter.Trace)
	parties := senders(&chain)
	if len(parties) == 0 {
		return a, false
	}
	return parties[0].Addr, true
}

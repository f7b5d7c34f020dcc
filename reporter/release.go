package reporter

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Approve says whose word is enough for a complaint to go out.
type Approve string

// The ways to approve.
const (
	// ApproveManual wants a person each time. It is the default, and what any
	// other value means.
	ApproveManual Approve = "manual"
	// ApproveJudged lets out what people and traps reported: RFC 6650 §4 takes
	// such reports for granted.
	ApproveJudged Approve = "judged"
	// ApproveAll lets out filters' verdicts as well, which RFC 6650 §4 advises
	// against: a filter that is wrong is wrong often.
	ApproveAll Approve = "all"
)

// History is what went out before, as far as a decision depends on it.
type History struct {
	Hour    int       // complaints let out in the last hour, to anybody
	Contact int       // in the last day to one of the same addresses
	Network int       // in the last day about the same network
	Last    time.Time // when the last one to one of the addresses was let out; zero for never
	Now     time.Time
}

// Release reports whether a complaint may go out by itself. When not, why says what
// a person should know who decides; it is empty where he decides each time anyway.
func (p Policy) Release(r *queue.Report, c *queue.Complaint, answer *contact.Answer, h History) (ok bool, why string) {
	if !p.mayCause(r.Cause) || len(c.To) == 0 {
		return false, ""
	}
	for _, doubt := range doubts {
		if why := doubt(p, c, answer, h); why != "" {
			return false, why
		}
	}
	return true, ""
}

func (p Policy) mayCause(cause queue.Cause) bool {
	return p.Approve == ApproveAll || p.Approve == ApproveJudged && cause != queue.CauseFilter
}

// doubts, in the order in which their reasons help most.
var doubts = []func(Policy, *queue.Complaint, *contact.Answer, History) string{
	uncertainSource, uncertainContact, tooSoon, contactCap, networkCap, hourCap,
}

// uncertainSource lets nothing out by itself about an address that only claims name.
func uncertainSource(_ Policy, c *queue.Complaint, _ *contact.Answer, _ History) string {
	hop := c.Incidents[0].Chain.Source()
	if hop == nil || hop.Grade != trace.GradeSession && hop.Grade != trace.GradeTrusted && hop.Grade != trace.GradeAttested {
		return "the source is not certain: a person must look"
	}
	return ""
}

// uncertainContact lets nothing out by itself to the best that was found.
func uncertainContact(_ Policy, c *queue.Complaint, answer *contact.Answer, _ History) string {
	for _, to := range c.To {
		for _, k := range answer.Contacts {
			if k.Address == to && k.Confidence == contact.Low {
				return "the contact " + to + " is not certain: a person must look"
			}
		}
	}
	return ""
}

func tooSoon(p Policy, _ *queue.Complaint, _ *contact.Answer, h History) string {
	if next := h.Last.Add(p.Interval); !h.Last.IsZero() && h.Now.Before(next) {
		return fmt.Sprintf("the desk had one at %s: by itself the next goes out from %s on", date(h.Last), date(next))
	}
	return ""
}

func contactCap(p Policy, _ *queue.Complaint, _ *contact.Answer, h History) string {
	return over(h.Contact, p.ContactCap, "to this desk in a day")
}

func networkCap(p Policy, _ *queue.Complaint, _ *contact.Answer, h History) string {
	return over(h.Network, p.NetworkCap, "about this network in a day")
}

func hourCap(p Policy, _ *queue.Complaint, _ *contact.Answer, h History) string {
	return over(h.Hour, p.HourCap, "in an hour")
}

func over(n, most int, what string) string {
	if most == 0 || n < most {
		return ""
	}
	return fmt.Sprintf("%d complaints went out %s, and at most %d go out by themselves", n, what, most)
}

// released are the states of complaints that were let out.
var released = []queue.State{queue.Ready, queue.Sending, queue.Deferred, queue.Sent,
	queue.Failed, queue.Bounced, queue.Answered, queue.Resolved, queue.Retracted}

// release lets a new complaint out where the policy says so. From the look at what
// went out before until file has ended nobody else looks: else two that come together
// would both be the last one allowed.
func (r *Reporter) release(ctx context.Context, report *queue.Report, c *queue.Complaint, answer *contact.Answer, file func() error) error {
	if !r.Policy.mayCause(report.Cause) || len(c.To) == 0 {
		return file()
	}
	r.releasing.Lock()
	defer r.releasing.Unlock()
	h, err := r.history(ctx, c)
	if err != nil {
		return err
	}
	ok, why := r.Policy.Release(report, c, answer, h)
	if c.Hold = why; ok {
		c.State, c.Sender, c.ReadyAt = queue.Ready, r.Sender, h.Now
	}
	return file()
}

const day = 24 * time.Hour

// lookBack is how much older than its approval a complaint may be to be found here.
const lookBack = 7 * day

func (r *Reporter) history(ctx context.Context, c *queue.Complaint) (h History, err error) {
	h.Now = time.Now()
	since := func(f queue.Filter, at time.Time, most int) (n int, err error) {
		f.States, f.Since, f.Limit = released, at, most+1
		list, err := r.queue.List(ctx, f)
		for i := range list {
			if list[i].ReadyAt.After(at) {
				n++
			}
		}
		return n, err
	}
	if h.Hour, err = since(queue.Filter{}, h.Now.Add(-time.Hour), r.Policy.HourCap); err != nil {
		return h, err
	}
	if h.Network, err = since(queue.Filter{Network: networkOf(c.Source)}, h.Now.Add(-day), r.Policy.NetworkCap); err != nil {
		return h, err
	}
	for _, to := range c.To {
		n, err := since(queue.Filter{Contact: to}, h.Now.Add(-day), r.Policy.ContactCap)
		if err != nil {
			return h, err
		}
		h.Contact = max(h.Contact, n)
		list, err := r.queue.List(ctx, queue.Filter{Contact: to, States: released, Since: h.Now.Add(-r.Policy.Interval - lookBack),
			Sort: queue.Sort{By: queue.SortUpdated}, Limit: 100})
		if err != nil {
			return h, err
		}
		for i := range list {
			if list[i].ReadyAt.After(h.Last) {
				h.Last = list[i].ReadyAt
			}
		}
	}
	return h, nil
}

// networkOf is the block that counts as one network where caps are: what one
// customer has at most places.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits) // both are in range
	return p
}

package reporter

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
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

// History is when complaints were let out before, newest first, as far as a decision
// depends on it: of each list no more than the cap matters.
type History struct {
	Hour     []time.Time   // in the last hour, to anybody
	Contacts [][]time.Time // in the last day to each of the addresses
	Network  []time.Time   // in the last day about the same network
	Last     time.Time     // the last one to one of the addresses; zero for never
	Now      time.Time
}

// Ruling is whether a complaint goes out by itself.
type Ruling struct {
	Ready bool
	// Hold says what a person should know who decides; it is empty where he decides
	// each time anyway.
	Hold string
	// Again is when to ask again, for what only has to wait: the moment at which the
	// last of the bounds that hold it back gives way. Zero for what a person must
	// decide about.
	Again time.Time
}

// Release rules about a complaint whose incidents have their reports.
func (p Policy) Release(c *queue.Complaint, answer *contact.Answer, h History) Ruling {
	if ok, why := p.automatic(c, answer); !ok {
		return Ruling{Hold: why}
	}
	if why := p.stale(c, h.Now); why != "" {
		return Ruling{Hold: why}
	}
	ruling := Ruling{Ready: true}
	for _, bound := range bounds {
		if why, again := bound(p, h); again.After(ruling.Again) {
			ruling = Ruling{Hold: why, Again: again}
		}
	}
	return ruling
}

// automatic reports whether a complaint goes out by itself when its time has come, and
// if not, what speaks against it.
func (p Policy) automatic(c *queue.Complaint, answer *contact.Answer) (ok bool, why string) {
	if len(c.To) == 0 || len(c.Incidents) == 0 || FurtherParty(c) != "" {
		return false, ""
	}
	for i := range c.Incidents {
		if !p.mayCause(c.Incidents[i].Report.Cause) {
			return false, ""
		}
	}
	if why := uncertainSource(c); why != "" {
		return false, why
	}
	if why := uncertainContact(c, answer); why != "" {
		return false, why
	}
	return true, ""
}

func (p Policy) mayCause(cause queue.Cause) bool {
	return p.Approve == ApproveAll || p.Approve == ApproveJudged && cause != queue.CauseFilter
}

// uncertainSource lets nothing out by itself about an address that only claims name.
func uncertainSource(c *queue.Complaint) string {
	for i := range c.Incidents {
		hop := c.Incidents[i].Chain.Source()
		if hop == nil || hop.Grade != trace.GradeSession && hop.Grade != trace.GradeTrusted && hop.Grade != trace.GradeAttested {
			return "the source is not certain: a person must look"
		}
	}
	return ""
}

// uncertainContact lets nothing out by itself to the best that was found.
func uncertainContact(c *queue.Complaint, answer *contact.Answer) string {
	for _, to := range c.To {
		for _, k := range answer.Contacts {
			if k.Address == to && k.Confidence == contact.Low {
				return "the contact " + to + " is not certain: a person must look"
			}
		}
	}
	return ""
}

// stale leaves to a person what has waited too long: the newest message counts.
func (p Policy) stale(c *queue.Complaint, now time.Time) string {
	var newest time.Time
	for i := range c.Incidents {
		if at := arrival(&c.Incidents[i]); at.After(newest) {
			newest = at
		}
	}
	// The interval itself is no reason: who waits for it has not been forgotten.
	if most := p.MaxAge + p.Interval; p.MaxAge > 0 && now.Sub(newest) > most {
		return fmt.Sprintf("it had to wait, and is more than %s old now: a person must look", most)
	}
	return ""
}

// bounds are what passes with time, in the order in which their reasons help most. Again
// is when a bound gives way, zero where it does not hold.
var bounds = []func(Policy, History) (why string, again time.Time){tooSoon, contactCap, networkCap, hourCap}

func tooSoon(p Policy, h History) (why string, again time.Time) {
	if next := h.Last.Add(p.Interval); !h.Last.IsZero() && h.Now.Before(next) {
		return fmt.Sprintf("the desk had one at %s: by itself the next goes out from %s on", date(h.Last), date(next)), next
	}
	return "", time.Time{}
}

func contactCap(p Policy, h History) (why string, again time.Time) {
	for _, at := range h.Contacts {
		if w, room := over(at, p.ContactCap, day, h.Now, "to this desk in a day"); room.After(again) {
			why, again = w, room
		}
	}
	return why, again
}

func networkCap(p Policy, h History) (why string, again time.Time) {
	return over(h.Network, p.NetworkCap, day, h.Now, "about this network in a day")
}

// hourCap is what all wait for together, maybe thousands: each of them may ask for each
// place that comes free, so not more often than breath.
func hourCap(p Policy, h History) (why string, again time.Time) {
	why, again = over(h.Hour, p.HourCap, time.Hour, h.Now, "in an hour")
	if soonest := h.Now.Add(breath); why != "" && again.Before(soonest) {
		again = soonest
	}
	return why, again
}

const breath = 5 * time.Minute

// over says when there is room for one more under a cap that is reached: when the
// oldest of the newest that fill it falls out of its span.
func over(at []time.Time, most int, span time.Duration, now time.Time, what string) (why string, again time.Time) {
	if most == 0 || len(at) < most || !at[most-1].Add(span).After(now) {
		return "", time.Time{}
	}
	again = at[most-1].Add(span)
	return fmt.Sprintf("at most %d complaints go out by themselves %s: there is room from %s on", most, what, date(again)), again
}

// release lets a new complaint out where the policy says so, and has it filed.
func (r *Reporter) release(ctx context.Context, c *queue.Complaint, answer *contact.Answer, file func() error) error {
	if ok, why := r.Policy.automatic(c, answer); !ok {
		if why != "" {
			c.Hold = why
		}
		return file()
	}
	return r.rule(ctx, c, answer, func(ruling Ruling, now time.Time) error {
		c.State, c.Hold, c.LookupAt = queue.Held, ruling.Hold, ruling.Again
		if ruling.Ready {
			c.State, c.Sender, c.ReadyAt = queue.Ready, r.Sender, now
		}
		return file()
	})
}

// releaseWaiting rules again about a complaint whose time has come, to the desk that is
// answerable now.
func (r *Reporter) releaseWaiting(ctx context.Context, claim *queue.LookupClaim, now found) error {
	c := &claim.Complaint
	if !slices.Equal(c.To, now.To) {
		if now.Hold == "" {
			now.Hold = fmt.Sprintf("while it waited the desk changed from %s: a person must look", strings.Join(c.To, ", "))
		}
		return r.queue.SetContact(ctx, claim, now.Found)
	}
	return r.rule(ctx, c, &now.answer, func(ruling Ruling, _ time.Time) error {
		now.Ready, now.Sender, now.Hold, now.LookupAt = ruling.Ready, r.Sender, ruling.Hold, ruling.Again
		if now.Reason = ruling.Hold; ruling.Ready {
			now.Reason = "its time had come"
		}
		now.Key = r.Policy.key(c, &now)
		return r.queue.SetContact(ctx, claim, now.Found)
	})
}

// rule decides by what went out before. Until obey has ended nobody else looks: else two
// that come together would both be the last one allowed.
func (r *Reporter) rule(ctx context.Context, c *queue.Complaint, answer *contact.Answer, obey func(Ruling, time.Time) error) error {
	done, err := r.ruleAlone(ctx)
	if err != nil {
		return err
	}
	defer done()
	h, err := r.history(ctx, c)
	if err != nil {
		return err
	}
	return obey(r.Policy.Release(c, answer, h), h.Now)
}

// ruleAlone keeps all others from ruling, here and on other hosts: what one lets out
// the next must count.
func (r *Reporter) ruleAlone(ctx context.Context) (done func(), err error) {
	r.releasing.Lock()
	others, err := r.queue.RuleAlone(ctx)
	if err != nil {
		r.releasing.Unlock()
		return nil, err
	}
	return func() { others(); r.releasing.Unlock() }, nil
}

const day = 24 * time.Hour

// history reads what the bounds depend on, each no further than to its bound.
func (r *Reporter) history(ctx context.Context, c *queue.Complaint) (h History, err error) {
	h.Now = r.now()
	newest := func(f queue.LetOut, span time.Duration, most int) ([]time.Time, error) {
		if most == 0 {
			return nil, nil
		}
		f.Since, f.Limit = h.Now.Add(-span), most
		return r.queue.LetOut(ctx, f)
	}
	if h.Hour, err = newest(queue.LetOut{}, time.Hour, r.Policy.HourCap); err != nil {
		return h, err
	}
	if h.Network, err = newest(queue.LetOut{Network: networkOf(c.Source)}, day, r.Policy.NetworkCap); err != nil {
		return h, err
	}
	for _, to := range c.To {
		at, err := newest(queue.LetOut{Contact: to}, day, r.Policy.ContactCap)
		if err != nil {
			return h, err
		}
		h.Contacts = append(h.Contacts, at)
		last, err := r.queue.LetOut(ctx, queue.LetOut{Contact: to, Since: h.Now.Add(-r.Policy.Interval), Limit: 1})
		if err != nil {
			return h, err
		}
		if len(last) > 0 && last[0].After(h.Last) {
			h.Last = last[0]
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

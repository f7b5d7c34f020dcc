package reporter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Policy decides which reports may become complaints at all. It is pure: the
// same report, chain and settings always give the same verdict.
type Policy struct {
	// Networks are our own: no complaint is ever made about them.
	Networks []netip.Prefix
	// MaxAge is how old a message may be when it is reported; 0 for any age. Desks
	// can do nothing about what was long ago.
	MaxAge time.Duration
	// Approve says whose word lets complaints out.
	Approve Approve
	// Interval is the least time between complaints to one address that go out by
	// themselves.
	Interval time.Duration
	// ContactCap, NetworkCap and HourCap bound how many go out by themselves: in a
	// day to one address and about one network, in an hour in all. 0 for any number.
	ContactCap, NetworkCap, HourCap int
}

// Refuse returns why a report must not become a complaint, in words, or "" when
// it may. No gate can be switched off: each stands for harm that reporters of
// spam have done.
func (p Policy) Refuse(r *queue.Report, c *trace.Chain) string {
	for _, gate := range gates {
		if why := gate(p, r, c); why != "" {
			return why
		}
	}
	return ""
}

// gates, in the order in which their reasons help an admin most.
var gates = []func(Policy, *queue.Report, *trace.Chain) string{
	ownUser, brokenSeal, automatic, noSource, ownSource, specialSource, old,
}

// ownUser keeps what our own users send inside the house: their network is not
// the sender, we are.
func ownUser(_ Policy, r *queue.Report, _ *trace.Chain) string {
	if s := r.Message.Session; s != nil && s.AuthUser != "" {
		return fmt.Sprintf("sent by our own user %q: look into that account", s.AuthUser)
	}
	return ""
}

// brokenSeal keeps what somebody has put under a seal of ours that is not of it:
// whoever does that wants somebody else accused.
func brokenSeal(_ Policy, r *queue.Report, _ *trace.Chain) string {
	if s := r.Message.Session; s != nil && s.Disproved != "" {
		return "the seal is " + s.Disproved + ": who brought the message is not known"
	}
	return ""
}

// automatic keeps bounces, out-of-office notes and other people's complaints
// (RFC 3834, RFC 5965) from being complained about: answering a robot by a robot
// makes loops, and bounces come from the victims of a forged sender. The words of
// the mail stay out of the reason, which is logged.
func automatic(_ Policy, r *queue.Report, _ *trace.Chain) string {
	m := &r.Message
	if m.Session != nil && m.MailFrom == "" || slices.Contains(m.Fields("Return-Path"), "<>") {
		return "null reverse-path: a bounce or another automatic mail"
	}
	for _, v := range m.Fields("Auto-Submitted") {
		if token := firstToken(v); token != "" && !strings.EqualFold(token, "no") {
			return "automatic mail by its Auto-Submitted field"
		}
	}
	for _, v := range m.Fields("Content-Type") {
		if strings.EqualFold(firstToken(v), "multipart/report") {
			return "a delivery status or feedback report itself"
		}
	}
	return ""
}

// noSource also stops what came from our own hosts and private addresses alone:
// tracing passes these by and finds nobody behind them.
func noSource(_ Policy, _ *queue.Report, c *trace.Chain) string {
	if len(senders(c)) > 0 {
		return ""
	}
	if len(c.Hops) == 0 || !c.Hops[0].IP.IsValid() {
		return "no source can be named: nothing that can be believed states an address"
	}
	return fmt.Sprintf("no source can be named: it came from %s (%s), and nobody behind that is believed",
		c.Hops[0].IP, c.Hops[0].Reason)
}

func ownSource(p Policy, _ *queue.Report, c *trace.Chain) string {
	for _, party := range senders(c) {
		for _, n := range p.Networks {
			if n.Contains(party.Addr) {
				return fmt.Sprintf("own network: %s is in %s", party.Addr, n)
			}
		}
	}
	return ""
}

func specialSource(_ Policy, _ *queue.Report, c *trace.Chain) string {
	for _, party := range senders(c) {
		if ok, why := trace.Reportable(party.Addr); !ok {
			return fmt.Sprintf("%s is not a public address: %s", party.Addr, why)
		}
	}
	return ""
}

// old also stops mailboxes that somebody hands in whole.
func old(p Policy, r *queue.Report, c *trace.Chain) string {
	at := arrival(&queue.Incident{Report: *r, Chain: *c})
	if age := r.Received.Sub(at); p.MaxAge > 0 && age > p.MaxAge {
		return fmt.Sprintf("too old: it came %s before it was reported, and at most %s is useful", age.Round(time.Hour), p.MaxAge)
	}
	return ""
}

// firstToken returns a structured value without comments before it (RFC 5322
// §3.2.2) and parameters behind it.
func firstToken(v string) string {
	for v = strings.TrimSpace(v); strings.HasPrefix(v, "("); {
		_, rest, _ := strings.Cut(v, ")")
		v = strings.TrimSpace(rest)
	}
	if i := strings.IndexAny(v, "; ("); i >= 0 {
		v = v[:i]
	}
	return v
}

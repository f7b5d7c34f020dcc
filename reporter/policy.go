package reporter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Policy decides which reports may become complaints at all. It is pure: the
// same report, chain and settings always give the same verdict.
type Policy struct {
	// Networks are our own: no complaint is ever made about them.
	Networks []netip.Prefix
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
	ownUser, automatic, noSource, ownSource, specialSource,
}

// ownUser keeps what our own users send inside the house: their network is not
// the sender, we are.
func ownUser(_ Policy, r *queue.Report, _ *trace.Chain) string {
	if s := r.Message.Session; s != nil && s.AuthUser != "" {
		return fmt.Sprintf("sent by our own user %q: look into that account", s.AuthUser)
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
	if len(Parties(c)) > 0 {
		return ""
	}
	if len(c.Hops) == 0 || !c.Hops[0].IP.IsValid() {
		return "no source can be named: nothing that can be believed states an address"
	}
	return fmt.Sprintf("no source can be named: it came from %s (%s), and nobody behind that is believed",
		c.Hops[0].IP, c.Hops[0].Reason)
}

func ownSource(p Policy, _ *queue.Report, c *trace.Chain) string {
	for _, party := range Parties(c) {
		for _, n := range p.Networks {
			if n.Contains(party.Addr) {
				return fmt.Sprintf("own network: %s is in %s", party.Addr, n)
			}
		}
	}
	return ""
}

func specialSource(_ Policy, _ *queue.Report, c *trace.Chain) string {
	for _, party := range Parties(c) {
		if ok, why := trace.Reportable(party.Addr); !ok {
			return fmt.Sprintf("%s is not a public address: %s", party.Addr, why)
		}
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

package contact

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// LookupDomain finds who takes complaints about a domain that a message proved to
// come from: those who run the networks of its mail and web servers, and its
// registrar. Of a name below a registered domain only that domain is looked up. For
// a provider of free mailboxes it is the provider's own desk. With a Cache answers about
// the servers' networks are kept there, and the whole for an hour in this process. The
// Answer is shared with other callers and must not be changed.
func (f *Finder) LookupDomain(ctx context.Context, name string) (Answer, error) {
	domain, err := Domain(name)
	if err != nil {
		return Answer{}, err
	}
	if f.config.Cache == nil {
		return f.askDomain(ctx, domain)
	}
	done, err := f.domains.enter(ctx, domain)
	if err != nil {
		return Answer{}, err
	}
	defer done()
	if known, ok := f.domains.find(domain, f.config.Now()); ok {
		return known, nil
	}
	answer, err := f.askDomain(ctx, domain)
	if err == nil {
		f.domains.keep(domain, answer, stamp(f.config.Now))
	}
	return answer, err
}

func (f *Finder) askDomain(ctx context.Context, domain string) (Answer, error) {
	w := newWalk(netip.Addr{}, domain)
	_, askers := f.equipment()
	answer, err := f.walk(ctx, w, askers)
	if err != nil {
		return Answer{}, err
	}
	for _, addr := range w.hosts() {
		host, err := f.Lookup(ctx, addr)
		if err != nil {
			return Answer{}, err
		}
		answer.Hosts = append(answer.Hosts, host)
	}
	return joinHosts(answer), nil
}

// DecideDomain makes the answer about a domain again, as Decide does about an
// address: from the evidence and the answers about its hosts.
func DecideDomain(domain string, evidence []Evidence, hosts []Answer) Answer {
	answer := newWalk(netip.Addr{}, domain).replay(evidence)
	for _, h := range hosts {
		again := Decide(h.Addr, h.Evidence)
		again.Cached = h.Cached
		answer.Hosts = append(answer.Hosts, again)
	}
	return joinHosts(answer)
}

// Domain is the registered domain that a name belongs to, in A-labels. The error
// says why there is none.
func Domain(name string) (string, error) {
	ascii, err := mailDomain(strings.TrimSuffix(name, "."))
	if err != nil {
		return "", fmt.Errorf("%q is no domain name: %w", name, err)
	}
	domain := registered(ascii)
	if domain == "" {
		return "", fmt.Errorf("%q: %w", name, errUnregistered)
	}
	return domain, nil
}

var errUnregistered = errors.New("not a domain that somebody registered, but a public suffix or a name that its operator gave to a customer")

// hosts are the addresses of the domain's servers that are to be looked up.
func (w *walk) hosts() []netip.Addr {
	if w.ruled != nil {
		return nil
	}
	for _, s := range w.steps {
		if s.source == "hosts" && s.reading != nil {
			return s.reading.hosts
		}
	}
	return nil
}

// joinHosts adds the contacts of the servers' networks before the registrar's.
func joinHosts(a Answer) Answer {
	var contacts []Contact
	var reasons []string
	for _, h := range a.Hosts {
		if len(h.Contacts) > 0 {
			contacts = append(contacts, h.Contacts[0])
			reasons = append(reasons, fmt.Sprintf("%s serves it: %s", h.Addr, h.Reason))
		}
		if h.Expires.Before(a.Expires) && !h.Expires.IsZero() {
			a.Expires = h.Expires
		}
		if h.Outcome == Unreachable && len(a.Contacts) == 0 {
			a.Outcome, a.Reason, a.Retry = Unreachable, h.Reason, h.Retry
		}
	}
	if len(contacts) == 0 {
		return a
	}
	a.Retry = time.Time{}
	if len(a.Contacts) > 0 {
		reasons = append(reasons, a.Reason)
	}
	a.Contacts = unique(append(contacts, a.Contacts...))
	a.Outcome, a.Reason = Found, strings.Join(reasons, "; ")
	return a
}

func unique(list []Contact) []Contact {
	var out []Contact
	for _, c := range list {
		same := slices.ContainsFunc(out, func(o Contact) bool { return strings.EqualFold(o.Address, c.Address) })
		if !same && len(out) < maxContacts {
			out = append(out, c)
		}
	}
	return out
}

// Freemail reports whether anybody gets a mailbox at a domain, by the program's list
// or the operator's.
func (f *Finder) Freemail(domain string) bool {
	r := rules{Freemail: f.config.Freemail}
	return isFreemail(domain) || r.freemail(domain)
}

// free reports whether the domain is that of a provider where anybody gets a
// mailbox.
func (w *walk) free() bool {
	return w.domain != "" && !w.recorded && (isFreemail(w.domain) || w.rules.freemail(w.domain))
}

// toProvider takes the mailbox that RFC 2142 §4 names: behind the address of a
// provider of free mailboxes stands that provider, and nobody's registrar.
func (w *walk) toProvider() {
	address := "abuse@" + w.domain
	if why := w.deaf[w.domain]; why != "" {
		w.outcome, w.reason = NoContact, address+": "+why
		return
	}
	w.contacts = []Contact{{Address: address, Source: "freemail", Role: "abuse", Scope: ScopeDomain, Confidence: Low, Form: w.formOf(address)}}
	w.outcome, w.reason = Found, w.domain+" is a provider of free mailboxes, which has its own desk (RFC 2142)"
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

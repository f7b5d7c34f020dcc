package trace

import (
	"fmt"
	"strings"
)

// side says where the peer of a believed hop stands.
type side uint8

const (
	friend   side = iota // inside: the next field can be believed
	stranger             // outside: the border
	unsure               // can't be told: no border
)

// inside judges the peer of hop i, which is believed, by the field below it. The
// words say why that field may be believed, or why nothing can be said.
func (w *walk) inside(i int) (side, string) {
	h, next := &w.Hops[i], w.next(i)
	switch {
	case w.session && (i == 0 && !h.IP.IsValid() || h.Kind == KindLocal):
		return unsure, "handed in without an address, and anybody may have written what is below"
	case w.session && h.IP.IsValid() && (w.ours(h) || local(h.IP) || h.IP == h.ByIP):
		return w.own(h, next)
	case h.Kind == KindFetch && next != nil:
		return friend, "the mailbox provider's own receipt, below a fetch from it"
	case !h.IP.IsValid():
		return w.nameless(h, next)
	case w.ours(h):
		if next == nil || !w.linked(h, next) {
			return unsure, "our own host handed it in, and the next field was not written by it"
		}
		return friend, "written by a host of ours"
	case local(h.IP) || h.IP == h.ByIP:
		return w.nearby(h, next)
	case w.session:
		return w.outside(h, next)
	}
	return w.global(h, next, w.notes[i].statesNames)
}

// ours reports whether the operator named the hop's peer.
func (w *walk) ours(h *Hop) bool {
	return contains(w.options.Networks, h.IP) || h.RDNSVerified && matchAny(w.options.Hosts, h.RDNS)
}

// own judges a peer of ours in mail that came over our own session. A complaint
// follows from it, and an infected PC on our network can write any Received field
// below its own, under any greeting, and PCs have verified names too: so only our
// own host vouches for next, or one that the operator named as a server of ours.
func (w *walk) own(h, next *Hop) (side, string) {
	switch {
	case next == nil:
		return unsure, "handed in by a host of ours or a private address, and nothing is below it"
	case h.RDNSVerified && matchAny(w.options.Hosts, h.RDNS) && sameHost(h.RDNS, next.By):
		return friend, "written by a host that the configuration names, known by its verified name"
	case (h.IP.IsLoopback() || h.IP == h.ByIP) &&
		(sameHost(next.By, h.By) || sameHost(next.By, w.Hops[0].By) || next.Kind == KindFilter && next.IP.IsLoopback()):
		return friend, "written on the same host, above it in its own queue"
	case contains(w.options.Networks, h.IP) && matchAny(w.options.Hosts, h.HELO) && sameHost(h.HELO, next.By):
		return friend, "written by a host that the configuration names"
	}
	return unsure, "handed in by a host of ours or a private address, which nothing proves to have written the next field: name it in trace.hosts if it is a mail server"
}

// outside judges a peer with a public address that the operator has not named, in
// mail that came over our own session. Neither its name nor a provider's makes it
// ours: customers of an access provider or a hosting company have verified names
// in its domain, and an infected one writes below its own what it likes.
func (w *walk) outside(h, next *Hop) (side, string) {
	if next != nil && h.RDNSVerified && sameOrganisation(h.RDNS, h.By) && !numbered(h) && meetsExactly(h, next) {
		return unsure, "handed in by a host of our own domain, which the configuration does not name: add it to trace.hosts if it is a mail server"
	}
	return stranger, ""
}

// linked reports whether next was written by the peer of h, or by a host that the
// operator named.
func (w *walk) linked(h, next *Hop) bool {
	return meets(h, next) || matchAny(w.options.Hosts, next.By) || next.ByIP.IsValid() && contains(w.options.Networks, next.ByIP)
}

// nameless judges a hop that states no address.
func (w *walk) nameless(h, next *Hop) (side, string) {
	if next == nil {
		return unsure, "the way ends at a hop that states no address"
	}
	p := providerOf(w.providers, h)
	sameProvider := p != nil && p.owns(next)
	switch {
	case h.Kind == KindHTTP:
		return unsure, "handed in over HTTP, without an address"
	case sameProvider:
		return friend, fmt.Sprintf("written inside %s", p.name)
	case meets(h, next) || h.Kind == KindReceiver && (h.By == "" || h.ByIP.IsValid() && local(h.ByIP)):
		return friend, "written by the same host or its neighbour"
	}
	return unsure, "it states no address, and the next field was written elsewhere"
}

// nearby judges a peer on loopback or a private network, or the host itself.
func (w *walk) nearby(h, next *Hop) (side, string) {
	switch {
	case next == nil:
		return unsure, "handed in from a private address, and nothing is below it"
	case h.IP.IsLoopback() || h.IP == h.ByIP:
		if w.linked(h, next) || w.sameProvider(h, next) || !qualified(next.By) {
			return friend, "written on the same host, above it in its own queue"
		}
	case w.linked(h, next) || w.sameProvider(h, next) || !qualified(next.By):
		return friend, "written by a host on the receiver's private network"
	}
	return unsure, "handed in from a private address, and the next field was written elsewhere"
}

func (w *walk) sameProvider(h, next *Hop) bool {
	p := providerOf(w.providers, h)
	return p != nil && p.owns(next)
}

// global judges a peer with a public address. names says whether its PTR name
// would have been stated.
func (w *walk) global(h, next *Hop, names bool) (side, string) {
	if next != nil && hasPrefixFold(h.With, "LMTP") && meets(h, next) {
		return friend, "handed on by LMTP, which serves no strangers (RFC 2033)"
	}
	if p := providerOf(w.providers, h); p != nil {
		switch {
		case !p.hosts(h):
			return stranger, ""
		case next != nil && (p.owns(next) || meets(h, next)):
			return friend, fmt.Sprintf("written inside %s", p.name)
		}
		return unsure, fmt.Sprintf("handed on inside %s, and no field of its own is below", p.name)
	}
	if next == nil || h.Kind != KindSMTP || !meetsExactly(h, next) {
		return stranger, ""
	}
	switch {
	case h.RDNSVerified && sameOrganisation(h.RDNS, h.By):
		if numbered(h) { // a customer's line of an access provider
			return stranger, ""
		}
		return friend, "written by a host of the receiving organisation"
	case h.RDNS == "" && !names && sameOrganisation(h.HELO, h.By):
		return unsure, "the peer calls itself a host of the receiver, which nothing proves"
	}
	return stranger, ""
}

// numbered reports whether a name is made from its address, as access providers
// name their customers' lines.
func numbered(h *Hop) bool {
	digits := 0
	label, _, _ := strings.Cut(h.RDNS, ".")
	for i := 0; i < len(label); i++ {
		if isDigit(label[i]) {
			digits++
		}
	}
	return digits > 4
}

// meets reports whether next can be the work of h's peer or, for a hop within
// one host, of h's own writer: the names or addresses fit, or belong together.
func meets(h, next *Hop) bool {
	switch {
	case next.By == "":
		return next.Kind == KindLocal || next.Kind == KindReceiver || next.Kind == KindFilter
	case meetsExactly(h, next) || sameHost(next.By, h.By):
		return true
	}
	return sameOrganisation(next.By, h.HELO) || sameOrganisation(next.By, h.RDNS) || sameOrganisation(next.By, h.By)
}

// meetsExactly reports whether next was written by the host that h names.
func meetsExactly(h, next *Hop) bool {
	return next.ByIP.IsValid() && next.ByIP == h.IP || sameHost(next.By, h.HELO) || sameHost(next.By, h.RDNS)
}

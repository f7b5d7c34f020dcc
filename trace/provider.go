package trace

import (
	"net/netip"
	"strings"
)

// provider is an organisation whose hosts take mail from the Internet and send it
// there. One row serves both ways: it finds the border where the provider
// received the message, and extends belief where it relayed one.
//
// Names in the from clause are the peer's claim unless the receiver verified
// them, and some providers record no PTR name at all. Hence networks: a claimed
// name counts together with an address from there.
type provider struct {
	name string
	// family holds the names by which its hosts sign in the by clause.
	family []string
	// edge holds those that take mail from outside: whoever connects there is a
	// stranger even under a name of the family.
	edge []string
	// sends holds the names with which it delivers mail to others.
	sends []string
	// anyName says that its customers choose those names, so that networks alone
	// identify it.
	anyName  bool
	networks []netip.Prefix
	// fields holds header fields in which it tells the truth about its client.
	fields []string
	// noted says when the row was last looked at, and where it is known from.
	noted string
}

// matchName reports whether name fits a pattern: with a leading dot a domain and
// all below it, else a glob.
func matchName(pattern, name string) bool {
	if pattern == "" || name == "" {
		return false
	}
	if pattern[0] == '.' {
		return strings.EqualFold(pattern[1:], name) ||
			len(name) > len(pattern) && strings.EqualFold(name[len(name)-len(pattern):], pattern)
	}
	return glob(pattern, name)
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchName(p, name) {
			return true
		}
	}
	return false
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// owns reports whether the hop was written by one of the provider's hosts.
func (p *provider) owns(h *Hop) bool {
	return matchAny(p.family, h.By) || h.ByIP.IsValid() && contains(p.networks, h.ByIP)
}

// hosts reports whether the hop's peer is one of the provider's own hosts.
func (p *provider) hosts(h *Hop) bool {
	if len(p.edge) > 0 && (matchAny(p.sends, h.HELO) || matchAny(p.sends, h.RDNS)) {
		return false // mail from one customer to another went out and came in again
	}
	if h.RDNSVerified && matchAny(p.family, h.RDNS) {
		return !matchAny(p.edge, h.By)
	}
	return contains(p.networks, h.IP) && (matchAny(p.family, h.HELO) || matchAny(p.family, h.RDNS))
}

// relays reports whether the hop's peer is the provider delivering for a customer.
func (p *provider) relays(h *Hop) bool {
	if h.RDNSVerified && matchAny(p.sends, h.RDNS) {
		return true
	}
	return contains(p.networks, h.IP) && (p.anyName || matchAny(p.sends, h.HELO) || matchAny(p.sends, h.RDNS))
}

func prefixes(list string) []netip.Prefix {
	var nets []netip.Prefix
	for _, s := range strings.Fields(list) {
		nets = append(nets, netip.MustParsePrefix(s))
	}
	return nets
}

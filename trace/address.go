package trace

import (
	"net/netip"
	"strconv"
	"strings"
)

// parseAddr reads an address as Received fields state them: bare or in
// brackets, with the IPv6 tag of RFC 5321 §4.1.3, with a port behind a colon
// or a dot, with a zone. Mapped IPv4 is reduced. What is no address is none;
// nothing is repaired, and the unspecified address names nobody.
func parseAddr(s string) (a netip.Addr, port uint16, ok bool) {
	if s == "" || isLetter(s[0]) && strings.IndexByte(s, ':') < 0 { // as most words, which are names
		return netip.Addr{}, 0, false
	}
	host, tail, bracketed := unbracket(s)
	a, ok = plainAddr(host)
	if !ok {
		if host, tail, ok = splitPort(host, tail); ok {
			a, ok = plainAddr(host)
		}
	}
	if !ok || a.IsUnspecified() {
		return netip.Addr{}, 0, false
	}
	if bracketed {
		tail = strings.TrimPrefix(tail, ":")
	}
	if tail = strings.TrimRight(tail, ".,:"); tail != "" {
		n, err := strconv.ParseUint(tail, 10, 16)
		if err != nil {
			return a, 0, bracketed
		}
		port = uint16(n)
	}
	return a, port, true
}

// unbracket takes the brackets off "[host]tail".
func unbracket(s string) (host, tail string, bracketed bool) {
	if !strings.HasPrefix(s, "[") {
		return trimmedRight(s, stop), "", false
	}
	host, tail, ok := strings.Cut(s[1:], "]")
	if !ok {
		return s, "", false
	}
	return host, tail, true
}

// splitPort takes a port off an IPv4 address: "192.0.2.24:63559" and, as some
// write it, "192.0.2.24.63559".
func splitPort(host, tail string) (string, string, bool) {
	if tail != "" {
		return "", "", false
	}
	i := strings.LastIndexByte(host, ':')
	if i < 0 && strings.Count(host, ".") == 4 {
		i = strings.LastIndexByte(host, '.')
	}
	if i < 0 || strings.Count(host[:i], ".") != 3 {
		return "", "", false
	}
	return host[:i], host[i+1:], true
}

// plainAddr parses an address with nothing around it but tag and zone.
func plainAddr(s string) (netip.Addr, bool) {
	if len(s) > 5 && strings.EqualFold(s[:5], "ipv6:") {
		s = s[5:]
	}
	if i := strings.IndexByte(s, '%'); i > 0 {
		s = s[:i]
	}
	// netip allocates an error for everything that is no address, and most
	// words are none.
	if len(s) < 3 || len(s) > 45 || !looksNumeric(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

func looksNumeric(s string) bool {
	dots, colons := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i] | 0x20; {
		case s[i] == '.':
			dots++
		case s[i] == ':':
			colons++
		case s[i] < '0' || s[i] > '9' && (c < 'a' || c > 'f'):
			return false
		}
	}
	return dots == 3 || colons >= 2
}

// special lists the address blocks that are not a public sender's (RFC 6890
// and its registry, RFC 1112 for class E, RFC 5771 and RFC 4291 for multicast).
var special = []struct {
	net netip.Prefix
	why string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network (RFC 791)"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared behind a carrier's NAT (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback (RFC 1122)"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link local (RFC 3927)"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation (RFC 5737)"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay anycast (RFC 7526)"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private (RFC 1918)"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation (RFC 5737)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast (RFC 5771)"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved (RFC 1112)"},
	{netip.MustParsePrefix("::1/128"), "loopback (RFC 4291)"},
	{netip.MustParsePrefix("::/128"), "unspecified (RFC 4291)"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local translation (RFC 8215)"},
	{netip.MustParsePrefix("100::/64"), "discard only (RFC 6666)"},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments (RFC 2928)"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation (RFC 3849)"},
	{netip.MustParsePrefix("2002::/16"), "6to4 (RFC 7526)"},
	{netip.MustParsePrefix("3fff::/20"), "documentation (RFC 9637)"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing (RFC 9602)"},
	{netip.MustParsePrefix("fc00::/7"), "unique local (RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), "link local (RFC 4291)"},
	{netip.MustParsePrefix("fec0::/10"), "site local (RFC 3879)"},
	{netip.MustParsePrefix("ff00::/8"), "multicast (RFC 4291)"},
}

// Reportable reports whether somebody on the public Internet can answer for a.
// For the special-purpose addresses of RFC 6890 nobody can, and why says what
// the address is. A mapped IPv4 address is judged as IPv4.
func Reportable(a netip.Addr) (ok bool, why string) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return false, "no address"
	}
	for _, s := range special {
		if s.net.Contains(a) {
			return false, s.why
		}
	}
	if a.Is6() && !globalUnicast.Contains(a) && !nat64.Contains(a) {
		return false, "not in the global unicast block (RFC 4291)"
	}
	return true, ""
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
)

// local reports whether a can only be the receiver's own surroundings:
// loopback, private, link local, or a carrier's shared space.
func local(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

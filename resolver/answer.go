package resolver

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxAliases is how many CNAMEs are followed. Real chains have two or three.
const maxAliases = 8

var (
	errAliases   = errors.New("the name's aliases (CNAME) go round in a circle or on for more than 8 steps")
	errAmbiguous = errors.New("the name is an alias (CNAME) of two names at once")
	errTooMuch   = errors.New("the answer is longer than 64 KiB of text")
)

// Answer is what the DNS says to one question. It may be shared with other
// callers: do not change what it points to.
type Answer struct {
	Name string // as asked: A-labels in lower case, with the final dot
	Type uint16
	// NXDomain is set where the name, or the one that its aliases lead to, does
	// not exist at all. Without it and without Records there is the name, but
	// nothing of this type.
	NXDomain bool
	// Records are those of the asked type at the end of the aliases, sorted,
	// each once, with names in lower case and their TTLs at 0.
	Records []dns.RR
	// Text is the evidence: a comment with question and outcome, then all
	// records that led to the answer as lines of a master file (RFC 1035 §5.1)
	// without TTL, sorted. It is the same whenever the DNS says the same, and
	// ParseAnswer reads it.
	Text string

	TTL    time.Duration // how long this holds from now on; 0 where it must be asked again
	Server string        // who said it, host:port
}

// TXT returns the text of each record, its strings joined (as RFC 6376 §3.6.2.2
// and RFC 7208 §3.3 want it). It may hold any octet.
func (a Answer) TXT() []string {
	var texts []string
	for _, rr := range a.Records {
		if t, ok := rr.(*dns.TXT); ok {
			texts = append(texts, unescape(strings.Join(t.Txt, "")))
		}
	}
	return texts
}

// MX returns the mail hosts in the order of preference, names with a final dot,
// without those that are no host names. The host of a null MX is ".".
func (a Answer) MX() []*net.MX {
	var hosts []*net.MX
	for _, rr := range a.Records {
		if m, ok := rr.(*dns.MX); ok && (m.Mx == "." || isName(m.Mx)) {
			hosts = append(hosts, &net.MX{Host: m.Mx, Pref: m.Preference})
		}
	}
	slices.SortStableFunc(hosts, func(a, b *net.MX) int { return int(a.Pref) - int(b.Pref) })
	return hosts
}

// NullMX reports whether the name says that it takes no mail (RFC 7505 §3):
// one MX record, for the root.
func (a Answer) NullMX() bool {
	if len(a.Records) != 1 {
		return false
	}
	m, ok := a.Records[0].(*dns.MX)
	return ok && m.Mx == "."
}

// PTR returns the names, with a final dot, without those that are no host names.
func (a Answer) PTR() []string {
	var names []string
	for _, rr := range a.Records {
		if p, ok := rr.(*dns.PTR); ok && isName(p.Ptr) {
			names = append(names, p.Ptr)
		}
	}
	return names
}

// Addrs returns the addresses of A and AAAA records.
func (a Answer) Addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, rr := range a.Records {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A.To4()
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// isName holds what strangers' records name to the same rules as questions.
func isName(fqdn string) bool { return checkName(strings.TrimSuffix(fqdn, ".")) == nil }

// unescape turns the library's TXT strings, kept as a master file has them, into
// what they mean: \DDD is an octet, \X is X (RFC 1035 §5.1).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
			b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + s[i+3] - '0')
			i += 3
		default:
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

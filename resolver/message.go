package resolver

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// fromResponse makes the answer of a server's message, with its TTL.
func fromResponse(q question, m *dns.Msg) (Answer, error) {
	for _, rr := range m.Answer {
		if rr.Header().Rdlength == 0 {
			return Answer{}, errMalformed // no type that is asked for allows it, nor the library's text
		}
	}
	ttl := positiveTTL(m.Answer)
	a, err := newAnswer(q, m.Answer, m.Rcode == dns.RcodeNameError)
	if err != nil {
		return Answer{}, err
	}
	if len(a.Records) == 0 {
		ttl = min(negativeTTL(m), ttl)
	}
	a.TTL = ttl
	return a, nil
}

// positiveTTL is the shortest of all records, within bounds. One beyond 31 bits
// counts as zero (RFC 2181 §8).
func positiveTTL(rrs []dns.RR) time.Duration {
	ttl := maxTTL
	for _, rr := range rrs {
		t := rr.Header().Ttl
		if t > 1<<31-1 {
			t = 0
		}
		ttl = min(ttl, time.Duration(t)*time.Second)
	}
	return max(ttl, minTTL)
}

// negativeTTL is for how long there is nothing (RFC 2308 §5): what the SOA
// record says that came along. Without one nothing may be kept.
func negativeTTL(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			ttl := time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
			return min(max(ttl, minTTL), maxNegative)
		}
	}
	return 0
}

// newAnswer follows the aliases from the question's name through the records
// of an answer section. What belongs to other names is left out: a server may
// say it, but nobody asked.
func newAnswer(q question, section []dns.RR, nxdomain bool) (Answer, error) {
	a := Answer{Name: q.name, Type: q.qtype, NXDomain: nxdomain}
	for _, rr := range section {
		canonical(rr)
	}
	var aliases []dns.RR
	for name := q.name; ; {
		records, alias, err := at(section, name, q.qtype)
		if err != nil {
			return Answer{}, err
		}
		if len(records) > 0 || alias == nil {
			a.Records = records
			break
		}
		if len(aliases) == maxAliases {
			return Answer{}, errAliases
		}
		aliases = append(aliases, alias)
		name = alias.Target
	}
	if nxdomain {
		a.Records = nil
	}
	return a, a.describe(aliases)
}

// at finds the records of one name, and the name that it is an alias of.
func at(section []dns.RR, name string, qtype uint16) (records []dns.RR, alias *dns.CNAME, err error) {
	for _, rr := range section {
		h := rr.Header()
		if h.Class != dns.ClassINET || h.Name != name {
			continue
		}
		if h.Rrtype == qtype {
			records = append(records, rr)
		} else if c, ok := rr.(*dns.CNAME); ok {
			if alias != nil && alias.Target != c.Target {
				err = errAmbiguous
			}
			alias = c
		}
	}
	return records, alias, err
}

// canonical leaves in a record what is the same in each answer.
func canonical(rr dns.RR) {
	h := rr.Header()
	h.Ttl, h.Rdlength = 0, 0
	h.Name = dns.CanonicalName(h.Name)
	switch rr := rr.(type) {
	case *dns.CNAME:
		rr.Target = dns.CanonicalName(rr.Target)
	case *dns.MX:
		rr.Mx = dns.CanonicalName(rr.Mx)
	case *dns.NS:
		rr.Ns = dns.CanonicalName(rr.Ns)
	case *dns.PTR:
		rr.Ptr = dns.CanonicalName(rr.Ptr)
	case *dns.SOA:
		rr.Ns, rr.Mbox = dns.CanonicalName(rr.Ns), dns.CanonicalName(rr.Mbox)
	}
}

// describe sorts the records, drops repeated ones (RFC 2181 §5) and writes the text.
func (a *Answer) describe(aliases []dns.RR) error {
	texts := map[dns.RR]string{}
	size := 0
	for _, rr := range slices.Concat(aliases, a.Records) {
		texts[rr] = line(rr)
		if size += len(texts[rr]) + 1; size > maxText {
			return errTooMuch
		}
	}
	slices.SortFunc(a.Records, func(x, y dns.RR) int { return strings.Compare(texts[x], texts[y]) })
	a.Records = slices.CompactFunc(a.Records, func(x, y dns.RR) bool { return texts[x] == texts[y] })

	lines := make([]string, 0, 1+len(texts))
	for _, rr := range slices.Concat(aliases, a.Records) {
		lines = append(lines, texts[rr])
	}
	slices.Sort(lines)
	a.Text = strings.Join(append([]string{heading(a)}, lines...), "\n") + "\n"
	return nil
}

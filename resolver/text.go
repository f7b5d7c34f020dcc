package resolver

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// maxText is for the records of one answer, as text.
const maxText = 64 << 10

var errForeignText = errors.New("not an answer's text as this program writes it; it may have been changed or cut")

// ParseAnswer reads an answer's Text. What comes out equals the Answer that the
// text was taken from, but for Server and TTL, which the text does not have.
// Text that was changed in any way that still could be read is refused, too.
func ParseAnswer(text string) (Answer, error) {
	head, rest, ok := strings.Cut(text, "\n")
	if !ok || len(text) > maxText+maxName+64 {
		return Answer{}, errForeignText
	}
	q, nxdomain, err := parseHeading(head)
	if err != nil {
		return Answer{}, err
	}
	var section []dns.RR
	for l := range strings.Lines(rest) {
		rr, err := parseLine(strings.TrimSuffix(l, "\n"))
		if err != nil {
			return Answer{}, err
		}
		section = append(section, rr)
	}
	a, err := newAnswer(q, section, nxdomain)
	if err != nil {
		return Answer{}, fmt.Errorf("read a stored answer: %w", err)
	}
	if a.Text != text {
		return Answer{}, errForeignText
	}
	return a, nil
}

// heading says what the records can't: "; name. IN MX NXDOMAIN".
func heading(a *Answer) string {
	outcome := dns.RcodeSuccess
	if a.NXDomain {
		outcome = dns.RcodeNameError
	}
	return "; " + a.Name + " IN " + dns.TypeToString[a.Type] + " " + dns.RcodeToString[outcome]
}

func parseHeading(head string) (q question, nxdomain bool, err error) {
	f := strings.Fields(head)
	if len(f) != 5 {
		return question{}, false, errForeignText
	}
	q, err = newQuestion(f[1], dns.StringToType[f[3]])
	if err != nil {
		return question{}, false, fmt.Errorf("read a stored answer: %w", err)
	}
	return q, f[4] == dns.RcodeToString[dns.RcodeNameError], nil
}

// line is a record without its TTL.
func line(rr dns.RR) string {
	h := rr.Header()
	return h.Name + "\tIN\t" + dns.TypeToString[h.Rrtype] + "\t" + strings.TrimPrefix(rr.String(), h.String())
}

// parseLine reads one record, and writes and reads it as a server would have:
// one record has many spellings in a master file and inside the library, and
// one on the wire. The parser also obeys directives: from $GENERATE one record is
// taken here, others give none, and in neither case is the text the same again.
func parseLine(l string) (dns.RR, error) {
	z := dns.NewZoneParser(strings.NewReader(l), ".", "")
	z.SetDefaultTTL(0)
	rr, ok := z.Next()
	if !ok {
		return nil, errForeignText
	}
	wire := make([]byte, dns.Len(rr))
	n, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return nil, errForeignText
	}
	rr, _, err = dns.UnpackRR(wire[:n], 0)
	if err != nil {
		return nil, errForeignText
	}
	return rr, nil
}

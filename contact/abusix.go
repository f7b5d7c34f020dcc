package contact

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// askAbusix asks the Abusix Contact DB: TXT at the reversed address, mailboxes
// with commas between them. It is made from the registries' data.
func askAbusix(ctx context.Context, i *inquiry, addr string) error {
	_, err := i.query(ctx, reversed(addr)+"abuse-contacts.abusix.zone", dns.TypeTXT)
	return err
}

// reversed is the address as DNS lists it, with a final dot (RFC 1035 §3.5, RFC
// 3596 §2.5), without the zone.
func reversed(addr string) string {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		return ""
	}
	name = strings.TrimSuffix(name, "in-addr.arpa.")
	return strings.TrimSuffix(name, "ip6.arpa.")
}

func readAbusix(_ string, raw []byte) (*reading, error) {
	list, err := dnsAnswers(raw)
	if err != nil {
		return nil, err
	}
	rd := &reading{class: "ip network"}
	for _, text := range list[0].TXT() {
		for m := range strings.SplitSeq(text, ",") {
			m = strings.TrimSpace(m)
			n := lineWith(string(raw), m)
			if n > 0 && strings.Contains(m, "@") && len(rd.mailboxes) < maxMails {
				rd.mailboxes = append(rd.mailboxes, mention{text: m, where: lineNumber(n), role: "abuse", entity: m, level: levelResource, mark: markName})
			}
		}
	}
	if len(rd.mailboxes) == 0 {
		rd.said = "no mailbox"
	}
	return rd, nil
}

// lineWith is the number of the first line that has a text in it, 0 for none.
func lineWith(text, part string) int {
	n := 0
	for line := range strings.Lines(text) {
		if n++; strings.Contains(line, part) {
			return n
		}
	}
	return 0
}

// address is what a subject is, the zero Addr for a domain.
func address(about string) netip.Addr {
	a, _ := netip.ParseAddr(about)
	return a
}

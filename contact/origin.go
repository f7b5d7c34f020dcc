package contact

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// askOrigin asks Team Cymru which autonomous system announces the address.
func askOrigin(ctx context.Context, i *inquiry, addr string) error {
	zone := "origin.asn.cymru.com"
	if address(addr).Is6() {
		zone = "origin6.asn.cymru.com"
	}
	_, err := i.query(ctx, reversed(addr)+zone, dns.TypeTXT)
	return err
}

// readOrigin reads "64500 64501 | 192.0.2.0/24 | US | arin | 2010-07-14": several
// numbers where several announce it, several lines for networks in one another.
// Only the most specific one counts.
func readOrigin(_ string, raw []byte) (*reading, error) {
	list, err := dnsAnswers(raw)
	if err != nil {
		return nil, err
	}
	rd := &reading{class: "origin"}
	longest := -1
	for _, text := range list[0].TXT() {
		fields := strings.Split(text, "|")
		if len(fields) < 2 {
			continue
		}
		_, length, _ := strings.Cut(strings.TrimSpace(fields[1]), "/")
		bits, err := strconv.Atoi(length)
		if err != nil || bits < longest {
			continue
		}
		if bits > longest {
			longest, rd.origins = bits, nil
		}
		for _, n := range strings.Fields(fields[0]) {
			if as, err := strconv.ParseUint(n, 10, 32); err == nil && !slices.Contains(rd.origins, uint32(as)) {
				rd.origins = append(rd.origins, uint32(as))
			}
		}
	}
	for _, as := range rd.origins {
		rd.said = strings.TrimSpace(rd.said + " " + asName(as))
	}
	rd.said = cmp.Or(rd.said, "announced by nobody")
	return rd, nil
}

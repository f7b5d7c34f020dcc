package contact

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxHosts bounds the servers of a domain that are looked up further.
const maxHosts = 3

// askHosts asks which servers take a domain's mail and show its pages.
func askHosts(ctx context.Context, i *inquiry, domain string) error {
	mx, err := i.query(ctx, domain, dns.TypeMX)
	if err != nil || mx.NXDomain {
		return err
	}
	names := []string{}
	if best := mx.MX(); len(best) > 0 && best[0].Host != "." {
		names = append(names, best[0].Host)
	}
	for _, name := range append(names, domain) {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if a, err := i.query(ctx, name, qtype); err != nil && ctx.Err() != nil {
				return err
			} else if len(a.Records) > 0 {
				break
			}
		}
	}
	return nil
}

// readHosts reads the first address of each server, those for mail first.
func readHosts(_ string, raw []byte) (*reading, error) {
	list, err := dnsAnswers(raw)
	if err != nil {
		return nil, err
	}
	rd := &reading{class: "hosts"}
	for _, a := range list {
		addrs := a.Addrs()
		slices.SortFunc(addrs, netip.Addr.Compare)
		if len(addrs) > 0 && len(rd.hosts) < maxHosts && !slices.Contains(rd.hosts, addrs[0]) {
			rd.hosts = append(rd.hosts, addrs[0])
		}
	}
	for _, h := range rd.hosts {
		rd.said = strings.TrimSpace(rd.said + " " + h.String())
	}
	rd.said = cmp.Or(rd.said, "no servers")
	return rd, nil
}

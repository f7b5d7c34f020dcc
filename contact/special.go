package contact

import (
	"fmt"
	"net/netip"
)

// specials are the blocks that hold no hosts of the public Internet: RFC 6890
// and the IANA special-purpose registries after it (as of 2026-11), multicast,
// and the IPv4 space embedded in IPv6, where the inner address is the one to ask
// about.
var specials = func() (list []specialBlock) {
	for _, row := range []struct{ prefix, name string }{
		{"0.0.0.0/8", "this network"},
		{"10.0.0.0/8", "private use"},
		{"100.64.0.0/10", "carrier-grade NAT"},
		{"127.0.0.0/8", "loopback"},
		{"169.254.0.0/16", "link local"},
		{"172.16.0.0/12", "private use"},
		{"192.0.0.0/24", "IETF protocol assignments"},
		{"192.0.2.0/24", "documentation"},
		{"192.31.196.0/24", "AS112"},
		{"192.52.193.0/24", "AMT"},
		{"192.88.99.0/24", "6to4 relay anycast"},
		{"192.168.0.0/16", "private use"},
		{"192.175.48.0/24", "AS112"},
		{"198.18.0.0/15", "benchmarking"},
		{"198.51.100.0/24", "documentation"},
		{"203.0.113.0/24", "documentation"},
		{"224.0.0.0/4", "multicast"},
		{"240.0.0.0/4", "reserved"},
		{"2001::/23", "IETF protocol assignments"},
		{"2001:db8::/32", "documentation"},
		{"2002::/16", "6to4"},
		{"2620:4f:8000::/48", "AS112"},
		{"3fff::/20", "documentation"},
	} {
		list = append(list, specialBlock{netip.MustParsePrefix(row.prefix), row.name})
	}
	return list
}()

type specialBlock struct {
	prefix netip.Prefix
	name   string
}

// globalUnicast is all of IPv6 that IANA gives out (RFC 4291 §2.4).
var globalUnicast = netip.MustParsePrefix("2000::/3")

// special says why addr is no address of the public Internet; empty if it is one.
// IPv4-mapped addresses must have been reduced before.
func special(addr netip.Addr) string {
	for _, b := range specials {
		if b.prefix.Contains(addr) {
			return fmt.Sprintf("%s (%s) is no public address", b.prefix, b.name)
		}
	}
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return "outside of " + globalUnicast.String() + ", the global unicast space"
	}
	return ""
}

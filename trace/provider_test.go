package trace

import (
	"net/netip"
	"testing"
	"time"
)

// TestProviders holds the table to its form: who, how it signs, how it sends, and
// when that was looked at.
func TestProviders(t *testing.T) {
	for _, p := range providers {
		if p.name == "" || len(p.family) == 0 || len(p.sends) == 0 {
			t.Errorf("%+v lacks a name, a family or what it sends with", p)
		}
		if len(p.noted) < 12 {
			t.Errorf("%s: %q is no date and source", p.name, p.noted)
		} else if _, err := time.Parse(time.DateOnly, p.noted[:10]); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		for _, n := range p.networks {
			if n != n.Masked() {
				t.Errorf("%s: %s has bits behind its length", p.name, n)
			}
		}
	}
}

// TestRelayNeedsProof holds a relay's name to its proof: the receiver verified it,
// or the address is the provider's.
func TestRelayNeedsProof(t *testing.T) {
	for _, c := range []struct {
		h    Hop
		want bool
	}{
		{Hop{IP: netip.MustParseAddr("209.85.220.41"), HELO: "mail-sor-f41.google.com"}, true},
		{Hop{IP: netip.MustParseAddr("203.0.113.9"), HELO: "mail-sor-f41.google.com"}, false},
		{Hop{IP: netip.MustParseAddr("203.0.113.9"), RDNS: "mail-sor-f41.google.com"}, false},
		{Hop{IP: netip.MustParseAddr("203.0.113.9"), RDNS: "mail-sor-f41.google.com", RDNSVerified: true}, true},
		{Hop{IP: netip.MustParseAddr("209.85.220.41"), HELO: "vm.bc.googleusercontent.com"}, false},
		{Hop{HELO: "mail-sor-f41.google.com"}, false},
	} {
		if got := relayOf(providers, &c.h) != nil; got != c.want {
			t.Errorf("%v %s %s: relay %v", c.h.IP, c.h.HELO, c.h.RDNS, got)
		}
	}
}

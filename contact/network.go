package contact

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"go4.org/netipx"
)

// Contains reports whether addr lies in the network.
func (n Network) Contains(addr netip.Addr) bool { return n.span().Contains(addr) }

// String is the network as a prefix where it is one, else as "first-last"; it is
// empty for the zero Network.
func (n Network) String() string {
	r := n.span()
	if !r.IsValid() {
		return ""
	}
	if p, ok := r.Prefix(); ok {
		return p.String()
	}
	return r.String()
}

func (n Network) span() netipx.IPRange { return netipx.IPRangeFrom(n.First, n.Last) }

// hostBits returns the least number of bits that count all its addresses: 24
// for an IPv4 /8, whatever boundaries a range crosses.
func (n Network) hostBits() int {
	first, last := n.First.As16(), n.Last.As16()
	lo, borrow := bits.Sub64(binary.BigEndian.Uint64(last[8:]), binary.BigEndian.Uint64(first[8:]), 0)
	hi, _ := bits.Sub64(binary.BigEndian.Uint64(last[:8]), binary.BigEndian.Uint64(first[:8]), borrow)
	if hi != 0 {
		return 64 + bits.Len64(hi)
	}
	return bits.Len64(lo)
}

// wider reports whether the network is larger than a prefix of the length given
// for its family.
func (n Network) wider(v4, v6 int) bool {
	if n.First.Is4() {
		return n.hostBits() > 32-v4
	}
	return n.hostBits() > 128-v6
}

// tiny reports whether the network is so small that its holder may well be the
// sender himself: a handful of addresses that a provider gave to one customer.
func (n Network) tiny() bool { return n.First.IsValid() && !n.wider(27, 56) }

func rangeOf(p netip.Prefix) Network {
	r := netipx.RangeOfPrefix(p.Masked())
	return Network{First: r.From(), Last: r.To()}
}

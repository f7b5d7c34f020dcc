package contact

import (
	"net/netip"
	"testing"
)

// BenchmarkDecide makes an answer from one recorded answer of each registry.
func BenchmarkDecide(b *testing.B) {
	for _, s := range samples(b) {
		addr, _ := netip.ParseAddr(s.Query)
		evidence := recorded(b, s.source, s.raw())
		b.Run(s.source+"/"+s.ID, func(b *testing.B) {
			b.SetBytes(int64(len(s.raw())))
			for b.Loop() {
				Decide(addr, evidence)
			}
		})
	}
}

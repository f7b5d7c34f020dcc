package contact

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

// BenchmarkCached looks up an address whose network's answer is in the cache.
func BenchmarkCached(b *testing.B) {
	var s sample
	for _, s = range samples(b) {
		if s.source == "rdap" && s.Kind == "ip network" && len(s.Expect) > 0 {
			break
		}
	}
	addr := netip.MustParseAddr(s.Query)
	evidence := recorded(b, s.source, s.raw())
	now := evidence[0].At
	f, err := New(Config{Cache: &shelf{}, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	f.keep(context.Background(), Decide(addr, evidence))
	b.ReportAllocs()
	for b.Loop() {
		a, err := f.Lookup(context.Background(), addr)
		if err != nil || a.Cached.IsZero() {
			b.Fatalf("%v, %v", a, err)
		}
	}
}

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

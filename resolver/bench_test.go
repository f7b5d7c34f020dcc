package resolver_test

import (
	"context"
	"testing"
	"time"

	"spamreport-milter/resolver"
)

// BenchmarkCached looks up a TXT record that is in the cache.
func BenchmarkCached(b *testing.B) {
	var still clock
	benchmark(b, &still, func() {})
}

// BenchmarkAsked looks it up when the cache has let go of it.
func BenchmarkAsked(b *testing.B) {
	var now clock
	benchmark(b, &now, func() { now.ahead.Add(int64(48 * time.Hour)) })
}

// benchmark runs Go's own resolver, which has no cache, beside ours on the same
// loopback server. The ratio is how much faster ours is.
func benchmark(b *testing.B, c *clock, between func()) {
	d := server(b)
	r, std := client(b, resolver.Config{Now: c.Now, Timeout: 10 * time.Second}, d), standard(d)
	lookup := func(f func(context.Context, string) ([]string, error)) {
		if txt, err := f(b.Context(), "isp.test."); err != nil || len(txt) != 2 {
			b.Fatal(txt, err)
		}
	}
	lookup(r.LookupTXT)
	b.ReportAllocs()
	for b.Loop() {
		between()
		lookup(r.LookupTXT)
	}
	ours := b.Elapsed().Seconds() / float64(b.N)

	const rounds = 2000
	start := time.Now()
	for range rounds {
		lookup(std.LookupTXT)
	}
	theirs := time.Since(start).Seconds() / rounds
	b.ReportMetric(theirs*1e9, "std-ns/op")
	b.ReportMetric(theirs/ours, "ratio")
}

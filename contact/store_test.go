package contact_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
)

// kept is a store with an answer of the size of real ones for each of n networks.
func kept(b testing.TB, n int) *queue.Store {
	b.Helper()
	s, err := queue.Open(b.Context(), filepath.Join(b.TempDir(), "queue.db"), queue.Options{Daemon: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	text, err := os.ReadFile("testdata/rdap.json")
	if err != nil {
		b.Fatal(err)
	}
	ev, err := contact.Recorded("rdap", "", text[:16<<10], time.Now())
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		first, last := netip.AddrFrom4([4]byte{62, byte(i), 0, 0}), netip.AddrFrom4([4]byte{62, byte(i), 255, 255})
		answer := contact.Answer{Outcome: contact.Found, Network: contact.Network{First: first, Last: last},
			Contacts: []contact.Contact{{Address: "abuse@isp.test"}}, Expires: time.Now().Add(time.Hour), Evidence: []contact.Evidence{ev}}
		stored, err := json.Marshal(answer)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.PutContact(b.Context(), first, last, answer.Expires, stored); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func source(networks int) netip.Addr {
	r := rand.Uint32()
	return netip.AddrFrom4([4]byte{62, byte(rand.IntN(networks)), byte(r), byte(r >> 8)})
}

// BenchmarkCachedBeside looks up sources in 50 networks that the store knows, and
// beside that reads the same answers from the store each time.
func BenchmarkCachedBeside(b *testing.B) {
	const networks = 50
	s := kept(b, networks)
	f, err := contact.New(contact.Config{Cache: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	lookup := func(ctx context.Context) {
		if a, err := f.Lookup(ctx, source(networks)); err != nil || a.Cached.IsZero() {
			b.Fatal(a.Outcome, err)
		}
	}
	read := func(ctx context.Context) {
		stored, err := s.ContactFor(ctx, source(networks))
		var a contact.Answer
		if err != nil || json.Unmarshal(stored, &a) != nil {
			b.Fatal(err)
		}
	}
	var ours time.Duration
	for b.Loop() {
		start := time.Now()
		lookup(b.Context())
		ours += time.Since(start)
	}
	const rounds = 200
	start := time.Now()
	for range rounds {
		read(b.Context())
	}
	peer := time.Since(start) / rounds
	each := ours / time.Duration(b.N)
	b.ReportMetric(float64(time.Second)/float64(each), "lookups/s")
	b.ReportMetric(float64(time.Second)/float64(peer), "from-store/s")
	b.ReportMetric(float64(peer)/float64(each), "ratio")
}

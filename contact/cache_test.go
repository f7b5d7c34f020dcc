package contact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go4.org/netipx"

	"spamreport-milter/internal/testnet"
)

// shelf is a Cache; broken makes it fail.
type shelf struct {
	mu     sync.Mutex
	kept   []kept
	broken error
}

type kept struct {
	network Network
	expires time.Time
	answer  []byte
}

func (m *shelf) ContactFor(_ context.Context, addr netip.Addr) ([]byte, error) {
	best := m.best(addr)
	if best == nil {
		return nil, m.broken
	}
	return best.answer, m.broken
}

func (m *shelf) ContactSpan(_ context.Context, addr netip.Addr) (netipx.IPRange, error) {
	return m.around(addr, m.best(addr).network.span()), m.broken
}

func (m *shelf) best(addr netip.Addr) (best *kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, k := range m.kept {
		if k.network.Contains(addr) && (best == nil || k.network.hostBits() <= best.network.hostBits()) {
			best = &m.kept[i]
		}
	}
	return best
}

// around cuts off what other answers lie in the range before and after addr.
func (m *shelf) around(addr netip.Addr, r netipx.IPRange) netipx.IPRange {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.kept {
		switch n := k.network; {
		case n.Last.Less(addr) && !n.Last.Less(r.From()):
			r = netipx.IPRangeFrom(n.Last.Next(), r.To())
		case addr.Less(n.First) && !r.To().Less(n.First):
			r = netipx.IPRangeFrom(r.From(), n.First.Prev())
		}
	}
	return r
}

func (m *shelf) PutContact(_ context.Context, first, last netip.Addr, expires time.Time, answer []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = append(m.kept, kept{Network{First: first, Last: last}, expires, answer})
	return m.broken
}

func TestCacheAnswersForTheNetwork(t *testing.T) {
	w := newWorld(t)
	w.config.Cache = &shelf{}
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"),
		testnet.RIPE(prefix("62.1.9.0/24"), "INNER", "abuse@inner.test"))
	f := w.finder(t)
	asked := w.clock()
	lookup(t, f, "62.1.9.1") // the narrow one must not answer for the wide
	if a := lookup(t, f, "62.1.2.3"); !a.Cached.IsZero() || addresses(a) != "abuse@isp.test" {
		t.Errorf("first look-up: cached %s, %q", a.Cached, addresses(a))
	}
	w.pass(time.Hour)
	a := lookup(t, f, "62.1.200.200")
	if !a.Cached.Equal(asked) || a.Addr.String() != "62.1.200.200" || addresses(a) != "abuse@isp.test" {
		t.Errorf("second look-up: cached %s, %q for %s", a.Cached, addresses(a), a.Addr)
	}
	if a := lookup(t, f, "62.1.9.200"); addresses(a) != "abuse@inner.test" {
		t.Errorf("inner network: %q", addresses(a))
	}
	if n := len(w.Requests()); n != 2 {
		t.Errorf("%d questions, want 2: %v", n, w.Requests())
	}
	w.pass(7 * 24 * time.Hour)
	if a := lookup(t, f, "62.1.2.3"); !a.Cached.IsZero() {
		t.Errorf("an expired answer came from the cache")
	}
}

func TestCacheKeepsFailuresForTheAddressAlone(t *testing.T) {
	w := newWorld(t)
	cache := &shelf{}
	w.config.Cache = cache
	w.Fail(testnet.Other(testnet.RIPE(prefix("0.0.0.0/0"), "ALL", "abuse@all.test").Body))
	a := lookup(t, w.finder(t), "62.1.2.3")
	if len(a.Contacts) != 0 || len(cache.kept) != 1 || cache.kept[0].network.String() != "62.1.2.3/32" {
		t.Errorf("%q kept for %v: a network without bounds must answer for nobody else", addresses(a), cache.kept)
	}
}

func TestBrokenCacheCostsOnlyQuestions(t *testing.T) {
	w := newWorld(t)
	w.config.Cache = &shelf{broken: errors.New("disk full")}
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
	f := w.finder(t)
	for range 2 {
		if a := lookup(t, f, "62.1.2.3"); addresses(a) != "abuse@isp.test" {
			t.Errorf("%q: %s", addresses(a), a.Reason)
		}
	}
}

// TestBurstAsksEachNetworkOnce looks up many sources in few networks at a time.
func TestBurstAsksEachNetworkOnce(t *testing.T) {
	const networks, sources = 50, 200
	w := newWorld(t)
	w.config.Cache = &shelf{}
	for n := range networks {
		w.Add(testnet.RIPE(prefix(fmt.Sprintf("62.%d.0.0/16", n)), "NET", fmt.Sprintf("abuse@isp%d.test", n)))
	}
	f := w.finder(t)
	var wg sync.WaitGroup
	for i := range networks * sources {
		wg.Go(func() {
			n := i % networks
			a, err := f.Lookup(context.Background(), netip.AddrFrom4([4]byte{62, byte(n), byte(i), 1}))
			if err != nil || addresses(a) != fmt.Sprintf("abuse@isp%d.test", n) {
				t.Errorf("%d: %q, %v", i, addresses(a), err)
			}
		})
	}
	wg.Wait()
	if n := len(w.Requests()); n != networks {
		t.Errorf("%d questions, want %d", n, networks)
	}
}

// TestPaceIsPerRegistry needs no clock: the second question cannot be in time.
func TestPaceIsPerRegistry(t *testing.T) {
	own := netip.MustParseAddrPort("127.0.0.1:8443")
	c := newCourtesy(&Config{AllowPrivate: []netip.AddrPort{own}, Now: time.Now})
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	for link, paced := range map[string]bool{
		"https://rdap.lacnic.net/rdap/ip/200.1.1.1": true,
		"https://rdap.db.ripe.net/ip/62.1.1.1":      true,
		"https://unknown.test/ip/62.1.1.1":          true,
		"https://127.0.0.1:8443/ip/62.1.1.1":        false,
	} {
		u, err := httpsURL(link)
		if err != nil {
			t.Fatal(err)
		}
		var ev Evidence
		if _, err := c.wait(ctx, u.Host, &ev); err != nil {
			t.Errorf("%s: the first question waits: %v", link, err)
		}
		if _, err := c.wait(ctx, u.Host, &ev); errors.Is(err, context.DeadlineExceeded) != paced {
			t.Errorf("%s: the second question: %v, want paced %t", link, err, paced)
		}
	}
}

// hosts is a Pacer that several hosts share; broken makes it fail.
type hosts struct {
	pacer
	broken error
}

func (h *hosts) TakeTurn(ctx context.Context, server string, pace time.Duration, daily int, within time.Duration) (wait, paused time.Duration, asked int, err error) {
	if h.broken != nil {
		return 0, 0, 0, h.broken
	}
	return h.pacer.TakeTurn(ctx, server, pace, daily, within)
}

// TestPaceIsShared has two hosts ask one server: the second waits for the first,
// and knows when it refused. When what they share fails, each keeps a pace alone.
func TestPaceIsShared(t *testing.T) {
	shared := &hosts{pacer: pacer{now: time.Now, turns: map[string]*turns{}}}
	c := Config{Now: time.Now, Pacer: shared, Log: slog.New(slog.DiscardHandler)}
	one, two := newCourtesy(&c), newCourtesy(&c)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	const host = "rdap.db.ripe.net"
	var ev Evidence
	if _, err := one.wait(ctx, host, &ev); err != nil {
		t.Fatal(err)
	}
	if _, err := two.wait(ctx, host, &ev); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the other host asks at once: %v", err)
	}
	refusal := Evidence{Status: "429", At: time.Now(), RetryAt: time.Now().Add(time.Hour)}
	one.learn(ctx, host, &refusal)
	if paused, err := two.wait(ctx, host, &ev); err != nil || !paused || ev.RetryAt.Sub(refusal.RetryAt).Abs() > 2*time.Second {
		t.Errorf("after a refusal of the other host: paused %t until %s, %v", paused, ev.RetryAt, err)
	}
	shared.broken = errors.New("server away")
	if paused, err := one.wait(ctx, host, &ev); err != nil || !paused {
		t.Errorf("its own refusal is forgotten: paused %t, %v", paused, err)
	}
	if paused, err := two.wait(ctx, "rdap.arin.net", &ev); err != nil || paused {
		t.Errorf("alone: paused %t, %v", paused, err)
	}
	if _, err := two.wait(ctx, "rdap.arin.net", &ev); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("alone, at once: %v", err)
	}
}

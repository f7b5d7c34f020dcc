package contact

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go4.org/netipx"
)

const (
	maxSpans  = 1 << 16
	memoryTTL = time.Minute // other hosts may have learnt something since
)

// memory keeps answers of the cache decoded, each with the addresses that it
// surely is the most specific one for. These spans lie apart.
type memory struct {
	mu    sync.Mutex
	spans []remembered // by first address
}

type remembered struct {
	netipx.IPRange
	answer *Answer
	until  time.Time
}

// find returns the answer whose span holds addr; nil when none does.
func (m *memory) find(addr netip.Addr, now time.Time) *Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, exact := slices.BinarySearchFunc(m.spans, addr, func(s remembered, a netip.Addr) int { return s.From().Compare(a) })
	if !exact {
		i--
	}
	if i < 0 || !m.spans[i].Contains(addr) || !m.spans[i].until.After(now) {
		return nil
	}
	return m.spans[i].answer
}

// keep takes in an answer for a span, in the place of all that overlap with it.
func (m *memory) keep(r netipx.IPRange, answer *Answer, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.forget(r)
	if len(m.spans) >= maxSpans {
		m.spans, i = m.spans[:0], 0 // the cache below has them all
	}
	until := now.Add(memoryTTL)
	if answer.Expires.Before(until) {
		until = answer.Expires
	}
	m.spans = slices.Insert(m.spans, i, remembered{r, answer, until})
}

// drop forgets all that overlaps with a range.
func (m *memory) drop(r netipx.IPRange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(r)
}

// forget must be called with mu held. It returns where r belongs.
func (m *memory) forget(r netipx.IPRange) int {
	i, _ := slices.BinarySearchFunc(m.spans, r.From(), func(s remembered, a netip.Addr) int { return s.To().Compare(a) })
	j := i
	for j < len(m.spans) && m.spans[j].From().Compare(r.To()) <= 0 {
		j++
	}
	m.spans = slices.Delete(m.spans, i, j)
	return i
}

// Cache keeps answers by the network they are about. The answers are opaque to
// it. The most specific network that contains an address answers for it.
type Cache interface {
	// ContactFor returns the unexpired answer for addr, nil when there is none.
	ContactFor(ctx context.Context, addr netip.Addr) ([]byte, error)
	// ContactSpan returns a range around addr for all of which the same answer is
	// the most specific one.
	ContactSpan(ctx context.Context, addr netip.Addr) (netipx.IPRange, error)
	// PutContact keeps an answer for a network, replacing one for the same.
	PutContact(ctx context.Context, first, last netip.Addr, expires time.Time, answer []byte) error
}

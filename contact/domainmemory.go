package contact

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	maxDomains = 4096
	// domainTTL bounds how long an answer about a domain holds. A domain moves to
	// other servers when its holder likes, and what was true of it an hour ago may
	// accuse whoever has the old address now.
	domainTTL = time.Hour
)

// domainMemory keeps answers about domains in this process: the Cache knows networks
// only. The zero value is ready.
type domainMemory struct {
	mu      sync.Mutex
	answers map[string]rememberedDomain
	busy    map[string]chan struct{} // closed when the look-up under way has ended
}

type rememberedDomain struct {
	answer Answer
	until  time.Time
}

// enter waits until nobody else looks up the domain: the spam of one mailing comes at
// a time.
func (m *domainMemory) enter(ctx context.Context, domain string) (done func(), err error) {
	for {
		m.mu.Lock()
		other := m.busy[domain]
		if other == nil {
			defer m.mu.Unlock()
			return m.begin(domain), nil
		}
		m.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another look-up of %s: %w", domain, ctx.Err())
		}
	}
}

// begin must be called with mu held.
func (m *domainMemory) begin(domain string) (done func()) {
	if m.busy == nil {
		m.busy, m.answers = map[string]chan struct{}{}, map[string]rememberedDomain{}
	}
	mine := make(chan struct{})
	m.busy[domain] = mine
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.busy, domain)
		close(mine)
	}
}

func (m *domainMemory) find(domain string, now time.Time) (Answer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.answers[domain]
	return known.answer, ok && known.until.After(now)
}

func (m *domainMemory) keep(domain string, answer Answer, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= maxDomains {
		clear(m.answers)
	}
	until := now.Add(domainTTL)
	if answer.Expires.Before(until) {
		until = answer.Expires
	}
	answer.Cached = now
	m.answers[domain] = rememberedDomain{answer, until}
}

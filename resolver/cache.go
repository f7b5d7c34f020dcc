package resolver

import (
	"container/list"
	"time"
)

const (
	minTTL      = 5 * time.Second
	maxTTL      = 24 * time.Hour
	maxNegative = time.Hour       // RFC 2308 §5 leaves it to us, up to three
	failureTTL  = 5 * time.Second // RFC 9520 §3.2: at least 1 s, at most 5 min

	// maxCachedText keeps strangers from filling the memory: what is asked is
	// up to the mail that comes in. Ordinary answers have a few hundred octets.
	maxCachedText = 4 << 10
)

// cache keeps the answers and failures that were asked for last. Its owner locks it.
type cache struct {
	limit   int
	entries map[question]*list.Element
	order   list.List // of *entry, the latest used first
}

type entry struct {
	q       question
	answer  Answer
	err     error
	expires time.Time
}

func newCache(limit int) *cache {
	if limit <= 0 {
		limit = defaultCache
	}
	return &cache{limit: limit, entries: map[question]*list.Element{}}
}

// get returns what is kept, the answer with the time that it has left.
func (c *cache) get(q question, now time.Time) (Answer, error, bool) {
	e, ok := c.entries[q]
	if !ok {
		return Answer{}, nil, false
	}
	kept := e.Value.(*entry)
	if !now.Before(kept.expires) {
		c.remove(e)
		return Answer{}, nil, false
	}
	c.order.MoveToFront(e)
	a := kept.answer
	if kept.err == nil {
		a.TTL = kept.expires.Sub(now)
	}
	return a, kept.err, true
}

// put keeps an answer for its TTL, a failure for a short while: so that mail
// that names one broken domain many times does not wait for it each time. There
// is none for q yet: only who found none asked.
func (c *cache) put(q question, a Answer, err error, now time.Time) {
	ttl := a.TTL
	if err != nil {
		ttl = failureTTL
	}
	if ttl <= 0 || len(a.Text) > maxCachedText {
		return
	}
	c.entries[q] = c.order.PushFront(&entry{q, a, err, now.Add(ttl)})
	if c.order.Len() > c.limit {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	delete(c.entries, e.Value.(*entry).q)
	c.order.Remove(e)
}

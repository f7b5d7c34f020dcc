// Package resolver asks the site's DNS servers one question at a time and keeps
// what they say: a stub resolver (RFC 1034 §5.3.1) with a cache, whose answers
// have a text that can be stored as evidence and read again.
//
// Every error is a *net.DNSError, as the standard library's resolver returns
// it, so that libraries which look for one find it. [Temporary] tells whether
// asking again may help.
package resolver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultTimeout  = 10 * time.Second
	defaultAttempts = 2
	maxAttempts     = 5 // as resolv.conf(5)
	defaultCache    = 4096
)

// Config says whom to ask, and how long. The zero Config asks the servers of
// /etc/resolv.conf.
type Config struct {
	// Servers are IP addresses, with a port where it is not 53. They are asked
	// in this order: the next one when one fails.
	Servers []string
	// ResolvConf is the resolv.conf(5) file that is read, once, when Servers is
	// empty; /etc/resolv.conf when it is empty too. The options timeout,
	// attempts and rotate are obeyed, search domains are not: names are absolute.
	ResolvConf string
	// Timeout is for one question with all its attempts; 10 s when zero.
	Timeout time.Duration
	// Attempts is how often each server is asked at most, up to 5; 2 when zero.
	Attempts int
	// Cache is how many answers and failures are kept; 4096 when zero.
	Cache int
	// Now is the cache's clock; time.Now when nil.
	Now func() time.Time
}

// Resolver asks and remembers. It is safe for concurrent use and needs no end:
// nothing of it runs while nobody waits for an answer.
type Resolver struct {
	servers  []string
	rotate   bool          // begin with another server each time
	patience time.Duration // for one server's answer, where less than its share of timeout
	timeout  time.Duration
	attempts int
	now      func() time.Time

	asked atomic.Uint32 // questions so far, for rotate

	mu      sync.Mutex
	cache   *cache
	flights map[question]*flight
}

// New checks the configuration; it asks nothing yet.
func New(c Config) (*Resolver, error) {
	r := &Resolver{
		timeout: c.Timeout, attempts: c.Attempts, now: c.Now,
		cache: newCache(c.Cache), flights: map[question]*flight{},
	}
	if err := r.findServers(c); err != nil {
		return nil, err
	}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	if r.attempts <= 0 {
		r.attempts = defaultAttempts
	}
	r.attempts = min(r.attempts, maxAttempts)
	if r.now == nil {
		r.now = time.Now
	}
	return r, nil
}

// flight is a question on its way, for all who asked it meanwhile.
type flight struct {
	cancel  context.CancelFunc
	waiters int // under Resolver.mu
	done    chan struct{}
	answer  Answer // these two once done is closed
	err     error
}

// Query asks for the records of one type, following aliases. The name is
// absolute, with or without the final dot, in U-labels or A-labels. The type is
// one of dns.TypeA, AAAA, CNAME, MX, NS, PTR, SOA, TXT.
//
// That a name or its records do not exist is an Answer. An error is a
// *net.DNSError: temporary where no server gave a usable answer or ctx ended,
// permanent where the question or the answer is one that nothing can be done with.
func (r *Resolver) Query(ctx context.Context, name string, qtype uint16) (Answer, error) {
	q, err := newQuestion(name, qtype)
	if err != nil {
		return Answer{}, permanent(question{name: name}, "", err)
	}
	now := r.now()
	r.mu.Lock()
	if a, err, ok := r.cache.get(q, now); ok {
		r.mu.Unlock()
		return a, err
	}
	f := r.flights[q]
	if f == nil {
		f = r.start(q)
	}
	f.waiters++
	r.mu.Unlock()

	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		r.leave(q, f)
		return Answer{}, temporary(q, "", ctx.Err())
	}
}

// start sends a question off. It does not end with the caller who asked first:
// others may have come to wait for it.
func (r *Resolver) start(q question) *flight {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	f := &flight{cancel: cancel, done: make(chan struct{})}
	r.flights[q] = f
	go func() {
		f.answer, f.err = r.ask(ctx, q)
		r.land(q, f)
	}()
	return f
}

// land keeps the answer, unless the question was given up.
func (r *Resolver) land(q question, f *flight) {
	now := r.now()
	r.mu.Lock()
	if r.flights[q] == f {
		delete(r.flights, q)
		r.cache.put(q, f.answer, f.err, now)
	}
	r.mu.Unlock()
	f.cancel()
	close(f.done)
}

// leave gives a question up with the last who waited for it, and sees it end.
func (r *Resolver) leave(q question, f *flight) {
	r.mu.Lock()
	f.waiters--
	last := f.waiters == 0 && r.flights[q] == f
	if last {
		delete(r.flights, q)
		f.cancel()
	}
	r.mu.Unlock()
	if last {
		<-f.done
	}
}

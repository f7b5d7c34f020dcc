package contact

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	defaultPace    = time.Second
	defaultRefusal = time.Hour
	failurePause   = time.Minute // for a server that did not answer: others wait for the same time-out otherwise
)

// courtesy keeps to what servers ask of their clients: a pace, and peace after a
// refusal.
type courtesy struct {
	own     []netip.AddrPort // the operator's own servers, which need no pace
	now     func() time.Time
	mu      sync.Mutex
	servers map[string]*server // by host
}

type server struct {
	pace    *rate.Limiter
	refusal time.Duration
	until   time.Time // when it may be asked again
}

func newCourtesy(own []netip.AddrPort, now func() time.Time) *courtesy {
	return &courtesy{own: own, now: now, servers: map[string]*server{}}
}

// server must be called with mu held.
func (c *courtesy) server(u *url.URL) *server {
	s := c.servers[u.Host]
	if s == nil {
		s = &server{pace: rate.NewLimiter(rate.Every(defaultPace), 1), refusal: defaultRefusal}
		if r := registryByHost(u.Hostname()); r != nil {
			s.pace.SetLimit(rate.Every(r.pace))
			s.refusal = r.refusal
		}
		if a, err := netip.ParseAddrPort(u.Host); err == nil && slices.Contains(c.own, a) {
			s.pace.SetLimit(rate.Inf)
		}
		c.servers[u.Host] = s
	}
	return s
}

// wait returns when the server of u may be asked, or at once with the time until
// which it must not. The error is that of ctx.
func (c *courtesy) wait(ctx context.Context, u *url.URL) (until time.Time, err error) {
	c.mu.Lock()
	s := c.server(u)
	until = s.until
	c.mu.Unlock()
	if until.After(c.now()) {
		return until, nil
	}
	if err := s.pace.Wait(ctx); err != nil { // also at once, when the deadline comes before the turn
		return time.Time{}, fmt.Errorf("wait for a turn at %s: %w", u.Host, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	return time.Time{}, nil
}

// learn takes in how a question ended and returns when to ask again, where the
// server refused.
func (c *courtesy) learn(u *url.URL, ev *Evidence) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.server(u)
	retry := ev.RetryAt
	switch ev.Status {
	case "429", "403":
		if retry.IsZero() {
			retry = ev.At.Add(s.refusal)
		}
		s.until = retry
	case "503":
		s.until = retry
	case StatusTimeout, StatusUnreachable:
		s.until = ev.At.Add(failurePause)
	default:
		return time.Time{}
	}
	return retry
}

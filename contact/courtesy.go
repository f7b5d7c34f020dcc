package contact

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	defaultPace    = time.Second
	defaultRefusal = time.Hour
	failurePause   = time.Minute   // for a server that did not answer: others wait for the same time-out otherwise
	maxFailureTTL  = 6 * time.Hour // asking again after repeated failures
)

// courtesy keeps to what servers ask of their clients: a pace, a number of
// questions a day, and peace after a refusal.
type courtesy struct {
	own     []netip.AddrPort // the operator's own servers, which need no pace
	now     func() time.Time
	mu      sync.Mutex
	servers map[string]*server // by host, with the port where it is not the usual one
}

type server struct {
	pace    *rate.Limiter
	refusal time.Duration
	until   time.Time // when it may be asked again
	fails   int       // in a row
	daily   int       // questions a day; 0 for any number
	day     time.Time
	asked   int // on that day
}

func newCourtesy(own []netip.AddrPort, now func() time.Time) *courtesy {
	return &courtesy{own: own, now: now, servers: map[string]*server{}}
}

// server must be called with mu held.
func (c *courtesy) server(host string) *server {
	s := c.servers[host]
	if s != nil {
		return s
	}
	s = &server{pace: rate.NewLimiter(rate.Every(defaultPace), 1), refusal: defaultRefusal}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if r := registryByHost(name); r != nil {
		s.pace.SetLimit(rate.Every(r.pace))
		s.refusal, s.daily = r.refusal, r.daily
	}
	if a, err := netip.ParseAddrPort(host); err == nil && slices.Contains(c.own, a) {
		s.pace.SetLimit(rate.Inf)
	}
	c.servers[host] = s
	return s
}

// wait returns when the host may be asked, with the time of the question in ev; or
// at once when it must not be asked, with the reason in ev. The error is that of ctx.
func (c *courtesy) wait(ctx context.Context, host string, ev *Evidence) (paused bool, err error) {
	s, until, why := c.standing(host)
	if until.After(c.now()) {
		ev.Status, ev.RetryAt, ev.Error = StatusPaused, until, why
		return true, nil
	}
	if err := s.pace.Wait(ctx); err != nil { // also at once, when the deadline comes before the turn
		return false, fmt.Errorf("wait for a turn at %s: %w", host, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	ev.At = stamp(c.now)
	return false, nil
}

// standing says until when a host is not to be asked, and why; a zero time lets
// it be asked, and counts.
func (c *courtesy) standing(host string) (s *server, until time.Time, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s = c.server(host)
	now := c.now().UTC()
	if s.until.After(now) {
		return s, s.until, "it refused or failed a short time ago"
	}
	if today := now.Truncate(24 * time.Hour); !s.day.Equal(today) {
		s.day, s.asked = today, 0
	}
	if s.daily > 0 && s.asked >= s.daily {
		return s, s.day.Add(24 * time.Hour), fmt.Sprintf("asked %d times today, more is not welcome", s.asked)
	}
	s.asked++
	return s, time.Time{}, ""
}

// learn takes in how a question ended and notes in ev when to ask again, where
// the server refused or failed.
func (c *courtesy) learn(host string, ev *Evidence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.server(host)
	switch ev.Status {
	case "429", "403", StatusRefused:
		if ev.RetryAt.IsZero() {
			ev.RetryAt = ev.At.Add(s.refusal)
		}
		s.until = ev.RetryAt
	case "503":
		s.until = ev.RetryAt
	case StatusTimeout, StatusUnreachable:
		s.until = ev.At.Add(failurePause)
		ev.RetryAt = ev.At.Add(min(failureTTL<<min(s.fails, 10), maxFailureTTL))
		s.fails++
	default:
		ev.RetryAt, s.fails = time.Time{}, 0
	}
}

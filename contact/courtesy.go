package contact

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
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
	log     *slog.Logger
	shared  Pacer // of all hosts; nil for one host alone
	memory  pacer // of this process, also when the shared one fails
	mu      sync.Mutex
	servers map[string]*server // by host, with the port where it is not the usual one
}

type server struct {
	pace    time.Duration
	refusal time.Duration
	fails   int // in a row
	daily   int // questions a day; 0 for any number
}

func newCourtesy(c *Config) *courtesy {
	return &courtesy{
		own: c.AllowPrivate, now: c.Now, log: c.Log, shared: c.Pacer,
		memory: pacer{now: c.Now, turns: map[string]*turns{}}, servers: map[string]*server{},
	}
}

// server must be called with mu held.
func (c *courtesy) server(host string) *server {
	s := c.servers[host]
	if s != nil {
		return s
	}
	s = &server{pace: defaultPace, refusal: defaultRefusal}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if r := registryByHost(name); r != nil {
		s.pace, s.refusal, s.daily = r.pace, r.refusal, r.daily
	}
	if a, err := netip.ParseAddrPort(host); err == nil && slices.Contains(c.own, a) {
		s.pace = 0
	}
	c.servers[host] = s
	return s
}

// wait returns when the host may be asked, with the time of the question in ev; or
// at once when it must not be asked, with the reason in ev. The error is that of ctx.
func (c *courtesy) wait(ctx context.Context, host string, ev *Evidence) (paused bool, err error) {
	c.mu.Lock()
	pace, daily := c.server(host).pace, c.server(host).daily
	c.mu.Unlock()
	within := time.Duration(math.MaxInt64)
	if end, ok := ctx.Deadline(); ok {
		within = time.Until(end)
	}
	t := c.take(ctx, host, pace, daily, within)
	if t.paused > 0 {
		ev.Status, ev.RetryAt, ev.Error = StatusPaused, c.now().UTC().Add(t.paused).Truncate(time.Second), "it refused or failed a short time ago"
		if daily > 0 && t.asked >= daily {
			ev.Error = fmt.Sprintf("asked %d times today, more is not welcome", t.asked)
		}
		return true, nil
	}
	if t.wait > within { // not reserved
		return false, fmt.Errorf("wait for a turn at %s: %w", host, context.DeadlineExceeded)
	}
	select {
	case <-ctx.Done():
		return false, fmt.Errorf("wait for a turn at %s: %w", host, ctx.Err())
	case <-time.After(t.wait):
	}
	ev.At = stamp(c.now)
	return false, nil
}

// turn is what a Pacer answers.
type turn struct {
	wait, paused time.Duration
	asked        int
}

// take asks for a turn where all hosts do. When that fails, as the store may, this
// host keeps the pace for itself.
func (c *courtesy) take(ctx context.Context, host string, pace time.Duration, daily int, within time.Duration) turn {
	if c.shared != nil {
		wait, paused, asked, err := c.shared.TakeTurn(ctx, host, pace, daily, within)
		if err == nil {
			return turn{wait, paused, asked}
		}
		c.log.Warn("pace is not shared for now", "server", host, "err", err)
	}
	wait, paused, asked, _ := c.memory.TakeTurn(ctx, host, pace, daily, within) // has no way to fail
	return turn{wait, paused, asked}
}

func (c *courtesy) pause(ctx context.Context, host string, until time.Time) {
	d := until.Sub(c.now())
	_ = c.memory.Pause(ctx, host, d) // has no way to fail
	if c.shared == nil {
		return
	}
	if err := c.shared.Pause(ctx, host, d); err != nil {
		c.log.Warn("pause is not shared", "server", host, "err", err)
	}
}

// learn takes in how a question ended and notes in ev when to ask again, where
// the server refused or failed.
func (c *courtesy) learn(ctx context.Context, host string, ev *Evidence) {
	if until := c.judge(host, ev); !until.IsZero() {
		c.pause(context.WithoutCancel(ctx), host, until)
	}
}

// judge returns until when a server is not to be asked; the zero time for no pause.
func (c *courtesy) judge(host string, ev *Evidence) (until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.server(host)
	switch ev.Status {
	case "429", "403", StatusRefused:
		if ev.RetryAt.IsZero() {
			ev.RetryAt = ev.At.Add(s.refusal)
		}
		return ev.RetryAt
	case "503":
		return ev.RetryAt
	case StatusTimeout, StatusUnreachable:
		ev.RetryAt = ev.At.Add(min(failureTTL<<min(s.fails, 10), maxFailureTTL))
		s.fails++
		return ev.At.Add(failurePause)
	}
	ev.RetryAt, s.fails = time.Time{}, 0
	return time.Time{}
}

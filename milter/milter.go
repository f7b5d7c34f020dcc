// Package milter is the MTA's side: it speaks the milter protocol with Postfix
// or Sendmail, lets ordinary mail go at the end of its header, and turns a
// message that a content filter before us has tagged as spam into a report.
package milter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"spamreport-milter/queue"
)

// Submitter takes a report into safe keeping. It must be durable before it
// returns, for the MTA then drops its own copy of the duty; it returns when ctx
// ends at the latest. An error makes the client bring the message again.
type Submitter interface {
	Submit(ctx context.Context, r queue.Report) (int64, error)
}

// Config is what a Server needs. The zero value of each field but Submitter
// stands for the default.
type Config struct {
	// Submitter receives the reports.
	Submitter Submitter
	// Rules say which header fields are tags; nil for DefaultRules, empty for none.
	Rules []Rule
	// BodyLimit is how many octets of a tagged message's body are kept; 1 MiB.
	BodyLimit int64
	// HeaderLimit is how many octets of a message's header are kept, in whole
	// fields; 256 KiB. Postfix itself cuts a single field at 100 KB.
	HeaderLimit int
	// MaxSessions is how many MTA connections are served at once; 1000. One
	// more is told at once to let all its mail pass.
	MaxSessions int
	// IdleTimeout ends a session whose MTA says nothing; 7210 s as in Sendmail's
	// libmilter. It must outlast the slowest DATA: between RCPT and the end of
	// the message Postfix tells a milter nothing.
	IdleTimeout time.Duration
	// SubmitTimeout bounds one Submit; 8 s, within Sendmail's default of 10 s
	// for a milter's answer.
	SubmitTimeout time.Duration
	// Log gets one line an event, never message content; slog.Default.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	if c.Rules == nil {
		c.Rules = DefaultRules()
	}
	if c.BodyLimit == 0 {
		c.BodyLimit = 1 << 20
	}
	if c.HeaderLimit == 0 {
		c.HeaderLimit = 256 << 10
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 1000
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 7210 * time.Second
	}
	if c.SubmitTimeout == 0 {
		c.SubmitTimeout = 8 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

func (c *Config) check() error {
	if c.Submitter == nil {
		return errors.New("milter: no submitter given")
	}
	if c.BodyLimit < 0 || c.HeaderLimit < 0 || c.MaxSessions < 0 || c.IdleTimeout < 0 || c.SubmitTimeout < 0 {
		return errors.New("milter: limits and timeouts must not be negative")
	}
	for i, r := range c.Rules {
		if err := r.Check(); err != nil {
			return fmt.Errorf("milter: tag rule %d: %w", i+1, err)
		}
	}
	return nil
}

// Server serves any number of listeners. Its methods may be called from
// several goroutines.
type Server struct {
	cfg   Config
	rules ruleset
	stats counters

	// ctx ends when a shutdown has run out of time.
	ctx    context.Context
	cancel context.CancelFunc

	draining atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	full      bool          // over MaxSessions, and said so in the log
	gone      chan struct{} // closed when draining and no connection is left
}

// New checks the configuration and makes a server that serves nothing yet.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:       cfg,
		rules:     newRuleset(cfg.Rules),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		gone:      make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Stats is a snapshot of a server's counters. All but Active only grow.
type Stats struct {
	Active       int64 // sessions now
	Sessions     int64 // sessions begun
	Relieved     int64 // connections over MaxSessions, whose mail passes unexamined
	Broken       int64 // sessions ended by a bad frame, a dead or a silent peer
	Messages     int64 // messages whose header was read to its end
	Tagged       int64 // of these, called spam by a rule
	Ambiguous    int64 // of these, with tag fields that contradict each other
	Cut          int64 // tagged messages of which header or body were cut
	Submitted    int64 // reports taken by the Submitter
	SubmitFailed int64 // reports refused by it, answered with 451
	Panics       int64 // faults of ours that mail was let past
}

type counters struct {
	sessions, relieved, broken, messages, tagged, ambiguous, cut, submitted, submitFailed, panics atomic.Int64
}

// Stats returns the counters as they stand.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	active := int64(len(s.conns))
	s.mu.Unlock()
	c := &s.stats
	return Stats{
		Active:       active,
		Sessions:     c.sessions.Load(),
		Relieved:     c.relieved.Load(),
		Broken:       c.broken.Load(),
		Messages:     c.messages.Load(),
		Tagged:       c.tagged.Load(),
		Ambiguous:    c.ambiguous.Load(),
		Cut:          c.cut.Load(),
		Submitted:    c.submitted.Load(),
		SubmitFailed: c.submitFailed.Load(),
		Panics:       c.panics.Load(),
	}
}

// Package milter is the MTA's side: it speaks the milter protocol with Postfix
// or Sendmail, lets ordinary mail go at the end of its header, and turns a
// message that a content filter before us has tagged as spam into a report. Users
// hand in what filters missed at an address of their own; answers to complaints
// are passed on; and mail from outside can be sealed, so that it is known later
// who brought it.
package milter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"spamreport-milter/queue"
	"spamreport-milter/seal"
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
	// Reports is the way in for users' reports; nil for none.
	Reports *Reports
	// Replies takes what comes to the addresses that complaints were sent from; nil
	// for nobody.
	Replies Replies
	// Seal, when set, writes into mail from outside who brought it. Then such mail
	// is followed to its end, ham too; docs/seal.md states the price.
	Seal *seal.Keys
	// Inside are networks whose mail is not from outside; nil for those of Nearby.
	Inside []netip.Prefix
	// Memory is how many octets of messages all sessions together keep in memory;
	// 64 MiB. Bodies over 64 KiB go to files, as do all when it is used up.
	Memory int64
	// SpoolDir is the directory of these files, which have no names; os.TempDir.
	SpoolDir string
	// FrameRate is how many frames a second are taken from one MTA connection, which
	// waits when it sends more; 200,000, several thousand messages' worth.
	FrameRate int
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
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
	if c.FrameRate == 0 {
		c.FrameRate = 200_000
	}
	if c.Reports != nil {
		c.Reports.setDefaults()
	}
	if c.Inside == nil {
		c.Inside = Nearby()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

func (c *Config) check() error {
	if c.Submitter == nil {
		return errors.New("milter: no submitter given")
	}
	if c.BodyLimit < 0 || c.HeaderLimit < 0 || c.MaxSessions < 0 || c.IdleTimeout < 0 || c.SubmitTimeout < 0 || c.Memory < 0 || c.FrameRate < 0 {
		return errors.New("milter: limits and timeouts must not be negative")
	}
	if need := c.largest(); c.Memory < need {
		return fmt.Errorf("milter: %d octets of memory do not hold the largest message taken, which needs %d: raise memory or lower the limits of messages", c.Memory, need)
	}
	for i, r := range c.Rules {
		if err := r.Check(); err != nil {
			return fmt.Errorf("milter: tag rule %d: %w", i+1, err)
		}
	}
	return nil
}

// largest is what one message can need in memory at its end: its header, with some
// to spare, its body as it came, and what is decoded out of that.
func (c *Config) largest() int64 {
	body := c.BodyLimit
	if c.Reports != nil {
		body = max(body, 3*c.Reports.MaxSize)
	}
	return int64(c.HeaderLimit)*5/4 + body
}

// settings are a configuration in force. A session keeps those that it began with.
type settings struct {
	Config
	rules ruleset
}

// Server serves any number of listeners. Its methods may be called from
// several goroutines.
type Server struct {
	set    atomic.Pointer[settings]
	stats  counters
	memory *semaphore.Weighted // octets
	people people

	answers sync.WaitGroup // letters to users under way
	letters atomic.Int64   // how many they are

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
		memory:    semaphore.NewWeighted(cfg.Memory),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		gone:      make(chan struct{}),
	}
	s.set.Store(&settings{cfg, newRuleset(cfg.Rules)})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Reload puts another configuration in force for the sessions that begin from now
// on; those under way keep theirs. Memory stays as it was.
func (s *Server) Reload(cfg Config) error {
	cfg.setDefaults()
	cfg.Memory = s.set.Load().Memory
	if err := cfg.check(); err != nil {
		return err
	}
	s.set.Store(&settings{cfg, newRuleset(cfg.Rules)})
	return nil
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
	Unexamined   int64 // messages for which there was no memory, and that passed or, if tagged, were put off
	Spilled      int64 // bodies that went to a file
	Throttled    int64 // times that an MTA sent more frames than FrameRate
	Sealed       int64 // messages that got a seal
	Unsealed     int64 // messages from outside that got none: no key, or a header out of bounds
	ForeignSeals int64 // seals that came from outside and were removed
	UserReports  int64 // messages handed in by users and taken
	Refused      int64 // recipients and messages to the report address that were refused
	Answered     int64 // letters to users
	Replies      int64 // answers to our complaints
}

type counters struct {
	sessions, relieved, broken, messages, tagged, ambiguous, cut, submitted, submitFailed, panics,
	unexamined, spilled, throttled, sealed, unsealed, foreignSeals, userReports, refused, answered, replies atomic.Int64
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
		Unexamined:   c.unexamined.Load(),
		Spilled:      c.spilled.Load(),
		Throttled:    c.throttled.Load(),
		Sealed:       c.sealed.Load(),
		Unsealed:     c.unsealed.Load(),
		ForeignSeals: c.foreignSeals.Load(),
		UserReports:  c.userReports.Load(),
		Refused:      c.refused.Load(),
		Answered:     c.answered.Load(),
		Replies:      c.replies.Load(),
	}
}

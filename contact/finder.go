package contact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Config is what a Finder needs. The zero Config asks the real registries.
type Config struct {
	// Bootstrap is a directory with ipv4.json and ipv6.json (RFC 9224) and
	// possibly nir.json (see bootstrap/README.md); empty for the embedded copies.
	Bootstrap string
	// CAFile is a PEM file of the authorities that registries' certificates are
	// checked against; empty for the system's.
	CAFile string
	// AllowPrivate are servers on private addresses that may be asked all the
	// same, such as a mirror of the operator's own. They are asked at any pace.
	AllowPrivate []netip.AddrPort
	// Cache keeps answers; without one every look-up asks.
	Cache Cache
	// Timeout is for one question, redirects included; 10 s when zero.
	Timeout time.Duration
	Log     *slog.Logger     // slog.Default() when nil
	Now     func() time.Time // time.Now when nil
}

// Cache keeps answers by the network they are about. The answers are opaque to
// it. The most specific network that contains an address answers for it.
type Cache interface {
	// ContactFor returns the unexpired answer for addr, nil when there is none.
	ContactFor(ctx context.Context, addr netip.Addr) ([]byte, error)
	// PutContact keeps an answer for a network, replacing one for the same.
	PutContact(ctx context.Context, first, last netip.Addr, expires time.Time, answer []byte) error
}

// Finder looks up who takes complaints. It is safe for concurrent use.
type Finder struct {
	config Config
	boot   *bootstrap
	askers map[string]asker // by source

	mu    sync.Mutex
	turns map[string]chan struct{} // one look-up at a time, by the first registry asked
}

// New returns a Finder. It fails on a configuration that cannot work.
func New(c Config) (*Finder, error) {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	boot, err := loadBootstrap(c.Bootstrap)
	if err != nil {
		return nil, err
	}
	f := &Finder{config: c, boot: boot, askers: map[string]asker{}, turns: map[string]chan struct{}{}}
	courtesy := newCourtesy(c.AllowPrivate, c.Now)
	for name, s := range sources {
		if s.open == nil {
			continue
		}
		if f.askers[name], err = s.open(c, boot, courtesy); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Lookup finds who takes complaints about an address. A registry that fails or
// names nobody is an Answer without contacts that says so, with Retry set where
// asking again may help. The error is that of ctx, or of an address that is none.
func (f *Finder) Lookup(ctx context.Context, addr netip.Addr) (Answer, error) {
	if !addr.IsValid() {
		return Answer{}, errors.New("look-up of an invalid address")
	}
	addr = addr.Unmap().WithZone("")
	answer, next := decide(addr, nil)
	if next == nil {
		return answer, nil
	}
	if answer, ok := f.recall(ctx, addr); ok {
		return answer, nil
	}
	// Addresses of one network share a registry. Waiting for whoever asks it now
	// makes one look-up of many: the answer is in the cache by then. Nothing is
	// lost, the registries set the pace anyway.
	done, err := f.turn(ctx, f.boot.server(addr, ""))
	if err != nil {
		return Answer{}, err
	}
	defer done()
	if answer, ok := f.recall(ctx, addr); ok {
		return answer, nil
	}
	return f.ask(ctx, addr, next)
}

// turn waits until nobody else looks up at the same registry.
func (f *Finder) turn(ctx context.Context, registry string) (done func(), err error) {
	f.mu.Lock()
	turn := f.turns[registry]
	if turn == nil {
		turn = make(chan struct{}, 1)
		f.turns[registry] = turn
	}
	f.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other look-ups at %s: %w", registry, ctx.Err())
	}
}

// ask goes from question to question until the answer stands.
func (f *Finder) ask(ctx context.Context, addr netip.Addr, next *question) (answer Answer, err error) {
	var evidence []Evidence
	for next != nil {
		ev, err := f.askers[next.source].ask(ctx, addr, *next)
		if err != nil {
			return Answer{}, fmt.Errorf("contact for %s: %w", addr, err)
		}
		evidence = append(evidence, ev)
		answer, next = decide(addr, evidence)
	}
	f.config.Log.Info("contact looked up", "addr", addr, "network", answer.Network.String(), "outcome", answer.Outcome,
		"contacts", len(answer.Contacts), "questions", len(evidence), "reason", answer.Reason)
	f.keep(ctx, addr, answer)
	return answer, nil
}

// recall takes the answer from the cache. A cache that fails costs a question to
// the registry, not the look-up.
func (f *Finder) recall(ctx context.Context, addr netip.Addr) (answer Answer, ok bool) {
	if f.config.Cache == nil {
		return Answer{}, false
	}
	stored, err := f.config.Cache.ContactFor(ctx, addr)
	if err == nil && stored != nil {
		err = json.Unmarshal(stored, &answer)
	}
	if err != nil {
		f.config.Log.Warn("contact cache fails, asking the registry", "addr", addr, "err", err)
		return Answer{}, false
	}
	if stored == nil || !answer.Expires.After(f.config.Now()) {
		return Answer{}, false
	}
	answer.Addr = addr
	answer.Cached = answer.Evidence[len(answer.Evidence)-1].At
	return answer, true
}

// keep puts an answer into the cache: for its network, or for the address alone
// when no answer described the network.
func (f *Finder) keep(ctx context.Context, addr netip.Addr, answer Answer) {
	if f.config.Cache == nil {
		return
	}
	first, last := answer.Network.First, answer.Network.Last
	if !first.IsValid() {
		first, last = addr, addr
	}
	stored, err := json.Marshal(answer)
	if err == nil {
		err = f.config.Cache.PutContact(ctx, first, last, answer.Expires, stored)
	}
	if err != nil {
		f.config.Log.Warn("contact cache fails, the answer is not kept", "addr", addr, "err", err)
	}
}

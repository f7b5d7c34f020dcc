package contact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"go4.org/netipx"
)

// Config is what a Finder needs. The zero Config asks the real registries, and no
// DNS.
type Config struct {
	// Sources are the names of those to ask; all when empty.
	Sources []string
	// Bootstrap is a directory with ipv4.json and ipv6.json, and possibly further
	// files (see bootstrap/README.md); empty for the embedded copies, or for newer
	// ones in State.
	Bootstrap string
	// State is a directory where Refresh keeps the bootstrap files that it fetched;
	// empty for none.
	State string
	// BootstrapURL is where Refresh fetches them, with a final slash; IANA when empty.
	BootstrapURL string
	// CAFile is a PEM file of the authorities that registries' certificates are
	// checked against; empty for the system's.
	CAFile string
	// AllowPrivate are servers on private addresses that may be asked all the
	// same, such as a mirror of the operator's own. They are asked at any pace.
	AllowPrivate []netip.AddrPort
	// Overrides, Freemail (domains) and Forms are the operator's own, besides those
	// that the program has.
	Overrides []Override
	Freemail  []string
	Forms     []Form
	// DNS is asked for what stands there; nil asks nothing.
	DNS Resolver
	// Cache keeps answers; without one every look-up asks.
	Cache Cache
	// Pacer is shared with other hosts; without one this process keeps a pace alone.
	Pacer Pacer
	// Timeout is for one question, redirects included; 10 s when zero.
	Timeout time.Duration
	Log     *slog.Logger     // slog.Default() when nil
	Now     func() time.Time // time.Now when nil
}

// Finder looks up who takes complaints. It is safe for concurrent use.
type Finder struct {
	config   Config
	courtesy *courtesy
	memory   memory
	domains  domainMemory

	mu     sync.Mutex
	boot   *bootstrap
	askers map[string]asker         // by source; replaced, never changed
	turns  map[string]chan struct{} // one look-up at a time, by the first registry asked
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
	f := &Finder{config: c, courtesy: newCourtesy(&c), turns: map[string]chan struct{}{}}
	boot, err := f.loadBootstrap()
	if err != nil {
		return nil, err
	}
	return f, f.equip(boot)
}

// equip makes the askers for what the bootstrap files say.
func (f *Finder) equip(boot *bootstrap) error {
	for _, name := range f.config.Sources {
		if !slices.Contains(SourceNames(), name) {
			return fmt.Errorf("no source is called %q; there are: %s", name, strings.Join(SourceNames(), ", "))
		}
	}
	p := &parts{Config: f.config, boot: boot, courtesy: f.courtesy}
	askers := map[string]asker{}
	for name, s := range sources {
		if s.open == nil || s.chosen && len(f.config.Sources) > 0 && !slices.Contains(f.config.Sources, name) {
			continue
		}
		a, err := s.open(p)
		if err != nil {
			return err
		}
		if a != nil {
			askers[name] = a
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.boot, f.askers = boot, askers
	return nil
}

// Lookup finds who takes complaints about an address. A registry that fails or
// names nobody is an Answer without contacts that says so, with Retry set where
// asking again may help. The error is that of ctx, or of an address that is none.
// The Answer is shared with other callers and must not be changed.
func (f *Finder) Lookup(ctx context.Context, addr netip.Addr) (Answer, error) {
	if !addr.IsValid() {
		return Answer{}, errors.New("look-up of an invalid address")
	}
	w := newWalk(addr, "")
	if w.special != "" {
		return w.answer(), nil
	}
	if answer, ok := f.recall(ctx, w.addr); ok {
		return answer, nil
	}
	// Addresses of one network share a registry. Waiting for whoever asks it now
	// makes one look-up of many: the answer is in the cache by then. Nothing is
	// lost, the registries set the pace anyway.
	boot, askers := f.equipment()
	done, err := f.turn(ctx, boot.server(w.addr, ""))
	if err != nil {
		return Answer{}, err
	}
	defer done()
	if answer, ok := f.recall(ctx, w.addr); ok {
		return answer, nil
	}
	answer, err := f.walk(ctx, w, askers)
	if err == nil {
		f.keep(ctx, answer)
	}
	return answer, err
}

// LookupWithout is Lookup as if some mailboxes were not there: mail to them came
// back. It goes on to the next source then, up to the network around. Nothing of it is
// taken from the cache or kept there: it is for single complaints.
func (f *Finder) LookupWithout(ctx context.Context, addr netip.Addr, gone []string) (Answer, error) {
	if !addr.IsValid() {
		return Answer{}, errors.New("look-up of an invalid address")
	}
	w := newWalk(addr, "")
	if w.special != "" {
		return w.answer(), nil
	}
	boot, askers := f.equipment()
	done, err := f.turn(ctx, boot.server(w.addr, ""))
	if err != nil {
		return Answer{}, err
	}
	defer done()
	var o operator
	if set, ok := askers["operator"].(*operator); ok {
		o = *set
	}
	o.Gone, o.now = gone, f.config.Now
	askers = maps.Clone(askers)
	askers["operator"] = &o
	return f.walk(ctx, w, askers)
}

func (f *Finder) equipment() (*bootstrap, map[string]asker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.boot, f.askers
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

// walk goes from question to question until the answer stands.
func (f *Finder) walk(ctx context.Context, w *walk, askers map[string]asker) (Answer, error) {
	for q := w.next(); q != nil; q = w.next() {
		asker := askers[q.source]
		if asker == nil {
			w.skip(*q)
			continue
		}
		ev, err := asker.ask(ctx, *q)
		if err != nil {
			return Answer{}, fmt.Errorf("contact for %s: %w", w.subject(), err)
		}
		w.take(*q, ev)
	}
	answer := w.answer()
	f.config.Log.Info("contact looked up", "about", w.subject(), "network", answer.Network.String(), "outcome", answer.Outcome,
		"contacts", len(answer.Contacts), "questions", len(answer.Evidence), "reason", answer.Reason)
	return answer, nil
}

// recall takes the answer from the cache, unless the operator has set other rules
// since. A cache that fails costs a question to the registry, not the look-up.
func (f *Finder) recall(ctx context.Context, addr netip.Addr) (Answer, bool) {
	if f.config.Cache == nil {
		return Answer{}, false
	}
	known := f.memory.find(addr, f.config.Now())
	if known == nil {
		var err error
		if known, err = f.load(ctx, addr); err != nil {
			f.config.Log.Warn("contact cache fails, asking the registry", "addr", addr, "err", err)
		}
	}
	if known == nil || !known.Expires.After(f.config.Now()) || !f.agrees(addr, known) {
		return Answer{}, false
	}
	answer := *known
	answer.Addr = addr
	answer.Cached = answer.Evidence[len(answer.Evidence)-1].At
	return answer, true
}

// load reads an answer of the cache into the memory.
func (f *Finder) load(ctx context.Context, addr netip.Addr) (*Answer, error) {
	stored, err := f.config.Cache.ContactFor(ctx, addr)
	if err != nil || stored == nil {
		return nil, err
	}
	span, err := f.config.Cache.ContactSpan(ctx, addr)
	if err != nil {
		return nil, err
	}
	answer := &Answer{}
	if err := json.Unmarshal(stored, answer); err != nil {
		return nil, fmt.Errorf("an answer that was kept: %w", err)
	}
	if len(answer.Evidence) == 0 {
		return nil, errors.New("an answer that was kept without evidence")
	}
	f.memory.keep(span, answer, f.config.Now())
	return answer, nil
}

// agrees reports whether an answer was given under the operator's rules of today.
func (f *Finder) agrees(addr netip.Addr, answer *Answer) bool {
	_, askers := f.equipment()
	first := answer.Evidence[0]
	o, set := askers["operator"].(*operator)
	if !set || first.Source != "operator" {
		return !set && first.Source != "operator"
	}
	return bytes.Equal(first.Raw, o.about(addr.String()))
}

// keep puts an answer into the cache: for its network, or for the address alone
// when no answer described the network or it hangs on the address itself.
func (f *Finder) keep(ctx context.Context, answer Answer) {
	if f.config.Cache == nil {
		return
	}
	at := netipx.IPRangeFrom(answer.Addr, answer.Addr)
	if r := answer.Network.span(); r.IsValid() && !answer.single() {
		at = r
	}
	stored, err := json.Marshal(answer)
	if err == nil {
		err = f.config.Cache.PutContact(ctx, at.From(), at.To(), answer.Expires, stored)
	}
	if err != nil {
		f.config.Log.Warn("contact cache fails, the answer is not kept", "addr", answer.Addr, "err", err)
	}
	f.memory.drop(at)
}

// single reports whether an answer holds for its address alone: its name led to
// it, or the operator's word on less than the network.
func (a *Answer) single() bool {
	return slices.ContainsFunc(a.Contacts, func(c Contact) bool { return c.Source == "ptr" || c.Source == "operator" }) || a.Outcome == Never
}

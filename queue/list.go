package queue

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go4.org/netipx"
)

// Filter chooses complaints. Zero fields choose all.
type Filter struct {
	States   []State
	Contact  string       // a mailbox, or "@" and a domain for all of its mailboxes
	Network  netip.Prefix // of the source
	ASN      uint32
	Reporter string    // who reported one of the incidents
	Since    time.Time // created then or later
	Until    time.Time // created before
	Text     string    // all of these words, see Words

	Sort  Sort
	After string // only what comes behind this position: Position of the last one of the page before
	Limit int    // 100 if zero
}

// Sort is the order of a list; the zero one is newest first.
type Sort struct {
	By      string // a key of the table sorts; "" for SortCreated
	Forward bool   // least first
}

// The keys of Sort.
const (
	SortCreated = "created" // when it was filed
	SortUpdated = "updated" // when something last happened to it
	SortSource  = "source"  // the address complained about
)

// sorts are the columns behind the keys, each with an index that ends in the id.
var sorts = map[string]struct {
	column   string
	position func(*Complaint) any
}{
	SortCreated: {"id", func(c *Complaint) any { return c.ID }},
	SortUpdated: {"updated", func(c *Complaint) any { return micros(c.Updated) }},
	SortSource:  {"source", func(c *Complaint) any { return addrKey(c.Source) }},
}

// slack is how far clocks may have been apart or set back among the complaints
// that Since and Until choose from: ids only nearly follow the time.
const slack = 24 * time.Hour

// few is how many complaints of the wanted states make these the way to search,
// in place of the terms.
const few = 5000

// List returns complaints without Contact and Incidents.
func (s *Store) List(ctx context.Context, f Filter) (list []Complaint, err error) {
	err = s.view(ctx, func(tx *transaction) error {
		q, err := s.query(ctx, tx, f)
		if err != nil {
			return err
		}
		list, err = q.complaints(ctx, tx, limit(f.Limit))
		return err
	})
	return list, err
}

// IDs returns the numbers of all complaints that a filter chooses, in its order;
// After and Limit don't count.
func (s *Store) IDs(ctx context.Context, f Filter) (ids []int64, err error) {
	f.After = ""
	err = s.view(ctx, func(tx *transaction) error {
		q, err := s.query(ctx, tx, f)
		if err != nil {
			return err
		}
		ids, err = q.ids(ctx, tx)
		return err
	})
	return ids, err
}

// Position names a complaint's place in a list of that order, for Filter.After.
func (o Sort) Position(c *Complaint) string {
	switch k := sorts[o.key()].position(c).(type) {
	case []byte:
		return fmt.Sprintf("%s:%x:%d", o.key(), k, c.ID)
	default:
		return fmt.Sprintf("%s:%d:%d", o.key(), k, c.ID)
	}
}

func (o Sort) key() string {
	if o.By == "" {
		return SortCreated
	}
	return o.By
}

// ErrFilter means that a filter can't choose anything as it is.
var ErrFilter = errors.New("no such filter")

func (o Sort) check() error {
	if _, ok := sorts[o.key()]; !ok {
		return fmt.Errorf("%w: nothing is sorted by %q, only by created, updated and source", ErrFilter, o.By)
	}
	return nil
}

// position reads what Position wrote.
func (o Sort) position(after string) (key any, id int64, err error) {
	parts := strings.Split(after, ":")
	bad := fmt.Errorf("%w: %q is no position in a list by %s", ErrFilter, after, o.key())
	if len(parts) != 3 || parts[0] != o.key() {
		return nil, 0, bad
	}
	var n int64
	var b []byte
	if o.key() == SortSource {
		_, err = fmt.Sscanf(parts[1], "%x", &b)
		key = b
	} else {
		_, err = fmt.Sscanf(parts[1], "%d", &n)
		key = n
	}
	if err == nil {
		_, err = fmt.Sscanf(parts[2], "%d", &id)
	}
	if err != nil {
		return nil, 0, bad
	}
	return key, id, nil
}

// terms are what a filter asks of the index of terms; none when it asks nothing.
func (f *Filter) terms() (all []int64, err error) {
	if f.Contact != "" {
		all = append(all, term(termContact, strings.ToLower(f.Contact)))
	}
	if f.Network.IsValid() {
		if t, ok := networkTerm(f.network()); ok {
			all = append(all, t)
		}
	}
	if f.ASN != 0 {
		all = append(all, term(termASN, fmt.Sprint(f.ASN)))
	}
	if f.Reporter != "" {
		all = append(all, term(termReporter, strings.ToLower(f.Reporter)))
	}
	words := Words(f.Text)
	if f.Text != "" && len(words) == 0 {
		return nil, fmt.Errorf("%w: %q has no word to look for", ErrFilter, f.Text)
	}
	for _, w := range words {
		all = append(all, term(termWord, w))
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// network is Network without bits behind its length, IPv4 as such.
func (f *Filter) network() netip.Prefix {
	a, bits := f.Network.Addr(), f.Network.Bits()
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	p, _ := a.Prefix(bits) // was valid
	return p
}

// ipv4 is where the addresses of the other family stand among the keys.
var ipv4 = netipx.RangeOfPrefix(netip.MustParsePrefix("::ffff:0:0/96"))

// conditions are what the complaints themselves must be, besides their states.
func (f *Filter) conditions(w *where) {
	if f.Network.IsValid() {
		p := f.network()
		r := netipx.RangeOfPrefix(p)
		w.and("c.source >= ", addrKey(r.From()))
		w.and("c.source <= ", addrKey(r.To()))
		if p.Addr().Is6() && p.Contains(ipv4.From()) {
			w.conditions = append(w.conditions, "(c.source < "+w.arg(addrKey(ipv4.From()))+" OR c.source > "+w.arg(addrKey(ipv4.To()))+")")
		}
	}
	if !f.Since.IsZero() {
		w.and("c.created >= ", micros(f.Since))
	}
	if !f.Until.IsZero() {
		w.and("c.created < ", micros(f.Until))
	}
}

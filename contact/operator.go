package contact

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Override is the operator's own word on whom to write to. Of several that fit,
// the narrowest counts: address, network, autonomous system, domain.
type Override struct {
	// For is an address, a prefix, "AS64500", or a domain with all below it: the
	// domain that is looked up, or that of the mailbox that a registry names.
	For   string   `json:"for"`
	Mail  []string `json:"mail,omitempty"`  // at most three
	Form  string   `json:"form,omitempty"`  // URL of a form that a person fills in
	Never bool     `json:"never,omitempty"` // no complaint at all
	Note  string   `json:"note,omitempty"`  // why, and since when
}

// Form is a desk that takes complaints on a page only.
type Form struct {
	For string `json:"for"` // mailbox, or "@domain" for all at and below it
	URL string `json:"url"`
}

// rules are what the operator has set, as far as it bears on one look-up.
type rules struct {
	Overrides []Override `json:"overrides,omitempty"`
	Freemail  []string   `json:"freemail,omitempty"`
	Forms     []Form     `json:"forms,omitempty"`
	// Gone are mailboxes that mail came back from: no setting, but of one look-up.
	Gone []string `json:"gone,omitempty"`
}

// check says what is wrong with the first override or form that can't work.
func (r *rules) check() error {
	for _, o := range r.Overrides {
		if err := o.check(); err != nil {
			return fmt.Errorf("override for %q: %w", o.For, err)
		}
	}
	for _, f := range r.Forms {
		if _, domain, ok := strings.Cut(f.For, "@"); !ok || domain == "" || !webAddress(f.URL) {
			return fmt.Errorf("form for %q: name a mailbox or @domain, and an https:// address", f.For)
		}
	}
	return nil
}

func (o *Override) check() error {
	ends := min(len(o.Mail), 1) + min(len(o.Form), 1)
	if o.Never {
		ends++
	}
	switch {
	case o.width() < 0:
		return errors.New("it is no address, prefix, AS number or domain")
	case ends != 1:
		return errors.New("give one of mail, form and never")
	case o.Form != "" && !webAddress(o.Form):
		return errors.New("the form is no https:// address")
	case len(o.Mail) > maxContacts:
		return fmt.Errorf("more than %d mailboxes", maxContacts)
	}
	for _, m := range o.Mail {
		if _, err := Mailbox(m); err != nil {
			return fmt.Errorf("%q is no mailbox: %w", m, err)
		}
	}
	return nil
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// Widths of overrides that are not for networks.
const (
	widthOrigin = 1000
	widthDomain = 2000
)

// width orders overrides, the narrowest first; -1 for what is none.
func (o *Override) width() int {
	if p, ok := o.prefix(); ok {
		return p.Addr().BitLen() - p.Bits()
	}
	if _, ok := o.origin(); ok {
		return widthOrigin
	}
	if domain, err := mailDomain(o.For); err == nil {
		return widthDomain - len(domain)
	}
	return -1
}

func (o *Override) prefix() (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(o.For); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(o.For)
	return p.Masked(), err == nil
}

func (o *Override) origin() (uint32, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(o.For, "AS"), 10, 32)
	return uint32(n), err == nil && strings.HasPrefix(o.For, "AS")
}

// bears reports whether the override can matter to a look-up.
func (o *Override) bears(about string) bool {
	p, ok := o.prefix()
	if !ok {
		return true
	}
	a, err := netip.ParseAddr(about)
	return err == nil && p.Contains(a)
}

func (r *rules) hasOrigins() bool {
	return slices.ContainsFunc(r.Overrides, func(o Override) bool { return o.width() == widthOrigin })
}

func (r *rules) freemail(domain string) bool {
	return slices.ContainsFunc(r.Freemail, func(d string) bool { return strings.EqualFold(d, domain) })
}

// operator is asked what its own configuration says.
type operator struct {
	rules
	now func() time.Time
}

func newOperator(p *parts) (asker, error) {
	r := rules{Overrides: slices.Clone(p.Overrides), Freemail: p.Freemail, Forms: p.Forms}
	if err := r.check(); err != nil {
		return nil, err
	}
	if len(r.Overrides)+len(r.Freemail)+len(r.Forms) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(r.Overrides, func(a, b Override) int { return cmp.Compare(a.width(), b.width()) })
	return &operator{r, p.Now}, nil
}

func (o *operator) ask(_ context.Context, q question) (Evidence, error) {
	ev := Evidence{Source: q.source, Query: q.about, Server: "configuration", Status: StatusOK, At: stamp(o.now)}
	ev.record(o.about(q.about))
	return ev, nil
}

// about is what bears on one look-up, the narrowest first.
func (o *operator) about(subject string) []byte {
	r := o.rules
	r.Overrides = nil
	for _, v := range o.Overrides {
		if v.bears(subject) {
			r.Overrides = append(r.Overrides, v)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and lists of them always encode
	}
	return text
}

// readOperator reads what the operator had set at the time of a look-up.
func readOperator(_ string, raw []byte) (*reading, error) {
	rd := &reading{class: "rules", rules: &rules{}}
	if err := json.Unmarshal(raw, rd.rules); err != nil {
		return nil, fmt.Errorf("the operator's rules: %w", err)
	}
	if len(rd.rules.Overrides) == 0 {
		rd.said = "nothing that bears on it"
	}
	return rd, rd.rules.check()
}

// override is the operator's word on this look-up, nil when there is none.
func (w *walk) override() *Override {
	for i := range w.rules.Overrides {
		if o := &w.rules.Overrides[i]; w.concerns(o) {
			return o
		}
	}
	return nil
}

func (w *walk) concerns(o *Override) bool {
	if p, ok := o.prefix(); ok {
		return w.addr.IsValid() && p.Contains(w.addr)
	}
	if as, ok := o.origin(); ok {
		return len(w.origins) == 1 && w.origins[0] == as
	}
	domain := strings.ToLower(o.For)
	return within(w.domain, domain) || slices.ContainsFunc(w.taken, func(v *verdict) bool { return within(domainOf(v.address), domain) })
}

// obey puts the operator's word in the place of what was found.
func (w *walk) obey(o *Override) {
	why := strings.TrimSuffix("the operator's override for "+o.For+": "+o.Note, ": ")
	for _, v := range w.taken {
		v.taken, v.reason = false, why+" goes first"
	}
	w.ruled, w.taken, w.contacts, w.outcome, w.reason = o, nil, nil, Found, why
	c := Contact{Source: "operator", Role: "override", Scope: ScopeNetwork, Confidence: High, Form: o.Form}
	if w.domain != "" {
		c.Scope = ScopeDomain
	}
	switch {
	case o.Never:
		w.outcome = Never
	case o.Form != "":
		w.contacts = []Contact{c}
	}
	for _, m := range o.Mail {
		c.Address, _ = Mailbox(m) // checked when it was read
		c.Form = w.formOf(c.Address)
		w.contacts = append(w.contacts, c)
	}
}

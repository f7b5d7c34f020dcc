// Package redaction hides from a complaint's reader whose mail was reported. Each
// recipient becomes a keyed token (RFC 6590), the same one every time, so that two
// complaints about one mailbox can be told to be that, and nobody without the key
// can tell which. All else stays octet for octet as it was.
package redaction

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"slices"
	"strings"
	"sync"
)

// hidden is the domain that stands in place of recipients' ones: it can't exist
// (RFC 2606 §2). A vanity domain names a person as well as a mailbox does.
const hidden = "redacted.invalid"

// Redactor hides a set of mailboxes. It may be used by several at once.
type Redactor struct {
	patterns []pattern
	starts   [1 << 16 / 64]uint64     // bit set for the first two octets of patterns, in lower case
	first    map[uint16]int           // the last pattern added that begins so, plus one
	mailbox  map[string]replacement   // by mailbox in lower case
	locals   map[string][]replacement // by domain, longest local part first
}

// replacement is a mailbox's local part and what stands in its place.
type replacement struct{ local, token string }

// New returns a Redactor for mailboxes LOCAL@DOMAIN. Others with the same key give
// the same tokens. What is no mailbox is passed over.
func New(key []byte, mailboxes []string) *Redactor {
	r := &Redactor{first: map[uint16]int{}, mailbox: map[string]replacement{}, locals: map[string][]replacement{}}
	for _, m := range mailboxes {
		r.add(key, m)
		if local, domain, ok := split(m); ok { // user+tag is user's (RFC 5233)
			if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" {
				r.add(key, base+"@"+domain)
			}
		}
	}
	r.addDomains()
	return r
}

// addDomains orders domains so that of two which begin alike, such as localhost and
// localhost.example, the one that is written is found first, each time: what is added
// last is.
func (r *Redactor) addDomains() {
	var all []pattern
	for _, domain := range slices.Sorted(maps.Keys(r.locals)) {
		locals := endings(r.locals[domain])
		for _, d := range spellings(domain) {
			all = append(all, pattern{text: d, fold: true, locals: locals})
		}
	}
	slices.SortStableFunc(all, func(a, b pattern) int { return cmp.Or(len(a.text)-len(b.text), strings.Compare(a.text, b.text)) })
	for _, p := range all {
		r.pattern(p)
	}
}

// endings sorts local parts by their last two octets, so that thousands are no more work
// than a few, each time the longest first.
func endings(locals []replacement) map[uint16][]replacement {
	slices.SortFunc(locals, func(a, b replacement) int { return len(b.local) - len(a.local) })
	by := make(map[uint16][]replacement, len(locals))
	for _, l := range locals {
		k := ending([]byte(l.local))
		by[k] = append(by[k], l)
	}
	return by
}

// ending is a text's last two octets in lower case.
func ending(t []byte) uint16 {
	if len(t) == 1 {
		return start(0, t[0])
	}
	return start(t[len(t)-2], t[len(t)-1])
}

func split(mailbox string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(mailbox, '@')
	if at < 1 || len(mailbox)-at < 3 {
		return "", "", false
	}
	return mailbox[:at], mailbox[at+1:], true
}

func (r *Redactor) add(key []byte, mailbox string) {
	written := mailbox
	mailbox = strings.ToLower(mailbox)
	local, domain, ok := split(mailbox)
	if _, known := r.mailbox[mailbox]; known || !ok {
		return
	}
	rep := replacement{local, token(key, mailbox)}
	r.mailbox[mailbox] = rep
	r.locals[domain] = append(r.locals[domain], rep)
	all := planted(mailbox, written)
	r.patterns = slices.Grow(r.patterns, len(all)+40)
	for _, p := range all {
		p.token = rep.token
		r.pattern(p)
	}
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// token is a mailbox's keyed hash: 16 to 18 characters, at least 80 bits. Its length
// is chosen so that the whole replacement is as long as the mailbox but for a
// multiple of three: base64 that follows then stays what it was.
func token(key []byte, mailbox string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(mailbox))
	s := base32Lower.EncodeToString(h.Sum(nil))
	n := 16
	for (n+1+len(hidden)-len(mailbox))%3 != 0 {
		n++
	}
	return s[:n]
}

// pattern is something to look for.
type pattern struct {
	text   string
	fold   bool                     // in any case; then text is in lower case
	locals map[uint16][]replacement // a domain: what may stand before it, by its ending
	token  string                   // otherwise: what stands in its place
	next   int                      // another pattern that begins so, plus one; 0 for none
}

// shortest is how long a pattern must be: less stands anywhere by chance.
const shortest = 3

func (r *Redactor) pattern(p pattern) {
	if len(p.text) < shortest {
		return
	}
	k := start(p.text[0], p.text[1])
	r.starts[k/64] |= 1 << (k % 64)
	p.next = r.first[k]
	r.patterns = append(r.patterns, p)
	r.first[k] = len(r.patterns)
}

func start(a, b byte) uint16 { return uint16(lower(a)) | uint16(lower(b))<<8 }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// Message redacts a message given as header section, with the line end of its last
// field, and body. Where nothing is to be hidden it returns what it was given.
func (r *Redactor) Message(header, body []byte) (h, b []byte) {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	h = apply(header, r.edits(s, header, false, 0))
	return h, apply(body, r.edits(s, body, declaresBase64(header), 0))
}

// Mailbox returns what stands in place of a mailbox that it hides, and whether it
// does hide it.
func (r *Redactor) Mailbox(mailbox string) (string, bool) {
	rep, hides := r.mailbox[strings.ToLower(mailbox)]
	return rep.token + "@" + hidden, hides
}

// Text redacts a text that is decoded already, such as a Subject for people.
func (r *Redactor) Text(text string) string {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	return string(apply([]byte(text), r.edits(s, []byte(text), false, 0)))
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// edit replaces text[from:to].
type edit struct {
	from, to int
	by       string
}

// settle sorts edits and makes them disjoint: of two that overlap the first one's
// replacement stands for both, of two at one place that which was found first.
func settle(edits []edit) []edit {
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	out := edits[:0]
	for _, e := range edits {
		if n := len(out); n > 0 && e.from < out[n-1].to {
			out[n-1].to = max(out[n-1].to, e.to)
			continue
		}
		out = append(out, e)
	}
	return out
}

// apply makes the edits, which are settled.
func apply(text []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return text
	}
	out := make([]byte, 0, len(text)+32*len(edits))
	at := 0
	for _, e := range edits {
		out = append(append(out, text[at:e.from]...), e.by...)
		at = e.to
	}
	return append(out, text[at:]...)
}

package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// Complaints are found by terms: words of their text, and names that a person
// filters by. A term is a hash, and terms hold the complaints under it by their
// number, so that any page of a search costs the same on both engines, and no
// text of mail stands in an index.

// The kinds of terms.
const (
	termWord     = "word"
	termContact  = "contact" // a mailbox, or "@" and its domain
	termNetwork  = "network" // a prefix of one of the lengths in steps
	termASN      = "asn"
	termReporter = "reporter"
)

const (
	maxWords   = 48 // of one complaint
	maxWordLen = 64 // octets
)

func term(kind, value string) int64 {
	sum := sha256.Sum256([]byte(kind + "\x00" + value))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// termsOf returns the terms of a complaint, each once. Incidents whose reports are
// not filled in add nothing.
func termsOf(c *Complaint) []int64 {
	var all []int64
	for _, a := range c.To {
		all = append(all, contactTerms(a)...)
	}
	all = append(all, networkTerms(c.Source)...)
	if c.ASN != 0 {
		all = append(all, term(termASN, fmt.Sprint(c.ASN)))
	}
	said := []string{c.Subject, strings.Join(c.To, " "), c.Source.String(), c.Network, c.Domain, c.MessageID}
	for i := range c.Incidents {
		if i == 0 { // the sample
			said = append(said, c.Incidents[i].said()...)
			all = append(all, reporterTerms(&c.Incidents[i])...)
			continue
		}
		all = append(all, incidentTerms(&c.Incidents[i])...)
	}
	all = append(all, wordTerms(said)...)
	slices.Sort(all)
	return slices.Compact(all)
}

// incidentTerms are those that an incident adds to the terms of its complaint.
func incidentTerms(in *Incident) []int64 {
	all := append(reporterTerms(in), wordTerms(in.said())...)
	if hop := in.Chain.Source(); hop != nil && hop.IP.IsValid() {
		all = append(all, wordTerms([]string{hop.IP.Unmap().String()})...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func reporterTerms(in *Incident) []int64 {
	if in.Report.Reporter == "" {
		return nil
	}
	return []int64{term(termReporter, strings.ToLower(in.Report.Reporter))}
}

// said is what the sender and the reporter of an incident call themselves.
func (in *Incident) said() []string {
	said := []string{in.Report.Reporter, in.Report.Message.MailFrom}
	if hop := in.Chain.Source(); hop != nil {
		said = append(said, hop.RDNS, hop.HELO)
	}
	return said
}

func wordTerms(said []string) (all []int64) {
	for _, w := range Words(strings.Join(said, " ")) {
		all = append(all, term(termWord, w))
	}
	return all
}

func contactTerms(address string) []int64 {
	address = strings.ToLower(address)
	at := strings.LastIndexByte(address, '@')
	return []int64{term(termContact, address), term(termContact, address[max(at, 0):])}
}

// steps are the lengths of prefixes under which complaints are found. What lies
// between them is filtered by the address itself.
var steps = map[bool][]int{true: {8, 16, 24, 32}, false: {16, 32, 48, 64}}

func networkTerms(a netip.Addr) (all []int64) {
	a = a.Unmap()
	for _, bits := range steps[a.Is4()] {
		p, err := a.Prefix(bits)
		if err == nil { // always, for a valid address
			all = append(all, term(termNetwork, p.String()))
		}
	}
	return all
}

// networkTerm is the narrowest term that all addresses of a prefix are under.
func networkTerm(p netip.Prefix) (id int64, ok bool) {
	for _, bits := range slices.Backward(steps[p.Addr().Is4()]) {
		if bits <= p.Bits() {
			wide, err := p.Addr().Prefix(bits)
			return term(termNetwork, wide.String()), err == nil
		}
	}
	return 0, false
}

// Words splits text as searches do: letters and digits in lower case, each word
// once, as many as are kept of one complaint.
func Words(s string) []string {
	fields := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	var words []string
	for _, w := range fields {
		if len(w) > maxWordLen {
			w = strings.ToValidUTF8(w[:maxWordLen], "")
		}
		if len(words) < maxWords && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words
}

// termRow is one complaint under one term.
type termRow struct{ term, complaint int64 }

// addTerms notes terms of the transaction. They are written together, when all else is
// or before terms are taken out, in the order of their index: each lies somewhere else
// in it.
func (c *change) addTerms(complaint int64, terms []int64) {
	for _, t := range terms {
		c.terms = append(c.terms, termRow{t, complaint})
	}
}

func (c *change) writeTerms(ctx context.Context) error {
	slices.SortFunc(c.terms, func(a, b termRow) int {
		return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.complaint, b.complaint))
	})
	rows := newRows(ctx, c, `INSERT INTO terms (term, complaint_id)`)
	rows.suffix = ` ON CONFLICT DO NOTHING`
	for _, t := range c.terms {
		if err := rows.add(t.term, t.complaint); err != nil {
			return err
		}
	}
	c.terms = c.terms[:0]
	return rows.flush()
}

// replaceTerms takes out the old terms that are not among the new ones and puts in
// the others.
func replaceTerms(ctx context.Context, tx *change, complaint int64, old, now []int64) error {
	if err := tx.writeTerms(ctx); err != nil {
		return err
	}
	for _, t := range old {
		if slices.Contains(now, t) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM terms WHERE term = $1 AND complaint_id = $2`, t, complaint); err != nil {
			return err
		}
	}
	tx.addTerms(complaint, now)
	return nil
}

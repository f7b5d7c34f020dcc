package reporter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// findParty asks who answers for a party.
func (r *Reporter) findParty(ctx context.Context, p *Party, m *trace.Message) (f found, err error) {
	if p.Domain == "" {
		return r.find(ctx, p.Addr)
	}
	var answer contact.Answer
	if p.Name == feedbackAddress {
		answer, err = r.Domains.Feedback(ctx, slices.Concat(m.Header, lineEnd(m.Header), m.Body))
	} else {
		answer, err = r.Domains.LookupDomain(ctx, p.Domain)
	}
	if err != nil {
		return f, fmt.Errorf("contact for %s: %w", p.Domain, err)
	}
	return r.settle(ctx, answer)
}

// lineEnd is the empty line after a header.
func lineEnd(header []byte) []byte {
	if bytes.Contains(header, []byte("\r\n")) {
		return []byte("\r\n")
	}
	return []byte("\n")
}

// findAgain asks again who answers for the party of a complaint. Whoever has another
// complaint about the same report is left out.
func (r *Reporter) findAgain(ctx context.Context, c *queue.Complaint) (found, error) {
	f, err := r.findNow(ctx, c)
	if err != nil {
		return f, err
	}
	beside, err := r.queue.Beside(ctx, c.ID)
	var has string
	f.To = slices.DeleteFunc(f.To, func(to string) bool {
		other, ok := beside[strings.ToLower(to)]
		if ok {
			has = fmt.Sprintf("no contact: %s has complaint %d about the same message", to, other)
		}
		return ok
	})
	if has != "" && len(f.To) == 0 {
		f.Hold = has
	}
	if p := besideOf(c); p != nil {
		f.Hold = p.hold(f.Hold)
	}
	return f, err
}

// besideOf returns the party of a complaint that was made beside that to the source's
// network, as its report's proof names it; nil for any other.
func besideOf(c *queue.Complaint) *Party {
	p := Party{Name: partiesOf(c)[0], Domain: c.Domain}
	if p.Name == sourceNetwork || p.Name == "" {
		return nil
	}
	var proof Proof
	_ = json.Unmarshal(c.Incidents[0].Proof, &proof) // erased where its time was over
	for _, a := range proof.Parties {
		if a.Name == p.Name && a.Domain == p.Domain {
			return &a.Party
		}
	}
	return &p
}

func (r *Reporter) findNow(ctx context.Context, c *queue.Complaint) (found, error) {
	p := Party{Name: partiesOf(c)[0], Addr: c.Source, Domain: c.Domain}
	if p.Domain == "" || r.Domains == nil {
		return r.findAnother(ctx, c)
	}
	return r.findParty(ctx, &p, &c.Incidents[0].Report.Message)
}

// findAnother asks who answers for the source of a complaint besides the mailboxes
// that it came back from. Only these are passed by: who asked for no more does not
// have the network above him told.
func (r *Reporter) findAnother(ctx context.Context, c *queue.Complaint) (found, error) {
	var before contact.Answer
	_ = json.Unmarshal(c.Contact, &before) // none is kept where nobody was asked
	seen := before.Contacts                // those of earlier rounds are candidates by now
	for _, ev := range before.Evidence {
		for _, k := range ev.Candidates {
			seen = append(seen, contact.Contact{Address: k.Address})
		}
	}
	shut, err := r.suppressed(ctx, seen)
	if err != nil {
		return found{}, err
	}
	var gone []string
	for mailbox, s := range shut {
		if s.Actor == actorRelay {
			gone = append(gone, mailbox)
		}
	}
	if len(gone) == 0 {
		return r.find(ctx, c.Source)
	}
	slices.Sort(gone)
	answer, err := r.contacts.LookupWithout(ctx, c.Source, gone)
	if err != nil {
		return found{}, fmt.Errorf("contact for %s without %s: %w", c.Source, strings.Join(gone, ", "), err)
	}
	f, err := r.settle(ctx, answer)
	back := "came back from " + strings.Join(gone, ", ")
	if f.Hold = back + "; " + f.Hold; len(f.To) > 0 {
		f.Hold = back + "; this is the next contact"
	}
	return f, err
}

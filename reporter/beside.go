package reporter

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"spamreport-milter/auth"
	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/redaction"
	"spamreport-milter/trace"
)

// Proof is kept with an incident where more than the source's network was thought
// of: it says who was named, by what, and what came of it.
type Proof struct {
	auth.Verdict
	Parties []Addressed `json:"parties"`
}

// Addressed is a party and what came of it.
type Addressed struct {
	Party
	Outcome string `json:"outcome"` // whom it was addressed at, or why nobody
}

// beside makes the complaints to the parties besides the source's network, whose
// complaint c is. Each is held: these desks can do less about a message, and the
// names that lead to them are easier to have a hand in than the source's address. A
// desk that has a complaint about the report already gets none again: that one names
// both parties.
func (r *Reporter) beside(ctx context.Context, c *queue.Complaint) ([]queue.Complaint, error) {
	if len(r.Parties) == 0 || len(r.Parties) == 1 && r.wants(sourceNetwork) {
		return nil, nil
	}
	in := &c.Incidents[0]
	parties, verdict, err := r.parties(ctx, in)
	if err != nil {
		return nil, err
	}
	all := []*queue.Complaint{c}
	proof := Proof{Verdict: verdict, Parties: []Addressed{{parties[0], "to " + orNobody(c.To)}}}
	for _, p := range parties[1:] {
		a := Addressed{Party: p, Outcome: r.exempt(&p, &in.Report.Message)}
		if a.Outcome == "" {
			found, err := r.findParty(ctx, &p, &in.Report.Message)
			if err != nil {
				return nil, err
			}
			if one := r.complain(&p, &found, all, &a); one != nil {
				all = append(all, one)
			}
		}
		proof.Parties = append(proof.Parties, a)
	}
	in.Proof, err = json.Marshal(proof)
	var beside []queue.Complaint
	for _, one := range all[1:] {
		one.Incidents = slices.Clone(c.Incidents[:1])
		beside = append(beside, *one)
	}
	return beside, err
}

// wants reports whether parties of that name are to be addressed.
func (r *Reporter) wants(name string) bool {
	return slices.ContainsFunc(r.Parties, func(key string) bool { return PartyNames[key] == name })
}

// parties lists the source's network and the others that are to be addressed. DNS is
// asked only where one of these hangs on it.
func (r *Reporter) parties(ctx context.Context, in *queue.Incident) (all []Party, v auth.Verdict, err error) {
	m := &in.Report.Message
	if r.wants(senderDomain) || r.wants(feedbackAddress) {
		if v, err = r.Authentication.Check(ctx, m, &in.Chain); err != nil {
			return nil, v, fmt.Errorf("who sent report %d: %w", in.ReportID, err)
		}
	}
	var sites []string
	if r.wants(advertisedSite) {
		sites = Sites(m, func(domain string) bool { return r.ourDomain(domain, m) || r.Domains.Freemail(domain) })
	}
	all = Parties(&in.Chain, v, sites)
	return slices.DeleteFunc(all, func(p Party) bool {
		return p.Name != sourceNetwork && !r.wants(p.Name) || p.Name == feedbackAddress && len(m.Fields("CFBL-Address")) == 0
	}), v, nil
}

// exempt says why a party that is named gets nothing; empty where it may.
func (r *Reporter) exempt(p *Party, m *trace.Message) string {
	switch {
	case p.Domain == "":
		return ""
	case r.ourDomain(p.Domain, m):
		return "nobody: that is a domain of ours"
	case r.Domains.Freemail(p.Domain):
		return "nobody: anybody has a mailbox there, and the source's network stands for the provider"
	}
	return ""
}

// ourDomain reports whether a registered domain is that of this host, of a server of
// ours, of the mailbox we write from, or of the message's recipients: they are our users.
func (r *Reporter) ourDomain(domain string, m *trace.Message) bool {
	names := append([]string{r.Sender.Host, strings.Trim(domainOf(r.Sender.From), "> ")}, r.Trace.Hosts...)
	for _, to := range recipients(m) {
		names = append(names, domainOf(to))
	}
	return slices.ContainsFunc(names, func(name string) bool {
		ours, err := contact.Domain(strings.TrimPrefix(name, "."))
		return err == nil && strings.EqualFold(ours, domain)
	})
}

// complain makes the complaint to a party, or none where nobody takes one or those
// who do have one already.
func (r *Reporter) complain(p *Party, f *found, before []*queue.Complaint, a *Addressed) *queue.Complaint {
	var to []string
	for _, mailbox := range f.To {
		if c := has(before, mailbox); c == nil {
			to = append(to, mailbox)
		} else if a.Outcome = "to " + mailbox + " in one complaint with " + c.Party; !slices.Contains(partiesOf(c), p.Name) {
			c.Party += partySeparator + p.Name
		}
	}
	if len(to) == 0 {
		if a.Outcome == "" {
			a.Outcome = f.Hold
		}
		return nil
	}
	a.Outcome = "to " + orNobody(to)
	source := before[0]
	c := &queue.Complaint{
		State: queue.Held, Source: source.Source, Party: p.Name, Domain: p.Domain, Subject: source.Subject,
		To: to, Contact: f.Contact, Network: f.Network, ASN: f.ASN, Format: r.format(to, &f.answer),
		MessageID: r.messageID(&source.Incidents[0].Report),
		Hold:      fmt.Sprintf("to the %s, which is never written to without a person's word: %s", p.Name, p.Why),
	}
	if p.Domain == "" {
		c.Source = p.Addr
	}
	return c
}

// partySeparator stands between the parties that one desk answers for.
const partySeparator = ", "

func partiesOf(c *queue.Complaint) []string { return strings.Split(c.Party, partySeparator) }

// has returns the complaint that goes to a mailbox.
func has(all []*queue.Complaint, mailbox string) *queue.Complaint {
	for _, c := range all {
		if slices.ContainsFunc(c.To, func(to string) bool { return strings.EqualFold(to, mailbox) }) {
			return c
		}
	}
	return nil
}

// recipients are those of the envelope; of a file those that its fields tell, which the
// sender may have written too.
func recipients(m *trace.Message) []string {
	if m.Session != nil && len(m.RcptTo) > 0 {
		return m.RcptTo
	}
	return redaction.Recipients(m)
}

func (r *Reporter) messageID(report *queue.Report) string {
	return fmt.Sprintf("<%d.%s@%s>", report.ID, strings.ToLower(rand.Text()), r.Sender.Host)
}

func orNobody(to []string) string {
	if len(to) == 0 {
		return "nobody yet"
	}
	return strings.Join(to, ", ")
}

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
// both parties. f is what led to the source's desk.
func (r *Reporter) beside(ctx context.Context, c *queue.Complaint, f *found) ([]queue.Complaint, error) {
	if len(r.Parties) == 0 || len(r.Parties) == 1 && r.wants(sourceNetwork) {
		return nil, nil
	}
	in := &c.Incidents[0]
	parties, verdict, err := r.parties(ctx, in)
	if err != nil {
		return nil, err
	}
	all := []told{{c, f.places()}}
	proof := Proof{Verdict: verdict, Parties: []Addressed{{parties[0], "to " + orNobody(f)}}}
	for _, p := range parties[1:] {
		a := Addressed{Party: p, Outcome: r.exempt(&p, &in.Report.Message)}
		if a.Outcome == "" {
			found, err := r.findParty(ctx, &p, &in.Report.Message)
			if err != nil {
				return nil, err
			}
			if one := r.complain(&p, &found, all, &a); one != nil {
				all = append(all, told{one, found.places()})
			}
		}
		proof.Parties = append(proof.Parties, a)
	}
	in.Proof, err = json.Marshal(proof)
	var beside []queue.Complaint
	for _, one := range all[1:] {
		one.Incidents = slices.Clone(c.Incidents[:1])
		beside = append(beside, *one.Complaint)
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

// told is a complaint about the report, and where it goes.
type told struct {
	*queue.Complaint
	places []string
}

// complain makes the complaint to a party, or none where nobody takes one or those
// who do have one already. Where a registry was away there is one that waits for it.
func (r *Reporter) complain(p *Party, f *found, before []told, a *Addressed) *queue.Complaint {
	has := func(place string) bool {
		c := toldAt(before, place)
		if c != nil {
			a.Outcome = "to " + place + " in one complaint with " + c.Party
			if !slices.Contains(partiesOf(c), p.Name) {
				c.Party += partySeparator + p.Name
			}
		}
		return c != nil
	}
	f.To, f.pages = slices.DeleteFunc(f.To, has), slices.DeleteFunc(f.pages, has)
	if len(f.places()) == 0 && f.LookupAt.IsZero() {
		if a.Outcome == "" {
			a.Outcome = f.Hold
		}
		return nil
	}
	a.Outcome = "to " + orNobody(f)
	source := before[0]
	c := &queue.Complaint{
		State: queue.Held, Source: source.Source, Party: p.Name, Domain: p.Domain, Subject: source.Subject,
		To: f.To, Contact: f.Contact, Network: f.Network, ASN: f.ASN, Format: r.format(f.To, &f.answer),
		MessageID: r.messageID(&source.Incidents[0].Report),
		Hold:      p.hold(f.Hold), LookupAt: f.LookupAt,
	}
	if f.Form {
		c.State = queue.Form
	}
	if p.Domain == "" {
		c.Source = p.Addr
	}
	return c
}

// hold says why a complaint to a party besides the source's network waits, whatever
// else it waits for.
func (p *Party) hold(also string) string {
	why := fmt.Sprintf("to the %s, which is never written to without a person's word", p.Name)
	if p.Why != "" {
		why += ": " + p.Why
	}
	if also != "" {
		why += "; " + also
	}
	return why
}

// partySeparator stands between the parties that one desk answers for.
const partySeparator = ", "

func partiesOf(c *queue.Complaint) []string { return strings.Split(c.Party, partySeparator) }

// toldAt returns the complaint that goes to a mailbox or page.
func toldAt(all []told, place string) *queue.Complaint {
	for _, c := range all {
		if slices.ContainsFunc(c.places, func(p string) bool { return strings.EqualFold(p, place) }) {
			return c.Complaint
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

func orNobody(f *found) string {
	if all := f.places(); len(all) > 0 {
		return strings.Join(all, ", ")
	}
	return "nobody yet"
}

package reporter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"spamreport-milter/auth"
	"spamreport-milter/contact"
	"spamreport-milter/queue"
)

// Letter is what the templates of letters may speak of. All strings may come from
// the sender of spam: a template passes each through the function line, which
// leaves no line break and nothing unseen in it.
type Letter struct {
	Source, Port, HELO, RDNS string
	Arrival                  string // as in mail (RFC 5322 §3.3)
	When                     string // the same as people of the language write it
	MTA, QueueID             string
	MailFrom, Subject        string
	Cause                    string // "filter", "user", "trap" or "hand": who called it abuse
	Seen                     bool   // a person decides about what filters found
	To                       []LetterTo
	Network, NetworkName     string
	// Customer and Account are from whom the source, a relay, says it had the message:
	// an address, an account or both. Relay is that relay's address, where the
	// customer's own network is written to.
	Customer, Account, Relay string
	// Domain is what the addressees answer for besides the source's network, or in its
	// place where OnlyDomain is set. NamedBy is what names it: "dkim", "spf" or
	// "server" (a server of ours) that prove it, "feedback" for its CFBL-Address
	// field, "site" for a link, or empty.
	Domain, NamedBy    string
	OnlyDomain         bool
	Kept               int // octets of the body
	BodyCut, HeaderCut bool
	Altered            bool // SMTP could not carry it as it was
	Redacted           bool // tokens stand for its recipients
	From               string
	ID                 string // the complaint's number
	Withdraws          string // that of the complaint which this one takes back
	// Resolved, NotOurs and Stop are addresses that a mail without words goes to;
	// empty where answers are not taken.
	Resolved, NotOurs, Stop string
	// Incidents are all messages of a complaint about several, at most 100;
	// empty for one. More counts those left out, Count is how many there are.
	Incidents   []LetterIncident
	Count, More int
	Signature   string
	Language    string
}

// LetterTo is an addressee and where the registry names him.
type LetterTo struct{ Address, Source, Role string }

// LetterIncident is one message of several.
type LetterIncident struct{ When, Source, QueueID string }

// maxListed is how many incidents a letter lists.
const maxListed = 100

// layouts are how people write a moment, in UTC, by the language of the letter; others
// as in mail.
var layouts = map[string]string{"de": "02.01.2006 um 15:04:05 UTC"}

func when(language string, t time.Time) string {
	if layout := layouts[language]; layout != "" {
		return t.UTC().Format(layout)
	}
	return date(t)
}

func letterOf(d *draft, language string) Letter {
	in := d.sample()
	m := &in.Report.Message
	l := Letter{
		Source: d.Source.String(), Language: language,
		Arrival: date(arrival(in)), When: when(language, arrival(in)), MTA: reportingMTA(in, d.sender),
		MailFrom: d.mailFrom, Subject: d.Subject, Cause: string(in.Report.Cause),
		Kept: len(m.Body), BodyCut: m.Truncated(), HeaderCut: m.HeaderCut,
		From: d.sender.From, ID: fmt.Sprint(d.ID), Count: len(d.Incidents),
	}
	if m.Session != nil {
		l.QueueID = m.Session.QueueID
	}
	if hop := d.hop(); hop != nil {
		l.HELO, l.RDNS = hop.HELO, hop.RDNS
	}
	if port := d.sourcePort(); port != 0 {
		l.Port = fmt.Sprint(port)
	}
	l.addressed(d.Complaint)
	l.parties(d)
	l.list(d.Incidents)
	return l
}

// addressed says of the network and of each address why it was chosen.
func (l *Letter) addressed(c *queue.Complaint) {
	var answer contact.Answer
	_ = json.Unmarshal(c.Contact, &answer) // an edited complaint may have none
	l.Network, l.NetworkName = c.Network, answer.Network.Name
	for _, a := range c.To {
		to := LetterTo{Address: a}
		for _, k := range answer.Contacts {
			if k.Address == a {
				to.Source, to.Role = strings.ToUpper(k.Source), k.Role
			}
		}
		l.To = append(l.To, to)
	}
}

// parties says what the addressees answer for besides the source's address.
func (l *Letter) parties(d *draft) {
	in, names := d.sample(), partiesOf(d.Complaint)
	if slices.Contains(names, sourceNetwork) {
		l.Customer, l.Account = customer(&in.Chain)
	}
	if source := in.Chain.Source(); slices.Contains(names, relayCustomer) && source != nil && source.IP.Unmap() != d.Source {
		l.Relay = source.IP.Unmap().String()
	}
	l.Domain, l.OnlyDomain = d.Domain, d.Domain != ""
	var proof Proof
	_ = json.Unmarshal(in.Proof, &proof) // most have none
	for _, p := range proof.Parties {
		if p.Domain != "" && slices.Contains(names, p.Name) && (l.Domain == "" || l.Domain == p.Domain) && strings.HasPrefix(p.Outcome, "to ") && l.NamedBy == "" {
			l.Domain, l.NamedBy = p.Domain, namedBy(&p.Party, &proof.Verdict)
		}
	}
}

// namedBy is what names a domain, in the word for it in letters.
func namedBy(p *Party, v *auth.Verdict) string {
	switch p.Name {
	case feedbackAddress:
		return "feedback"
	case advertisedSite:
		return "site"
	}
	switch proof := v.Proof(); {
	case proof == nil:
		return ""
	case proof.Method == auth.Stated:
		return "server"
	default:
		return proof.Method
	}
}

func (l *Letter) list(incidents []queue.Incident) {
	if len(incidents) < 2 {
		return
	}
	for i := range incidents[:min(len(incidents), maxListed)] {
		in := &incidents[i]
		one := LetterIncident{When: when(l.Language, arrival(in))}
		if hop := in.Chain.Source(); hop != nil && hop.IP.IsValid() {
			one.Source = hop.IP.Unmap().String()
		}
		if s := in.Report.Message.Session; s != nil {
			one.QueueID = s.QueueID
		}
		l.Incidents = append(l.Incidents, one)
	}
	l.More = len(incidents) - len(l.Incidents)
}

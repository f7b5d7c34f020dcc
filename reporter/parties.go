package reporter

import (
	"net/netip"
	"strings"

	"spamreport-milter/auth"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Party is somebody answerable for a message.
type Party struct {
	Name   string     `json:"name"`             // what he is to the message: one of the names below
	Addr   netip.Addr `json:"addr,omitzero"`    // the address he answers for, or
	Domain string     `json:"domain,omitempty"` // the registered domain
	Hop    int        `json:"hop"`              // where the address stands in the chain; of a domain that of the source
	Why    string     `json:"why"`              // what names him
}

// Names of parties, as they stand in complaints.
const (
	// The network that handed the message to the last host we can vouch for.
	sourceNetwork = "source network"
	// The network of the one from whom the source, a relay known to tell the truth,
	// had the message.
	relayCustomer = "relay's customer"
	// The domain of From, proven.
	senderDomain = "sender domain"
	// The mailbox that this domain names in CFBL-Address (RFC 9477).
	feedbackAddress = "feedback address"
	// The domain that the message links to.
	advertisedSite = "advertised site"
)

// PartyNames are the parties that can be addressed, by the words for them in the
// configuration.
var PartyNames = map[string]string{
	"network": sourceNetwork, "customer": relayCustomer, "domain": senderDomain,
	"feedback": feedbackAddress, "sites": advertisedSite,
}

// Parties lists who is answerable for a message: by what is believed of its chain,
// by the domain that is proven of it, and by the sites that it links to. A domain
// that is merely written in From is nobody's: it is what others forge.
func Parties(c *trace.Chain, v auth.Verdict, sites []string) []Party {
	all := senders(c)
	if len(all) == 0 {
		return nil
	}
	hop := c.Border.Hop
	if v.Domain != "" {
		all = append(all,
			Party{Name: senderDomain, Domain: v.Domain, Hop: hop, Why: v.Reason},
			Party{Name: feedbackAddress, Domain: v.Domain, Hop: hop, Why: "its CFBL-Address field asks for complaints; " + v.Reason})
	}
	for _, s := range sites {
		all = append(all, Party{Name: advertisedSite, Domain: s, Hop: hop, Why: "the message links to it"})
	}
	return all
}

// senders are the parties that hops name: the source first.
func senders(c *trace.Chain) []Party {
	source := c.Source()
	if source == nil || !source.IP.IsValid() {
		return nil
	}
	all := []Party{{Name: sourceNetwork, Addr: source.IP.Unmap(), Hop: c.Border.Hop, Why: source.Reason}}
	if o := c.Origin; relayed(c) && o.IP.IsValid() {
		if ok, _ := trace.Reportable(o.IP.Unmap()); ok && o.IP.Unmap() != all[0].Addr {
			all = append(all, Party{Name: relayCustomer, Addr: o.IP.Unmap(), Hop: o.Hop, Why: c.Hops[o.Hop].Reason})
		}
	}
	return all
}

// FurtherParty names the party of a complaint that was made beside that to the source's
// network, with its domain if it has one; it is empty for any other complaint.
func FurtherParty(c *queue.Complaint) string {
	name := partiesOf(c)[0]
	if name == sourceNetwork {
		return ""
	}
	return strings.TrimSpace(name + " " + c.Domain)
}

// IsFeedback reports whether a complaint goes to the mailbox of a CFBL-Address field.
func IsFeedback(c *queue.Complaint) bool { return partiesOf(c)[0] == feedbackAddress }

// relayed reports whether a relay that is believed names somebody behind it.
func relayed(c *trace.Chain) bool {
	return c.Origin.Grade == trace.GradeAttested && c.Origin.Hop > c.Border.Hop && c.Origin.Hop < len(c.Hops)
}

// customer is from whom the relay had the message, an address and an account; empty
// where the source is no relay or does not say.
func customer(c *trace.Chain) (addr, account string) {
	if !relayed(c) {
		return "", ""
	}
	if c.Origin.IP.IsValid() {
		addr = c.Origin.IP.Unmap().String()
	}
	return addr, c.Origin.Account
}

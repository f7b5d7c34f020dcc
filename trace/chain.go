// Package trace follows a mail message back to its sender: it reads the SMTP
// session's facts and the Received fields (RFC 5321 §4.4), says which of them
// can be believed and why, and names the border, the last hop that we can
// vouch for. It is pure: no network, no clock, no store.
package trace

import (
	"net/netip"
	"time"
)

// Grade says why a hop is believed. Belief only ever falls going down a chain.
type Grade string

const (
	GradeSession  Grade = "session"  // our own SMTP session: certain
	GradeTrusted  Grade = "trusted"  // written by a host that the operator or the receiving provider vouches for
	GradeAttested Grade = "attested" // written by a relay known to tell the truth
	GradeClaimed  Grade = "claimed"  // anybody may have written it
	GradeForged   Grade = "forged"   // it contradicts itself or its neighbours
)

// Kind says what sort of step a hop is.
type Kind string

const (
	KindSMTP       Kind = "smtp"       // one server to the next
	KindSubmission Kind = "submission" // an authenticated client to its server (RFC 6409)
	KindHTTP       Kind = "http"       // handed in over an API
	KindWebmail    Kind = "webmail"    // written in a browser
	KindLocal      Kind = "local"      // handed in by a program on the host itself
	KindFetch      Kind = "fetch"      // fetched from a mailbox by POP or IMAP
	KindFilter     Kind = "filter"     // a content filter or another process of the same host
	KindReceiver   Kind = "receiver"   // states only who received, no peer
)

// Hop is one step of a message's way: the session itself or one Received field.
// Empty fields were not stated. Peer means the side that handed the mail over.
type Hop struct {
	IP           netip.Addr `json:"ip,omitzero"`            // the peer's address
	Port         uint16     `json:"port,omitempty"`         // the peer's TCP port, 0 if not stated
	RDNS         string     `json:"rdns,omitempty"`         // PTR name of IP as the receiver recorded it
	RDNSVerified bool       `json:"rdns_verified,omitzero"` // the receiver said, or its product implies, that RDNS resolves back to IP
	HELO         string     `json:"helo,omitempty"`         // what the peer called itself
	By           string     `json:"by,omitempty"`           // the receiving host's name
	ByIP         netip.Addr `json:"by_ip,omitzero"`         // the receiving host's address
	With         string     `json:"with,omitempty"`         // protocol as written: ESMTPS, LMTP, HTTP … (RFC 3848)
	Via          string     `json:"via,omitempty"`          // link type as written
	TLSVersion   string     `json:"tls,omitempty"`          // as written: TLSv1.3, TLS1_2 …
	TLSCipher    string     `json:"tls_cipher,omitempty"`
	Auth         bool       `json:"auth,omitzero"`       // the peer authenticated
	AuthUser     string     `json:"auth_user,omitempty"` // as whom, where stated
	Ident        string     `json:"ident,omitempty"`     // ident (RFC 1413) or local user
	ID           string     `json:"id,omitempty"`
	For          []string   `json:"for,omitempty"`
	EnvFrom      string     `json:"envfrom,omitempty"`
	Date         time.Time  `json:"date,omitzero"`      // in the zone as written; zero if absent or unreadable
	Comments     []string   `json:"comments,omitempty"` // comments that no other field was taken from
	Kind         Kind       `json:"kind"`
	Grade        Grade      `json:"grade"`
	Reason       string     `json:"reason"`        // why this grade, in words
	Raw          string     `json:"raw,omitempty"` // the field's value, unfolded; empty for the session
}

// Border is the last hop that we can vouch for; its peer is the source.
type Border struct {
	IP  netip.Addr `json:"ip,omitzero"` // invalid when no source can be named
	Hop int        `json:"hop"`         // index into Chain.Hops; -1 when there is none
}

// Origin is the deepest sender that we have a reason to believe in.
type Origin struct {
	IP      netip.Addr `json:"ip,omitzero"`       // invalid where only an account or host is known
	Account string     `json:"account,omitempty"` // the provider's name for its customer
	Host    string     `json:"host,omitempty"`    // the host a local program sent from
	Hop     int        `json:"hop"`               // index into Chain.Hops; -1 when there is none
	Grade   Grade      `json:"grade,omitempty"`
}

// Sign is a mark of forgery or another thing worth a look, found on a hop.
type Sign struct {
	Hop  int    `json:"hop"`
	Name string `json:"name"` // a fixed word, listed in docs
	Text string `json:"text"` // in words
}

// Chain is the way of a message, newest hop first.
type Chain struct {
	Hops   []Hop  `json:"hops"`
	Border Border `json:"border"`
	Origin Origin `json:"origin"`
	Signs  []Sign `json:"signs"`
}

// Source returns the hop whose peer is the source of the message, or nil when
// none can be named.
func (c *Chain) Source() *Hop {
	if c.Border.Hop < 0 || c.Border.Hop >= len(c.Hops) {
		return nil
	}
	return &c.Hops[c.Border.Hop]
}

// Options is what the operator knows about his own surroundings.
type Options struct {
	// Networks are ours: addresses of our MTAs, filters and users.
	Networks []netip.Prefix
	// Hosts are names of our servers; a leading dot takes a whole domain.
	Hosts []string
	// Relays are further providers whose Received fields are believed.
	Relays []Relay
}

// Relay is a provider known to write true Received fields.
type Relay struct {
	Name string // for people
	// Pattern is matched against verified names; a leading dot takes a whole domain.
	Pattern string
	Noted   string // when it was last looked at (YYYY-MM-DD) and where that is known from
}

package trace

import (
	"net/netip"
	"slices"
	"time"
)

// Message is one mail as a server took it or as a file holds it: the envelope,
// the raw octets, and the facts of the SMTP session where there was one.
type Message struct {
	// Session says who handed the mail to us. It is nil for a saved file, and
	// then nothing about the message is certain.
	Session *Session

	// MailFrom is the reverse-path without angle brackets; empty for the null
	// reverse-path (RFC 5321 §4.5.5) and for a file that does not state it.
	MailFrom string
	// RcptTo holds the forward-paths without angle brackets, in the order given.
	RcptTo []string

	// Header is the header section octet for octet, up to and including the
	// line end of its last field, without the empty line that follows.
	Header []byte
	// HeaderCut says that fields are missing at the end of Header, and then
	// there is no Body, which would stand in the wrong place.
	HeaderCut bool
	// Body is what was kept of the body, octet for octet.
	Body []byte
	// BodySize is the number of body octets seen; more than len(Body) when the
	// body was cut at the limit, and then possibly less than the true size.
	BodySize int64
}

// Truncated reports whether Body is only the beginning of the body.
func (m *Message) Truncated() bool { return m.BodySize > int64(len(m.Body)) }

// Fields returns the unfolded values of all header fields that have one of the
// names, topmost first. A header with broken lines still gives those that can be
// read.
func (m *Message) Fields(names ...string) []string {
	var values []string
	header := string(m.Header)
	for {
		f, rest, ok := nextField(header)
		if !ok {
			return values
		}
		if header = rest; slices.ContainsFunc(names, f.named) {
			values = append(values, unfold(f.value))
		}
	}
}

// Session holds what our own MTA knows of the connection a message came over.
// These are facts, not claims, but for HELO, which the client chose.
type Session struct {
	Client netip.AddrPort `json:"client"`        // the connecting address; port 0 where the MTA did not say
	PTR    string         `json:"ptr,omitempty"` // name found for the address; empty when there is none
	// PTRVerified says that the PTR name resolves back to the address (FCrDNS).
	PTRVerified bool      `json:"ptr_verified,omitempty"`
	HELO        string    `json:"helo,omitempty"`
	ESMTP       bool      `json:"esmtp,omitempty"` // the client greeted with EHLO, where the MTA tells
	TLSVersion  string    `json:"tls_version,omitempty"`
	TLSCipher   string    `json:"tls_cipher,omitempty"`
	AuthType    string    `json:"auth_type,omitempty"` // SASL mechanism; empty when not authenticated
	AuthUser    string    `json:"auth_user,omitempty"`
	QueueID     string    `json:"queue_id,omitempty"`
	Host        string    `json:"host,omitempty"` // our MTA's own name (macro j)
	Daemon      string    `json:"daemon,omitempty"`
	Time        time.Time `json:"time"` // when the message was received
	// Later is how many Received fields at the top of the header were written after
	// the session; 0 where the message is as the session brought it.
	Later int `json:"later,omitempty"`
	// Disproved says why the seal found on the message proves nothing; all else is
	// empty then.
	Disproved string `json:"disproved,omitempty"`
}

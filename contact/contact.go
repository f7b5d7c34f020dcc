// Package contact finds who answers for an address: the abuse mailbox of the
// network, with the proof for it. No contact is a normal answer; a wrong one is
// the worst, so every address from a registry is hostile input until it has
// passed the filters.
package contact

import (
	"net/netip"
	"time"
)

// Contact is a mailbox that takes complaints.
type Contact struct {
	Address    string     `json:"address"` // RFC 5321 mailbox, domain in A-label form, as checked
	Source     string     `json:"source"`  // name of the source it came from: "rdap" …
	Role       string     `json:"role"`    // path of roles to it: "abuse", "registrant/abuse"
	Scope      Scope      `json:"scope"`
	Confidence Confidence `json:"confidence"`
	// Form is where the desk takes complaints, when it does not read mail: then a
	// person must go there, and Address gets nothing.
	Form string `json:"form,omitempty"`
	// Report is the format that the desk asks for: "arf", "xarf", or none.
	Report string `json:"report,omitempty"`
}

// Scope is what the contact answers for.
type Scope string

const (
	ScopeNetwork   Scope = "network"   // the holder of the address block itself
	ScopeUpstream  Scope = "upstream"  // the holder of the block around it, or of the autonomous system
	ScopeDomain    Scope = "domain"    // the domain of the sender or of the source's name
	ScopeRegistrar Scope = "registrar" // the registrar of a domain
)

// Confidence is how sure we are of a contact.
type Confidence string

const (
	High Confidence = "high" // the registry names it as the abuse mailbox
	Low  Confidence = "low"  // it is the best that was found
)

// Outcome is the end of a look-up in one word.
type Outcome string

const (
	Found       Outcome = "found"
	NoContact   Outcome = "no-contact"    // all that was found was rejected, or nobody holds the network
	NoAbuseRole Outcome = "no-abuse-role" // the registry names people, but none for abuse
	NIRDescend  Outcome = "nir-descend"   // only a national registry knows, and it did not say
	Referral    Outcome = "referral"      // another regional registry knows, and it did not say
	Obfuscated  Outcome = "obfuscated"    // the contact is written in another way than a mailbox; nothing is guessed
	Unreachable Outcome = "unreachable"   // a registry failed; asking again may help
	Never       Outcome = "never"         // the operator wants no complaint about it
	Special     Outcome = "special"       // not an address of the public Internet; nobody was asked
)

// Answer is what a look-up ends in: zero to three contacts, and why.
type Answer struct {
	Addr     netip.Addr `json:"addr"` // the zero Addr for a domain, and where a recorded answer was read for itself
	Domain   string     `json:"domain,omitempty"`
	Network  Network    `json:"network"`
	Outcome  Outcome    `json:"outcome"`
	Contacts []Contact  `json:"contacts"` // the main one first
	// Reason says in one sentence why these contacts, or why none.
	Reason string `json:"reason"`
	// Retry is when asking again may help; zero when it will not before Expires.
	Retry time.Time `json:"retry,omitzero"`
	// Expires is until when the answer may be used again.
	Expires time.Time `json:"expires"`
	// Evidence holds every question asked, with the raw answer and what was made of it.
	Evidence []Evidence `json:"evidence"`
	// Hosts are the answers about the addresses of a domain's mail and web servers.
	Hosts []Answer `json:"hosts,omitempty"`
	// Cached is when the answer was first given, if it came from the cache.
	Cached time.Time `json:"cached,omitzero"`
}

// Network is an address block as a registry describes it. First and Last are
// the zero Addr where no answer described the network of the address.
type Network struct {
	First    netip.Addr `json:"first"`
	Last     netip.Addr `json:"last"`
	Name     string     `json:"name,omitempty"`
	Handle   string     `json:"handle,omitempty"`
	Country  string     `json:"country,omitempty"`
	Registry string     `json:"registry,omitempty"` // "ripe", "arin" …
	Origins  []uint32   `json:"origins,omitempty"`  // numbers of the autonomous systems that announce it, where asked
}

// Evidence is one question to one source and what came of it.
type Evidence struct {
	Source     string      `json:"source"` // "rdap" …
	Query      string      `json:"query"`  // URL or text asked
	Server     string      `json:"server"` // host that answered, after redirects
	Redirects  []string    `json:"redirects,omitempty"`
	Status     string      `json:"status"` // HTTP status, or one of the Status words
	At         time.Time   `json:"at"`
	RetryAt    time.Time   `json:"retry_at,omitzero"` // when the server wants to be asked again, where it refused
	Raw        []byte      `json:"raw,omitempty"`     // the answer as it came, at most 1 MiB
	SHA256     string      `json:"sha256,omitempty"`
	Said       string      `json:"said,omitempty"` // what was read from the answer besides addresses
	Candidates []Candidate `json:"candidates,omitempty"`
	Error      string      `json:"error,omitempty"`
}

// Ends of a question other than an HTTP status.
const (
	StatusOK          = "200"
	StatusNoServer    = "no server"   // no server is known for the question
	StatusPaused      = "paused"      // not asked: the server refused or failed a moment ago
	StatusTimeout     = "timeout"     // no whole answer in time
	StatusUnreachable = "unreachable" // no connection, or it broke
	StatusCertificate = "certificate" // the server's certificate is not trusted
	StatusForbidden   = "forbidden"   // the server's name led to a private or special address
	StatusRedirects   = "redirects"   // too many, or not to HTTPS
	StatusTooLarge    = "too large"
	StatusRefused     = "refused" // the server says so in words
)

// Candidate is an address that stood in an answer, and the verdict on it.
type Candidate struct {
	Address string `json:"address"`
	Where   string `json:"where"` // JSON pointer (RFC 6901) or line
	Role    string `json:"role"`
	Taken   bool   `json:"taken"`
	Reason  string `json:"reason"`
}

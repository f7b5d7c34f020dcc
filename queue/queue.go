// Package queue is the memory between the MTA and the complaint: reports come
// in durably, workers claim them under leases, complaints wait for a person and
// go out, and every change is an event that says who did what, when and why.
package queue

import (
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"spamreport-milter/trace"
)

// Errors that callers tell apart.
var (
	// ErrNotFound means that there is no such report or complaint.
	ErrNotFound = errors.New("not in the queue")
	// ErrState means that the complaint's state does not allow the change.
	ErrState = errors.New("state does not allow this")
	// ErrLeaseLost means that the claim expired and somebody else has the work now.
	ErrLeaseLost = errors.New("lease lost")
	// ErrNoQueue means that there is no queue where one was looked for.
	ErrNoQueue = errors.New("no queue")
	// ErrMoved means that the file of the queue is not the one that was opened.
	ErrMoved = errors.New("queue is not in its place")
	// ErrClosed means that the store was closed by this process.
	ErrClosed = errors.New("queue is closed")
)

// Cause says who or what called a message abuse.
type Cause string

const (
	CauseFilter Cause = "filter" // a content filter's tag
	CauseUser   Cause = "user"   // a person
	CauseHand   Cause = "hand"   // handed in with the report command
	CauseTrap   Cause = "trap"   // it came to an address that nobody has
)

// Report is somebody's word that a message is abuse, with the message.
type Report struct {
	ID       int64
	Received time.Time // when the report reached us
	Cause    Cause
	Reporter string // the filter's field name or the person's address
	Reason   string // in words: the tag found, the sentence given
	Message  trace.Message
	// Purged says that the octets of Message and its recipients were removed: they
	// are kept for a while only.
	Purged bool
}

// State is where a complaint stands. The ways between states are in
// docs/flow.md and in the transitions table of this package.
type State string

const (
	Held     State = "held"     // waits for a person
	Ready    State = "ready"    // may go out
	Sending  State = "sending"  // a worker has it
	Deferred State = "deferred" // the relay said later
	Sent     State = "sent"     // the relay took it
	Failed   State = "failed"   // the relay refused it for good, or for too long
	Dropped  State = "dropped"  // a person said no

	Bounced   State = "bounced"   // it came back: the desk's server has no such mailbox
	Answered  State = "answered"  // the desk wrote back
	Resolved  State = "resolved"  // the desk says that it has dealt with it
	Retracted State = "retracted" // we took it back
	Form      State = "form"      // the desk has a page only, where a person must paste it
)

// Complaint is one outgoing message to one contact about one source.
type Complaint struct {
	ID      int64
	State   State
	Created time.Time
	Updated time.Time

	// To holds the addresses of the contact; empty while there is none.
	To []string
	// Contact is the contact package's whole answer with its evidence, as JSON.
	Contact json.RawMessage
	// LookupAt is when a held one is looked at again: its contact is asked for, and
	// one that waits for its time may go out. Zero for never.
	LookupAt time.Time
	// Gathering says which reports may join it. It is written only.
	Gathering Gathering

	Source  netip.Addr // the address complained about
	Network string     // the network it belongs to, as the registry wrote it
	ASN     uint32     // of the network that announces it; 0 when not known
	Party   string     // why this party is addressed: "source network" …
	Domain  string     // that the party is looked up by; empty where it is Source
	Format  string     // name of the report format, "arf"
	Subject string     // subject of the reported message, decoded, for lists
	Hold    string     // why it is held, in words; empty if for no special reason

	// Letter is the text that a person wrote in place of the usual one.
	Letter string
	// Withdraws is the complaint that this message takes back; 0 for none.
	Withdraws int64

	// MessageID, Sender and ReadyAt are fixed, so that composing it twice gives
	// the same octets.
	MessageID string
	Sender    Sender    // in whose name it goes out; zero before approval
	ReadyAt   time.Time // when it was approved; zero before

	Taken       []string  // addressees that have it already
	Attempts    int       // since it was approved
	NextAttempt time.Time // zero unless deferred
	Incidents   []Incident
}

// Sender is in whose name a complaint goes out.
type Sender struct {
	From  string `json:"from,omitempty"`  // RFC 5322 mailbox that a person reads
	Host  string `json:"host,omitempty"`  // our name in EHLO, Message-ID and Reporting-MTA
	Agent string `json:"agent,omitempty"` // name/version of the program, for User-Agent
}

// Incident is one message that a complaint speaks of.
type Incident struct {
	ReportID int64
	Report   Report      // filled when a complaint is read; its mail of all only in a Case, else of the first
	Chain    trace.Chain // as it was followed when the complaint was filed
	// Proof says why the parties were named, as JSON; nil where the chain says all.
	// It holds no mailboxes: it is kept when a person is forgotten.
	Proof json.RawMessage
}

// Event is one line of the audit trail. Events are only ever added.
type Event struct {
	ID          int64     `json:"id"`
	Time        time.Time `json:"time"`
	ComplaintID int64     `json:"complaint,omitempty"`
	ReportID    int64     `json:"report,omitempty"`
	Actor       string    `json:"actor"`  // "user:NAME", "system:HOST"
	Action      string    `json:"action"` // filed, approved, dropped, sent …
	From        State     `json:"from,omitempty"`
	To          State     `json:"to,omitempty"`
	Reason      string    `json:"reason,omitempty"`
}

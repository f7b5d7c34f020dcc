package reporter

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// XARF is the Extended Abuse Reporting Format, version 4: a multipart/report whose
// third part is JSON with the original inside, in place of the original. Readers
// of plain ARF ignore it, so it goes only to those who ask for it.
var XARF = Format{
	Name:   "xarf",
	letter: "text",
	write:  writeXARF,
}

// maxEvidence is how much of an original one piece of evidence may be, in octets: the
// core schema of XARF 4 allows 5 MiB, which one reader counts in base64.
const maxEvidence = 5 << 20 / 4 * 3

// maxMessageID is how long a Message-ID may be by the schema, in characters.
const maxMessageID = 200

// writeXARF falls back to ARF where nobody knows what the schema asks for, or what it
// recommends and its readers' strict mode refuses a report without.
func writeXARF(w io.Writer, d *draft) error {
	x := xarfOf(d)
	if !x.complete() {
		return writeARF(w, d)
	}
	text, err := d.textPart()
	if err != nil {
		return err
	}
	report, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	f := fields{}
	f.add("Feedback-Type", "xarf")
	f.add("User-Agent", d.sender.Agent)
	f.add("Version", "1")
	return d.report(w, text,
		section{kind: "message/feedback-report", attached: true, body: f.Bytes()},
		section{kind: "application/json", params: map[string]string{"name": "xarf.json"}, attached: true, base64: true, body: report})
}

// xarf is a report of type messaging/spam, with the fields that we fill in.
type xarf struct {
	Version        string         `json:"xarf_version"`
	ID             string         `json:"report_id"`
	Time           time.Time      `json:"timestamp"` // when the message arrived
	Reporter       xarfParty      `json:"reporter"`
	Sender         xarfParty      `json:"sender"`
	Source         string         `json:"source_identifier"`
	Port           uint16         `json:"source_port"`
	Category       string         `json:"category"`
	Type           string         `json:"type"`
	EvidenceSource string         `json:"evidence_source"`
	Protocol       string         `json:"protocol"`
	MailFrom       string         `json:"smtp_from"`
	RcptTo         string         `json:"smtp_to"`
	Subject        string         `json:"subject"`
	MessageID      string         `json:"message_id"`
	Recipients     int            `json:"recipient_count,omitempty"`
	Confidence     float64        `json:"confidence"` // 0 to 1
	Description    string         `json:"description"`
	Evidence       []xarfEvidence `json:"evidence"`
}

type xarfParty struct {
	Org     string `json:"org"`
	Contact string `json:"contact"`
	Domain  string `json:"domain"`
}

type xarfEvidence struct {
	Type        string `json:"content_type"`
	Description string `json:"description"`
	Payload     []byte `json:"payload"` // base64 in JSON
	Hash        string `json:"hash"`
	Size        int    `json:"size"`
}

// complete reports whether all is known that an envelope, a header or our own settings
// need not state.
func (x *xarf) complete() bool {
	return mailbox(x.Reporter.Contact) && x.Port != 0 && mailbox(x.MailFrom) && mailbox(x.RcptTo) && strings.TrimSpace(x.Subject) != "" &&
		x.MessageID != "" && utf8.RuneCountInString(x.MessageID) <= maxMessageID
}

func xarfOf(d *draft) xarf {
	us := xarfUs(d.sender)
	source, confidence := evidenceSource(d.sample().Report.Cause)
	x := xarf{
		Version: "4.0.0", ID: uuid(d.MessageID), Time: arrival(d.sample()).UTC().Truncate(time.Second),
		Reporter: us, Sender: us,
		Source: d.Source.String(), Port: d.sourcePort(),
		Category: "messaging", Type: "spam", Protocol: "smtp",
		EvidenceSource: source, Confidence: confidence,
		MailFrom: d.mailFrom, RcptTo: d.rcptTo, Subject: clip(d.letter.Subject, 500), MessageID: d.originalID(),
		Description: fmt.Sprintf("Unsolicited bulk mail, complaint %d", d.ID),
	}
	if n := len(d.Incidents); n > 1 {
		x.Recipients = n
	}
	original, kept := d.original, "The message as it was received"
	if len(original) > maxEvidence {
		original, kept = original[:maxEvidence], "The beginning of the message as it was received"
	}
	x.Evidence = []xarfEvidence{{Type: "message/rfc822", Description: kept, Payload: original,
		Hash: fmt.Sprintf("sha256:%x", sha256.Sum256(original)), Size: len(original)}}
	return x
}

func xarfUs(s queue.Sender) xarfParty {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		from = &mail.Address{Address: "postmaster@" + s.Host}
	}
	p := xarfParty{Org: from.Name, Contact: from.Address, Domain: domainOf(from.Address)}
	if p.Org == "" {
		p.Org = p.Domain
	}
	p.Org = clip(p.Org, 200)
	return p
}

// evidenceSource says who called it spam, in XARF's words, and how sure that makes us
// of it: nobody asks a trap for mail, people err now and then, filters more often.
func evidenceSource(c queue.Cause) (source string, confidence float64) {
	switch c {
	case queue.CauseFilter:
		return "automated_filter", 0.8
	case queue.CauseTrap:
		return "spamtrap", 1
	}
	return "user_complaint", 0.9
}

// originalID is the original's Message-ID as it may be shown; empty where it has none.
func (d *draft) originalID() string {
	m := trace.Message{Header: d.original[:d.header]}
	if ids := m.Fields("Message-ID"); len(ids) > 0 {
		return oneLine(strings.TrimSpace(ids[0]))
	}
	return ""
}

// uuid makes a version 4 UUID (RFC 9562 §5.4) out of a Message-ID, whose random
// part makes it as random as it should be: the same complaint has the same one.
func uuid(messageID string) string {
	b := sha256.Sum256([]byte(messageID))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// addrSpec is an address as the schema's readers check it: a dot-atom at a host
// name (RFC 5322 §3.4.1, RFC 1123 §2.1).
var addrSpec = regexp.MustCompile("^(?i)[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}([.][a-z0-9!#$%&'*+/=?^_`{|}~-]+)*" +
	"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")

func mailbox(s string) bool { return len(s) <= 254 && addrSpec.MatchString(s) }

// clip shortens a text to n characters.
func clip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// sourcePort is the port that the source spoke from; 0 where nobody stated it.
func (d *draft) sourcePort() uint16 {
	if hop := d.hop(); hop != nil {
		return hop.Port
	}
	return 0
}

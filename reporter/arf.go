package reporter

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-message"

	"spamreport-milter/queue"
)

// ARF is the Abuse Reporting Format: a multipart/report of three parts, text,
// feedback report and the original (RFC 5965 §2, RFC 6650 for unsolicited ones).
var ARF = Format{
	Name:    "arf",
	Compose: composeARF,
}

func composeARF(w io.Writer, c *queue.Complaint, s queue.Sender) error {
	original, altered := carried(&c.Incidents[0].Report.Message)
	parts := []struct {
		kind string
		body []byte
	}{
		{"text/plain", text(c, s, altered)},
		{"message/feedback-report", feedback(c, s)},
		{"message/rfc822", original},
	}
	h := envelope(c, s, map[string]string{"report-type": "feedback-report", "boundary": boundary(c)})
	for _, p := range parts {
		if !ascii(p.body) { // the whole says so as well as the part (RFC 2045 §6.4)
			h.Set("Content-Transfer-Encoding", "8bit")
		}
	}
	mw, err := message.CreateWriter(w, h)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := part(mw, p.kind, p.body); err != nil {
			return err
		}
	}
	return mw.Close()
}

// envelope is the header of a complaint in every format. Auto-Submitted keeps
// responders quiet (RFC 3834 §5); the Message-ID never changes, so that a desk
// that gets a message twice can see it.
func envelope(c *queue.Complaint, s queue.Sender, params map[string]string) message.Header {
	var h message.Header
	h.SetContentType("multipart/report", params)
	h.Set("MIME-Version", "1.0")
	h.Set("Auto-Submitted", "auto-generated")
	h.Set("Message-ID", c.MessageID)
	h.Set("Date", date(sentAt(c)))
	h.Set("Subject", fmt.Sprintf("Abuse report: spam from %s [%s]", c.Source, reference(c)))
	h.Set("To", strings.Join(c.To, ", "))
	h.Set("From", s.From)
	return h
}

func part(mw *message.Writer, kind string, body []byte) error {
	var h message.Header
	// No part is encoded: readers in the wild look for our first line in the raw
	// text, and message/rfc822 must not be (RFC 2046 §5.2.1).
	if !ascii(body) {
		h.Set("Content-Transfer-Encoding", "8bit")
	}
	var params map[string]string
	if kind == "text/plain" {
		params = map[string]string{"charset": "utf-8"}
	}
	h.SetContentType(kind, params)
	pw, err := mw.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := pw.Write(body); err != nil {
		return err
	}
	return pw.Close()
}

// feedback is the machine-readable part. Fields are never folded: a receiver in
// wide use reads them line by line. It is ASCII (RFC 5965 §3), so an envelope
// sender that is not is left out.
func feedback(c *queue.Complaint, s queue.Sender) []byte {
	in := &c.Incidents[0]
	m := &in.Report.Message
	f := fields{}
	f.add("Feedback-Type", "abuse")
	f.add("User-Agent", s.Agent)
	f.add("Version", "1")
	if ascii([]byte(m.MailFrom)) && (m.Session != nil || m.MailFrom != "") {
		f.add("Original-Mail-From", "<"+m.MailFrom+">")
	}
	f.add("Arrival-Date", date(arrival(in)))
	f.add("Reporting-MTA", "dns; "+reportingMTA(in, s))
	f.add("Source-IP", c.Source.String())
	if hop := in.Chain.Source(); hop != nil && hop.Port != 0 {
		f.add("Source-Port", fmt.Sprint(hop.Port)) // RFC 6692 §2
	}
	if len(c.Incidents) > 1 {
		f.add("Incidents", fmt.Sprint(len(c.Incidents)))
	}
	return f.Bytes()
}

// fields writes header-like lines whose values come from hostile places.
type fields struct{ bytes.Buffer }

func (f *fields) add(name, value string) {
	value = strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, oneLine(value))
	fmt.Fprintf(f, "%s: %s\r\n", name, value)
}

// oneLine makes text from mail harmless in a line of ours: no line breaks, nothing
// that is not seen or turns the direction of what is, at most 512 octets.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	for len(s) > 512 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// boundary depends on the Message-ID alone, whose random part no sender of spam
// can know: it cannot stand in the original.
func boundary(c *queue.Complaint) string {
	return fmt.Sprintf("=_%x", sha256.Sum256([]byte(c.MessageID)))[:40]
}

// sentAt is the Date of a complaint: when it was approved, which retries keep.
func sentAt(c *queue.Complaint) time.Time {
	if !c.ReadyAt.IsZero() {
		return c.ReadyAt
	}
	return c.Updated
}

// arrival is when the original reached the border: by our own clock where there
// was a session, else as the border's Received field says.
func arrival(in *queue.Incident) time.Time {
	if s := in.Report.Message.Session; s != nil {
		return s.Time
	}
	if hop := in.Chain.Source(); hop != nil && !hop.Date.IsZero() {
		return hop.Date
	}
	return in.Report.Received
}

// reportingMTA is the host that took the original from the source.
func reportingMTA(in *queue.Incident, s queue.Sender) string {
	if hop := in.Chain.Source(); hop != nil && hop.By != "" {
		return hop.By
	}
	return s.Host
}

// reference is how both sides name a complaint.
func reference(c *queue.Complaint) string { return fmt.Sprintf("complaint %d", c.ID) }

func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700") }

func ascii(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r >= utf8.RuneSelf })
}

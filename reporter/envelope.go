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

// envelope is the header of a complaint in every format. Auto-Submitted keeps
// responders quiet (RFC 3834 §5); the Message-ID never changes, so that a desk
// that gets a message twice can see it.
func (d *draft) envelope() (h message.Header, err error) {
	subject, err := d.letters.write("subject", &d.letter)
	if err != nil {
		return h, err
	}
	h.Set("MIME-Version", "1.0")
	h.Set("Auto-Submitted", "auto-generated")
	h.Set("Message-ID", d.MessageID)
	h.Set("Date", date(sentAt(d.Complaint)))
	h.SetText("Subject", oneLine(strings.TrimSpace(string(subject))))
	h.Set("To", strings.Join(d.To, ", "))
	if d.replyTo != "" {
		h.Set("Reply-To", d.replyTo)
	}
	h.Set("From", d.sender.From)
	return h, nil
}

// section is one part of a multipart complaint.
type section struct {
	kind   string
	params map[string]string
	// base64 is for what is read by programs alone. Nothing else is encoded:
	// readers in the wild look for our first line in the raw text, and
	// message/rfc822 must not be (RFC 2046 §5.2.1).
	base64 bool
	// attached is for what a reader must find among the attachments: one in wide use
	// counts only parts with a Content-Disposition (RFC 2183 §2.1) as such.
	attached bool
	body     []byte
}

// report writes a multipart/report of the sections (RFC 6522).
func (d *draft) report(w io.Writer, sections ...section) error {
	h, err := d.envelope()
	if err != nil {
		return err
	}
	h.SetContentType("multipart/report", map[string]string{"report-type": "feedback-report", "boundary": boundary(d.Complaint)})
	for _, s := range sections {
		if !s.base64 && !ascii(s.body) { // the whole says so as well as the part (RFC 2045 §6.4)
			h.Set("Content-Transfer-Encoding", "8bit")
		}
	}
	mw, err := message.CreateWriter(w, h)
	if err != nil {
		return err
	}
	for _, s := range sections {
		if err := s.write(mw); err != nil {
			return err
		}
	}
	return mw.Close()
}

func (s *section) write(mw *message.Writer) error {
	var h message.Header
	switch {
	case s.base64:
		h.Set("Content-Transfer-Encoding", "base64")
	case !ascii(s.body):
		h.Set("Content-Transfer-Encoding", "8bit")
	}
	h.SetContentType(s.kind, s.params)
	if s.attached {
		h.Set("Content-Disposition", "inline")
	}
	pw, err := mw.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := pw.Write(s.body); err != nil {
		return err
	}
	return pw.Close()
}

// textPart is the part that people read.
func (d *draft) textPart() (section, error) {
	text, err := d.text("text")
	return section{kind: "text/plain", params: map[string]string{"charset": "utf-8"}, body: text}, err
}

// writeText writes a complaint that is nothing but text.
func (d *draft) writeText(w io.Writer, text []byte) error {
	h, err := d.envelope()
	if err != nil {
		return err
	}
	return writeText(w, h, text)
}

// writeText writes a text under a header.
func writeText(w io.Writer, h message.Header, text []byte) error {
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	if !ascii(text) {
		h.Set("Content-Transfer-Encoding", "8bit")
	}
	mw, err := message.CreateWriter(w, h)
	if err != nil {
		return err
	}
	if _, err := mw.Write(text); err != nil {
		return err
	}
	return mw.Close()
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

func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700") }

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

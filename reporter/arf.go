package reporter

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// ARF is the Abuse Reporting Format: a multipart/report of three parts, text,
// feedback report and the original (RFC 5965 §2, RFC 6650 for unsolicited ones).
var ARF = Format{
	Name:   "arf",
	letter: "text",
	write:  writeARF,
}

// writeARF falls back to a letter where the original encloses a feedback report of its
// own: a receiver in wide use believes the last one in the whole mail, so that the
// sender of spam could name another source than his.
func writeARF(w io.Writer, d *draft) error {
	if encloses(d.original) {
		return writePlain(w, d)
	}
	text, err := d.textPart()
	if err != nil {
		return err
	}
	return d.report(w, text,
		section{kind: "message/feedback-report", attached: true, body: d.feedback()},
		section{kind: "message/rfc822", attached: true, body: d.original})
}

// encloses reports whether a message names the type of such a report anywhere.
func encloses(original []byte) bool {
	const before, kind = len("feedback"), "feedback-report"
	for at := before; at < len(original); at++ {
		n := bytes.IndexByte(original[at:], '-')
		if n < 0 {
			return false
		}
		at += n
		if end := at - before + len(kind); end <= len(original) && strings.EqualFold(string(original[at-before:end]), kind) {
			return true
		}
	}
	return false
}

// feedback is the machine-readable part. Fields are never folded: a receiver in
// wide use reads them line by line. It is ASCII (RFC 5965 §3), so an envelope
// sender that is not is left out, as is one that ends where another reader thinks.
func (d *draft) feedback() []byte {
	in := d.sample()
	f := fields{}
	f.add("Feedback-Type", "abuse")
	f.add("User-Agent", d.sender.Agent)
	f.add("Version", "1")
	if plainPath(d.mailFrom) && (in.Report.Message.Session != nil || d.mailFrom != "") {
		f.add("Original-Mail-From", "<"+d.mailFrom+">")
	}
	if d.rcptTo != "" {
		f.add("Original-Rcpt-To", "<"+d.rcptTo+">") // redacted: RFC 6590
	}
	f.add("Arrival-Date", date(arrival(in)))
	f.add("Reporting-MTA", "dns; "+reportingMTA(in, d.sender))
	f.add("Source-IP", d.Source.String())
	if port := d.sourcePort(); port != 0 {
		f.add("Source-Port", fmt.Sprint(port)) // RFC 6692 §2
	}
	if d.letter.Domain != "" {
		f.add("Reported-Domain", d.letter.Domain)
	}
	if len(d.Incidents) > 1 {
		f.add("Incidents", fmt.Sprint(len(d.Incidents)))
	}
	return f.Bytes()
}

// plainPath reports whether a reverse-path reads the same to all between angle
// brackets: nothing in it is quoted.
func plainPath(path string) bool {
	return ascii([]byte(path)) && !strings.ContainsAny(path, "<> \t\r\n\x00")
}

// Package forward finds the messages that somebody has handed on: attached by a
// mail program, redirected, or in a feedback report (RFC 5965). They come out
// octet for octet as they were handed in; a text that quotes another message
// holds nothing that proves where that came from, and gives none.
package forward

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"

	"spamreport-milter/trace"
)

// How a message was handed on.
type How string

const (
	Attached   How = "attached"   // as an attachment
	Redirected How = "redirected" // it is the message itself, sent on
	Feedback   How = "feedback"   // in a feedback report
)

// Original is a message that was handed on.
type Original struct {
	How    How
	Octets []byte // header section, empty line, body; a slice of the input where nothing was encoded
	// HeaderOnly says that whoever handed it on kept the body back.
	HeaderOnly bool
}

// Hand is who hands a message on.
type Hand struct {
	To []string // addresses that take reports, one of which the message was sent to
	// User holds the addresses that the person is known by; none for a program,
	// which redirects with the envelope as it came.
	User []string
}

// The bounds of what is looked at. Nested parts cost a look each, so depth times
// size is the most that a message can cost.
const (
	maxDepth     = 8
	maxParts     = 500
	maxOriginals = 50
)

// ErrTooMany means that a message holds more parts or originals than are taken.
var ErrTooMany = errors.New("too many attached messages or parts")

// Originals returns what a message hands on, in its order. With ErrTooMany it
// returns those before the limit.
func Originals(header, body []byte, h Hand) ([]Original, error) {
	if octets, ok := redirected(header, body, h); ok {
		return []Original{{How: Redirected, Octets: octets}}, nil
	}
	w := walk{}
	err := w.entity(part{header: header, body: body}, "text/plain", 0)
	return w.found, err
}

// redirected reports whether the message is the original, sent on as it is. What
// it has attached was attached by its sender then, and is nobody's report.
//
// Mail programs put a block of Resent fields on top (RFC 5322 §3.6.6). Sieve and
// .forward leave no trace: there a message that has been on its way already, is
// not addressed to us, and was not written by the user is the original.
func redirected(header, body []byte, h Hand) ([]byte, bool) {
	top := resentBlock(header)
	if top == 0 {
		if !onItsWay(header) || addressed(header, h.To) || writtenBy(header, h.User) {
			return nil, false
		}
	}
	return slices.Concat(header[top:], []byte("\r\n"), body), true
}

// resentBlock returns where the block of Resent fields that the user's program has
// put on top ends; 0 if there is none. One below a Received field is older than
// that: a sender may have made it up, with all below it.
func resentBlock(header []byte) (end int) {
	rest := header
	for len(rest) > 0 {
		field, name := firstField(rest)
		switch {
		case strings.HasPrefix(name, "resent-"):
			end = len(header) - len(rest) + field
		case name == "received" || name == "return-path" || end > 0:
			return end
		}
		rest = rest[field:]
	}
	return end
}

// firstField returns the length of the first field with its folds, and its name
// in lower case.
func firstField(header []byte) (length int, name string) {
	for length < len(header) {
		n := bytes.IndexByte(header[length:], '\n')
		if n < 0 {
			length = len(header)
			break
		}
		length += n + 1
		if length < len(header) && header[length] != ' ' && header[length] != '\t' {
			break
		}
	}
	n, _, _ := bytes.Cut(header[:length], []byte(":"))
	return length, strings.ToLower(strings.TrimSpace(string(n)))
}

func onItsWay(header []byte) bool { return len(values(header, "Received")) > 0 }

func addressed(header []byte, to []string) bool {
	return names(header, to, "To", "Cc")
}

func writtenBy(header []byte, user []string) bool {
	return names(header, user, "From", "Sender")
}

// names reports whether one of the addresses stands in one of the fields.
func names(header []byte, addresses []string, fields ...string) bool {
	for _, field := range fields {
		for _, value := range values(header, field) {
			value = strings.ToLower(value)
			for _, a := range addresses {
				if a != "" && strings.Contains(value, strings.ToLower(a)) {
					return true
				}
			}
		}
	}
	return false
}

func values(header []byte, name string) (v []string) {
	for f := range trace.HeaderFields(header) {
		if strings.EqualFold(f.Name, name) {
			v = append(v, strings.TrimSpace(f.Value))
		}
	}
	return v
}

// part is a message or one of its parts.
type part struct{ header, body []byte }

func (p part) value(name string) string {
	if v := values(p.header, name); len(v) > 0 {
		return strings.Join(strings.Fields(v[0]), " ")
	}
	return ""
}

// walk goes through the parts of a message.
type walk struct {
	found    []Original
	parts    int
	feedback bool
}

func (w *walk) entity(p part, usual string, depth int) error {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		return ErrTooMany
	}
	kind, params := mediaType(p.value("Content-Type"), usual)
	switch {
	case kind == "multipart/report" && strings.EqualFold(params["report-type"], "delivery-status"):
		// What comes back in a bounce is what we are said to have sent.
		return nil
	case strings.HasPrefix(kind, "multipart/"):
		return w.multipart(p, kind, params, depth)
	case kind == "message/rfc822" || kind == "message/global":
		return w.take(p, false)
	case kind == "text/rfc822-headers" || kind == "message/rfc822-headers":
		return w.take(p, true)
	case isFile(p, params):
		return w.take(p, false)
	}
	return nil
}

func (w *walk) multipart(p part, kind string, params map[string]string, depth int) error {
	if kind == "multipart/report" && strings.EqualFold(params["report-type"], "feedback-report") {
		w.feedback = true
		defer func() { w.feedback = false }()
	}
	usual := "text/plain"
	if kind == "multipart/digest" { // RFC 2046 §5.1.5
		usual = "message/rfc822"
	}
	for child := range split(p.body, params["boundary"]) {
		if err := w.entity(child, usual, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// take keeps what is a message. Programs and servers encode attached messages,
// which RFC 2046 §5.2.1 forbids; an attachment that is none is passed by.
func (w *walk) take(p part, headerOnly bool) error {
	octets, err := decode(p)
	if err != nil {
		return nil
	}
	if _, err := trace.Read(bytes.NewReader(octets), 0); err != nil {
		return nil
	}
	if len(w.found) == maxOriginals {
		return ErrTooMany
	}
	o := Original{How: Attached, Octets: octets, HeaderOnly: headerOnly}
	if w.feedback {
		o.How = Feedback
	}
	w.found = append(w.found, o)
	return nil
}

func decode(p part) ([]byte, error) {
	switch strings.ToLower(p.value("Content-Transfer-Encoding")) {
	case "base64":
		return io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(p.body)))
	case "quoted-printable":
		return io.ReadAll(quotedprintable.NewReader(bytes.NewReader(p.body)))
	}
	return p.body, nil
}

// isFile reports whether a part is a saved message, whatever type its program
// gives such files.
func isFile(p part, params map[string]string) bool {
	_, disposition, err := mime.ParseMediaType(p.value("Content-Disposition"))
	if err != nil {
		disposition = nil
	}
	for _, name := range []string{disposition["filename"], params["name"]} {
		if s, err := new(mime.WordDecoder).DecodeHeader(name); err == nil {
			name = s
		}
		if strings.HasSuffix(strings.ToLower(name), ".eml") {
			return true
		}
	}
	return false
}

// mediaType reads a Content-Type field; usual stands for one that is missing or
// can't be read (RFC 2045 §5.2).
func mediaType(value, usual string) (string, map[string]string) {
	kind, params, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || kind == "" {
		return usual, nil
	}
	return kind, params
}

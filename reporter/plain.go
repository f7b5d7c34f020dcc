package reporter

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"spamreport-milter/queue"
)

// Plain is the letter that people write by hand: what came from where and when,
// what is asked, then the header and the body as text. Many desks read nothing else.
var Plain = Format{
	Name:   "plain",
	letter: "letter",
	write:  writePlain,
}

// maxShown is how much of a body stands in a letter, in octets: more nobody reads,
// and desks' programs cut longer mails where they like.
const maxShown = 64 << 10

func writePlain(w io.Writer, d *draft) error {
	text, err := d.pasted()
	if err != nil {
		return err
	}
	return d.writeText(w, text)
}

// Paste writes what a person puts into the page of a desk that takes no mail: the
// letter alone, with plain line ends.
func (w *Composer) Paste(out io.Writer, c *queue.Complaint) error {
	if len(c.Incidents) == 0 {
		return fmt.Errorf("complaint %d has no incident: nothing to report", c.ID)
	}
	text, err := w.draft(c).pasted()
	if err != nil {
		return fmt.Errorf("compose complaint %d to be pasted: %w", c.ID, err)
	}
	_, err = out.Write(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	return err
}

// pasted is a letter with header and message behind it.
func (d *draft) pasted() ([]byte, error) {
	text, err := d.text("letter")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(text)
	rule := "----------------------------------------------------------------------\r\n"
	body, rest := d.shown()
	fmt.Fprintf(&b, "\r\nFull header:\r\n%s%s%s\r\nEmail message:\r\n%s", rule, readable(d.original[:d.header]), rule, rule)
	b.Write(readable(body))
	if !bytes.HasSuffix(body, []byte("\n")) {
		b.WriteString("\r\n")
	}
	if rest > 0 {
		fmt.Fprintf(&b, "[%d octets more]\r\n", rest)
	}
	b.WriteString(rule)
	return b.Bytes(), nil
}

// shown is the body as far as a letter shows it, cut at a line's end where there is
// one near, and how many octets that leaves out.
func (d *draft) shown() (body []byte, rest int) {
	body = d.original[min(d.header+len("\r\n"), len(d.original)):]
	if len(body) <= maxShown {
		return body, 0
	}
	cut := bytes.LastIndexByte(body[:maxShown], '\n') + 1
	if cut < maxShown-maxLine-2 {
		cut = maxShown
	}
	return body[:cut], len(body) - cut
}

// readable replaces octets that are no UTF-8: a letter has one charset.
func readable(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("?"))
}

package reporter

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/emersion/go-message"
)

// Plain is the letter that people write by hand: what came from where and when,
// what is asked, then the header and the body as text. Many desks read nothing else.
var Plain = Format{
	Name:  "plain",
	write: writePlain,
}

// maxShown is how much of a body stands in a letter, in octets: more nobody reads,
// and desks' programs cut longer mails where they like.
const maxShown = 64 << 10

func writePlain(w io.Writer, d *draft) error {
	text, err := d.letters.write("letter", &d.letter)
	if err != nil {
		return err
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
	h := d.envelope()
	h.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	if !ascii(b.Bytes()) {
		h.Set("Content-Transfer-Encoding", "8bit")
	}
	mw, err := message.CreateWriter(w, h)
	if err != nil {
		return err
	}
	if _, err := mw.Write(b.Bytes()); err != nil {
		return err
	}
	return mw.Close()
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

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
)

const (
	maxLetter = 64 << 10 // octets; nobody reads more
	maxLine   = 998      // octets that mail carries in one line (RFC 5322 §2.1.1)
)

// draft is what a person edits of a complaint.
type draft struct {
	to   []string
	text string
}

// draftOf writes it like a mail: a header of addressees, an empty line, the text.
func draftOf(c *queue.Complaint, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Complaint %d about %s. A line "To:" for each addressee; behind the empty
# line the text that people read. Left as it is, or all taken away, the usual
# text goes out. These lines don't.
`, c.ID, c.Source)
	for _, a := range c.To {
		fmt.Fprintf(&b, "To: %s\n", a)
	}
	if len(c.To) == 0 {
		b.WriteString("To:\n")
	}
	return b.String() + "\n" + text
}

// parseDraft reads what became of it.
func parseDraft(doc string) (*draft, error) {
	head, text, _ := strings.Cut(strings.ReplaceAll(doc, "\r\n", "\n"), "\n\n")
	d := &draft{text: text}
	for i, line := range strings.Split(head, "\n") {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "to") {
			return nil, fmt.Errorf("line %d: %q is no To: line; the text begins behind an empty line", i+1, line)
		}
		for _, a := range strings.Split(value, ",") {
			if a = strings.TrimSpace(a); a != "" {
				d.to = append(d.to, a)
			}
		}
	}
	return d, nil
}

// check says everything that is wrong with it, and brings the addresses into the
// form that SMTP takes.
func (d *draft) check() error {
	var f faults
	var to []string
	for _, a := range d.to {
		checked, err := contact.Mailbox(a)
		if err != nil {
			f.add("%q is no mailbox to complain to: %w", a, err)
		}
		if !slices.Contains(to, checked) {
			to = append(to, checked)
		}
	}
	d.to = to
	if len(d.text) > maxLetter {
		f.add("the text is longer than %d octets: nobody reads that much", maxLetter)
	}
	if !utf8.ValidString(d.text) {
		f.add("the text is not UTF-8: set your editor to it")
		return errors.Join(f...)
	}
	for i, line := range strings.Split(d.text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if len(line) > maxLine {
			f.add("line %d of the text has %d octets, and mail carries %d: break it", i+1, len(line), maxLine)
		}
		if n := strings.IndexFunc(line, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }); n >= 0 {
			f.add("line %d of the text has a control character", i+1)
		}
	}
	return errors.Join(f...)
}

// plainText is a text as it is kept: lines ended by LF, none empty at the end; nothing
// for one without a word.
func plainText(text string) string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\r\n\t ")
	if text == "" {
		return ""
	}
	return text + "\n"
}

package redaction

import (
	"bytes"
	"strings"
)

// maxDepth bounds messages within base64 within messages.
const maxDepth = 4

// edits finds everything to hide in a text: as it stands, as quoted-printable and
// escapes of HTML and URLs read, in encoded words, and in base64 that the text
// declares; inBase64 says that it begins with such. Each way of reading is tried
// everywhere: broken MIME hides nothing, and where a reading makes no sense it
// finds nothing. The result is settled.
func (r *Redactor) edits(s *scratch, text []byte, inBase64 bool, depth int) []edit {
	if len(r.patterns) == 0 {
		return nil
	}
	found := r.views(s, text, nil)
	found = r.encodedWords(s, text, found)
	if depth < maxDepth {
		parts, inside := r.base64Parts(s, text, inBase64, depth)
		found = append(outside(found, parts), inside...)
	}
	return settle(found)
}

// views searches a text in all readings that keep their place.
func (r *Redactor) views(s *scratch, text []byte, found []edit) []edit {
	plain := view{text: text}
	found = r.search(&plain, found)
	if escaped(text) {
		found = r.search(s.escapes.read(&plain, unescape), found)
	}
	if bytes.IndexByte(text, 0) >= 0 { // UTF-16
		found = r.search(s.escapes.read(&plain, skipNUL), found)
	}
	if bytes.IndexByte(text, '=') < 0 {
		return found
	}
	quoted := s.quoted.read(&plain, unquote)
	found = r.search(quoted, found)
	if escaped(quoted.text) {
		found = r.search(s.escapes.read(quoted, unescape), found)
	}
	return found
}

func escaped(text []byte) bool { return bytes.ContainsAny(text, `%&\`) }

// search looks for all patterns in one reading.
func (r *Redactor) search(v *view, found []edit) []edit {
	t := v.text
	for i := 0; i+1 < len(t); i++ {
		k := start(t[i], t[i+1])
		if r.starts[k/64]&(1<<(k%64)) == 0 {
			continue
		}
		for _, n := range r.by[k] {
			if p := &r.patterns[n]; p.at(t[i:]) {
				found = p.hit(v, i, found)
			}
		}
	}
	return found
}

func (p *pattern) at(t []byte) bool {
	if len(t) < len(p.text) {
		return false
	}
	if p.fold {
		return equalFold(t[:len(p.text)], p.text)
	}
	return string(t[:len(p.text)]) == p.text
}

// equalFold compares ASCII letters in any case, all else octet by octet; b is in
// lower case.
func equalFold(a []byte, b string) bool {
	for i := range a {
		if lower(a[i]) != b[i] {
			return false
		}
	}
	return true
}

// hit adds what a pattern found at i hides.
func (p *pattern) hit(v *view, i int, found []edit) []edit {
	end := i + len(p.text)
	if p.locals == nil {
		return append(found, v.edit(i, end, p.token))
	}
	for _, sep := range separators {
		if !hasSuffixFold(v.text[:i], sep.text) || sep.verp && !atFollows(v.text[end:]) {
			continue
		}
		if from, to, token, ok := p.local(v.text[:i-len(sep.text)]); ok {
			return append(found, v.edit(from, to, token), v.edit(i, end, hidden))
		}
	}
	return found
}

// local finds a local part that ends the text, possibly with a tag (RFC 5233). It
// need not begin there: an address hidden too much hurts nobody.
func (p *pattern) local(text []byte) (from, to int, token string, ok bool) {
	for _, end := range []int{len(text), tagged(text)} {
		for i := range p.locals {
			if l := &p.locals[i]; hasSuffixFold(text[:end], l.local) {
				return end - len(l.local), end, l.token, true
			}
		}
	}
	return 0, 0, "", false
}

// tagged returns where the tag of a local part at the end of text begins.
func tagged(text []byte) int {
	for i := len(text) - 1; i >= 0 && i > len(text)-64; i-- {
		switch c := text[i]; {
		case c == '+':
			return i
		case c <= ' ' || c == '<' || c == '>' || c == '@' || c == '"':
			return 0
		}
	}
	return 0
}

func hasSuffixFold(t []byte, suffix string) bool {
	return len(t) >= len(suffix) && equalFold(t[len(t)-len(suffix):], suffix)
}

// separators stand between local part and domain: the sign itself, written out and
// escaped, and what variable envelope return paths write in its place. Those that
// host names have as well (mail.isp.example need not be mail@isp.example) count
// only before another sign.
var separators = []struct {
	text string
	verp bool
}{
	{text: "@"}, {text: "="}, {text: "%40"}, {text: "=40"}, {text: "%3d"}, {text: "=3d"}, {text: "%2540"}, {text: "%253d"},
	{text: "&#64;"}, {text: "&#x40;"}, {text: "&commat;"}, {text: `\u0040`}, {text: `\x40`},
	{text: " @ "}, {text: "@ "}, {text: " @"}, {text: " at "}, {text: "(at)"}, {text: " (at) "}, {text: "[at]"}, {text: " [at] "},
	{text: "{at}"}, {text: "_at_"}, {text: "-at-"}, {text: ".at."}, {text: "--at--"},
	{text: "%"}, {text: "#"}, {text: "!"}, {text: "|"}, {text: "~"}, {text: "*"}, {text: "+"}, {text: "_"},
	{text: "-", verp: true}, {text: ".", verp: true},
}

func atFollows(t []byte) bool {
	for _, sign := range []string{"@", "%40", "=40", "&#64;"} {
		if bytes.HasPrefix(t, []byte(sign)) {
			return true
		}
	}
	return false
}

// declaresBase64 reports whether a header section says that its body is base64.
func declaresBase64(header []byte) bool {
	for line := range bytes.Lines(header) {
		if isBase64Field(line) {
			return true
		}
	}
	return false
}

const encodingField = "content-transfer-encoding"

func isBase64Field(line []byte) bool {
	if len(line) < len(encodingField) || !equalFold(line[:len(encodingField)], encodingField) {
		return false
	}
	value := strings.TrimLeft(string(line[len(encodingField):]), " \t:\"")
	return len(value) >= 6 && strings.EqualFold(value[:6], "base64")
}

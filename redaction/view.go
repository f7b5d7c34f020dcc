package redaction

import (
	"bytes"
	"html"
	"strconv"
)

// view is one reading of a text. Octet i of it stands for from[i]:to[i] of the text;
// a view without these is the text itself.
type view struct {
	text     []byte
	from, to []int32
}

// scratch is memory that redactions use again.
type scratch struct{ quoted, escapes view }

// decode reads the text at i: the octet found and how much it took. A take without
// octet is passed over.
type decode func(t []byte, i int) (c byte, take int, none bool)

// read fills a view with the reading of another one.
func (v *view) read(of *view, f decode) *view {
	v.text, v.from, v.to = v.text[:0], v.from[:0], v.to[:0]
	for i := 0; i < len(of.text); {
		c, take, none := f(of.text, i)
		if !none {
			v.text = append(v.text, c)
			v.from, v.to = append(v.from, int32(of.begin(i))), append(v.to, int32(of.end(i+take-1)))
		}
		i += take
	}
	return v
}

func (v *view) begin(i int) int {
	if v.from == nil {
		return i
	}
	return int(v.from[i])
}

func (v *view) end(i int) int {
	if v.to == nil {
		return i + 1
	}
	return int(v.to[i])
}

// edit replaces what octets from:to of the view stand for.
func (v *view) edit(from, to int, by string) edit { return edit{v.begin(from), v.end(to - 1), by} }

// unquote reads quoted-printable, with its soft line breaks (RFC 2045 §6.7).
func unquote(t []byte, i int) (c byte, take int, none bool) {
	if t[i] != '=' {
		return t[i], 1, false
	}
	if c, ok := hexOctet(t[i+1:]); ok {
		return c, 3, false
	}
	for j := i + 1; j < len(t) && j < i+80; j++ {
		switch t[j] {
		case '\n':
			return 0, j + 1 - i, true
		case ' ', '\t', '\r':
			continue
		}
		break
	}
	return '=', 1, false
}

func skipNUL(t []byte, i int) (c byte, take int, none bool) { return t[i], 1, t[i] == 0 }

// unescape reads the escapes of URLs, HTML and JSON. An escaped per cent sign is
// read with what follows, as links within links have it.
func unescape(t []byte, i int) (c byte, take int, none bool) {
	switch t[i] {
	case '%':
		j := i + 1
		for bytes.HasPrefix(t[j:], []byte("25")) && j < i+9 {
			j += 2
		}
		if c, ok := hexOctet(t[j:]); ok {
			return c, j + 2 - i, false
		}
	case '&':
		if n := bytes.IndexByte(t[i:min(i+12, len(t))], ';'); n > 0 {
			if s := html.UnescapeString(string(t[i : i+n+1])); len(s) == 1 {
				return s[0], n + 1, false
			}
		}
	case '\\':
		for _, form := range []struct{ begin, digits int }{{2, 4}, {2, 2}} {
			end := i + form.begin + form.digits
			if end > len(t) || t[i+1] != 'u' && t[i+1] != 'x' {
				break
			}
			if n, err := strconv.ParseUint(string(t[i+2:end]), 16, 16); err == nil && n < 0x80 && (t[i+1] == 'u') == (form.digits == 4) {
				return byte(n), end - i, false
			}
		}
	}
	return t[i], 1, false
}

// hexOctet reads the two hexadecimal digits that t begins with.
func hexOctet(t []byte) (byte, bool) {
	if len(t) < 2 {
		return 0, false
	}
	a, b := hexDigit(t[0]), hexDigit(t[1])
	return a<<4 | b, a < 16 && b < 16
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

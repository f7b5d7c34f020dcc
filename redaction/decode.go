package redaction

import (
	"bytes"
	"html"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// decode is one way of reading. It reads the text at i: the octet found and how much it
// took; a take without octet is passed over. Only octets at which special is set begin
// anything but themselves.
type decode struct {
	special [256]bool
	read    func(t []byte, i int) (c byte, take int, none bool)
}

func decoder(special string, read func(t []byte, i int) (c byte, take int, none bool)) *decode {
	d := decode{read: read}
	for i := range len(special) {
		d.special[special[i]] = true
	}
	return &d
}

// The readings. UTF-16 is read as if it had no NUL.
var (
	quotedPrintable = decoder("=", unquote)
	escapes         = decoder(`%&\`, unescape)
	octetPairs      = decoder("\x00", func(t []byte, i int) (byte, int, bool) { return t[i], 1, true })
	visible         = decoder("\xc2\xe2\xef", show)
	continuations   = decoder(`";`, join)
)

// unquote reads quoted-printable, with its soft line breaks (RFC 2045 §6.7). Some
// programs take these out first, so one may stand within the code of an octet.
func unquote(t []byte, i int) (c byte, take int, none bool) {
	if n := softBreak(t[i:]); n > 0 {
		return 0, n, true
	}
	j := i + 1
	for digit := range 2 {
		for range 4 {
			j += softBreak(t[min(j, len(t)):])
		}
		if j >= len(t) || hexDigit(t[j]) > 15 {
			return '=', 1, false
		}
		c = c<<(4*digit) | hexDigit(t[j])
		j++
	}
	return c, j - i, false
}

// softBreak is how long the soft line break is that t begins with; 0 for none.
func softBreak(t []byte) int {
	if len(t) == 0 || t[0] != '=' {
		return 0
	}
	for j := 1; j < len(t) && j < 80; j++ {
		switch t[j] {
		case '\n':
			return j + 1
		case ' ', '\t', '\r':
			continue
		}
		break
	}
	return 0
}

// show reads UTF-8 as people see it: what has no width is not there, and wide letters
// and signs are those of ASCII.
func show(t []byte, i int) (c byte, take int, none bool) {
	r, n := utf8.DecodeRune(t[i:])
	switch {
	case unseen(r):
		return 0, n, true
	case r >= '\uff01' && r <= '\uff5e':
		return byte(r - '\uff01' + '!'), n, false
	}
	return t[i], 1, false
}

// unseen reports whether a character has no width: joiners, marks of direction, soft
// hyphens.
func unseen(r rune) bool { return r == '\u00ad' || r != utf8.RuneError && unicode.Is(unicode.Cf, r) }

// hides reports whether a text has characters that show reads.
func hides(t []byte) bool {
	for _, lead := range []string{"\xe2\x80", "\xe2\x81", "\xc2\xad", "\xef\xbb\xbf", "\xef\xbc", "\xef\xbd"} {
		for at := t; ; {
			n := bytes.Index(at, []byte(lead))
			if n < 0 {
				break
			}
			if c, _, none := show(at, n); none || c < 0x80 {
				return true
			}
			at = at[n+1:]
		}
	}
	return false
}

// join reads what stands between the sections of a parameter (RFC 2231 §3) as nothing.
func join(t []byte, i int) (c byte, take int, none bool) {
	if m := section.FindIndex(t[i:min(i+120, len(t))]); m != nil {
		return 0, m[1], true
	}
	return t[i], 1, false
}

var section = regexp.MustCompile(`^"?;[ \t\r\n]*[A-Za-z-]{1,40}\*[1-9][0-9]?\*?="?`)

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
		return entity(t, i)
	case '\\':
		return backslash(t, i)
	}
	return t[i], 1, false
}

// entity reads a character reference. Browsers want no semicolon behind a number.
func entity(t []byte, i int) (c byte, take int, none bool) {
	end := i + 1
	for end < len(t) && end < i+18 && (t[end] == '#' || inWord(t[end])) && t[end] < 0x80 {
		end++
	}
	name := t[i:end]
	if m := numeric.Find(name); m != nil {
		name, end = m, i+len(m)
	} else if end == len(t) || t[end] != ';' {
		return '&', 1, false
	}
	if end < len(t) && t[end] == ';' {
		end++
	}
	r, n := utf8.DecodeRuneInString(html.UnescapeString(string(name) + ";"))
	switch {
	case r == '&' && n == 1 && len(name) > 1 && name[1] != '#' && !bytes.Equal(name, []byte("&amp")) && !bytes.Equal(name, []byte("&AMP")):
		return '&', 1, false // no name of any
	case unseen(r):
		return 0, end - i, true
	case r < 0x80:
		return byte(r), end - i, false
	case r >= '\uff01' && r <= '\uff5e':
		return byte(r - '\uff01' + '!'), end - i, false
	}
	return '&', 1, false
}

var numeric = regexp.MustCompile(`^&#(?:[0-9]{1,10}|[xX][0-9A-Fa-f]{1,8})`)

// backslash reads \u0040, \x40 and \@.
func backslash(t []byte, i int) (c byte, take int, none bool) {
	if i+1 < len(t) && (t[i+1] == '@' || t[i+1] == '.') {
		return t[i+1], 2, false
	}
	for _, form := range []struct{ begin, digits int }{{2, 4}, {2, 2}} {
		end := i + form.begin + form.digits
		if end > len(t) || t[i+1] != 'u' && t[i+1] != 'x' {
			break
		}
		if n, err := strconv.ParseUint(string(t[i+2:end]), 16, 16); err == nil && n < 0x80 && (t[i+1] == 'u') == (form.digits == 4) {
			return byte(n), end - i, false
		}
	}
	return '\\', 1, false
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

package queue

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"regexp"
	"strings"
)

// matcher finds one mail address in text, in any case, and not within a longer one:
// 1.5.3.1 does not stand in 101.5.3.199.
type matcher struct {
	re *regexp.Regexp // RE2: linear
}

// newMatcher looks for local@domain and for local=domain, which return paths hold
// it as (VERP). JSON may write the angle bracket before it as \u003c.
func newMatcher(address string) (*matcher, error) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(address, " <>\t\r\n") {
		return nil, fmt.Errorf("%w: %q is no mail address", ErrFilter, address)
	}
	return &matcher{regexp.MustCompile(`(?i)(^|\\u003c|[^a-z0-9.!#$%&'*+/=?^_{|}~\x60-])` + regexp.QuoteMeta(local) + `(?:@|=|%40)` +
		regexp.QuoteMeta(domain) + `($|[^a-z0-9.-]|\.(?:$|[^a-z0-9-]))`)}, nil
}

func (m *matcher) in(b []byte) bool { return m.re.Match(b) }

func (m *matcher) inAny(all [][]byte) bool {
	for _, b := range all {
		if m.in(b) {
			return true
		}
	}
	return false
}

// replace puts another address in the place of each.
func (m *matcher) replace(s string) string {
	if !m.re.MatchString(s) {
		return s
	}
	// Twice: of two that share the character between them the first pass sees one.
	for range 2 {
		s = m.re.ReplaceAllString(s, "${1}"+erasedAddress+"${2}")
	}
	return s
}

func (m *matcher) replaceAll(list []string) []string {
	now := make([]string, len(list))
	for i, s := range list {
		now[i] = m.replace(s)
	}
	return now
}

// inMail looks at a mail as it is stored: its octets, and what its encodings hide.
func (m *matcher) inMail(coding string, header, body []byte) (bool, error) {
	for _, stored := range [][]byte{header, body} {
		b, err := unpack(coding, stored)
		if err != nil {
			return false, err
		}
		if m.in(b) || m.in(unquoted(b)) || m.in(words(b)) || m.in(unbase64(b)) {
			return true, nil
		}
	}
	return false, nil
}

// inAnswer looks at an answer of the contact package: JSON whose raw answers are in
// base64.
func (m *matcher) inAnswer(answer []byte) bool {
	return m.in(answer) || m.in(unbase64(answer))
}

// unquoted undoes quoted-printable (RFC 2045 §6.7) wherever it may be.
func unquoted(b []byte) []byte {
	if !bytes.Contains(b, []byte("=")) {
		return nil
	}
	b = bytes.ReplaceAll(b, []byte("=\r\n"), nil)
	b = bytes.ReplaceAll(b, []byte("=\n"), nil)
	return quoted.ReplaceAllFunc(b, func(q []byte) []byte {
		var c byte
		fmt.Sscanf(string(q[1:]), "%02X", &c) // the pattern is one
		return []byte{c}
	})
}

var (
	quoted  = regexp.MustCompile(`=[0-9A-Fa-f]{2}`)
	encoded = regexp.MustCompile(`=\?[^?\s]{1,40}\?[bBqQ]\?[^?\s]*\?=`)
	// What could hide an address: enough of the alphabet, also over lines.
	base64ed = regexp.MustCompile(`(?:[A-Za-z0-9+/]{16,}\s*)+={0,2}`)
)

// words decodes encoded words (RFC 2047).
func words(b []byte) []byte {
	if !bytes.Contains(b, []byte("=?")) {
		return nil
	}
	var out []byte
	var d mime.WordDecoder
	for _, w := range encoded.FindAll(b, -1) {
		if s, err := d.Decode(string(w)); err == nil {
			out = append(out, s...)
			out = append(out, ' ')
		}
	}
	return out
}

// unbase64 decodes everything that looks like base64 (RFC 4648 §4).
func unbase64(b []byte) []byte {
	var out []byte
	for _, run := range base64ed.FindAll(b, -1) {
		run = bytes.TrimRight(bytes.Join(bytes.Fields(run), nil), "=")
		text := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
		n, _ := base64.RawStdEncoding.Decode(text, run) // what could be decoded
		out = append(append(out, text[:n]...), ' ')
	}
	return out
}

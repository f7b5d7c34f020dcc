package trace

import (
	"strconv"
	"strings"
)

// fact reads a comment that says the same thing wherever it stands.
type fact struct {
	mark string // how the comment begins, in any case
	read func(h *Hop, body string)
}

// facts lists what servers state in comments beside the peer. The first mark that
// fits is used; body is what follows it.
var facts = []fact{
	{"version=", func(h *Hop, body string) { tlsPairs(h, "version="+body) }},
	{"cipher=", func(h *Hop, body string) { tlsPairs(h, "cipher="+body) }},
	{"using TLS: ", courierTLS}, // MailMarshal
	{"using TLS", func(h *Hop, body string) { usingTLS(h, "TLS"+body) }},
	{"using SSL", func(h *Hop, body string) { usingTLS(h, "SSL"+body) }},
	{"cipher TLS", func(h *Hop, body string) { tlsColons(h, "TLS"+body) }},
	{"tls_cipher ", tlsColons},
	{"TLS: ", courierTLS},
	{"TLS", func(h *Hop, body string) { tlsColons(h, "TLS"+body) }},
	{"envelope-from ", envelopeFrom},
	{"envelope-sender ", envelopeFrom},
	{"authenticated sender:", authenticated},
	{"authenticated-sender:", authenticated},
	{"authenticated user:", authenticated},
	{"authenticated user ", authenticated}, // Kerio
	{"authenticated as ", authenticated},
	{"smtp-auth username ", qpsmtpdAuth},
	{"authenticated bits=", func(h *Hop, _ string) { h.Auth = true }}, // Sendmail
	{"authenticated", authenticated},
	{"SquirrelMail authenticated user ", authenticated},
	{"AUTH:", courierAuth},
	{"user=", func(h *Hop, body string) { authenticated(h, firstWord(body)) }},
	{"Postfix, from userid ", func(h *Hop, body string) { h.Ident = body }},
}

// factsByLetter holds the facts under the first octets of their marks, since most
// comments state none of them.
var factsByLetter = func() (index [256][]fact) {
	for _, f := range facts {
		c := lower(f.mark[0])
		index[c] = append(index[c], f)
	}
	return index
}()

// readFact reports whether the comment states a known fact, and notes it.
func readFact(h *Hop, text string) bool {
	if text == "" {
		return false
	}
	for _, f := range factsByLetter[lower(text[0])] {
		if hasPrefixFold(text, f.mark) {
			f.read(h, strings.TrimSpace(text[len(f.mark):]))
			return true
		}
	}
	if cipher, ok := strings.CutSuffix(text, " encrypted"); ok && !strings.Contains(cipher, " ") { // qmail
		tlsColons(h, cipher)
		return true
	}
	return false
}

// tlsPairs reads Google's and Microsoft's "version=TLS1_2, cipher=X bits=128/128".
func tlsPairs(h *Hop, body string) {
	for body != "" {
		var pair string
		pair, body = cutWord(body)
		key, value, _ := strings.Cut(strings.TrimSuffix(pair, ","), "=")
		switch key {
		case "version":
			h.TLSVersion = value
		case "cipher":
			h.TLSCipher = value
		}
	}
}

// usingTLS reads Postfix's "TLSv1.2 with cipher X (256/256 bits)".
func usingTLS(h *Hop, body string) {
	var rest string
	h.TLSVersion, rest = cutWord(body)
	if _, after, ok := strings.Cut(rest, "cipher "); ok {
		h.TLSCipher = firstWord(after)
	}
}

// tlsColons reads Exim's and OpenSMTPD's "TLSv1.2:X:256".
func tlsColons(h *Hop, body string) {
	version, rest, _ := strings.Cut(firstWord(body), ":")
	if len(version) < 3 || !strings.EqualFold(version[:3], "tls") {
		version, rest = "", version
	}
	h.TLSVersion = version
	if cipher, _, _ := strings.Cut(rest, ":"); cipher != "" {
		h.TLSCipher = cipher
	}
}

func envelopeFrom(h *Hop, body string) {
	h.EnvFrom = trimmed(strings.TrimSuffix(firstWord(body), ","), angle)
}

func authenticated(h *Hop, body string) {
	h.Auth = true
	if user := strings.TrimSpace(body); user != "" && h.AuthUser == "" {
		h.AuthUser = user
	}
}

// qpsmtpdAuth reads "bob@shop.example, mechanism login".
func qpsmtpdAuth(h *Hop, body string) {
	user, _, _ := strings.Cut(body, ",")
	authenticated(h, user)
}

// courierAuth reads "LOGIN bob@shop.example, TLS: TLSv1.2,256bits,X", which older
// ones write with "SSL: ".
func courierAuth(h *Hop, body string) {
	mechanism, _, _ := strings.Cut(body, ",")
	if _, user := cutWord(mechanism); user != "" {
		authenticated(h, user)
	}
	h.Auth = true
	for _, mark := range []string{"TLS: ", "SSL: "} {
		if _, tls, ok := strings.Cut(body, mark); ok {
			courierTLS(h, tls)
			return
		}
	}
}

// courierTLS reads "TLSv1.2,256bits,X" and MailMarshal's "TLSv1.2, X".
func courierTLS(h *Hop, body string) {
	h.TLSVersion, body, _ = strings.Cut(body, ",")
	if cipher := strings.TrimSpace(body[strings.LastIndexByte(body, ',')+1:]); !strings.HasSuffix(cipher, "bits") {
		h.TLSCipher = cipher
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && lower(s[0]) == lower(prefix[0]) && strings.EqualFold(s[:len(prefix)], prefix)
}

// cutWord cuts s behind its first word.
func cutWord(s string) (first, rest string) {
	s = trimSpace(s)
	for i := 0; i < len(s); i++ {
		if isSpace(s[i]) {
			return s[:i], trimSpace(s[i:])
		}
	}
	return s, ""
}

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func firstWord(s string) string {
	first, _ := cutWord(s)
	return first
}

func portNumber(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

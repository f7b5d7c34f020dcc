package trace

import (
	"net/netip"
	"strings"
)

// peer collects what a from clause says about the other side.
type peer struct {
	ip       netip.Addr
	port     uint16
	name     string // PTR name, from a comment
	helo     string
	heloSaid bool // somewhere it is written that helo is what the client said
	ident    string
	user     string
	login    bool
	found    bool // name stands beside the address, so the server looked it up
	doubted  bool // "may be forged"
	checked  bool // "verified"
	here     bool // a socket on the host itself
}

// hostComment reads a comment of the from clause that describes the peer, in any
// order of its parts: "root@mx.example [192.0.2.1]:25 (may be forged)",
// "[192.0.2.1] helo=x", "HELO x", "bob@192.0.2.1 with login". It is false, and p
// unchanged, for a comment that is about something else.
func (p *peer) hostComment(text string) bool {
	var buf [16]token
	toks := lex(buf[:0], text)
	if len(toks) == 0 {
		return false
	}
	if helo, ok := heloComment(text); ok {
		p.helo, p.heloSaid = helo, true
		if last := toks[len(toks)-1]; len(toks) == 3 && p.hostLiteral(last.text) { // "EHLO pc [192.0.2.1]"
			p.helo = toks[1].text
		}
		return true
	}
	q, found := *p, false
	for i := 0; i < len(toks) && i < 12; i++ {
		t := toks[i]
		switch {
		case t.kind == comment:
			q.remark(t.text)
		case t.kind == literal && toks[0].kind == literal && q.ip.IsValid(): // Exim's ident, which the client chose
		case t.kind == literal:
			found = q.hostLiteral(t.text) || found
		case t.kind == word && isHELO(t.text) && i+1 < len(toks): // "account bob HELO pc"
			i++
			q.helo, q.heloSaid, found = toks[i].text, true, true
		case t.kind == word && t.text[0] == '"': // ZMailer: `"EHLO pc"`
			if helo, ok := heloComment(strings.Trim(t.text, `"`)); ok {
				q.helo, q.heloSaid, found = helo, true, true
			}
		case t.kind == word && (i == 0 || strings.Contains(t.text, "=")):
			found = q.hostWord(t.text, len(toks) == 1) || found
		case t.kind == word:
			found = q.afterWord(t.text, toks[0].text) || found
		}
	}
	if found {
		*p = q
	}
	return found
}

// heloComment reads qmail's "(HELO anything at all)".
func heloComment(text string) (string, bool) {
	if len(text) < 4 || !isHELO(text[:4]) || len(text) > 4 && text[4] != ' ' {
		return "", false
	}
	return strings.TrimSpace(text[4:]), true
}

func isHELO(s string) bool {
	return len(s) == 4 && (strings.EqualFold(s, "helo") || strings.EqualFold(s, "ehlo") || strings.EqualFold(s, "lhlo"))
}

func (p *peer) remark(text string) {
	p.doubted = p.doubted || strings.HasPrefix(text, "may be forged")
}

func (p *peer) hostLiteral(text string) bool {
	if a, port, ok := parseAddr(text); ok {
		p.ip, p.port = a, port
		return true
	}
	if text == "[local]" || strings.Contains(text, "UNIX") || text == "[unix socket]" {
		p.here = true
		return true
	}
	return false
}

// hostWord reads the first word of a host comment, or a key=value pair of Exim's.
func (p *peer) hostWord(text string, alone bool) bool {
	if key, value, ok := strings.Cut(text, "="); ok {
		return p.pair(key, value)
	}
	ident, host := "", text
	if i := strings.LastIndexByte(text, '@'); i >= 0 { // the last: qmail's user may be an address itself
		ident, host = strings.TrimPrefix(text[:i], "IDENT:"), text[i+1:]
	}
	if a, port, ok := parseAddr(host); ok {
		p.ip, p.port, p.ident = a, port, ident
		return true
	}
	if i := strings.Index(host, "::"); i > 0 { // SLMail: "192.0.2.1::mail daemon"
		if a, _, ok := parseAddr(host[:i]); ok {
			p.ip = a
			return true
		}
	}
	p.ident, p.name = ident, host
	return alone && (isHostName(host) || unnamed(host) || ident != "")
}

func (p *peer) pair(key, value string) bool {
	switch key {
	case "helo":
		p.helo, p.heloSaid = value, true
	case "ident":
		p.ident = value
	case "port":
		if n, ok := portNumber(value); ok {
			p.port = n
		}
	default:
		return false
	}
	return true
}

// afterWord reads a word behind the first, which is before: a name that follows
// an address, a verdict on it, or Yahoo's "with login". It reports whether that
// alone makes the comment one about the peer.
func (p *peer) afterWord(text, before string) bool {
	switch {
	case text == "verified":
		p.checked = true
	case text == "login":
		p.login, p.user = true, p.ident
	case before == "account" && p.user == "": // CommuniGate
		p.user, p.login = text, true
		p.name = ""
		return true
	case text == "Verified" && before == "Not": // MailMarshal: "Not Verified[192.0.2.1]"
		p.name = ""
	case p.ip.IsValid() && p.name == "" && isHostName(text):
		p.name = text
	}
	return false
}

// isHostName reports whether s has the form of a qualified host name. Names end
// in no digit, addresses do (RFC 3696 §2).
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 255 || !strings.Contains(s, ".") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return s[0] != '.' && s[0] != '-' && !isDigit(s[len(s)-1]) && s[len(s)-1] != '.'
}

// unnamed reports whether s is one of the words that servers write in place of a
// PTR name that they didn't find.
func unnamed(s string) bool {
	if len(s) > 32 {
		return false
	}
	switch strings.ToLower(trimmed(s, angle|square|stop)) {
	case "unknown", "unverified", "softdnserr", "unavailable", "nxdomain", "dnserror",
		"unknown_domain", "unknownhost", "unknown.domain", "no.name.available", "nodnsquery", "noname", "none", "":
		return true
	}
	return false
}

package trace

import (
	"cmp"
	"net/netip"
	"strings"
)

// The from clause says who the peer is, and every product says it in its own way.

// bare takes what stands in the from clause without a comment: the first word,
// and an address behind it, as in "mx.example [192.0.2.1]".
func (r *reading) bare(text string) {
	if r.first == "" {
		r.first = strings.TrimRight(text, ",")
	} else if a, port, ok := parseAddr(text); ok {
		r.peer.ip, r.peer.port = a, port
	}
	r.suspect(text)
}

// suspect notes what has the form of an address and is none: "201.357.369.35".
func (r *reading) suspect(text string) {
	text = strings.Trim(text, "[]")
	if len(text) < 7 || !isDigit(text[0]) || strings.Count(text, ".") != 3 || !looksNumeric(text) {
		return
	}
	_, ok := plainAddr(text)
	r.faulty = r.faulty || !ok
}

// localUser reads Sendmail's "(from bob@localhost)" and qmail's "(qmail 7 invoked
// by uid 33)".
func (r *reading) localUser(text string) bool {
	if user, ok := strings.CutPrefix(text, "from "); ok {
		r.Ident, _, _ = strings.Cut(user, "@")
		r.peer.here = true
		return true
	}
	if _, uid, ok := strings.Cut(text, " invoked by uid "); ok {
		r.Ident = uid
	}
	if user, _, ok := strings.Cut(text, "@"); ok && !strings.Contains(text, " ") { // ZMailer: "(majordomo@vger.example)"
		r.Ident, r.peer.here = user, true
		return true
	}
	return false
}

// describesPeer reads a comment of the from clause. The address that stands last
// is the peer's: a client may greet with "x(198.51.100.1)", but what the server
// found out itself comes behind the greeting.
func (r *reading) describesPeer(text string) bool {
	if startsDate(firstWord(text)) {
		if _, ok := parseDate(text); ok {
			return false
		}
	}
	p := r.peer
	p.ip, p.port, p.name, p.ident = netip.Addr{}, 0, "", ""
	// A web server behind a proxy writes "claimed [192.0.2.1] (via proxy [192.0.2.2])".
	if !p.hostComment(strings.TrimPrefix(text, "via ")) {
		r.suspect(firstWord(text))
		return false
	}
	if p.ip.IsValid() { // then the name beside it, or none, is what the server found
		p.found = p.name != ""
	} else {
		p.ip, p.port = r.peer.ip, max(p.port, r.peer.port)
		p.name, p.ident = cmp.Or(p.name, r.peer.name), cmp.Or(p.ident, r.peer.ident)
	}
	r.peer = p
	return true
}

// readFrom decides what the first word is, once it is known what the comments say.
func (r *reading) readFrom() {
	first := r.first
	_, _, isAddr := parseAddr(first)
	switch {
	case isAddr && !r.peer.ip.IsValid():
		ip, port, _ := parseAddr(first)
		r.peer.ip, r.peer.port = ip, max(port, r.peer.port)
		first = ""
	case isAddr && r.peer.heloSaid: // "127.0.0.1 (EHLO x) (192.0.2.1)": Yahoo's word for no name
		first = ""
	}
	r.IP, r.Port = r.peer.ip, r.peer.port
	if r.peer.ident != "" {
		r.Ident = r.peer.ident
	}
	r.RDNS, r.HELO = r.peer.name, r.peer.helo
	r.assign(first, isAddr)
	if unnamed(r.RDNS) {
		r.RDNS = ""
	}
	r.RDNS = strings.TrimRight(r.RDNS, ".")
	looked := r.dialect.verifies && (r.peer.found || r.dialect.first == roleName)
	r.RDNSVerified = r.RDNS != "" && !r.peer.doubted && (looked || r.peer.checked)
}

// pickup is what Microsoft's servers write for mail left in a directory.
const pickup = "mail pickup service"

func (r *reading) assign(first string, isAddr bool) {
	switch {
	case first == "", r.field.words(inFrom) == pickup:
	case r.dialect.first == roleAccount:
		if !unnamed(first) {
			authenticated(&r.Hop, first)
		}
	case strings.Contains(first, "@") && !strings.HasPrefix(first, "["): // the envelope sender, no host
		if r.EnvFrom == "" {
			r.EnvFrom = trimmed(first, angle)
		}
	case r.dialect.first == roleNothing:
	case r.dialect.first == roleUser && !r.peer.ip.IsValid():
		if r.Ident == "" && !unnamed(first) {
			r.Ident = first
		}
	case r.peer.heloSaid:
		if r.RDNS == "" {
			r.RDNS = first
		}
	case r.dialect.first == roleName && !isAddr:
		if r.HELO = r.RDNS; r.HELO == "" && !unnamed(first) { // old Exim: "pc.isp.example (greeting) [192.0.2.1]"
			r.HELO = first
		}
		r.RDNS = first
	case unnamed(first) && r.RDNS == "": // "unknown (192.0.2.1)": the name wasn't found
	default:
		r.HELO = first
	}
}

package trace

import (
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// ParseReceived reads the value of one Received field (RFC 5321 §4.4), folded or
// not. It never fails: the hop holds what could be read. Grade and Reason are
// left empty, since only a whole chain can tell whom to believe.
//
// Octets that are no UTF-8 stand as U+FFFD in the hop, so that it can be written
// as JSON without loss.
func ParseReceived(value string) Hop {
	r := readings.Get().(*reading)
	defer readings.Put(r)
	return *r.read(value)
}

// readings saves each line the memory that it is taken apart in.
var readings = sync.Pool{New: func() any { return &reading{toks: make([]token, 0, 48)} }}

// validUTF8 replaces what is no UTF-8. Most fields are, and ValidString is the
// faster to see that.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// unfold joins the lines of a field (RFC 5322 §2.2.3), each fold becoming one
// space, and trims it.
func unfold(s string) string {
	s = trimSpace(s)
	if strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	begin := 0 // of the line
	for i := 0; i < len(s); i++ {
		if s[i] != '\r' && s[i] != '\n' {
			continue
		}
		b.WriteString(s[begin:i])
		b.WriteByte(' ')
		for i+1 < len(s) && isSpace(s[i+1]) {
			i++
		}
		begin = i + 1
	}
	b.WriteString(s[begin:])
	return b.String()
}

// reading is a field on its way to becoming a hop. It can be used for one field
// after the other, and then needs no memory of its own.
type reading struct {
	Hop
	field     field
	toks      []token
	dialect   *dialect
	peer      peer
	first     string // word of the from clause
	faulty    bool   // four numbers that are no address stand in the from clause
	byComment string // the comment that ByIP was taken from
}

// read returns a hop that is valid until the next call.
func (r *reading) read(value string) *Hop {
	*r = reading{toks: r.toks[:0]}
	r.Raw = unfold(validUTF8(value))
	r.toks = lex(r.toks, r.Raw)
	r.field = split(r.Raw, r.toks)
	r.readBy()
	r.With = r.field.words(inWith)
	r.Via = r.field.words(inVia)
	r.ID = trimmed(r.field.first(inID), angle)
	r.For = recipients(r.field.part[inFor])
	r.TLSCipher = r.field.first(inTLS)
	r.EnvFrom = trimmed(r.field.first(inSender), angle)
	r.Date = r.readDate()
	r.dialect = dialectOf(&r.field, &r.Hop)
	r.readComments()
	r.readFrom()
	r.readAuth()
	r.Kind = r.kindOf()
	if r.Kind == KindWebmail { // browsers greet nobody
		if r.RDNS == "" && isHostName(r.HELO) {
			r.RDNS = r.HELO
		}
		r.HELO = ""
	}
	return &r.Hop
}

// note is what a reading knows of a field beyond the hop.
func (r *reading) note() note {
	return note{statesNames: r.dialect.verifies || r.peer.name != "", faulty: r.faulty && !r.IP.IsValid()}
}

type note struct {
	statesNames bool // the writer states a PTR name whenever there is one
	faulty      bool // an address in the peer's place is none
}

// readBy takes the receiving host. An address in its comment is the host's own
// and nobody's peer; a bare one counts only alone, since "(NAVGW 2.5.2.12)" is a
// version.
func (r *reading) readBy() {
	for i, t := range r.field.part[inBy] {
		switch {
		case t.kind == comment && !r.ByIP.IsValid():
			if r.ByIP = addressIn(t.text); r.ByIP.IsValid() {
				r.byComment = t.text
			}
		case t.kind == comment:
		case i == 0:
			r.By = trimmed(t.text, angle|square|stop)
			r.ByIP, _, _ = parseAddr(t.text)
		case t.kind == literal && !r.ByIP.IsValid(): // MDaemon: "by mx.example [192.0.2.1]"
			r.ByIP, _, _ = parseAddr(t.text)
		}
	}
}

// addressIn finds the address of "192.0.2.1", "[192.0.2.1] running VPOP3" and
// "mx1 [192.0.2.1]".
func addressIn(text string) netip.Addr {
	if i := strings.IndexByte(text[:min(len(text), 256)], '['); i >= 0 {
		text = firstWord(text[i:])
	}
	a, _, _ := parseAddr(text)
	return a
}

func recipients(toks []token) []string {
	var to []string
	more := true
	for _, t := range toks {
		if t.kind != word || !more && t.text[0] != ',' && t.text[0] != '<' {
			continue
		}
		for a := range strings.SplitSeq(t.text, ",") {
			if a = trimmed(a, angle); a != "" {
				to = append(to, a)
			}
		}
		more = strings.HasSuffix(t.text, ",")
	}
	return to
}

// readComments takes the facts that comments state, in whatever clause, and the
// peer from the from clause. What nothing is taken from is kept.
func (r *reading) readComments() {
	for c := range r.field.part {
		for _, t := range r.field.part[c] {
			switch {
			case t.kind != comment:
				if clause(c) == inFrom {
					r.bare(t.text)
				}
			case t.text == "" || readFact(&r.Hop, t.text) || r.explained(clause(c), t.text):
			default:
				r.Comments = append(r.Comments, t.text)
			}
		}
	}
	if r.first == "" {
		r.first = strings.TrimRight(r.field.first(inStart), ",")
	}
}

// explained reports whether a comment has told its part in its clause.
func (r *reading) explained(c clause, text string) bool {
	switch c {
	case inStart:
		return r.localUser(text)
	case inFrom:
		return r.describesPeer(text)
	case inBy:
		return text == r.byComment
	case inRest:
		return isZone(text)
	}
	return false
}

// isZone recognises the name of the zone that follows most dates: "(CEST)", "(-03)".
func isZone(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; !isLetter(c) && !isDigit(c) && c != '+' && c != '-' && c != ':' && c != ' ' {
			return false
		}
	}
	return len(text) <= 40
}

// authProtocols are the protocol names that tell of authentication (RFC 3848,
// RFC 6531 §4.3, and Exim's own).
var authProtocols = []string{"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "ASMTP", "SMTPA", "SMTPSA",
	"UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA"}

// fetchProtocols are those that read a mailbox.
var fetchProtocols = []string{"POP", "POP2", "POP3", "POP3S", "APOP", "IMAP", "IMAP4", "IMAPS", "SDPS"}

func oneOf(names []string, s string) bool {
	for _, n := range names {
		if len(n) == len(s) && strings.EqualFold(n, s) {
			return true
		}
	}
	return false
}

func (r *reading) readAuth() {
	if r.peer.login {
		authenticated(&r.Hop, r.peer.user)
	}
	if oneOf(authProtocols, firstWord(r.With)) || r.dialect.authID != nil && r.dialect.authID(r.ID) {
		r.Auth = true
	}
	// qmail with authentication writes the user where it writes the ident.
	if r.Auth && r.AuthUser == "" && strings.Contains(r.Ident, "@") {
		r.AuthUser = r.Ident
	}
	if strings.Contains(r.With, "/") && r.TLSCipher == "" { // IronPort: "ESMTP/TLS/ECDHE-…"
		if _, cipher, ok := strings.Cut(r.With, "/TLS/"); ok {
			r.TLSVersion, r.TLSCipher = "TLS", cipher
		}
	}
}

// readDate tries the place behind the semicolon, then every word from there that
// may begin a date.
func (r *reading) readDate() time.Time {
	if t, ok := parseDate(r.field.date); ok {
		return t
	}
	for _, tok := range r.field.part[inRest] {
		if tok.kind == word && startsDate(tok.text) {
			if t, ok := parseDate(r.Raw[tok.pos:]); ok {
				return t
			}
		}
	}
	return time.Time{}
}

func (r *reading) kindOf() Kind {
	proto := firstWord(r.With)
	if proto == "" {
		proto = firstWord(r.Via)
	}
	web := hasPrefixFold(proto, "HTTP")
	if !web {
		for _, c := range r.Comments { // GMX: "(via HTTP)"
			web = web || c == "via HTTP"
		}
	}
	switch {
	case r.dialect.kind != "":
		return r.dialect.kind
	case r.peer.here, r.field.words(inFrom) == pickup:
		return KindLocal
	case oneOf(fetchProtocols, proto):
		return KindFetch
	case web && r.IP.IsValid() && !r.IP.IsLoopback():
		return KindWebmail
	case web:
		return KindHTTP
	case r.field.part[inFrom] == nil && r.HELO == "":
		return KindReceiver
	case r.IP.IsLoopback():
		return KindFilter
	case r.Auth && !hasPrefixFold(proto, "LMTP"):
		return KindSubmission
	}
	return KindSMTP
}

package trace

import (
	"net/netip"
	"strconv"
	"strings"
)

// String writes the hop as a Received value in one common form, whatever product
// wrote it. ParseReceived reads the same hop back, without Grade, Reason and Raw.
// Octets that would end a word or a comment stand as "?".
func (h Hop) String() string {
	var b strings.Builder
	if h.Kind == KindLocal && !h.IP.IsValid() && h.HELO == "" && h.RDNS == "" {
		writeComment(&b, "from "+plainWord(h.Ident)+"@localhost")
	} else if h.Kind != KindReceiver || h.IP.IsValid() {
		h.writePeer(&b)
	}
	h.writeFacts(&b)
	if h.By != "" || h.ByIP.IsValid() {
		b.WriteString(" by " + plainWord(h.By))
	}
	if a, _, _ := parseAddr(h.By); h.ByIP.IsValid() && a != h.ByIP {
		writeComment(&b, bracketed(h.ByIP))
	}
	h.writeVia(&b)
	writeClause(&b, "with", plainWords(h.With))
	writeClause(&b, "id", plainWord(h.ID))
	for i, to := range h.For {
		if i == 0 {
			b.WriteString(" for ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString("<" + plainWord(to) + ">")
	}
	if !h.Date.IsZero() {
		b.WriteString("; " + h.Date.Format("Mon, 02 Jan 2006 15:04:05.999999999 -0700"))
	}
	return strings.TrimSpace(b.String())
}

// writePeer writes the from clause as Exim does, which leaves no doubt about what
// is a name and what a greeting.
func (h Hop) writePeer(b *strings.Builder) {
	first := "unknown"
	if h.RDNS != "" {
		first = plainWord(h.RDNS)
	}
	b.WriteString(" from " + first + " (")
	if h.IP.IsValid() {
		b.WriteString(bracketed(h.IP))
		if h.Port != 0 {
			b.WriteString(":" + strconv.Itoa(int(h.Port)))
		}
		b.WriteByte(' ')
	} else if h.Kind == KindLocal {
		b.WriteString("[local] ")
	}
	b.WriteString("helo=" + plainHELO(h.HELO))
	if h.Ident != "" {
		b.WriteString(" ident=" + plainWord(h.Ident))
	}
	if h.RDNSVerified {
		b.WriteString(" verified")
	} else {
		b.WriteString(" (may be forged)")
	}
	b.WriteByte(')')
}

// writeVia writes the comments in the one clause where none is taken for a fact
// about a host.
func (h Hop) writeVia(b *strings.Builder) {
	if h.Via == "" && len(h.Comments) == 0 {
		return
	}
	b.WriteString(" via " + plainWords(h.Via))
	for _, c := range h.Comments {
		writeComment(b, c)
	}
}

// writeFacts writes the comments that ParseReceived understands in any clause.
func (h Hop) writeFacts(b *strings.Builder) {
	switch {
	case h.TLSVersion != "":
		writeComment(b, "version="+plainWord(h.TLSVersion)+" cipher="+plainWord(h.TLSCipher))
	case h.TLSCipher != "":
		writeComment(b, "cipher="+plainWord(h.TLSCipher))
	}
	switch {
	case h.AuthUser != "":
		writeComment(b, "Authenticated sender: "+plainWords(h.AuthUser))
	case h.Auth:
		writeComment(b, "authenticated bits=0")
	}
	if h.EnvFrom != "" {
		writeComment(b, "envelope-from <"+plainWord(h.EnvFrom)+">")
	}
}

func writeComment(b *strings.Builder, text string) {
	if closing("("+text+")", 0, true) != len(text)+1 {
		text = plainWords(text)
	}
	b.WriteString(" (" + text + ")")
}

func writeClause(b *strings.Builder, name, value string) {
	if value != "" {
		b.WriteString(" " + name + " " + value)
	}
}

func bracketed(a netip.Addr) string { return "[" + a.String() + "]" }

// plainHELO keeps the brackets of an address literal.
func plainHELO(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return "[" + plainWord(s[1:len(s)-1]) + "]"
	}
	return plainWord(s)
}

// plainWord makes s one word.
func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (isSpecial(byte(r)) || r == '"' || r == '<' || r == '>' || r == '\\') {
			return '?'
		}
		return r
	}, s)
}

// plainWords makes s text without parentheses, brackets and quotes.
func plainWords(s string) string {
	words := strings.Fields(s)
	for i := range words {
		words[i] = plainWord(words[i])
	}
	return strings.Join(words, " ")
}

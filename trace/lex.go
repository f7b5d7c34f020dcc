package trace

import "strings"

// A Received field is read as words, domain literals and comments (RFC 5321
// §4.4, RFC 5322 §3.2). Real fields break the grammar in every place, so the
// scanner never fails: what can't be paired is skipped like white space.

type tokenKind uint8

const (
	word      tokenKind = iota
	literal             // "[192.0.2.1]", with what is glued behind it: "[192.0.2.1]:25"
	comment             // text without the outer parentheses
	semicolon           // outside of comments
)

type token struct {
	text string
	pos  int32 // of text in the scanned string
	kind tokenKind
	key  clause // that a word introduces, inStart for none
}

// maxPair bounds how far the partner of "[", "<" or a quote is looked for, so
// that a line of a million brackets costs no more than its length.
const maxPair = 512

type lexer struct {
	s      string
	pos    int
	broken bool // parentheses don't pair; s is a copy with the lone ones blanked
}

// lex appends the tokens of s to toks. The time is linear in len(s).
func lex(toks []token, s string) []token {
	l := lexer{s: s}
	for l.pos < len(l.s) {
		switch c := l.s[l.pos]; {
		case isSpace(c) || c == ')':
			l.pos++
		case c == ';':
			toks = append(toks, l.token(semicolon, l.pos, l.pos+1))
			l.pos++
		case c == '(':
			if t, ok := l.comment(); ok {
				toks = append(toks, t)
			}
		case c == '[':
			if t, ok := l.literal(); ok {
				toks = append(toks, t)
			}
		default:
			toks = append(toks, l.word())
		}
	}
	return toks
}

func (l *lexer) token(kind tokenKind, start, end int) token {
	return token{text: l.s[start:end], pos: int32(start), kind: kind}
}

func (l *lexer) comment() (token, bool) {
	start := l.pos
	end := closing(l.s, start, !l.broken)
	if end < 0 && !l.broken {
		l.s, l.broken = blankLone(l.s, start), true
		if l.s[start] == '(' {
			end = closing(l.s, start, false)
		}
	}
	if end < 0 {
		l.pos++
		return token{}, false
	}
	l.pos = end + 1
	return l.token(comment, start+1, end), true
}

// closing finds the parenthesis that closes the one at s[start]. Escapes count
// (RFC 5322 §3.2.1) until a line has shown that its writer didn't know them.
func closing(s string, start int, escapes bool) int {
	depth := 0
	for i := start; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if escapes {
				i++
			}
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// blankLone overwrites the parentheses from start on that have no partner.
func blankLone(s string, start int) string {
	b := []byte(s)
	open := make([]int, 0, 16)
	for i := start; i < len(b); i++ {
		switch {
		case b[i] == '(':
			open = append(open, i)
		case b[i] == ')' && len(open) > 0:
			open = open[:len(open)-1]
		case b[i] == ')':
			b[i] = ' '
		}
	}
	for _, i := range open {
		b[i] = ' '
	}
	return string(b)
}

func (l *lexer) literal() (token, bool) {
	start := l.pos
	end := pairEnd(l.s, start)
	if end < 0 {
		l.pos++
		return token{}, false
	}
	l.pos = end
	// "[192.0.2.1]:25" and "[192.0.2.1]." belong together.
	for l.pos < len(l.s) && !isSpecial(l.s[l.pos]) {
		l.pos++
	}
	return l.token(literal, start, l.pos), true
}

// word reads up to white space or a special character. Angle brackets and
// quotes hold together what stands between them, and so do the brackets of
// "helo=[127.0.0.1]".
func (l *lexer) word() token {
	s, start := l.s, l.pos
	i := start
	for i < len(s) {
		c := s[i]
		if octets[c] == 0 {
			i++
			continue
		}
		if octets[c] == pairs || c == '[' && i > start && s[i-1] == '=' {
			if end := pairEnd(s, i); end > 0 {
				i = end
				continue
			}
		}
		if octets[c] != pairs {
			break
		}
		i++
	}
	l.pos = max(i, start+1)
	t := l.token(word, start, l.pos)
	t.key = keyword(t.text)
	return t
}

// pairEnd returns the position behind the partner of the bracket or quote at
// s[start], or -1. The text between must not look like the next parts of a field:
// a client that greets with a lone bracket must not hide what follows.
func pairEnd(s string, start int) int {
	rest := s[start+1 : min(len(s), start+maxPair)]
	closer, foreign := s[start], foreignToQuote
	switch s[start] {
	case '[':
		if strings.HasPrefix(rest, "[") { // "[[UNIX: localhost]]"
			if i := strings.Index(rest, "]]"); i >= 0 {
				return start + 1 + i + 2
			}
			return -1
		}
		closer, foreign = ']', foreignToLiteral
	case '<':
		closer, foreign = '>', foreignToAngle
	}
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == closer:
			return start + 1 + i + 1
		case foreigners[c]&foreign != 0:
			return -1
		}
	}
	return -1
}

// foreigners says inside which pair an octet can't stand.
var foreigners = [256]uint8{
	'(': foreignToQuote | foreignToAngle,
	')': foreignToQuote | foreignToAngle,
	';': foreignToQuote | foreignToAngle | foreignToLiteral,
	'<': foreignToAngle,
	'[': foreignToLiteral,
}

const (
	foreignToQuote uint8 = 1 << iota
	foreignToAngle
	foreignToLiteral
)

// octets tells white space, what else ends a word, and what pairs inside one.
var octets = [256]uint8{
	' ': space, '\t': space, '\r': space, '\n': space,
	'(': ender, ')': ender, '[': ender, ';': ender,
	'<': pairs, '"': pairs,
}

const (
	space uint8 = 1 + iota
	ender
	pairs
)

func isSpace(c byte) bool { return octets[c] == space }

// isSpecial reports whether c ends a word.
func isSpecial(c byte) bool { return octets[c] == space || octets[c] == ender }

// wraps says what stands around names and addresses and is no part of them.
var wraps = [256]uint8{'<': angle, '>': angle, '[': square, ']': square, '.': stop, ',': stop}

const (
	angle uint8 = 1 << iota
	square
	stop
)

// trimmed returns s without the octets of those kinds at its ends.
func trimmed(s string, kinds uint8) string {
	for s != "" && wraps[s[0]]&kinds != 0 {
		s = s[1:]
	}
	return trimmedRight(s, kinds)
}

func trimmedRight(s string, kinds uint8) string {
	for s != "" && wraps[s[len(s)-1]]&kinds != 0 {
		s = s[:len(s)-1]
	}
	return s
}

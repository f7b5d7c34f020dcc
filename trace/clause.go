package trace

import "strings"

// clause names a part of a Received field: the clauses of RFC 5321 §4.4 and what
// real programs put around them.
type clause uint8

const (
	inStart clause = iota // before the first keyword: "(from bob@localhost)", "(qmail 7 invoked by uid 0)"
	inFrom
	inBy
	inVia
	inWith
	inID
	inFor
	inTLS    // Exim: "tls TLS_AES_256_GCM_SHA384"
	inSender // the envelope sender: "envelope-from <a@b>", or a second "from"
	inRest   // behind the semicolon, or a date without one
	clauseCount
)

// field is a Received value cut at its keywords, not yet understood.
type field struct {
	text string
	part [clauseCount][]token
	date string // text from where the date seems to begin
	by   int    // index of the last "by" among the tokens, -1 if there is none
}

// split sorts the tokens of one value into clauses. Of several clauses with the
// same keyword the first counts: "with ESMTP with STARTTLS"; the comments of all do.
func split(text string, toks []token) field {
	f := field{text: text, by: len(toks) - 1}
	for ; f.by >= 0; f.by-- {
		if toks[f.by].key == inBy {
			break
		}
	}
	at, begin := inStart, 0
	for i := range toks {
		next, skip, ok := f.boundary(toks, i, at, begin)
		if !ok {
			continue
		}
		f.close(at, toks[begin:i:i])
		at, begin = next, i+skip
	}
	f.close(at, toks[begin:])
	return f
}

func (f *field) close(c clause, toks []token) {
	if f.part[c] == nil && len(toks) > 0 {
		f.part[c] = toks
		return
	}
	for _, t := range toks {
		if t.kind == comment {
			f.part[c] = append(f.part[c], t)
		}
	}
}

// boundary reports whether another clause begins at toks[i], and how many tokens
// introduce it. begin is where the current clause at began.
func (f *field) boundary(toks []token, i int, at clause, begin int) (next clause, skip int, ok bool) {
	t := &toks[i]
	switch {
	case t.kind == semicolon && at == inFrom && i < f.by: // a greeting with a semicolon
		return at, 0, false
	case t.kind == semicolon && at != inRest:
		f.date = f.text[t.pos+1:]
		return inRest, 1, true
	case t.kind != word:
		return at, 0, false
	case t.key == inStart && f.dateBegins(t, at, i > begin):
		f.date = f.text[t.pos:]
		return inRest, 0, true
	}
	next = t.key
	if next == inStart {
		return at, 0, false
	}
	if next == inFrom && (f.part[inFrom] != nil || at == inFor) {
		next = inSender
	}
	return next, 1, f.allowed(toks, i, at, next, i == begin)
}

// dateBegins finds the dates that no semicolon introduces. Before the by clause
// there are none: a peer may call itself anything.
func (f *field) dateBegins(t *token, at clause, filled bool) bool {
	if at <= inFrom || at == inRest || at == inBy && !filled || !startsDate(t.text) {
		return false
	}
	_, ok := parseDate(f.text[t.pos:])
	return ok
}

// allowed reports whether the keyword next may end the clause at. The from
// clause is the peer's to write, so a name like "with" must not end it.
func (f *field) allowed(toks []token, i int, at, next clause, first bool) bool {
	switch {
	case at == inFrom && first: // "from by mx.example" has no peer; "from by (h [192.0.2.1])" has
		return next == inBy && i+1 < len(toks) && toks[i+1].kind != comment
	case at == inFrom:
		return next == inBy || next == inVia || next == inWith
	case at == inRest: // "(smtpxd); id XA00251", "20 Mar 03 10:06:43 +0100 for <a@b.example>"
		return next == inID || next == inFor
	case at == inStart:
		return next == inFrom || next == inBy || next == inVia || next == inWith
	}
	return true
}

// keyword returns the clause that a word introduces, or inStart, which none does.
func keyword(s string) clause {
	switch len(s) {
	case 2:
		switch a, b := lower(s[0]), lower(s[1]); {
		case a == 'b' && b == 'y':
			return inBy
		case a == 'i' && b == 'd':
			return inID
		}
	case 3:
		switch {
		case lower(s[0]) == 'v' && strings.EqualFold(s, "via"):
			return inVia
		case lower(s[0]) == 'f' && strings.EqualFold(s, "for"):
			return inFor
		case s == "tls":
			return inTLS
		}
	case 4:
		switch {
		case lower(s[0]) == 'f' && strings.EqualFold(s, "from"):
			return inFrom
		case lower(s[0]) == 'w' && strings.EqualFold(s, "with"):
			return inWith
		}
	case len("envelope-from"): // Haraka, without parentheses
		if s == "envelope-from" {
			return inSender
		}
	}
	return inStart
}

// words returns the text from the first word of a clause to its last before a
// comment: "Microsoft SMTP Server".
func (f *field) words(c clause) string {
	begin, end := int32(-1), int32(-1)
	for i := range f.part[c] {
		t := &f.part[c][i]
		if t.kind == comment {
			if begin >= 0 {
				break
			}
			continue
		}
		if begin < 0 {
			begin = t.pos
		}
		end = t.pos + int32(len(t.text))
	}
	if begin < 0 {
		return ""
	}
	return f.text[begin:end]
}

// first returns the first token of a clause that is no comment.
func (f *field) first(c clause) string {
	for i := range f.part[c] {
		if t := &f.part[c][i]; t.kind != comment {
			return t.text
		}
	}
	return ""
}

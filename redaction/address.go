package redaction

import (
	"bytes"
	"strings"
)

// hit adds what a pattern found at i hides.
func (p *pattern) hit(v *view, i int, found []edit) []edit {
	end := i + len(p.text)
	if p.locals == nil {
		return append(found, v.edit(i, end, p.token))
	}
	for _, sep := range separators {
		if !hasSuffixFold(v.text[:i], sep.text) || sep.verp && !atFollows(v.text[end:]) {
			continue
		}
		if from, to, token, ok := p.local(v.text[:i-len(sep.text)]); ok {
			return append(found, v.edit(from, to, token), v.edit(i, end, hidden))
		}
	}
	if from, to, token, ok := p.apart(v.text[:i]); ok {
		return append(found, v.edit(from, to, token), v.edit(i, end, hidden))
	}
	if from, to, token, ok := p.behind(v.text, end); ok {
		return append(found, v.edit(i, end, hidden), v.edit(from, to, token))
	}
	return found
}

// local finds a local part that ends the text, possibly with a tag (RFC 5233). It
// need not begin there: an address hidden too much hurts nobody.
func (p *pattern) local(text []byte) (from, to int, token string, ok bool) {
	if from, token, ok = p.ends(text); ok {
		return from, len(text), token, true
	}
	return p.tagged(text)
}

// ends finds the longest local part that ends the text.
func (p *pattern) ends(text []byte) (from int, token string, ok bool) {
	if len(text) == 0 {
		return 0, "", false
	}
	for _, k := range []uint16{ending(text), ending(text[len(text)-1:])} {
		for _, l := range p.locals[k] {
			if hasSuffixFold(text, l.local) {
				return len(text) - len(l.local), l.token, true
			}
		}
	}
	return 0, "", false
}

// tagged finds a local part with a tag at the end of a text: behind "+", as qmail has
// them behind "-", or as BATV does behind "/".
func (p *pattern) tagged(text []byte) (from, to int, token string, ok bool) {
	for i := len(text) - 1; i >= 0 && i > len(text)-64; i-- {
		switch c := text[i]; {
		case c == '+' || c == '-' || c == '/':
			if from, token, ok = p.ends(text[:i]); ok {
				return from, i, token, true
			}
		case c <= ' ' || c == '<' || c == '>' || c == '@' || c == '"':
			return 0, 0, "", false
		}
	}
	return 0, 0, "", false
}

// apart finds a local part at the end of a text whose sign stands off: at a fold, in
// quotes, behind a comment (RFC 5322 §3.2.2) or markup.
func (p *pattern) apart(text []byte) (from, to int, token string, ok bool) {
	text = beforeBlank(text)
	for _, sign := range signs {
		if hasSuffixFold(text, sign) {
			if text = beforeBlank(text[:len(text)-len(sign)]); len(text) > 0 && text[len(text)-1] == '"' {
				text = text[:len(text)-1]
			}
			return p.local(text)
		}
	}
	return 0, 0, "", false
}

// maxBlank bounds what may stand between an address's parts, in octets.
const maxBlank = 200

// beforeBlank drops what shows nothing from the end of a text: white space, markup and
// comments.
func beforeBlank(text []byte) []byte {
	for least := len(text) - maxBlank; len(text) > max(0, least); {
		open := byte(0)
		switch text[len(text)-1] {
		case '>':
			open = '<'
		case ')':
			open = '('
		default:
			n := blankEnd(text)
			if text = text[:len(text)-n]; n == 0 {
				return text
			}
			continue
		}
		n := bytes.LastIndexByte(text[max(0, least):], open)
		if n < 0 {
			return text
		}
		text = text[:max(0, least)+n]
	}
	return text
}

// blankEnd is how many octets of white space a text ends with, at most one character.
func blankEnd(text []byte) int {
	for _, blank := range []string{" ", "\t", "\r", "\n", "&nbsp;", "&#160;", "\u00a0"} {
		if hasSuffixFold(text, blank) {
			return len(blank)
		}
	}
	return 0
}

// behind finds a local part behind its domain, as the forwarders' and other return
// paths have it: SRS0=hash=day=isp.example=user@forwarder.example.
func (p *pattern) behind(text []byte, end int) (from, to int, token string, ok bool) {
	if end >= len(text) || strings.IndexByte("=-+_#|", text[end]) < 0 {
		return 0, 0, "", false
	}
	for to = end + 2; to <= len(text) && to <= end+1+maxLocal && text[to-1] > ' ' && text[to-1] != '@'; to++ {
		if to < len(text) && inWord(text[to]) {
			continue
		}
		if from, token, ok = p.ends(text[end+1 : to]); ok && from == 0 {
			return end + 1, to, token, true
		}
	}
	return 0, 0, "", false
}

// maxLocal is how long a local part may be (RFC 5321 §4.5.3.1.1).
const maxLocal = 64

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

func hasSuffixFold(t []byte, suffix string) bool {
	return len(t) >= len(suffix) && equalFold(t[len(t)-len(suffix):], suffix)
}

// separators stand between local part and domain: the sign itself, written out and
// escaped, and what variable envelope return paths write in its place. Those that
// host names have as well (mail.isp.example need not be mail@isp.example) count
// only before another sign.
var separators = []struct {
	text string
	verp bool
}{
	{text: "@"}, {text: "="}, {text: "%40"}, {text: "=40"}, {text: "%3d"}, {text: "=3d"}, {text: "%2540"}, {text: "%253d"},
	{text: "&#64;"}, {text: "&#x40;"}, {text: "&commat;"}, {text: `\u0040`}, {text: `\x40`}, {text: "+aea-"}, {text: "@@"},
	{text: " @ "}, {text: "@ "}, {text: " @"}, {text: " at "}, {text: "(at)"}, {text: " (at) "}, {text: "[at]"}, {text: " [at] "},
	{text: "{at}"}, {text: "_at_"}, {text: "-at-"}, {text: ".at."}, {text: "--at--"},
	{text: "%"}, {text: "/"}, {text: ":"}, {text: "#"}, {text: "!"}, {text: "|"}, {text: "~"}, {text: "*"}, {text: "+"}, {text: "_"},
	{text: "-", verp: true}, {text: ".", verp: true},
}

// signs are the one between local part and domain, as written and escaped.
var signs = []string{"@", "%40", "=40", "&#64;"}

func atFollows(t []byte) bool {
	for _, sign := range signs {
		if bytes.HasPrefix(t, []byte(sign)) {
			return true
		}
	}
	return false
}

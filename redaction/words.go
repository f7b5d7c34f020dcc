package redaction

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// encodedWord is one encoded word (RFC 2047 §2) of a run of them, between which
// white space counts for nothing (§6.2).
type encodedWord struct {
	from, to int  // where its data stand
	b        bool // base64, otherwise "Q"
	begin    int  // where its octets begin in those of the run
}

// encodedWords searches runs of encoded words as they are shown: an address may be
// split over several.
func (r *Redactor) encodedWords(s *scratch, text []byte, found []edit) []edit {
	var run []encodedWord
	end := 0
	for at := 0; ; {
		n := bytes.Index(text[at:], []byte("=?"))
		if n < 0 {
			break
		}
		at += n
		w, next, ok := readWord(text, at)
		if !ok {
			at += 2
			continue
		}
		if len(run) > 0 && len(bytes.TrimSpace(text[end:at])) > 0 {
			found = r.run(s, text, run, found)
			run = run[:0]
		}
		run = append(run, w)
		at, end = next, next
	}
	if len(run) > 0 {
		found = r.run(s, text, run, found)
	}
	return found
}

// maxWord bounds an encoded word. 75 characters are allowed (§2); real ones are
// longer.
const maxWord = 1 << 10

// readWord reads "=?charset?encoding?data?=" at a place.
func readWord(text []byte, at int) (w encodedWord, next int, ok bool) {
	t := text[at:min(at+maxWord, len(text))]
	charset := bytes.IndexByte(t[2:], '?')
	if charset < 1 || charset > 60 || len(t) < charset+6 || t[charset+4] != '?' {
		return w, 0, false
	}
	data := charset + 5
	n := bytes.IndexAny(t[data:], "? \t\r\n")
	kind := lower(t[charset+3])
	if n < 0 || kind != 'b' && kind != 'q' || !bytes.HasPrefix(t[data+n:], []byte("?=")) || bytes.ContainsAny(t[:charset+2], " \t\r\n") {
		return w, 0, false
	}
	return encodedWord{from: at + data, to: at + data + n, b: kind == 'b'}, at + data + n + 2, true
}

// run searches the words of a run together, and writes those anew that change.
func (r *Redactor) run(s *scratch, text []byte, run []encodedWord, found []edit) []edit {
	var octets []byte
	for i := range run {
		run[i].begin = len(octets)
		octets = append(octets, run[i].octets(text)...)
	}
	inside := settle(r.views(s, octets, nil))
	if len(inside) == 0 {
		return found
	}
	for i, w := range run {
		end := len(octets)
		if i+1 < len(run) {
			end = run[i+1].begin
		}
		for len(inside) > 0 && inside[0].to <= w.begin {
			inside = inside[1:]
		}
		if mine := within(inside, w.begin, end); len(mine) > 0 {
			found = append(found, edit{w.from, w.to, w.encode(apply(octets[w.begin:end], mine))})
		}
	}
	return found
}

// within returns the share that octets from:to have in edits, which end behind from.
// The replacement goes to the word in which an edit begins.
func within(edits []edit, from, to int) []edit {
	var mine []edit
	for _, e := range edits {
		if e.from >= to {
			break
		}
		share := edit{max(e.from, from) - from, min(e.to, to) - from, e.by}
		if e.from < from {
			share.by = ""
		}
		mine = append(mine, share)
	}
	return mine
}

func (w encodedWord) octets(text []byte) []byte {
	data := text[w.from:w.to]
	if w.b {
		var run base64Run
		run.read(data, 0)
		return run.decode()
	}
	var v view
	v.read(&view{text: bytes.ReplaceAll(data, []byte("_"), []byte(" "))}, quotedPrintable)
	return v.text
}

// encode writes octets as the word had its own (§4).
func (w encodedWord) encode(octets []byte) string {
	if w.b {
		return base64.StdEncoding.EncodeToString(octets)
	}
	var b strings.Builder
	for _, c := range octets {
		switch {
		case c == ' ':
			b.WriteByte('_')
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!*+-/.@", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

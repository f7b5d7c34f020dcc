package redaction

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// part is the place of a base64 part in a text.
type part struct{ from, to int }

// base64Parts searches what is encoded in base64: from the empty line after a field
// that says so to the next line that begins with "--". The parts of a message need
// not be understood for that.
func (r *Redactor) base64Parts(s *scratch, text []byte, in bool, depth int) (found []edit) {
	var parts []part
	armed, begin := false, 0
	for at := 0; at < len(text); {
		end := len(text)
		if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n + 1
		}
		line := text[at:end]
		switch {
		case in && bytes.HasPrefix(line, []byte("--")):
			parts = append(parts, part{begin, at})
			in = false
		case in:
		case isBase64Field(text[at:]):
			armed = true
		case armed && len(bytes.TrimRight(line, "\r\n")) == 0:
			armed, in, begin = false, true, end
		}
		at = end
	}
	if in {
		parts = append(parts, part{begin, len(text)})
	}
	for _, p := range parts {
		found = r.base64Part(s, text, p, depth, found)
	}
	return found
}

// base64Part searches one part. What is no base64 in it is passed over, as mail
// programs do; padding ends a run, and another may follow.
func (r *Redactor) base64Part(s *scratch, text []byte, p part, depth int, found []edit) []edit {
	for p.from < p.to {
		var run base64Run
		p.from = run.read(text[:p.to], p.from)
		if len(run.chars) >= 4 {
			found = run.edits(r.edits(s, run.decode(), false, depth+1), found)
		}
	}
	return found
}

// outside drops of what was found in a text as it stands what its base64 parts say,
// seen otherwise. All else stays: a footer that a list appends to such a part is text.
func outside(found, inside []edit) []edit {
	return slices.DeleteFunc(found, func(e edit) bool {
		i, _ := slices.BinarySearchFunc(inside, e.from, func(b edit, at int) int { return b.to - 1 - at })
		return i < len(inside) && inside[i].from < e.to
	})
}

// base64Run is base64 up to its padding, and where each character stands.
type base64Run struct {
	chars  []byte
	places []int32
	text   []byte // decoded
}

// read collects a run and returns where the next one may begin.
func (b *base64Run) read(text []byte, at int) int {
	for ; at < len(text); at++ {
		switch c := text[at]; {
		case c == '=' && len(b.chars)%4 >= 2:
			if end, whole := b.pad(text, at); whole {
				return end
			}
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/':
			b.chars, b.places = append(b.chars, c), append(b.places, int32(at))
		}
	}
	return at
}

// pad takes the padding at a place, over the end of a line, and returns what follows it.
// What is too little to be one means nothing: decoders go on behind it.
func (b *base64Run) pad(text []byte, at int) (end int, whole bool) {
	n := len(b.chars)
	for ; at < len(text) && len(b.chars)%4 != 0; at++ {
		switch text[at] {
		case '=':
			b.chars, b.places = append(b.chars, '='), append(b.places, int32(at))
		case ' ', '\t', '\r', '\n':
		default:
			b.chars, b.places = b.chars[:n], b.places[:n]
			return at, false
		}
	}
	if len(b.chars)%4 != 0 {
		b.chars, b.places = b.chars[:n], b.places[:n]
		return at, false
	}
	return at, true
}

// decode returns what the run says; what is no whole quantum at its end is lost in
// transit and to be ignored.
func (b *base64Run) decode() []byte {
	whole := len(b.chars) / 4 * 4
	if whole < len(b.chars) && len(b.chars)%4 >= 2 { // padding was forgotten
		b.chars = append(b.chars, strings.Repeat("=", 4-len(b.chars)%4)...)
		whole = len(b.chars)
	}
	b.text = make([]byte, base64.StdEncoding.DecodedLen(whole))
	n, _ := base64.StdEncoding.Decode(b.text, b.chars[:whole])
	b.text = b.text[:n]
	return b.text
}

// edits turns edits of the decoded text into edits of the characters, of as few as
// can be: whole quanta, so that what stands before and behind remains.
func (b *base64Run) edits(inside, found []edit) []edit {
	for i := 0; i < len(inside); {
		first, last := inside[i].from/3, (inside[i].to-1)/3
		j := i + 1
		for ; j < len(inside) && inside[j].from/3 <= last+4; j++ { // a domain goes with its local part
			last = max(last, (inside[j].to-1)/3)
		}
		found = append(found, b.quanta(first, last, inside[i:j]))
		i = j
	}
	return found
}

// quanta encodes the quanta first to last anew, with their edits. Where that is not
// the end, characters are added to the last token until no octet is left over.
func (b *base64Run) quanta(first, last int, inside []edit) edit {
	from, to := 3*first, min(3*(last+1), len(b.text))
	local := make([]edit, len(inside))
	for i, e := range inside {
		local[i] = edit{e.from - from, e.to - from, e.by}
	}
	out := apply(b.text[from:to], local)
	if to < len(b.text) {
		for len(out)%3 != 0 {
			local[len(local)-1].by += "x"
			out = apply(b.text[from:to], local)
		}
	}
	end := min(4*last+3, len(b.places)-1)
	return edit{int(b.places[4*first]), int(b.places[end]) + 1, base64.StdEncoding.EncodeToString(out)}
}

package redaction

import "bytes"

// maxDepth bounds messages within base64 within messages.
const maxDepth = 4

// edits finds everything to hide in a text: as it stands, as quoted-printable and
// escapes of HTML and URLs read, in encoded words, and in base64 that the text
// declares; inBase64 says that it begins with such. Each way of reading is tried
// everywhere: broken MIME hides nothing, and where a reading makes no sense it
// finds nothing. The result is settled.
func (r *Redactor) edits(s *scratch, text []byte, inBase64 bool, depth int) []edit {
	if len(r.patterns) == 0 {
		return nil
	}
	found := r.views(s, text, nil)
	found = r.encodedWords(s, text, found)
	if depth < maxDepth {
		inside := r.base64Parts(s, text, inBase64, depth)
		found = append(outside(found, inside), inside...)
	}
	return settle(found)
}

// views searches a text in all readings that keep their place.
func (r *Redactor) views(s *scratch, text []byte, found []edit) []edit {
	plain := view{text: text}
	found = r.search(&plain, found)
	found = r.within(s, &plain, found)
	if bytes.IndexByte(text, '=') < 0 {
		return found
	}
	quoted := s.quoted.read(&plain, quotedPrintable)
	return r.within(s, quoted, r.search(quoted, found))
}

// within searches the readings of one: what of it is seen, its parameters as one, UTF-16,
// and the escapes of these.
func (r *Redactor) within(s *scratch, v *view, found []edit) []edit {
	found = r.unescaped(s, v, found)
	if bytes.IndexByte(v.text, 0) >= 0 {
		found = r.search(s.joined.read(v, octetPairs), found)
	}
	if hides(v.text) {
		shown := s.joined.read(v, visible)
		found = r.unescaped(s, shown, r.search(shown, found))
	}
	if bytes.Contains(v.text, []byte("*1")) {
		joined := s.joined.read(v, continuations)
		found = r.unescaped(s, joined, r.search(joined, found))
	}
	return found
}

func (r *Redactor) unescaped(s *scratch, v *view, found []edit) []edit {
	if escaped(v.text) {
		return r.search(s.escapes.read(v, escapes), found)
	}
	return found
}

func escaped(text []byte) bool { return bytes.ContainsAny(text, `%&\`) }

// search looks for all patterns in one reading.
func (r *Redactor) search(v *view, found []edit) []edit {
	t := v.text
	for i := 0; i+1 < len(t); i++ {
		k := start(t[i], t[i+1])
		if r.starts[k/64]&(1<<(k%64)) == 0 {
			continue
		}
		for n := r.first[k]; n > 0; n = r.patterns[n-1].next {
			if p := &r.patterns[n-1]; p.at(t[i:]) {
				found = p.hit(v, i, found)
			}
		}
	}
	return found
}

func (p *pattern) at(t []byte) bool {
	if len(t) < len(p.text) {
		return false
	}
	if p.fold {
		return equalFold(t[:len(p.text)], p.text)
	}
	return string(t[:len(p.text)]) == p.text
}

// equalFold compares ASCII letters in any case, all else octet by octet; b is in
// lower case.
func equalFold(a []byte, b string) bool {
	for i := range a {
		if lower(a[i]) != b[i] {
			return false
		}
	}
	return true
}

// declaresBase64 reports whether a header section says that its body is base64.
func declaresBase64(header []byte) bool {
	for at := 0; at < len(header); at = fieldEnd(header, at) {
		if isBase64Field(header[at:]) {
			return true
		}
	}
	return false
}

const encodingField = "content-transfer-encoding"

// isBase64Field reports whether a text begins with a field that says so, folded or with
// a comment before it.
func isBase64Field(text []byte) bool {
	if len(text) < len(encodingField) || !equalFold(text[:len(encodingField)], encodingField) {
		return false
	}
	value := text[len(encodingField):min(len(text), fieldEnd(text, 0), 300)]
	for len(value) >= 6 {
		if equalFold(value[:6], "base64") {
			return true
		}
		switch c := value[0]; {
		case c == '(':
			n := bytes.IndexByte(value, ')')
			if n < 0 {
				return false
			}
			value = value[n:]
		case inWord(c):
			return false
		}
		value = value[1:]
	}
	return false
}

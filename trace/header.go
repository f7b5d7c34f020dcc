package trace

import (
	"iter"
	"strings"
)

// HeaderField is one field of a header section.
type HeaderField struct {
	Name  string // as written
	Value string // all behind the colon, with its folds, up to the line end
}

// HeaderFields yields the fields of a header section, topmost first. Lines that
// begin no field and fold into none are skipped.
func HeaderFields(header []byte) iter.Seq[HeaderField] {
	return func(yield func(HeaderField) bool) {
		for text := string(header); ; {
			f, rest, ok := nextField(text)
			if !ok || !yield(HeaderField{f.name, f.value}) {
				return
			}
			text = rest
		}
	}
}

// headerField is one field of a header section, name as written, value folded.
type headerField struct {
	name  string
	value string
}

// nextField cuts the first field off a header section. Lines that begin no field
// and fold into none are skipped; a bare LF ends a line as well as CRLF does.
func nextField(header string) (f headerField, rest string, ok bool) {
	for header != "" {
		end := fieldEnd(header)
		line := header[:end]
		header = header[end:]
		end = 0 // of the name
		for end < len(line) && line[end] != ':' && !isSpace(line[end]) {
			end++
		}
		value, found := strings.CutPrefix(strings.TrimLeft(line[end:], " \t"), ":")
		if found && end > 0 {
			return headerField{line[:end], value}, header, true
		}
	}
	return headerField{}, "", false
}

// named reports whether the field has that name; few names are equally long.
func (f *headerField) named(name string) bool {
	return len(f.name) == len(name) && strings.EqualFold(f.name, name)
}

// fieldEnd returns where the field at the beginning of s ends: at a line end that
// no white space follows.
func fieldEnd(s string) int {
	for i := 0; i < len(s); {
		n := strings.IndexByte(s[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		if i < len(s) && s[i] != ' ' && s[i] != '\t' {
			return i
		}
	}
	return len(s)
}

package forward

import (
	"bytes"
	"iter"
)

// split yields the parts of a multipart body (RFC 2046 §5.1) as slices of it, so
// that a part has the very octets that it was sent with. The line end before a
// boundary belongs to the boundary. A body whose last boundary is missing, cut
// off somewhere, gives its last part all the same.
func split(body []byte, boundary string) iter.Seq[part] {
	return func(yield func(part) bool) {
		if boundary == "" {
			return
		}
		mark := []byte("--" + boundary)
		begin := -1 // of the current part; none before the first boundary
		for at := 0; at < len(body); {
			end := at + lineLength(body[at:])
			last, is := delimiter(body[at:end], mark)
			if is {
				if begin >= 0 && !yield(cutPart(withoutLineEnd(body[begin:max(begin, at)]))) || last {
					return
				}
				begin = end
			}
			at = end
		}
		if begin >= 0 {
			yield(cutPart(body[begin:]))
		}
	}
}

func lineLength(b []byte) int {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		return n + 1
	}
	return len(b)
}

// delimiter reports whether a line is a boundary, and whether it is the last.
func delimiter(line, mark []byte) (last, is bool) {
	rest, ok := bytes.CutPrefix(line, mark)
	if !ok {
		return false, false
	}
	rest, last = bytes.CutPrefix(rest, []byte("--"))
	return last, len(bytes.TrimRight(rest, " \t\r\n")) == 0
}

func withoutLineEnd(b []byte) []byte {
	b, _ = bytes.CutSuffix(b, []byte("\n"))
	b, _ = bytes.CutSuffix(b, []byte("\r"))
	return b
}

// cutPart cuts a part at its first empty line.
func cutPart(b []byte) part {
	for at := 0; at < len(b); {
		n := lineLength(b[at:])
		if line := b[at : at+n]; len(bytes.TrimRight(line, "\r\n")) == 0 {
			return part{header: b[:at], body: b[at+n:]}
		}
		at += n
	}
	return part{header: b}
}

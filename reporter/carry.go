package reporter

import (
	"bytes"
	"slices"
)

// maxLine is how long a line may be without its CRLF (RFC 5321 §4.5.3.1.6, RFC 2045
// §2.8). Relays refuse longer ones or break them where they like.
const maxLine = 998

// carried puts the original together again as SMTP can carry it, and says where its
// header section ends and whether that altered it. It is octet for octet what was
// received but for octets that no relay takes: NUL becomes "?", a bare CR a space,
// and a long line goes on in the next one behind a space, so that a header field
// stays one field. A bare LF, the line end of saved files, becomes CRLF, which
// alters nothing.
func carried(header, body []byte) (original []byte, end int, altered bool) {
	if carriable(header) && carriable(body) {
		return slices.Concat(header, []byte("\r\n"), body), len(header), false
	}
	out := make([]byte, 0, (len(header)+len(body))*17/16+2)
	out, altered = carry(out, header)
	end = len(out)
	out, more := carry(append(out, "\r\n"...), body)
	return out, end, altered || more
}

func carry(out, raw []byte) (_ []byte, altered bool) {
	length := 0
	for i, c := range raw {
		if c == '\n' || c == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
			if c == '\n' {
				out, length = append(out, "\r\n"...), 0
			}
			continue
		}
		switch c {
		case 0:
			c, altered = '?', true
		case '\r':
			c, altered = ' ', true
		}
		if length == maxLine {
			out, length, altered = append(out, "\r\n "...), 1, true
		}
		out, length = append(out, c), length+1
	}
	return out, altered
}

// carriable reports whether SMTP takes the octets as they are.
func carriable(raw []byte) bool {
	if bytes.IndexByte(raw, 0) >= 0 {
		return false
	}
	for line := range bytes.Lines(raw) {
		body, found := bytes.CutSuffix(line, []byte("\r\n"))
		if !found && bytes.HasSuffix(line, []byte("\n")) || len(body) > maxLine || bytes.IndexByte(body, '\r') >= 0 {
			return false
		}
	}
	return true
}

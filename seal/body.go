package seal

import (
	"crypto/sha256"
	"hash"
)

// BodyLimit is how much of a body a seal binds, in octets of its relaxed form.
// It is below what is kept as evidence, so that what is bound can be checked.
const BodyLimit = 512 << 10

// Body hashes a body as it comes, in the relaxed form of RFC 6376 §3.4.4: white
// space at the end of a line and empty lines at the end do not count, other white
// space counts as one space, line ends as CRLF. A carriage return alone counts as
// white space, which mail programs take it for.
type Body struct {
	hash  hash.Hash
	out   []byte // written to hash when it is full
	left  int    // octets of the relaxed form still taken
	lines int    // line ends not written yet
	space bool   // white space not written yet
}

// NewBody begins a body.
func NewBody() *Body {
	return &Body{hash: sha256.New(), out: make([]byte, 0, 1024), left: BodyLimit}
}

// Full reports whether what comes further does not matter.
func (b *Body) Full() bool { return b.left == 0 }

// Write takes the next octets of the body, cut anywhere.
func (b *Body) Write(p []byte) {
	for len(p) > 0 && b.left > 0 {
		n := 0
		for n < len(p) && !isSpace[p[n]] {
			n++
		}
		if n > 0 {
			b.gap()
			b.emit(p[:n])
			p = p[n:]
			continue
		}
		if p[0] == '\n' {
			b.lines, b.space = b.lines+1, false
		} else {
			b.space = true
		}
		p = p[1:]
	}
}

var isSpace = [256]bool{' ': true, '\t': true, '\r': true, '\n': true}

// gap writes the white space that has turned out to stand before something.
func (b *Body) gap() {
	for ; b.lines > 0 && b.left > 0; b.lines-- {
		b.emit([]byte("\r\n"))
	}
	if b.space {
		b.emit([]byte{' '})
	}
	b.lines, b.space = 0, false
}

func (b *Body) emit(p []byte) {
	p = p[:min(len(p), b.left)]
	b.left -= len(p)
	if len(b.out)+len(p) > cap(b.out) {
		b.hash.Write(b.out)
		b.out = b.out[:0]
	}
	if len(p) > cap(b.out) {
		b.hash.Write(p)
		return
	}
	b.out = append(b.out, p...)
}

func (b *Body) sum() []byte {
	b.hash.Write(b.out)
	b.out = b.out[:0]
	return b.hash.Sum(nil)
}

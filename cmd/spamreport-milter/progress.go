package main

import (
	"fmt"
	"io"
	"time"
)

// Work that is done sooner than patience shows nothing of itself.
const (
	patience = 2 * time.Second
	repaint  = 200 * time.Millisecond
)

// progress tells on a terminal how far long work is, in one line that it writes over.
type progress struct {
	w       io.Writer
	quiet   bool
	now     func() time.Time
	begun   time.Time
	painted time.Time // zero while there is nothing on the terminal
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, quiet: !isTerminal(w), now: time.Now, begun: time.Now()}
}

// show says what is done, how much of it, and of how much: 0 when that is not known.
func (p *progress) show(what string, done, all int64) {
	now := p.now()
	if p.quiet || now.Sub(p.begun) < patience || now.Sub(p.painted) < repaint {
		return
	}
	p.painted = now
	share := ""
	if all > 0 {
		share = fmt.Sprintf(" of %d, %d %%", all, min(100, done*100/all))
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d%s", what, done, share)
}

// end clears the line for what comes after.
func (p *progress) end() {
	if !p.painted.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

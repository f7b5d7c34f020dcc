package main

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"spamreport-milter/trace"
)

// writeChain draws the way of a message for a person at a terminal, newest hop
// first.
func writeChain(w io.Writer, c *trace.Chain, colour bool) error {
	var b strings.Builder
	p := picture{colour}
	for i := range c.Hops {
		p.hop(&b, c, i)
	}
	p.verdict(&b, c)
	_, err := io.WriteString(w, b.String())
	return err
}

type picture struct{ colour bool }

// Colours of the grades, as parameters of ECMA-48's SGR.
var gradeColour = map[trace.Grade]string{
	trace.GradeSession:  "1;32",
	trace.GradeTrusted:  "32",
	trace.GradeAttested: "36",
	trace.GradeClaimed:  "33",
	trace.GradeForged:   "31",
}

// hop draws one step: grade, peer and receiver on the first line, the reason and
// the signs below.
func (p picture) hop(b *strings.Builder, c *trace.Chain, i int) {
	h := &c.Hops[i]
	fmt.Fprintf(b, "%3d  %s  %s", i, p.paint(gradeColour[h.Grade], fmt.Sprintf("%-8s", h.Grade)), describePeer(h))
	if h.By != "" {
		fmt.Fprintf(b, " → %s", visible(h.By))
	}
	fmt.Fprintf(b, "  %s", how(h))
	if d, ok := delay(c.Hops, i); ok {
		fmt.Fprintf(b, "  %s", d)
	}
	b.WriteString(p.marks(c, i) + "\n")
	if i == 0 || h.Reason != c.Hops[i-1].Reason {
		fmt.Fprintf(b, "                %s\n", visible(h.Reason))
	}
	for _, s := range c.Signs {
		if s.Hop == i && s.Text != h.Reason {
			fmt.Fprintf(b, "                %s %s: %s\n", p.paint("31", "!"), s.Name, visible(s.Text))
		}
	}
}

func (p picture) marks(c *trace.Chain, i int) string {
	marks := ""
	if c.Border.Hop == i {
		marks += "  " + p.paint("1;7", "BORDER")
	}
	if c.Origin.Hop == i {
		marks += "  " + p.paint("1;7", "ORIGIN")
	}
	return marks
}

// describePeer names the side that handed the mail over, the surest fact first.
func describePeer(h *trace.Hop) string {
	var parts []string
	if h.IP.IsValid() {
		parts = append(parts, address(h.IP, h.Port))
	}
	if h.RDNS != "" {
		name := visible(h.RDNS)
		if !h.RDNSVerified {
			name += "?"
		}
		parts = append(parts, name)
	}
	if h.HELO != "" && !strings.EqualFold(h.HELO, h.RDNS) {
		parts = append(parts, "“"+visible(h.HELO)+"”")
	}
	if user := cmp.Or(h.AuthUser, h.Ident); user != "" {
		parts = append(parts, "user "+visible(user))
	}
	if len(parts) == 0 {
		return "(no peer)"
	}
	return strings.Join(parts, " ")
}

func address(a netip.Addr, port uint16) string {
	if port == 0 {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// how says by what kind of step and protocol a hop was made.
func how(h *trace.Hop) string {
	s := string(h.Kind)
	if proto := cmp.Or(h.With, h.Via); proto != "" && !strings.EqualFold(proto, s) {
		s += ", " + visible(proto)
	}
	if h.TLSVersion != "" || h.TLSCipher != "" {
		s += ", " + visible(cmp.Or(h.TLSVersion, "TLS"))
	}
	if h.Auth {
		s += ", authenticated"
	}
	return s
}

// delay is the time from the hop below to this one.
func delay(hops []trace.Hop, i int) (string, bool) {
	if hops[i].Date.IsZero() {
		return "", false
	}
	if i+1 == len(hops) || hops[i+1].Date.IsZero() {
		return hops[i].Date.Format("2006-01-02 15:04:05 -0700"), true
	}
	return signed(hops[i].Date.Sub(hops[i+1].Date)), true
}

// signed writes a delay to the second, and one that no queue explains in days.
func signed(d time.Duration) string {
	if d.Abs() >= 100*time.Hour {
		return fmt.Sprintf("%+dd", int(d.Hours()/24))
	}
	if d < 0 {
		return d.Round(time.Second).String()
	}
	return "+" + d.Round(time.Second).String()
}

// verdict is the answer in one or two lines.
func (p picture) verdict(b *strings.Builder, c *trace.Chain) {
	switch {
	case len(c.Hops) == 0:
		b.WriteString("  no Received field: nothing tells where it came from\n")
		return
	case c.Border.Hop < 0:
		b.WriteString("  border: none; which host handed it in can't be told from what a sender may have written\n")
	default:
		fmt.Fprintf(b, "  border: %s, hop %d\n", p.paint("1", c.Border.IP.String()), c.Border.Hop)
	}
	if o := c.Origin; o.Hop >= 0 && o.Hop != c.Border.Hop {
		fmt.Fprintf(b, "  origin: %s, hop %d, %s\n", p.paint("1", originName(o)), o.Hop, o.Grade)
	}
}

func originName(o trace.Origin) string {
	var parts []string
	if o.IP.IsValid() {
		parts = append(parts, o.IP.String())
	}
	if o.Account != "" {
		parts = append(parts, "account "+visible(o.Account))
	}
	if o.Host != "" {
		parts = append(parts, "host "+visible(o.Host))
	}
	return strings.Join(parts, ", ")
}

func (p picture) paint(sgr, s string) string {
	if !p.colour || sgr == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

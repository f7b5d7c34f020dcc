package trace

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParseReceived reads the lines of all fixtures and messages.
func BenchmarkParseReceived(b *testing.B) {
	var lines []string
	for _, f := range allFixtures(b) {
		lines = append(lines, f.value)
	}
	for _, m := range everyMessage(b) {
		for _, h := range Follow(m, Options{}).Hops {
			lines = append(lines, h.Raw)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ParseReceived(lines[i%len(lines)])
	}
}

// BenchmarkFollow follows whole header sections.
func BenchmarkFollow(b *testing.B) {
	messages := everyMessage(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Follow(messages[i%len(messages)], Options{})
	}
}

// hostile are inputs that cost more than their length where a parser is careless.
var hostile = map[string]func(n int) string{
	"open-parentheses":   func(n int) string { return strings.Repeat("(", n) },
	"closed-parentheses": func(n int) string { return strings.Repeat(")", n) },
	"nested":             func(n int) string { return strings.Repeat("(", n/2) + strings.Repeat(")", n/2) },
	"brackets":           func(n int) string { return strings.Repeat("[", n) },
	"angles":             func(n int) string { return strings.Repeat("<", n) },
	"with-clauses":       func(n int) string { return strings.Repeat("with x ", n/7) },
	"dates":              func(n int) string { return "by x " + strings.Repeat("Mon, ", n/5) },
	"recipients":         func(n int) string { return "by x for " + strings.Repeat("<a>,", n/4) },
	"NULs":               func(n int) string { return strings.Repeat("\x00", n) },
	"8-bit":              func(n int) string { return strings.Repeat("\xff", n) },
	"backslashes":        func(n int) string { return "(" + strings.Repeat("\\", n) },
	"one-word":           func(n int) string { return "from " + strings.Repeat("a", n) },
	"folds":              func(n int) string { return strings.Repeat("x\r\n ", n/4) },
	"comments":           func(n int) string { return "from a " + strings.Repeat("(b c) ", n/6) },
}

// BenchmarkGrowth reads hostile lines of growing size. The time per octet, which
// is printed, stays the same where the cost is linear.
func BenchmarkGrowth(b *testing.B) {
	for name, make := range hostile {
		for _, n := range []int{1 << 12, 1 << 16, 1 << 20} {
			line := make(n)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					ParseReceived(line)
				}
			})
		}
	}
}

// BenchmarkManyFields follows headers of growing numbers of Received fields.
func BenchmarkManyFields(b *testing.B) {
	line := "Received: from a.example ([203.0.113.1]) by b.example with ESMTP id 1; Tue, 09 Jun 2026 10:29:00 +0000\r\n"
	for _, n := range []int{100, 1000, 10000} {
		m := &Message{Header: []byte(strings.Repeat(line, n))}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(m.Header)))
			for b.Loop() {
				Follow(m, Options{})
			}
		})
	}
}

// TestHostileLines reads the hostile inputs once at full size; a parser that is
// not linear doesn't come to the end of this within the test's time.
func TestHostileLines(t *testing.T) {
	for name, make := range hostile {
		h := ParseReceived(make(1 << 20))
		if h.IP.IsValid() || h.ByIP.IsValid() {
			t.Errorf("%s: an address %v %v out of nothing", name, h.IP, h.ByIP)
		}
	}
}

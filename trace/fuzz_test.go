package trace

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stands reports whether a is written somewhere in s. It shares no code with the
// parser: it tries every stretch of address characters.
func stands(a netip.Addr, s string) bool {
	isAddr := func(r rune) bool {
		return r < 0x80 && strings.ContainsRune("0123456789abcdefABCDEF.:", r)
	}
	for _, run := range strings.FieldsFunc(s, func(r rune) bool { return !isAddr(r) }) {
		for i := range run {
			for j := i + 1; j <= min(len(run), i+45); j++ {
				if b, err := netip.ParseAddr(run[i:j]); err == nil && b.Unmap() == a {
					return true
				}
			}
		}
	}
	return false
}

// FuzzParseReceived holds the parser to three promises: no address that doesn't
// stand in the input, text that survives JSON, and a printed form that is read as
// the same hop.
func FuzzParseReceived(f *testing.F) {
	for _, fixture := range allFixtures(f) {
		f.Add(fixture.value)
	}
	f.Add("from a (b\\) [192.0.2.1]) by c (d; with e")
	f.Add(strings.Repeat("(", 100) + strings.Repeat("with SMTP ", 100))
	f.Fuzz(func(t *testing.T, value string) {
		h := ParseReceived(value)
		for _, a := range []netip.Addr{h.IP, h.ByIP} {
			if a.IsValid() && !stands(a, value) {
				t.Errorf("%s does not stand in %q", a, value)
			}
		}
		if got := strings.ToValidUTF8(h.Raw, "?"); got != h.Raw {
			t.Errorf("raw is no UTF-8: %q", h.Raw)
		}
		// Printing may have to replace octets; what it has printed once it must
		// not change again.
		once := ParseReceived(h.String())
		twice := ParseReceived(once.String())
		if once.IP != h.IP || once.ByIP != h.ByIP && h.ByIP.IsValid() || once.IP.IsValid() && once.Port != h.Port {
			t.Errorf("%q\nprinted %q\nread as %v %d %v, want %v %d %v", value, h.String(), once.IP, once.Port, once.ByIP, h.IP, h.Port, h.ByIP)
		}
		once.Raw, twice.Raw = "", ""
		if diff := cmp.Diff(fixtureJSON(t, once), fixtureJSON(t, twice)); diff != "" {
			t.Errorf("%q\nprinted %q\n%s", value, once.String(), diff)
		}
	})
}

// FuzzFollow holds the chain to its shape for any header.
func FuzzFollow(f *testing.F) {
	for _, m := range everyMessage(f) {
		f.Add(m.Header)
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		c := Follow(&Message{Header: header}, Options{})
		if c.Border.Hop >= len(c.Hops) || c.Origin.Hop >= len(c.Hops) {
			t.Fatalf("border %d, origin %d of %d hops", c.Border.Hop, c.Origin.Hop, len(c.Hops))
		}
		if c.Border.Hop >= 0 && c.Border.IP != c.Hops[c.Border.Hop].IP {
			t.Errorf("border %v is not the peer of its hop", c.Border)
		}
		if c.Origin.IP.IsValid() && !stands(c.Origin.IP, string(header)) {
			t.Errorf("origin %v does not stand in the header", c.Origin.IP)
		}
		inOrder(t, &c, header)
	})
}

// inOrder fails unless the raw values of the hops follow each other in the header;
// the fields that name clients may stand anywhere.
func inOrder(t *testing.T, c *Chain, header []byte) {
	var want []string
	for rest := string(header); ; {
		field, r, ok := nextField(rest)
		if !ok {
			break
		}
		if rest = r; strings.EqualFold(field.name, "Received") {
			want = append(want, unfold(strings.ToValidUTF8(field.value, "\uFFFD")))
		}
	}
	var got []string
	for _, h := range c.Hops[:len(want)] {
		got = append(got, h.Raw)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("hops %q, want %q", got, want)
	}
}

// FuzzMailbox holds the splitter to losing nothing: sizes add up and it ends.
func FuzzMailbox(f *testing.F) {
	files, err := filepath.Glob("testdata/corpus/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatal("no messages:", err)
	}
	for _, file := range files[:4] {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 4000)])
	}
	f.Add([]byte("From a Fri Sep  6 18:13:52 2002\nFrom: a\n\nb\n\nFrom c Fri Sep  6 18:13:52 2002\nFrom: c\n\nd\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := NewMailbox(bytes.NewReader(in), 100)
		total := 0
		for n := 0; ; n++ {
			m, err := b.Next()
			if err == io.EOF {
				break
			}
			if n > len(in) {
				t.Fatal("more messages than octets")
			}
			if err != nil {
				continue
			}
			if len(m.Body) > 100 || int64(len(m.Body)) > m.BodySize {
				t.Errorf("body of %d octets, %d kept", m.BodySize, len(m.Body))
			}
			total += len(m.Header) + int(m.BodySize)
		}
		if total > len(in) {
			t.Errorf("%d octets out of %d", total, len(in))
		}
	})
}

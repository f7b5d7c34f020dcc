package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"spamreport-milter/seal"
	"spamreport-milter/trace"
)

// BenchmarkSeal seals and verifies a message of 8 KB, beside a DKIM signature with
// Ed25519 over the same, and reports how much longer that takes.
func BenchmarkSeal(b *testing.B) {
	k := newKeys(b)
	s := session("203.0.113.9:4321")
	header, _ := split(sample)
	body := strings.Repeat("0123456789 0123456789 0123456789 0123456789\r\n", 178)
	text := sealed(b, k, s, header+"\r\n"+body)
	seals := timed(b, func() {
		h, err := seal.BindHeader([]byte(header))
		if err != nil {
			b.Fatal(err)
		}
		w := seal.NewBody()
		w.Write([]byte(body))
		if _, err := k.Seal(seal.Statement{Session: s, MailFrom: "a@b.example"}, h, w); err != nil {
			b.Fatal(err)
		}
	})
	m, err := trace.Read(strings.NewReader(text), 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	verifies := timed(b, func() {
		if v := k.Verify(m, now); v.Result != seal.Valid {
			b.Fatal(v.Text)
		}
	})
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	peer := timed(b, func() {
		o := &dkim.SignOptions{Domain: "example.org", Selector: "s", Signer: private,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed}
		if err := dkim.Sign(io.Discard, bytes.NewReader([]byte(header+"\r\n"+body)), o); err != nil {
			b.Fatal(err)
		}
	})
	for b.Loop() {
	}
	b.ReportMetric(float64(seals.Microseconds()), "µs/seal")
	b.ReportMetric(float64(verifies.Microseconds()), "µs/verify")
	b.ReportMetric(float64(peer)/float64(seals), "dkim/seal")
	b.ReportMetric(0, "ns/op")
}

// timed returns how long one call takes.
func timed(b *testing.B, f func()) time.Duration {
	b.Helper()
	const n = 3000
	begin := time.Now()
	for range n {
		f()
	}
	return time.Since(begin) / n
}

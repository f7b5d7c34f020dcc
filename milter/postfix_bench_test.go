package milter_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/milter"
)

// BenchmarkPostfixHam sends ordinary mail of 8 KB through Postfix with each of
// several milters, in turns, and reports how many messages pass in a second with
// ours for each that passes with another. Promised are 0.97 of a bare handler in
// Go, and no less than a handler in C that reads everything.
func BenchmarkPostfixHam(b *testing.B) {
	keys := newKeys(b)
	entries := []*entry{
		{name: "ours", at: serveBench(b, milter.Config{})},
		{name: "ours-sealing", at: serveBench(b, milter.Config{Seal: keys, Inside: []netip.Prefix{}})},
		{name: "bare-go", at: serveBare(b)},
		{name: "c-readall", at: serveC(b)},
	}
	for _, e := range entries {
		e.postfix = startPostfix(b, testmta.Options{Milters: []string{"inet:" + e.at}})
	}
	for b.Loop() {
		const rounds = 7
		for round := range rounds {
			for i := range entries {
				entries[(round+i)%len(entries)].send(b, 400)
			}
		}
	}
	ours := entries[0].median()
	b.ReportMetric(ours, "ham/s")
	for _, e := range entries[1:] {
		b.ReportMetric(ours/e.median(), "of-"+e.name)
	}
	b.ReportMetric(0, "ns/op")
}

// entry is a Postfix with one milter.
type entry struct {
	name, at string
	postfix  *testmta.Postfix
	rates    []float64 // messages a second, a round each
}

func (e *entry) send(b *testing.B, n int) {
	begin := time.Now()
	cmd := exec.Command("smtp-source", "-s", "10", "-m", fmt.Sprint(n), "-l", "8192", "-f", "a@example.com", "-t", "user@example.org", e.postfix.Addr)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("smtp-source: %v: %s", err, out)
	}
	e.rates = append(e.rates, float64(n)/time.Since(begin).Seconds())
}

// median leaves out rounds in which the machine had other things to do.
func (e *entry) median() float64 {
	slices.Sort(e.rates)
	return e.rates[len(e.rates)/2]
}

func serveBench(b *testing.B, cfg milter.Config) string {
	cfg.Submitter, cfg.Log = &recorder{}, slog.New(slog.DiscardHandler)
	s, err := milter.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	l, err := listen("inet:127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go s.Serve(l)
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return l.Addr().String()
}

func serveBare(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	lib := gomilter.Server{NewMilter: func() gomilter.Milter { return gomilter.NoOpMilter{} }}
	go lib.Serve(l)
	b.Cleanup(func() { lib.Close() })
	return l.Addr().String()
}

func serveC(b *testing.B) string {
	program := filepath.Join(b.TempDir(), "readall")
	if out, err := exec.Command("gcc", "-O2", "-o", program, "testdata/readall.c", "-lmilter", "-lpthread").CombinedOutput(); err != nil {
		b.Fatalf("the peer in C needs gcc and libmilter-dev, which .ci/deps bench installs: %v\n%s", err, out)
	}
	at := freePort(b)
	_, port, _ := strings.Cut(at, ":")
	cmd := exec.Command(program, "inet:"+port+"@127.0.0.1")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", at); err == nil {
			conn.Close()
			return at
		}
		if time.Now().After(deadline) {
			b.Fatal("the peer in C does not listen")
		}
	}
}

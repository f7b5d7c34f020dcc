package milter_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"testing"

	"spamreport-milter/milter"
)

// BenchmarkHam is one ordinary message of 30 header fields as Postfix sends it,
// macros before each, in one long session.
func BenchmarkHam(b *testing.B) {
	var message []byte
	message = append(message, frame('D', append([]byte{'M'}, strs(postfixMacros...)...))...)
	message = append(message, frame('M', strs("<a@example.com>"))...)
	message = append(message, frame('R', strs("<b@example.org>"))...)
	for range 30 {
		message = append(message, frame('D', append([]byte{'L'}, strs("i", "4SsT6g3Bz2zX")...))...)
		message = append(message, frame('L', strs("X-Some-Field", " a value of some usual length, folded\n or not"))...)
	}
	message = append(message, frame('D', append([]byte{'N'}, strs("i", "4SsT6g3Bz2zX")...))...)
	message = append(message, frame('N', nil)...)

	srv, err := milter.New(milter.Config{Submitter: &recorder{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	l := &scripts{conns: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	c := newScript(append(frame('O', optneg(offerAll)), bytes.Repeat(message, b.N)...))
	b.ResetTimer()
	l.conns <- c
	<-c.closed
	b.StopTimer()
	if got := srv.Stats().Messages; got != int64(b.N) {
		b.Fatalf("%d messages of %d", got, b.N)
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
	<-served
}

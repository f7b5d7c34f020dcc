package reporter_test

import (
	"context"
	"io"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// BenchmarkReports takes real messages out of 2,000 networks from Submit to a complaint
// in the queue, with the contact known, and composes each. Its peer stores them only.
func BenchmarkReports(b *testing.B) {
	var messages []trace.Message
	for _, m := range corpus(b) {
		m.RcptTo = []string{"user@isp.test"}
		messages = append(messages, m)
	}
	open := func() *queue.Store {
		store, err := queue.Open(b.Context(), filepath.Join(b.TempDir(), "queue.db"), queue.Options{Daemon: true, Host: "mx.isp.test"})
		if err != nil {
			b.Fatal(err)
		}
		return store
	}
	submit := func(store *queue.Store) {
		var wg sync.WaitGroup
		next := make(chan trace.Message)
		for range 32 {
			wg.Go(func() {
				for m := range next {
					if _, err := store.Submit(b.Context(), queue.Report{Cause: queue.CauseUser, Reporter: "anna@isp.test", Message: m}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for i := range b.N {
			m := messages[i%len(messages)]
			session := *m.Session
			network := i * 1777 % 2000 // in no order
			session.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{45, byte(network >> 8), byte(network), byte(i >> 8)}), 25)
			m.Session = &session
			next <- m
		}
		close(next)
		wg.Wait()
	}
	peer := open()
	defer peer.Close()
	begin := time.Now()
	submit(peer)
	stored := time.Since(begin)

	store := open()
	defer store.Close()
	w := reporter.Composer{Sender: us, Evidence: reporter.Evidence{Key: []byte("secret"), Strip: reporter.FilterFields}}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	b.ResetTimer()
	go func() {
		reporter.New(reporter.Config{Composer: w, Poll: 10 * time.Millisecond}, store, registry(high)).Run(ctx)
		close(done)
	}()
	submit(store)
	for i := range b.N {
		if err := w.Compose(io.Discard, complaint(messages[i%len(messages)])); err != nil {
			b.Fatal(err)
		}
	}
	for {
		n, _, err := store.Waiting(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
	b.ReportMetric(b.Elapsed().Seconds()/stored.Seconds(), "times-stored-only")
	stop()
	<-done
}

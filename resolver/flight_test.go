package resolver_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
)

// slow makes d hold its answers for a name back: asked gets a word when a
// question came, and answers go out when release is closed.
func slow(d *testnet.DNS, name string) (asked chan struct{}, release chan struct{}) {
	asked, release = make(chan struct{}, 10), make(chan struct{})
	d.Rewrite(name, func(q, m *dns.Msg) []*dns.Msg {
		asked <- struct{}{}
		<-release
		return []*dns.Msg{m}
	})
	return asked, release
}

type result struct {
	answer resolver.Answer
	err    error
}

func query(ctx context.Context, r *resolver.Resolver) chan result {
	done := make(chan result, 1)
	go func() {
		a, err := r.Query(ctx, "host.isp.test", dns.TypeA)
		done <- result{a, err}
	}()
	return done
}

// TestOneQuestion: who asks what is being asked waits for that answer, and gets
// it though the one who asked first went away.
func TestOneQuestion(t *testing.T) {
	d := server(t)
	asked, release := slow(d, "host.isp.test")
	r := client(t, resolver.Config{Timeout: 30 * time.Second}, d)
	ctx, cancel := context.WithCancel(t.Context())
	first := query(ctx, r)
	<-asked
	var others []chan result
	for range 20 {
		others = append(others, query(t.Context(), r))
	}
	waiting(t, 21)
	cancel()
	if got := <-first; !errors.Is(got.err, context.Canceled) || !resolver.Temporary(got.err) {
		t.Errorf("the first: %v", got.err)
	}
	close(release)
	for _, other := range others {
		if got := <-other; got.err != nil || len(got.answer.Records) != 2 {
			t.Errorf("another: %+v", got)
		}
	}
	if q := d.Queries(); len(q) != 1 {
		t.Errorf("asked %q, want once", q)
	}
}

// waiting waits until n callers are in Query's select.
func waiting(t *testing.T, n int) {
	t.Helper()
	for range 1000 {
		if running("(*Resolver).Query(") == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d callers wait, want %d", running("(*Resolver).Query("), n)
}

// running counts the goroutines that are inside one of the package's functions.
func running(function string) int {
	buf := make([]byte, 1<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "/resolver."+function) {
			n++
		}
	}
	return n
}

// TestGivenUp: nothing runs on when the last caller has gone, and the next
// one starts anew.
func TestGivenUp(t *testing.T) {
	d := server(t)
	d.Fail("host.isp.test", testnet.Drop)
	r := client(t, resolver.Config{Timeout: 30 * time.Second}, d)
	for range 30 { // which of two goroutines is first is chance
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := r.Query(ctx, "host.isp.test", dns.TypeA)
		cancel()
		var failed *net.DNSError
		if !errors.As(err, &failed) || !failed.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a timeout", err)
		}
		if n := running("(*Resolver).ask("); n != 0 {
			t.Fatalf("%d questions are still asked", n)
		}
	}
	d.Recover()
	if a, err := r.Query(t.Context(), "host.isp.test", dns.TypeA); err != nil || len(a.Records) != 2 {
		t.Errorf("asked again: %+v, %v", a, err)
	}
}

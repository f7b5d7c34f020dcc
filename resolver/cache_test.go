package resolver_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
)

// clock stands still until it is set on.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(1e9, c.ahead.Load()) }

const ttlZone = `
test.               30 IN SOA ns.test. a.test. 1 1 1 1 60
long.test.      900000 IN SOA ns.test. a.test. 1 1 1 1 900000
brief.test.        900 IN SOA ns.test. a.test. 1 1 1 1 40
a.test.            300 IN A   192.0.2.1
a.test.            200 IN A   192.0.2.2
short.test.          0 IN A   192.0.2.1
broken.test. 2147483648 IN A  192.0.2.1
week.test.      604800 IN A   192.0.2.1
alias.test.        100 IN CNAME week.test.
island.          604800 IN A   192.0.2.1
`

// TestCacheTTL: an answer holds for its time and not a second more.
func TestCacheTTL(t *testing.T) {
	for _, c := range []struct {
		name  string
		qtype uint16
		fail  testnet.DNSFailure
		ttl   time.Duration // 0: not kept
	}{
		{"a.test", dns.TypeA, 0, 200 * time.Second},
		{"alias.test", dns.TypeA, 0, 100 * time.Second},
		{"short.test", dns.TypeA, 0, 5 * time.Second},
		{"broken.test", dns.TypeA, 0, 5 * time.Second}, // beyond 31 bits
		{"week.test", dns.TypeA, 0, 24 * time.Hour},
		{"a.test", dns.TypeTXT, 0, 30 * time.Second}, // NODATA: the SOA's own TTL
		{"none.test", dns.TypeA, 0, 30 * time.Second},
		{"none.long.test", dns.TypeA, 0, time.Hour},
		{"none.brief.test", dns.TypeA, 0, 40 * time.Second}, // its minimum
		{"island", dns.TypeTXT, 0, 0},                       // no SOA
		{"fail.test", dns.TypeA, testnet.ServFail, 5 * time.Second},
	} {
		t.Run(c.name+" "+dns.TypeToString[c.qtype], func(t *testing.T) {
			t.Parallel()
			d, err := testnet.StartDNS(ttlZone)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.Fail(c.name, c.fail)
			var now clock
			r := client(t, resolver.Config{Now: now.Now, Timeout: 5 * time.Second}, d)
			ask := func(wantAsked int, wantTTL time.Duration) {
				t.Helper()
				// Case and final dot make no other question.
				a, err := r.Query(t.Context(), strings.ToUpper(c.name)+".", c.qtype)
				if (err != nil) != (c.fail != 0) || (err == nil && a.TTL != wantTTL) {
					t.Errorf("TTL %v, want %v (%v)", a.TTL, wantTTL, err)
				}
				if asked := len(d.Queries()); asked != wantAsked {
					t.Errorf("asked %d times, want %d", asked, wantAsked)
				}
			}
			ask(1, c.ttl)
			if c.ttl == 0 {
				ask(2, 0)
				return
			}
			now.ahead.Store(int64(c.ttl - time.Second))
			ask(1, time.Second)
			now.ahead.Store(int64(c.ttl))
			ask(2, c.ttl)
		})
	}
}

// TestCacheIsBounded: what was used last stays; what is very long never does.
func TestCacheIsBounded(t *testing.T) {
	d := server(t)
	r := client(t, resolver.Config{Cache: 2, Timeout: 5 * time.Second}, d)
	for i, c := range []struct {
		name  string
		asked int
	}{
		{"host", 1}, {"alias", 2}, {"host", 2}, {"null", 3}, {"host", 3}, {"alias", 4},
	} {
		if _, err := r.Query(t.Context(), c.name+".isp.test", dns.TypeA); err != nil {
			t.Fatal(err)
		}
		if asked := len(d.Queries()); asked != c.asked {
			t.Errorf("step %d, %s: asked %d times, want %d", i, c.name, asked, c.asked)
		}
	}
	before := len(d.Queries())
	for range 2 {
		if _, err := r.LookupTXT(t.Context(), "big.isp.test"); err != nil {
			t.Fatal(err)
		}
	}
	if asked := len(d.Queries()) - before; asked != 4 {
		t.Errorf("6,000 octets, twice over UDP and TCP: asked %d times, want 4", asked)
	}
}

// TestManyQuestions: all at once, in a small cache. It is for the race detector.
func TestManyQuestions(t *testing.T) {
	r := client(t, resolver.Config{Cache: 3, Timeout: 10 * time.Second}, server(t))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			name := fmt.Sprintf("c%d.isp.test", 1+i%8)
			if a, err := r.Query(t.Context(), name, dns.TypeA); err != nil || len(a.Addrs()) != 2 {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		})
	}
	wg.Wait()
}

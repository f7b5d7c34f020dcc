package resolver_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
)

const zone = `
isp.test.        3600 IN SOA   ns.isp.test. admin.isp.test. 1 7200 3600 1209600 60
isp.test.             IN MX    20 MX2.isp.test.
isp.test.             IN MX    10 mx1.isp.test.
isp.test.             IN TXT   "v=spf1 " "-all"
isp.test.             IN TXT   "\226\130\172 \"\\;\""
null.isp.test.        IN MX    0 .
both.isp.test.        IN MX    0 .
both.isp.test.        IN MX    0 mx1.isp.test.
six.isp.test.         IN AAAA  2001:db8::6
odd.isp.test.         IN MX    10 bad\032host.isp.test.
odd.isp.test.         IN MX    20 mx1.isp.test.
host.isp.test.        IN A     192.0.2.2
host.isp.test.        IN A     192.0.2.1
host.isp.test.        IN AAAA  2001:db8::1
big.isp.test.         IN TXT   "BIG"
alias.isp.test.       IN CNAME Host.ISP.test.
gone.isp.test.        IN CNAME nobody.isp.test.
bare.isp.test.        IN CNAME null.isp.test.
loop.isp.test.        IN CNAME pool.isp.test.
pool.isp.test.        IN CNAME loop.isp.test.
self.isp.test.        IN CNAME self.isp.test.
fork.isp.test.        IN CNAME host.isp.test.
fork.isp.test.        IN CNAME mx1.isp.test.
c9.isp.test.          IN CNAME c8.isp.test.
c8.isp.test.          IN CNAME c7.isp.test.
c7.isp.test.          IN CNAME c6.isp.test.
c6.isp.test.          IN CNAME c5.isp.test.
c5.isp.test.          IN CNAME c4.isp.test.
c4.isp.test.          IN CNAME c3.isp.test.
c3.isp.test.          IN CNAME c2.isp.test.
c2.isp.test.          IN CNAME c1.isp.test.
c1.isp.test.          IN CNAME host.isp.test.
xn--bcher-kva.test.   IN A     192.0.2.3
_dmarc.isp.test.      IN TXT   "v=DMARC1"
1.2.0.192.in-addr.arpa.      IN CNAME 1.0/25.2.0.192.in-addr.arpa.
1.0/25.2.0.192.in-addr.arpa. IN PTR   host.isp.test.
7.2.0.192.in-addr.arpa.      IN PTR   a\.b.isp.test.
7.2.0.192.in-addr.arpa.      IN PTR   host.isp.test.
`

// server starts a DNS server with the zone above, where BIG is 6,000 octets.
func server(t testing.TB) *testnet.DNS {
	t.Helper()
	d, err := testnet.StartDNS(strings.Replace(zone, `"BIG"`, strings.Repeat(`"`+strings.Repeat("x", 200)+`" `, 30), 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// client asks the servers, each once, half a second in all unless c says otherwise.
func client(t testing.TB, c resolver.Config, servers ...*testnet.DNS) *resolver.Resolver {
	t.Helper()
	for _, d := range servers {
		c.Servers = append(c.Servers, d.Addr)
	}
	if c.Attempts == 0 {
		c.Attempts = 1
	}
	if c.Timeout == 0 {
		c.Timeout = 500 * time.Millisecond
	}
	r, err := resolver.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnswers(t *testing.T) {
	r := client(t, resolver.Config{Timeout: 5 * time.Second}, server(t))
	for _, c := range []struct {
		name  string
		qtype uint16
		want  string // the text, or the error where there is no line
	}{
		{"HOST.isp.test", dns.TypeA, "; host.isp.test. IN A NOERROR\nhost.isp.test.\tIN\tA\t192.0.2.1\nhost.isp.test.\tIN\tA\t192.0.2.2\n"},
		{"alias.isp.test.", dns.TypeAAAA, "; alias.isp.test. IN AAAA NOERROR\nalias.isp.test.\tIN\tCNAME\thost.isp.test.\nhost.isp.test.\tIN\tAAAA\t2001:db8::1\n"},
		{"alias.isp.test.", dns.TypeCNAME, "; alias.isp.test. IN CNAME NOERROR\nalias.isp.test.\tIN\tCNAME\thost.isp.test.\n"},
		{"isp.test", dns.TypeA, "; isp.test. IN A NOERROR\n"},
		{"none.isp.test", dns.TypeA, "; none.isp.test. IN A NXDOMAIN\n"},
		{"gone.isp.test", dns.TypeA, "; gone.isp.test. IN A NXDOMAIN\ngone.isp.test.\tIN\tCNAME\tnobody.isp.test.\n"},
		{"bare.isp.test", dns.TypeA, "; bare.isp.test. IN A NOERROR\nbare.isp.test.\tIN\tCNAME\tnull.isp.test.\n"},
		{"bücher。test", dns.TypeA, "; xn--bcher-kva.test. IN A NOERROR\nxn--bcher-kva.test.\tIN\tA\t192.0.2.3\n"},
		{"isp.test", dns.TypeMX, "; isp.test. IN MX NOERROR\nisp.test.\tIN\tMX\t10 mx1.isp.test.\nisp.test.\tIN\tMX\t20 mx2.isp.test.\n"},
		{"_DMARC.isp.test", dns.TypeTXT, "; _dmarc.isp.test. IN TXT NOERROR\n_dmarc.isp.test.\tIN\tTXT\t\"v=DMARC1\"\n"},
		{"isp.test", dns.TypeSOA, "; isp.test. IN SOA NOERROR\nisp.test.\tIN\tSOA\tns.isp.test. admin.isp.test. 1 7200 3600 1209600 60\n"},
		{"loop.isp.test", dns.TypeA, "circle"},
		{"self.isp.test", dns.TypeA, "circle"},
		{"c9.isp.test", dns.TypeA, "circle or on for more than 8"},
		{"fork.isp.test", dns.TypeA, "two names at once"},
		{"isp.test", dns.TypeANY, "type ANY is not one"},
		{"isp.test", dns.TypeAXFR, "type AXFR is not one"},
		{"", dns.TypeA, "the name is empty"},
		{".", dns.TypeA, "the name is empty"},
		{"a..test", dns.TypeA, "empty label"},
		{"-a.test", dns.TypeA, "hyphen"},
		{"a b.test", dns.TypeA, "characters other than"},
		{"a\\.b.test", dns.TypeA, "characters other than"},
		{"℀.test", dns.TypeA, "characters other than"}, // "a/c" to UTS 46
		{"a\xff.test", dns.TypeA, "not UTF-8"},
		{"\u0301.test", dns.TypeA, "no internationalised domain name"}, // a mark without a letter
		{strings.Repeat("a", 64) + ".test", dns.TypeA, "63 octets"},
		{strings.Repeat("a.", 126) + "aa", dns.TypeA, "253 octets"},
		{strings.Repeat("ü", 999), dns.TypeA, "253 octets"},
	} {
		a, err := r.Query(t.Context(), c.name, c.qtype)
		if strings.Contains(c.want, "\n") {
			if err != nil || a.Text != c.want {
				t.Errorf("%s %s: %v\n%s\nwant\n%s", c.name, dns.Type(c.qtype), err, a.Text, c.want)
			}
			again, err := resolver.ParseAnswer(a.Text)
			if again.Server, again.TTL = a.Server, a.TTL; err != nil || !slices.EqualFunc(again.Records, a.Records, dns.IsDuplicate) || again.NXDomain != a.NXDomain {
				t.Errorf("%s: read back %+v, %v, want %+v", c.name, again, err, a)
			}
			continue
		}
		var failed *net.DNSError
		if !errors.As(err, &failed) || resolver.Temporary(err) || !strings.Contains(failed.Err, c.want) {
			t.Errorf("%q %s: %v, want a permanent error with %q", c.name, dns.Type(c.qtype), err, c.want)
		}
	}
	if a, err := r.Query(t.Context(), "c8.isp.test", dns.TypeA); err != nil || len(a.Records) != 2 {
		t.Errorf("eight aliases: %v, %v", a, err)
	}
}

// TestAnswersText: it depends on what is said, not on how.
func TestAnswersText(t *testing.T) {
	d := server(t)
	r := client(t, resolver.Config{}, d)
	d.Rewrite("isp.test", func(q, m *dns.Msg) []*dns.Msg {
		m = m.Copy()
		for _, rr := range m.Answer {
			rr.Header().Ttl = 17
			rr.Header().Name = "ISP.test."
		}
		other := dns.TXT{Hdr: dns.RR_Header{Name: "other.test.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"foreign"}}
		chaos := dns.TXT{Hdr: dns.RR_Header{Name: "isp.test.", Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS}, Txt: []string{"chaos"}}
		m.Answer = append(m.Answer, m.Answer[0], &other, &chaos)
		slices.Reverse(m.Answer)
		return []*dns.Msg{m}
	})
	want := "; isp.test. IN TXT NOERROR\nisp.test.\tIN\tTXT\t\"\\226\\130\\172 \\\"\\\\;\\\"\"\nisp.test.\tIN\tTXT\t\"v=spf1 \" \"-all\"\n"
	a, err := r.Query(t.Context(), "isp.test", dns.TypeTXT)
	if err != nil || a.Text != want {
		t.Errorf("%v\n%s\nwant\n%s", err, a.Text, want)
	}
	if txt := a.TXT(); !slices.Equal(txt, []string{"€ \"\\;\"", "v=spf1 -all"}) {
		t.Errorf("TXT %q", txt)
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	const good = "; a.test. IN A NOERROR\na.test.\tIN\tA\t192.0.2.1\na.test.\tIN\tA\t192.0.2.2\n"
	if _, err := resolver.ParseAnswer(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"a TTL":             {"a.test.\tIN\tA\t192.0.2.1", "a.test.\t5\tIN\tA\t192.0.2.1"},
		"another order":     {"192.0.2.1", "192.0.2.3"},
		"a repeated record": {"192.0.2.1", "192.0.2.2"},
		"another owner":     {"a.test.\tIN\tA\t192.0.2.1", "b.test.\tIN\tA\t192.0.2.1"},
		"another type":      {"IN\tA\t192.0.2.1", "IN\tAAAA\t2001:db8::1"},
		"capitals":          {"a.test.\tIN\tA\t192.0.2.1", "A.test.\tIN\tA\t192.0.2.1"},
		"a comment":         {"192.0.2.2", "192.0.2.2 ; true"},
		"NXDOMAIN":          {"NOERROR", "NXDOMAIN"},
		"another outcome":   {"NOERROR", "SERVFAIL"},
		"another question":  {"; a.test. IN A", "; a.test. IN TXT"},
		"no question":       {"; a.test. IN A NOERROR\n", ""},
		"a bad name":        {"; a.test. IN", "; a/b.test. IN"},
		"a cut end":         {"2\n", "2"},
		"an empty line":     {"2\n", "2\n\n"},
		"an include":        {"a.test.\tIN\tA\t192.0.2.1", "$INCLUDE /etc/hostname"},
		"a generator":       {"a.test.\tIN\tA\t192.0.2.1", "$GENERATE 1-65535 a.test. IN A 192.0.2.1"},
		"an origin":         {"a.test.\tIN\tA\t192.0.2.1", "$ORIGIN test."},
		"no record data":    {"\t192.0.2.2", ""},
		"no strings":        {`""`, ""},
		"too much":          {"2\n", "2\n" + strings.Repeat("a.test.\tIN\tA\t192.0.2.3\n", 4000)},
	} {
		good := good
		if name == "no strings" {
			good = "; a.test. IN TXT NOERROR\na.test.\tIN\tTXT\t\"\"\n"
		}
		text := strings.Replace(good, change[0], change[1], 1)
		if a, err := resolver.ParseAnswer(text); text == good || err == nil {
			t.Errorf("%s: taken as %+v", name, a)
		}
	}
}

var _ = []interface { // the standard resolver's shape
	LookupTXT(context.Context, string) ([]string, error)
	LookupMX(context.Context, string) ([]*net.MX, error)
	LookupAddr(context.Context, string) ([]string, error)
	LookupIPAddr(context.Context, string) ([]net.IPAddr, error)
}{(*net.Resolver)(nil), (*resolver.Resolver)(nil)}

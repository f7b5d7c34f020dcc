package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
)

// standard is Go's own resolver, asking d.
func standard(d *testnet.DNS) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.Addr)
	}}
}

// TestLookupsAgreeWithStandard: same results, same kind of error. The names
// end in a dot, which keeps the standard resolver from search domains.
func TestLookupsAgreeWithStandard(t *testing.T) {
	d := server(t)
	r, std := client(t, resolver.Config{Timeout: 5 * time.Second}, d), standard(d)
	for _, name := range []string{"isp.test.", "null.isp.test.", "odd.isp.test.", "both.isp.test.", "six.isp.test.", "host.isp.test.", "alias.isp.test.", "big.isp.test.", "none.isp.test.", "bare.isp.test."} {
		ours, err := r.LookupTXT(t.Context(), name)
		theirs, stdErr := std.LookupTXT(t.Context(), name)
		agree(t, "TXT "+name, ours, theirs, err, stdErr)

		mx, err := r.LookupMX(t.Context(), name)
		stdMX, stdErr := std.LookupMX(t.Context(), name)
		agree(t, "MX "+name, texts(mx), texts(stdMX), err, stdErr)

		ips, err := r.LookupIPAddr(t.Context(), name)
		stdIPs, stdErr := std.LookupIPAddr(t.Context(), name)
		agree(t, "IP "+name, texts(ips), texts(stdIPs), err, stdErr)
	}
	for _, addr := range []string{"192.0.2.1", "192.0.2.9", "2001:db8::1", "nonsense"} {
		ours, err := r.LookupAddr(t.Context(), addr)
		theirs, stdErr := std.LookupAddr(t.Context(), addr)
		agree(t, "PTR "+addr, ours, theirs, err, stdErr)
	}
}

// TestNoHostNames: the standard resolver can't read a dot inside a label at all.
func TestNoHostNames(t *testing.T) {
	r := client(t, resolver.Config{Timeout: 5 * time.Second}, server(t))
	names, err := r.LookupAddr(t.Context(), "192.0.2.7")
	if err == nil || resolver.Temporary(err) || !slices.Equal(names, []string{"host.isp.test."}) {
		t.Errorf("%q, %v, want the one host and a permanent error", names, err)
	}
}

func texts[T any](list []T) (s []string) {
	for _, v := range list {
		if mx, ok := any(v).(*net.MX); ok {
			s = append(s, strings.ToLower(fmt.Sprint(*mx))) // ours is in lower case
		} else {
			s = append(s, fmt.Sprint(v))
		}
	}
	return s
}

func agree(t *testing.T, what string, ours, theirs []string, err, stdErr error) {
	t.Helper()
	slices.Sort(ours)
	slices.Sort(theirs)
	var a, b net.DNSError
	if e := (*net.DNSError)(nil); errors.As(err, &e) {
		a = *e
	}
	if e := (*net.DNSError)(nil); errors.As(stdErr, &e) {
		b = *e
	}
	if !slices.Equal(ours, theirs) || (err == nil) != (stdErr == nil) || a.IsNotFound != b.IsNotFound || a.IsTemporary != b.IsTemporary {
		t.Errorf("%s: %q %v, the standard resolver %q %v", what, ours, err, theirs, stdErr)
	}
}

func TestNullMX(t *testing.T) {
	r := client(t, resolver.Config{Timeout: 5 * time.Second}, server(t))
	for name, want := range map[string]bool{"null.isp.test": true, "isp.test": false, "both.isp.test": false, "host.isp.test": false} {
		if a, err := r.Query(t.Context(), name, dns.TypeMX); err != nil || a.NullMX() != want {
			t.Errorf("%s: %v, %v", name, a.Text, err)
		}
	}
}

func TestLookupNetIP(t *testing.T) {
	d := server(t)
	r := client(t, resolver.Config{}, d)
	v4 := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	v6 := []netip.Addr{netip.MustParseAddr("2001:db8::1")}
	for network, want := range map[string][]netip.Addr{"ip4": v4, "ip6": v6, "ip": slices.Concat(v4, v6)} {
		if got, err := r.LookupNetIP(t.Context(), network, "host.isp.test"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", network, got, err)
		}
	}
	if _, err := r.LookupNetIP(t.Context(), "tcp", "host.isp.test"); err == nil || resolver.Temporary(err) {
		t.Errorf("network tcp: %v", err)
	}
	d.Rewrite("alias.isp.test", func(q, m *dns.Msg) []*dns.Msg {
		if q.Question[0].Qtype == dns.TypeAAAA {
			m.SetRcode(q, dns.RcodeServerFailure)
		}
		return []*dns.Msg{m}
	})
	if got, err := r.LookupNetIP(t.Context(), "ip", "alias.isp.test"); !resolver.Temporary(err) || !slices.Equal(got, v4) {
		t.Errorf("one family unknown: %v, %v, want the other and the error", got, err)
	}
}

package resolver

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/internal/testnet"
)

func confFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestResolvConf looks inside: a resolv.conf has no port, so no test can listen.
func TestResolvConf(t *testing.T) {
	for _, c := range []struct {
		text     string
		servers  []string
		attempts int
		patience time.Duration
		rotate   bool
	}{
		{"nameserver 192.0.2.53", []string{"192.0.2.53:53"}, 2, 5 * time.Second, false},
		{"# nameserver 192.0.2.1\nsearch isp.test\nnameserver 2001:db8::53\nnameserver fe80::1%eth0\nnameserver 192.0.2.2\nnameserver 192.0.2.3\noptions timeout:1 rotate attempts:3\n",
			[]string{"[2001:db8::53]:53", "[fe80::1%eth0]:53", "192.0.2.2:53"}, 3, time.Second, true},
		{"nameserver 192.0.2.53\noptions attempts:99 timeout:99 ndots:1\n; options rotate", []string{"192.0.2.53:53"}, 5, 30 * time.Second, false},
	} {
		r, err := New(Config{ResolvConf: confFile(t, c.text)})
		if err != nil {
			t.Errorf("%v: %s", err, c.text)
			continue
		}
		if !slices.Equal(r.servers, c.servers) || r.attempts != c.attempts || r.patience != c.patience || r.rotate != c.rotate {
			t.Errorf("%s: servers %v, %d attempts of %v, rotate %v", c.text, r.servers, r.attempts, r.patience, r.rotate)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		Config
		want string
	}{
		{Config{Servers: []string{"ns.isp.test"}}, "give an IP address"},
		{Config{Servers: []string{"192.0.2.53", "192.0.2.53:x"}}, "give an IP address"},
		{Config{Servers: []string{"192.0.2.53:0"}}, "give an IP address"},
		{Config{ResolvConf: filepath.Join(t.TempDir(), "none")}, "name them in the configuration"},
		{Config{ResolvConf: confFile(t, "search isp.test\n")}, "names no nameserver"},
		{Config{ResolvConf: confFile(t, "nameserver ns.isp.test\n")}, "is no IP address"},
		{Config{ResolvConf: confFile(t, strings.Repeat("#", maxResolvConf+1))}, "more than 64 KiB"},
	} {
		if _, err := New(c.Config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.Config, err, c.want)
		}
	}
	for server, want := range map[string]string{
		"192.0.2.53": "192.0.2.53:53", "[2001:db8::53]": "[2001:db8::53]:53", "2001:db8::53": "[2001:db8::53]:53", "[::1]:5353": "[::1]:5353",
	} {
		if r, err := New(Config{Servers: []string{server}}); err != nil || r.servers[0] != want {
			t.Errorf("%s: %v, %v, want %s", server, r, err, want)
		}
	}
}

// TestOptions: each question goes to the next server first, and no server is
// waited for longer than resolv.conf says, though there is a minute in all.
func TestOptions(t *testing.T) {
	var servers []*testnet.DNS
	r, err := New(Config{ResolvConf: confFile(t, "nameserver 192.0.2.1\noptions rotate attempts:1"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	r.servers, r.patience = nil, 200*time.Millisecond
	for range 3 {
		d, err := testnet.StartDNS("a.test. IN A 192.0.2.1\n")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		servers, r.servers = append(servers, d), append(r.servers, d.Addr)
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeMX, dns.TypeNS, dns.TypePTR} {
		if _, err := r.Query(t.Context(), "a.test", qtype); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range servers {
		if q := d.Queries(); len(q) != 2 {
			t.Errorf("server %d was asked %q, want two of six", i, q)
		}
	}
	servers[0].Fail("b.test", testnet.Drop)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if a, err := r.Query(ctx, "b.test", dns.TypeA); err != nil || a.Server != servers[1].Addr {
		t.Errorf("%+v, %v, want the second server's answer", a, err)
	}
}

// TestResponse: messages that no server's library would write.
func TestResponse(t *testing.T) {
	query := new(dns.Msg).SetQuestion("a.test.", dns.TypeA)
	m := new(dns.Msg).SetReply(query)
	rr, err := dns.NewRR("a.test. 60 IN A 192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	m.Answer = []dns.RR{rr, rr}
	whole, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	second := dns.Len(rr)
	for name, c := range map[string]struct {
		cut  int // octets off the end
		tc   byte
		want error
	}{
		"whole":                       {0, 0, nil},
		"cut between records":         {second, 0, errMalformed},
		"cut in a record":             {3, 0, errMalformed},
		"cut in a record and says so": {3, 2, nil}, // goes on over TCP
		"cut in the question":         {len(whole) - 15, 0, errMismatch},
		"cut in the header":           {len(whole) - 5, 0, errMismatch},
	} {
		wire := slices.Clone(whole[:len(whole)-c.cut])
		wire[2] |= c.tc
		if _, err := response(query, wire); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

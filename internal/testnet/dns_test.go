package testnet

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const zone = `
host.isp.test.   IN A     192.0.2.1
host.isp.test.   IN A     192.0.2.2
alias.isp.test.  IN CNAME host.isp.test.
net.test.        IN SOA   ns.net.test. admin.net.test. 1 7200 3600 1209600 60
`

func exchange(network, addr, name string) (*dns.Msg, error) {
	c := dns.Client{Net: network, Timeout: 300 * time.Millisecond}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), addr)
	return m, err
}

func startDNS(t *testing.T) *DNS {
	t.Helper()
	d, err := StartDNS(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDNSAnswersFromTheZone(t *testing.T) {
	d := startDNS(t)
	for _, network := range []string{"udp", "tcp"} {
		for name, want := range map[string]struct{ rcode, answers int }{
			"HOST.isp.test.":  {dns.RcodeSuccess, 2},
			"alias.isp.test.": {dns.RcodeSuccess, 3},
			"isp.test.":       {dns.RcodeSuccess, 0}, // an empty non-terminal exists
			"no.isp.test.":    {dns.RcodeNameError, 0},
		} {
			m, err := exchange(network, d.Addr, name)
			if err != nil || m.Rcode != want.rcode || len(m.Answer) != want.answers {
				t.Errorf("%s %s: %v %v, want %+v", network, name, m, err, want)
			}
		}
	}
	if q := d.Queries(); len(q) != 8 {
		t.Errorf("%d queries recorded, want 8: %q", len(q), q)
	}
}

func TestDNSFailures(t *testing.T) {
	d := startDNS(t)
	const name = "host.isp.test."
	d.Fail(name, ServFail)
	if m, err := exchange("udp", d.Addr, name); err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("SERVFAIL: %v %v", m, err)
	}
	d.Fail(name, NXDomain)
	if m, err := exchange("udp", d.Addr, name); err != nil || m.Rcode != dns.RcodeNameError {
		t.Errorf("NXDOMAIN: %v %v", m, err)
	}
	d.Fail(name, Drop)
	if m, err := exchange("udp", d.Addr, name); !os.IsTimeout(err) {
		t.Errorf("drop: %v %v, want a timeout", m, err)
	}
	d.Fail(name, Truncate)
	if m, err := exchange("udp", d.Addr, name); err != nil || !m.Truncated || len(m.Answer) != 0 {
		t.Errorf("truncated over UDP: %v %v", m, err)
	}
	if m, err := exchange("tcp", d.Addr, name); err != nil || m.Truncated || len(m.Answer) != 2 {
		t.Errorf("truncated, over TCP: %v %v", m, err)
	}
	d.Rewrite(name, func(q, m *dns.Msg) []*dns.Msg { return []*dns.Msg{new(dns.Msg).SetRcode(q, dns.RcodeRefused)} })
	if m, err := exchange("udp", d.Addr, name); err != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("rewritten: %v %v", m, err)
	}
	d.Recover()
	if m, err := exchange("udp", d.Addr, name); err != nil || len(m.Answer) != 2 {
		t.Errorf("after recovery: %v %v", m, err)
	}
}

// TestDNSSize: what the client does not take over UDP is cut, and says so.
func TestDNSSize(t *testing.T) {
	var zone strings.Builder
	for i := range 60 {
		fmt.Fprintf(&zone, "host.isp.test. IN A 192.0.2.%d\n", i)
	}
	d, err := StartDNS(zone.String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for network, cut := range map[string]bool{"udp": true, "tcp": false} {
		m, err := exchange(network, d.Addr, "host.isp.test.")
		if err != nil || m.Truncated != cut || (len(m.Answer) == 60) == cut {
			t.Errorf("%s: %v %v", network, m, err)
		}
	}
	q := new(dns.Msg).SetQuestion("host.isp.test.", dns.TypeA).SetEdns0(1232, false)
	if m, err := dns.Exchange(q, d.Addr); err != nil || m.Truncated || len(m.Answer) != 60 || m.IsEdns0() == nil {
		t.Errorf("EDNS0: %v %v", m, err)
	}
}

func TestDNSNegativeAnswersHaveTheZonesSOA(t *testing.T) {
	d := startDNS(t)
	for name, want := range map[string]int{"no.net.test.": 1, "net.test.": 1, "no.isp.test.": 0} {
		if m, err := exchange("udp", d.Addr, name); err != nil || len(m.Ns) != want {
			t.Errorf("%s: %v %v, want %d SOA records", name, m, err, want)
		}
	}
}

func TestDNSRefusesABrokenZone(t *testing.T) {
	if d, err := StartDNS("host.test. IN A not-an-address\n"); err == nil {
		d.Close()
		t.Error("a zone with a broken record was taken")
	}
}

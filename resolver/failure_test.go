package resolver_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
)

type rewrite = func(q, m *dns.Msg) []*dns.Msg

// with changes the one message that goes out.
func with(change func(q, m *dns.Msg)) rewrite {
	return func(q, m *dns.Msg) []*dns.Msg {
		m = m.Copy()
		change(q, m)
		return []*dns.Msg{m}
	}
}

func rcodeOnEDNS(rcode int) rewrite {
	return with(func(q, m *dns.Msg) {
		if q.IsEdns0() != nil {
			m.Answer, m.Rcode = nil, rcode
		}
	})
}

// TestFailingServer: two servers, of which the first fails; either gives the answer.
func TestFailingServer(t *testing.T) {
	const first, second = 0, 1
	for name, c := range map[string]struct {
		fail   testnet.DNSFailure
		change rewrite
		from   int
		asked  int // times that the first was asked
	}{
		"none":             {0, nil, first, 1},
		"drop":             {testnet.Drop, nil, second, 1},
		"SERVFAIL":         {testnet.ServFail, nil, second, 1},
		"truncated":        {testnet.Truncate, nil, first, 2},
		"truncated always": {0, with(func(_, m *dns.Msg) { m.Truncated = true }), second, 2},
		"REFUSED":          {0, with(func(q, m *dns.Msg) { m.Answer, m.Rcode = nil, dns.RcodeRefused }), second, 1},
		"REFUSED, header":  {0, with(func(q, m *dns.Msg) { m.Answer, m.Question, m.Rcode = nil, nil, dns.RcodeRefused }), second, 1},
		"no question":      {0, with(func(q, m *dns.Msg) { m.Question = nil }), second, 1},
		"another id":       {0, with(func(q, m *dns.Msg) { m.Id++ }), second, 1},
		"another name":     {0, with(func(q, m *dns.Msg) { m.Question[0].Name = "other.test." }), second, 1},
		"another type":     {0, with(func(q, m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }), second, 1},
		"another class":    {0, with(func(q, m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), second, 1},
		"two questions":    {0, with(func(q, m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), second, 1},
		"a query":          {0, with(func(q, m *dns.Msg) { m.Response = false }), second, 1},
		"an update":        {0, with(func(q, m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }), second, 1},
		"lame":             {0, with(func(q, m *dns.Msg) { m.Answer, m.Authoritative = nil, false }), second, 1},
		"record without":   {0, with(func(q, m *dns.Msg) { m.Answer = []dns.RR{&dns.TXT{Hdr: *m.Answer[0].Header()}} }), second, 1},
		"FORMERR on EDNS":  {0, rcodeOnEDNS(dns.RcodeFormatError), first, 2},
		"NOTIMP on EDNS":   {0, rcodeOnEDNS(dns.RcodeNotImplemented), first, 2},
		"BADVERS on EDNS":  {0, rcodeOnEDNS(dns.RcodeBadVers), first, 2},
		"FORMERR always":   {0, with(func(q, m *dns.Msg) { m.Answer, m.Rcode = nil, dns.RcodeFormatError }), second, 2},
		"capitals":         {0, with(func(q, m *dns.Msg) { m.Question[0].Name = "HOST.isp.TEST." }), first, 1},
		"a guess comes first": {0, func(q, m *dns.Msg) []*dns.Msg {
			guess := m.Copy()
			guess.Id++
			guess.Answer = guess.Answer[:1]
			return []*dns.Msg{guess, m}
		}, first, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := []*testnet.DNS{server(t), server(t)}
			if c.fail != 0 {
				servers[0].Fail("host.isp.test", c.fail)
			}
			if c.change != nil {
				servers[0].Rewrite("host.isp.test", c.change)
			}
			a, err := client(t, resolver.Config{Timeout: time.Second}, servers...).Query(t.Context(), "host.isp.test", dns.TypeA)
			if err != nil || len(a.Records) != 2 || a.Server != servers[c.from].Addr {
				t.Errorf("%+v, %v, want the answer of server %d", a, err, c.from)
			}
			if asked := len(servers[0].Queries()); asked != c.asked {
				t.Errorf("the first server was asked %d times, want %d", asked, c.asked)
			}
		})
	}
}

// TestNobodyAnswers: each server is asked as often as it should, in the time
// that there is, and the error says what it was.
func TestNobodyAnswers(t *testing.T) {
	refused := with(func(q, m *dns.Msg) { m.Answer, m.Rcode = nil, dns.RcodeRefused })
	for name, c := range map[string]struct {
		fail    testnet.DNSFailure
		change  rewrite
		timeout bool
		want    string
	}{
		"silence":  {testnet.Drop, nil, true, "no answer in time"},
		"SERVFAIL": {testnet.ServFail, nil, false, "SERVFAIL"},
		"REFUSED":  {0, refused, false, "must be told to answer"},
		"header":   {0, with(func(q, m *dns.Msg) { m.Answer, m.Question, m.Rcode = nil, nil, dns.RcodeRefused }), false, "REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := []*testnet.DNS{server(t), server(t)}
			for _, d := range servers {
				if c.fail != 0 {
					d.Fail("isp.test", c.fail)
				} else {
					d.Rewrite("isp.test", c.change)
				}
			}
			r := client(t, resolver.Config{Attempts: 2}, servers...)
			_, err := r.LookupTXT(t.Context(), "isp.test")
			failed, ok := err.(*net.DNSError) // not wrapped: libraries look for the type itself
			if !ok || !failed.Temporary() || failed.Timeout() != c.timeout || failed.IsNotFound || !strings.Contains(failed.Err, c.want) {
				t.Errorf("%#v", err)
			}
			for i, d := range servers {
				if asked := len(d.Queries()); asked != 2 {
					t.Errorf("server %d was asked %d times, want 2", i, asked)
				}
			}
		})
	}
}

func TestNameErrorIsFinal(t *testing.T) {
	servers := []*testnet.DNS{server(t), server(t)}
	a, err := client(t, resolver.Config{}, servers...).Query(t.Context(), "none.isp.test", dns.TypeA)
	if err != nil || !a.NXDomain || len(servers[0].Queries()) != 1 || len(servers[1].Queries()) != 0 {
		t.Errorf("%+v, %v, asked %q %q", a, err, servers[0].Queries(), servers[1].Queries())
	}
}

func TestServerIsDown(t *testing.T) {
	down, up := server(t), server(t)
	down.Close()
	r := client(t, resolver.Config{Timeout: 5 * time.Second}, down, up)
	if a, err := r.Query(t.Context(), "host.isp.test", dns.TypeA); err != nil || a.Server != up.Addr {
		t.Errorf("%+v, %v", a, err)
	}
	r = client(t, resolver.Config{Timeout: 5 * time.Second}, down)
	if _, err := r.Query(t.Context(), "host.isp.test", dns.TypeA); !resolver.Temporary(err) || !strings.Contains(err.Error(), "see that a DNS server runs") {
		t.Errorf("%v, want a temporary error", err)
	}
}

// TestLongAnswers come over TCP; what would be too much to keep as evidence is refused.
func TestLongAnswers(t *testing.T) {
	d := server(t)
	r := client(t, resolver.Config{Timeout: 5 * time.Second}, d)
	txt, err := r.LookupTXT(t.Context(), "big.isp.test")
	if err != nil || len(txt) != 1 || len(txt[0]) != 6000 || len(d.Queries()) != 2 {
		t.Errorf("6,000 octets: %v, asked %q", err, d.Queries())
	}
	d.Fail("isp.test", testnet.Truncate)
	d.Rewrite("isp.test", func(q, m *dns.Msg) []*dns.Msg {
		m = m.Copy()
		for len(m.Answer) > 0 && len(m.Answer) < 120 {
			rr := dns.TXT{Hdr: *m.Answer[0].Header(), Txt: []string{strings.Repeat("\x01", 200), string(rune('0' + len(m.Answer)))}}
			m.Answer = append(m.Answer, &rr)
		}
		return []*dns.Msg{m}
	})
	if _, err := r.LookupTXT(t.Context(), "isp.test"); err == nil || resolver.Temporary(err) || !strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("more than 64 KiB of text: %v", err)
	}
}

// TestStrangersPackets: what another port sends is no answer, and what the
// right one sends but nobody can read ends nothing.
func TestStrangersPackets(t *testing.T) {
	listen := func() net.PacketConn {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	conn, stranger := listen(), listen()
	go func() {
		buf := make([]byte, 4096)
		n, from, err := conn.ReadFrom(buf)
		q := new(dns.Msg)
		if err != nil || q.Unpack(buf[:n]) != nil {
			return
		}
		answer := func(addr string) []byte {
			m := new(dns.Msg).SetReply(q)
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(addr)}}
			wire, _ := m.Pack()
			return wire
		}
		stranger.WriteTo(answer("192.0.2.66"), from)
		conn.WriteTo([]byte("?"), from)
		conn.WriteTo([]byte(strings.Repeat("\xff", 600)), from)
		conn.WriteTo(answer("192.0.2.1"), from)
	}()
	r, err := resolver.New(resolver.Config{Servers: []string{conn.LocalAddr().String()}, Timeout: 2 * time.Second, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := r.LookupNetIP(t.Context(), "ip4", "host.isp.test")
	var failed *net.DNSError
	if errors.As(err, &failed) || len(addrs) != 1 || addrs[0].String() != "192.0.2.1" {
		t.Errorf("%v, %v", addrs, err)
	}
}

package testnet

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// DNS is an authoritative server for one set of records, over UDP and TCP.
type DNS struct {
	Addr string // host:port, the same for both

	udp, tcp *dns.Server
	records  map[string][]dns.RR // by lower-case name

	mu       sync.Mutex
	failures map[string]DNSFailure
	rewrites map[string]func(q, m *dns.Msg) []*dns.Msg
	queries  []string
}

// DNSFailure is a way in which a name is not answered.
type DNSFailure int

// The failures.
const (
	ServFail DNSFailure = iota + 1
	NXDomain            // the name does not exist, whatever the zone says
	Drop                // no answer at all
	Truncate            // over UDP an empty answer with TC set, over TCP the whole one
)

// StartDNS serves records in the zone file format (RFC 1035 §5), names in full
// with the final dot.
func StartDNS(zone string) (*DNS, error) {
	d := &DNS{
		records:  map[string][]dns.RR{},
		failures: map[string]DNSFailure{},
		rewrites: map[string]func(q, m *dns.Msg) []*dns.Msg{},
	}
	z := dns.NewZoneParser(strings.NewReader(zone), ".", "")
	z.SetDefaultTTL(300)
	for rr, ok := z.Next(); ok; rr, ok = z.Next() {
		name := strings.ToLower(rr.Header().Name)
		d.records[name] = append(d.records[name], rr)
	}
	if err := z.Err(); err != nil {
		return nil, fmt.Errorf("read the zone: %w", err)
	}
	if err := d.listen(); err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	return d, nil
}

// listen takes a free UDP port and the same one for TCP, which somebody else
// may hold: then another pair.
func (d *DNS) listen() error {
	var err error
	for range 10 {
		var packets net.PacketConn
		if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			return err
		}
		d.Addr = packets.LocalAddr().String()
		var streams net.Listener
		if streams, err = net.Listen("tcp", d.Addr); err != nil {
			packets.Close()
			continue
		}
		d.udp = &dns.Server{PacketConn: packets, Handler: d}
		d.tcp = &dns.Server{Listener: streams, Handler: d}
		return d.serve()
	}
	return err
}

// serve returns when both servers run, so that Close finds them.
func (d *DNS) serve() error {
	up := make(chan error, 4)
	for _, s := range []*dns.Server{d.udp, d.tcp} {
		s.NotifyStartedFunc = func() { up <- nil }
		go func() { up <- s.ActivateAndServe() }()
	}
	for range 2 {
		if err := <-up; err != nil {
			return err
		}
	}
	return nil
}

// Close ends the server.
func (d *DNS) Close() error {
	d.tcp.Shutdown()
	return d.udp.Shutdown()
}

// Fail makes every question for a name end in f until Recover.
func (d *DNS) Fail(name string, f DNSFailure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures[strings.ToLower(dns.Fqdn(name))] = f
}

// Rewrite makes f say what goes out instead of the message m that answers q for
// a name, until Recover: any messages, in order, or none.
func (d *DNS) Rewrite(name string, f func(q, m *dns.Msg) []*dns.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rewrites[strings.ToLower(dns.Fqdn(name))] = f
}

// Recover ends all failures and rewriting.
func (d *DNS) Recover() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.failures)
	clear(d.rewrites)
}

// Queries returns what was asked so far, as "name. TYPE".
func (d *DNS) Queries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.queries)
}

// ServeDNS answers one question.
func (d *DNS) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	if len(q.Question) != 1 {
		w.WriteMsg(m.SetRcode(q, dns.RcodeFormatError))
		return
	}
	name := strings.ToLower(q.Question[0].Name)
	_, stream := w.RemoteAddr().(*net.TCPAddr)
	failure, rewrite := d.ask(name, q.Question[0].Qtype)
	switch {
	case failure == Drop:
		return
	case failure == ServFail:
		m.Rcode = dns.RcodeServerFailure
	case failure == NXDomain:
		m.Rcode = dns.RcodeNameError
	case failure == Truncate && !stream:
		m.Truncated = true
	default:
		d.answer(m, name, q.Question[0].Qtype)
	}
	fit(m, q, stream)
	out := []*dns.Msg{m}
	if rewrite != nil {
		out = rewrite(q, m)
	}
	for _, m := range out {
		w.WriteMsg(m)
	}
}

// ask records the question and says how it is to fail.
func (d *DNS) ask(name string, qtype uint16) (DNSFailure, func(q, m *dns.Msg) []*dns.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queries = append(d.queries, name+" "+dns.TypeToString[qtype])
	return d.failures[name], d.rewrites[name]
}

// fit cuts what is longer than the client takes, and answers EDNS0 with EDNS0.
func fit(m, q *dns.Msg, stream bool) {
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = int(opt.UDPSize())
		m.SetEdns0(dns.DefaultMsgSize, false)
	}
	if stream {
		size = dns.MaxMsgSize
	}
	m.Truncate(size)
}

// maxAliases is more than any client should follow.
const maxAliases = 16

// answer fills in the records, behind aliases, or the SOA record of the zone
// that has none (RFC 2308 §2).
func (d *DNS) answer(m *dns.Msg, name string, qtype uint16) {
	found := false
	for range maxAliases {
		var alias string
		for _, rr := range d.records[name] {
			if rr.Header().Rrtype == qtype {
				m.Answer = append(m.Answer, rr)
				found = true
			} else if c, ok := rr.(*dns.CNAME); ok {
				m.Answer = append(m.Answer, rr)
				alias = strings.ToLower(c.Target)
			}
		}
		if alias == "" || found {
			break
		}
		name = alias
	}
	if !found {
		m.Ns = d.soa(name)
	}
	if !d.exists(name) {
		m.Rcode = dns.RcodeNameError
	}
}

// soa returns the SOA record nearest above name; nil where the zone has none.
func (d *DNS) soa(name string) []dns.RR {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		for _, rr := range d.records[name[off:]] {
			if rr.Header().Rrtype == dns.TypeSOA {
				return []dns.RR{rr}
			}
		}
	}
	return nil
}

// exists reports whether there are records at or below name (RFC 8020).
func (d *DNS) exists(name string) bool {
	for held := range d.records {
		if dns.IsSubDomain(name, held) {
			return true
		}
	}
	return false
}

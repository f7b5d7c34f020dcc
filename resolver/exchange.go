package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// udpSize is what is offered with EDNS0: it passes without fragments (DNS flag day 2020).
	udpSize = 1232
	// udpBuffer also takes what servers send that do not keep to it.
	udpBuffer = 4096
)

var (
	errMalformed = errors.New("the answer is malformed; ask again later or name another DNS server")
	errLame      = errors.New("the server neither knows the name nor asks others (no recursion); name another DNS server")
	errMismatch  = errors.New("the answer is to another question")
)

// ask goes round the servers until one answers. Each try has an equal share of
// the time that is left.
func (r *Resolver) ask(ctx context.Context, q question) (Answer, error) {
	first := 0
	if r.rotate {
		first = int(r.asked.Add(1)-1) % len(r.servers)
	}
	tries := r.attempts * len(r.servers)
	var last error
	for i := range tries {
		server := r.servers[(first+i)%len(r.servers)]
		a, err := r.try(ctx, server, q, tries-i)
		if err == nil || !Temporary(err) {
			return a, err
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return Answer{}, last
}

// try puts the question to one server and reads its answer.
func (r *Resolver) try(ctx context.Context, server string, q question, tries int) (Answer, error) {
	deadline, _ := ctx.Deadline()
	share := time.Until(deadline) / time.Duration(tries)
	if r.patience > 0 {
		share = min(share, r.patience)
	}
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	m, err := converse(ctx, server, q)
	if err != nil {
		return Answer{}, temporary(q, server, err)
	}
	a, err := fromResponse(q, m)
	if err != nil {
		if errors.Is(err, errMalformed) {
			return Answer{}, temporary(q, server, err)
		}
		return Answer{}, permanent(q, server, err)
	}
	a.Server = server
	return a, nil
}

// converse asks over UDP with EDNS0, without it where the server does not know
// that (RFC 6891 §6.2.2, §7), and over TCP where the answer is cut.
func converse(ctx context.Context, server string, q question) (*dns.Msg, error) {
	edns := true
	m, err := exchange(ctx, "udp", server, q, edns)
	if err == nil && knowsNoEDNS(m.Rcode) {
		edns = false
		m, err = exchange(ctx, "udp", server, q, edns)
	}
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", server, q, edns)
	}
	switch {
	case err != nil:
		return nil, err
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, refusal(m.Rcode)
	case m.Truncated: // over TCP as well
		return nil, errMalformed
	case len(m.Answer) == 0 && !m.Authoritative && !m.RecursionAvailable:
		return nil, errLame
	}
	return m, nil
}

func knowsNoEDNS(rcode int) bool {
	return rcode == dns.RcodeFormatError || rcode == dns.RcodeNotImplemented || rcode == dns.RcodeBadVers
}

// exchange sends the question once, from a port of its own and with a random id.
// The socket is connected: the system drops what other addresses send.
func exchange(ctx context.Context, network, server string, q question, edns bool) (*dns.Msg, error) {
	query := new(dns.Msg).SetQuestion(q.name, q.qtype)
	if edns {
		query.SetEdns0(udpSize, false)
	}
	var d net.Dialer
	dialed, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	conn := &dns.Conn{Conn: dialed}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	if err := conn.WriteMsg(query); err != nil {
		return nil, err
	}
	size := udpBuffer
	if network == "tcp" {
		size = dns.MaxMsgSize
	}
	buf := make([]byte, size)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		// What does not match came late, or is a guess of somebody else's: the
		// answer may still come.
		m, err := response(query, buf[:n])
		if network == "udp" && errors.Is(err, errMismatch) {
			continue
		}
		return m, err
	}
}

// response reads a message. It is errMismatch unless the message answers query.
func response(query *dns.Msg, wire []byte) (*dns.Msg, error) {
	m := new(dns.Msg)
	err := m.Unpack(wire) // as far as it can be read
	if !matches(query, m) {
		return nil, errMismatch
	}
	if m.Truncated {
		return m, nil // some cut inside a record; it is asked for again anyway
	}
	// The library stops in silence where the octets end before the records do.
	if err != nil || int(binary.BigEndian.Uint16(wire[6:])) != len(m.Answer) {
		return nil, errMalformed
	}
	return m, nil
}

// matches compares the id and the question, which servers may leave out of a
// message that only says why they do not answer.
func matches(query, m *dns.Msg) bool {
	if !m.Response || m.Id != query.Id || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	got, want := m.Question[0], query.Question[0]
	return len(m.Question) == 1 && got.Qtype == want.Qtype && got.Qclass == want.Qclass && strings.EqualFold(got.Name, want.Name)
}

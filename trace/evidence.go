package trace

import (
	"net/netip"
	"strings"
)

// statement is what a receiver wrote about the peer it had checked: RFC 7208
// §9.1, RFC 8601.
type statement struct {
	field string
	ip    netip.Addr
	above int // index of the hop that stands below the field
}

// clientField is a field in which a provider names its client. Anybody can write
// one, so it counts only for a relay that is known to set it.
type clientField struct {
	name  string
	value string
	ip    netip.Addr
	helo  string
	kind  Kind
}

// stating lists the fields of receivers, and the mark behind which the address stands.
var stating = []struct{ field, mark string }{
	{"Received-SPF", "client-ip="},
	{"Received-SPF", "client-ip: "},
	{"Authentication-Results", "sender IP is "},
	{"Authentication-Results", "smtp.remote-ip="},
	{"Authentication-Results", "policy.iprev="},
}

// clientFields lists the fields about clients. Fields that name the provider's own
// outgoing address (X-Mailgun-Sending-Ip, X-PM-IP, X-IADB-IP) are not among them.
var clientFields = []struct {
	field string
	kind  Kind
	read  func(value string) (ip netip.Addr, helo string)
}{
	{"X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp", KindSMTP, tenantClient},
	{"X-Originating-IP", KindWebmail, lastAddress},
	{"X-OriginatingIP", KindWebmail, lastAddress},
	{"X-Originating-Client", KindWebmail, lastAddress},
	{"X-Client-IP", KindWebmail, lastAddress},
	{"X-Remote-IP", KindWebmail, lastAddress},
	{"X-EN-OrigIP", KindWebmail, lastAddress},
	{"X-Source-IP", KindSMTP, lastAddress},
	{"X-PHP-Script", KindHTTP, scriptClient},
	{"X-PHP-Originating-Client", KindHTTP, lastAddress},
}

// ClientFields returns the names of the fields that tracing may take a client from.
func ClientFields() []string {
	names := make([]string, len(clientFields))
	for i, c := range clientFields {
		names[i] = c.field
	}
	return names
}

// testify notes a field that states an address.
func (w *walk) testify(f headerField) {
	switch lower(f.name[0]) {
	case 'a', 'r', 'x':
	default:
		return // as most fields do, before a dozen names are compared
	}
	for _, s := range stating {
		// Of mail from our own session the peer has written all fields, these too.
		if w.session || !f.named(s.field) {
			continue
		}
		if _, after, ok := strings.Cut(f.value, s.mark); ok {
			after = strings.TrimLeft(after, " \t\"[")
			if ip, _, ok := parseAddr(strings.TrimRight(untilAny(after, " \t\r\n;)"), "\"]")); ok {
				w.statements = append(w.statements, statement{f.name, ip, len(w.Hops)})
				return
			}
		}
	}
	for _, c := range clientFields {
		if f.named(c.field) {
			value := unfold(validUTF8(f.value))
			if ip, helo := c.read(value); ip.IsValid() {
				w.clients = append(w.clients, clientField{c.field, value, ip, helo, c.kind})
			}
			return
		}
	}
}

func untilAny(s, chars string) string {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i]
	}
	return s
}

// tenantClient reads "TenantId=…;Ip=[192.0.2.1];Helo=[mx.example]".
func tenantClient(value string) (ip netip.Addr, helo string) {
	for _, pair := range strings.Split(value, ";") {
		key, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case strings.EqualFold(key, "Ip"):
			ip, _, _ = parseAddr(v)
		case strings.EqualFold(key, "Helo"):
			helo = strings.Trim(v, "[]")
		}
	}
	return ip, helo
}

// lastAddress reads a list of addresses; the nearest to the writer stands last.
func lastAddress(value string) (ip netip.Addr, helo string) {
	for rest := value; rest != ""; {
		var w string
		w, rest = cutWord(rest)
		if a, _, ok := parseAddr(strings.Trim(w, ",;")); ok {
			ip = a
		}
	}
	return ip, ""
}

// scriptClient reads "shop.example/login.php for 203.0.113.137, 203.0.113.137".
func scriptClient(value string) (ip netip.Addr, helo string) {
	_, list, _ := strings.Cut(value, " for ")
	return lastAddress(list)
}

// stated finds the hop that the receiver's own statement points at, for a way in
// that could not be told at hop i.
func (w *walk) stated(i int) int {
	for _, s := range w.statements {
		for j := i; j <= i+1 && j < len(w.Hops); j++ {
			if s.above <= j && w.Hops[j].IP == s.ip && !local(s.ip) {
				return j
			}
		}
	}
	return -1
}

// confirm notes on the border what the receiver's own check says. Fields above
// the border's can only be the receiver's; Google writes them right below.
func (w *walk) confirm(i int) {
	h := &w.Hops[i]
	for _, s := range w.statements {
		if s.above <= i+1 && s.ip == h.IP {
			h.Reason += "; the receiver's " + s.field + " names the same peer"
			return
		}
	}
}

// originFields takes the clients that header fields name: as the oldest hops, or
// as one more witness for the hop that states the same address. Only those of the
// relay that was followed are believed; the fields between stay what they are.
func (w *walk) originFields() {
	for _, c := range w.clients {
		at := w.hopOf(c.ip)
		if at < 0 {
			at = len(w.Hops)
			w.add(&Hop{IP: c.ip, HELO: c.helo, Kind: c.kind, Raw: c.name + ": " + c.value,
				Grade: GradeClaimed, Reason: "stated in a field that anybody can write"}, note{})
		}
		if w.relay == nil || !matchAny(w.relay.fields, c.name) || at < w.believed || local(c.ip) {
			continue
		}
		h := &w.Hops[at]
		h.Reason = w.relay.name + " names this client in " + c.name
		if at == w.believed {
			h.Grade = GradeAttested
			w.believed++
		}
		w.Origin = Origin{IP: c.ip, Hop: at, Grade: GradeAttested}
	}
}

// hopOf returns the hop with that peer, or -1.
func (w *walk) hopOf(a netip.Addr) int {
	for i := range w.Hops {
		if w.Hops[i].IP == a {
			return i
		}
	}
	return -1
}

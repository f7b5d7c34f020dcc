package milter

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/trace"
)

// symbols are the macros asked for, by stage. All facts of the connection are
// asked for at MAIL: both MTAs give them there, and the library forgets those
// of earlier stages. An empty list would mean the MTA's own, longer one, so the
// other stages name one macro that is short or not there. Postfix knows the
// queue id at end of header, Sendmail at MAIL.
var symbols = map[gomilter.Stage][]string{
	gomilter.StageConnect: {"j"},
	gomilter.StageHelo:    {"j"},
	gomilter.StageMailFrom: {"i", "j", "r", "_", "{daemon_name}",
		"{client_addr}", "{client_port}", "{client_name}", "{client_ptr}", "{client_resolve}",
		"{tls_version}", "{cipher}", "{auth_type}", "{auth_authen}"},
	gomilter.StageRcptTo: {"i"},
	gomilter.StageData:   {"i"},
	gomilter.StageEOH:    {"i"},
	gomilter.StageEOM:    {"i"},
}

// macros are those of MAIL, with or without braces in their names.
type macros map[string]string

// get returns a macro's value.
func (m macros) get(name string) string {
	v, ok := m["{"+name+"}"]
	if !ok {
		v = m[name]
	}
	return clip(v)
}

// clip cuts a fact to what one can be long: a domain name has 255 octets.
func clip(s string) string {
	if len(s) <= 512 {
		return s
	}
	return strings.Clone(s[:512])
}

// connection is what CONNECT and HELO said.
type connection struct {
	host string
	addr netip.AddrPort
	helo string
}

func connectionFrom(host string, port uint16, ip net.IP) connection {
	c := connection{host: clip(host)}
	if a, ok := netip.AddrFromSlice(ip); ok {
		c.addr = netip.AddrPortFrom(a.Unmap(), port)
	}
	return c
}

// session puts together the facts of the SMTP session that a message came over.
func (c *connection) session(m macros, queueID string) *trace.Session {
	s := &trace.Session{
		Client:     c.client(m),
		HELO:       c.helo,
		TLSVersion: m.get("tls_version"),
		TLSCipher:  m.get("cipher"),
		AuthType:   m.get("auth_type"),
		AuthUser:   m.get("auth_authen"),
		QueueID:    queueID,
		Host:       m.get("j"),
		Daemon:     m.get("daemon_name"),
		Time:       time.Now(),
	}
	s.PTR, s.PTRVerified = c.ptr(m)
	// Postfix does not tell EHLO from HELO, but TLS and AUTH need EHLO.
	// Sendmail's r is the protocol as in its Received line.
	s.ESMTP = strings.HasPrefix(m.get("r"), "ESMTP") || s.TLSVersion != "" || s.AuthType != ""
	return s
}

// client returns the address of CONNECT, or that of the macros: Sendmail writes
// "IPv6:" before such an address, which the library does not read.
func (c *connection) client(m macros) netip.AddrPort {
	if c.addr.IsValid() {
		return c.addr
	}
	text := m.get("client_addr")
	if len(text) > 5 && strings.EqualFold(text[:5], "IPv6:") {
		text = text[5:]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.AddrPort{}
	}
	port, err := strconv.ParseUint(m.get("client_port"), 10, 16)
	if err != nil {
		port = 0
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// ptr returns the client's name and whether it resolves back. Postfix gives the
// name whether or not it does as client_ptr, and client_resolve says which;
// Sendmail does the same. An MTA that gives no macros leaves the host of
// CONNECT, which Sendmail fills with names that may be forged.
func (c *connection) ptr(m macros) (name string, verified bool) {
	name = hostName(m.get("client_ptr"))
	if name == "" {
		name = hostName(m.get("client_name"))
	}
	if name == "" {
		return hostName(c.host), false
	}
	if resolve := m.get("client_resolve"); resolve != "" {
		return name, resolve == "OK"
	}
	return name, strings.EqualFold(name, m.get("client_name")) && !strings.Contains(m.get("_"), "may be forged")
}

// hostName returns "" for what MTAs write where there is no name.
func hostName(s string) string {
	if strings.EqualFold(s, "unknown") || strings.HasPrefix(s, "[") {
		return ""
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	return strings.TrimSuffix(s, ".")
}

package contact

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

// maxNames bounds the names of one address that are looked up.
const maxNames = 3

// askPTR asks for the names of the address, and whether they lead back to it.
func askPTR(ctx context.Context, i *inquiry, addr string) error {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		return err
	}
	a, err := i.query(ctx, name, dns.TypePTR)
	if err != nil {
		return err
	}
	qtype := dns.TypeA
	if address(addr).Is6() {
		qtype = dns.TypeAAAA
	}
	names := a.PTR()
	for _, n := range names[:min(len(names), maxNames)] {
		if _, err := i.query(ctx, n, qtype); err != nil && ctx.Err() != nil {
			return err // a name that can't be asked is only not confirmed
		}
	}
	return nil
}

// readPTR reads the names that lead back to the address and, for those that
// somebody gave to the host itself, the abuse mailbox that their domain must have
// (RFC 2142 §4).
func readPTR(_ string, raw []byte) (*reading, error) {
	list, err := dnsAnswers(raw)
	if err != nil {
		return nil, err
	}
	rd := &reading{class: "ip network"}
	addr, err := forward(list[0].Name)
	if err != nil {
		return nil, err
	}
	names := list[0].PTR()
	for _, a := range list[1:] {
		if slices.Contains(names, a.Name) && slices.Contains(a.Addrs(), addr) {
			rd.addName(strings.TrimSuffix(a.Name, "."), addr)
		}
	}
	rd.said = cmp.Or(strings.Join(rd.names, " "), "no name of the host's own that leads back to it")
	return rd, nil
}

func (rd *reading) addName(name string, addr netip.Addr) {
	domain := registered(name)
	if domain == "" || generic(name, addr) {
		return
	}
	rd.names = append(rd.names, name)
	rd.mailboxes = append(rd.mailboxes, mention{text: "abuse@" + domain, where: "PTR " + name, role: "abuse", entity: domain, level: levelResource, mark: markName})
}

// forward is the address of a reverse name.
func forward(name string) (netip.Addr, error) {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	n := len(labels) - 2
	if n < 0 || labels[n+1] != "arpa" {
		return netip.Addr{}, fmt.Errorf("%s is no reverse name", name)
	}
	slices.Reverse(labels[:n])
	if labels[n] == "in-addr" {
		return netip.ParseAddr(strings.Join(labels[:n], "."))
	}
	var b strings.Builder
	for i, nibble := range labels[:n] {
		if i > 0 && i%4 == 0 {
			b.WriteByte(':')
		}
		b.WriteString(nibble)
	}
	return netip.ParseAddr(b.String())
}

// registered is the domain that somebody registered, by the public suffix list;
// empty for names below the suffixes that companies give to their customers.
func registered(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	suffix, icann := publicsuffix.PublicSuffix(name)
	if !icann && strings.Contains(suffix, ".") {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return domain
}

// poolWords stand in names that providers give to all addresses of a pool.
var poolWords = []string{"adsl", "cable", "client", "cpe", "cust", "customer", "dhcp", "dial", "dialup", "dip", "dsl", "dyn", "dynamic",
	"dynamicip", "fiber", "ftth", "host", "ip", "ipv4", "ipv6", "mobile", "node", "pool", "pools", "ppp", "pppoe", "res", "residential",
	"rev", "reverse", "static", "staticip", "unassigned", "unused", "user", "vdsl", "wireless"}

// generic reports whether a name was made from the address, or belongs to a pool:
// its domain tells who runs the network, and not who has the host in hand.
func generic(name string, addr netip.Addr) bool {
	host := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), registered(name)), ".")
	words := strings.FieldsFunc(host, func(c rune) bool { return c < 'a' || c > 'z' })
	if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(poolWords, w) }) {
		return true
	}
	return resemblesAddress(host, addr)
}

// resemblesAddress looks for the last two octets of the address in the name, as
// decimal numbers in either order, or in hexadecimal.
func resemblesAddress(host string, addr netip.Addr) bool {
	if !addr.Is4() {
		return strings.ContainsAny(host, "0123456789")
	}
	o := addr.As4()
	if strings.Contains(host, fmt.Sprintf("%02x%02x", o[2], o[3])) {
		return true
	}
	var numbers []string
	for _, n := range strings.FieldsFunc(host, func(c rune) bool { return c < '0' || c > '9' }) {
		numbers = append(numbers, strings.TrimLeft(n[:len(n)-1], "0")+n[len(n)-1:])
	}
	third, fourth := fmt.Sprint(o[2]), fmt.Sprint(o[3])
	return slices.Contains(numbers, third) && slices.Contains(numbers, fourth)
}

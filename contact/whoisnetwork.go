package contact

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// maxAround bounds the networks that are read of one answer: the smallest and those
// around it.
const maxAround = 8

// readNetwork reads objects about networks. The smallest is the one asked about;
// those around it speak for it where it is silent itself.
func readNetwork(w *whois) (*reading, error) {
	list := w.networks()
	if len(list) == 0 {
		return nil, nil
	}
	o := w.objects[list[0]]
	n, _ := span(o[0].value)
	rd := &reading{
		class: "ip network",
		network: Network{First: n.First, Last: n.Last, Name: o.get("netname"), Handle: o.get("nethandle"),
			Country: o.get("country"), Registry: w.registry(o)},
		kind:  o.get("status", "nettype"),
		notes: o.all("descr", "remarks", "comment"),
	}
	w.readContacts(rd, list[0])
	for _, wider := range list[1:min(len(list), maxAround)] {
		w.readWider(rd, wider)
	}
	return rd, nil
}

// networks returns the indexes of the networks that can be read, smallest first.
func (w *whois) networks() []int {
	var list []int
	size := map[int]int{}
	for i, o := range w.objects {
		if n, ok := span(o[0].value); ok && o.isNetwork() {
			list = append(list, i)
			size[i] = n.hostBits()
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return size[a] - size[b] })
	return list
}

// isNetwork reports whether the object describes a block of addresses.
func (o whoisObject) isNetwork() bool {
	return slices.Contains([]string{"inetnum", "inet6num", "netrange"}, o.kind())
}

// isARIN reports whether the object begins a section of an answer of ARIN, where
// the objects about the holder follow each network.
func (o whoisObject) isARIN() bool { return o.kind() == "netrange" || o.kind() == "asnumber" }

// span reads a block: "192.0.2.0 - 192.0.2.255", a prefix, or LACNIC's short form
// "200.57.128/19". KRNIC puts the length behind: "… (/24)".
func span(text string) (Network, bool) {
	text, _, _ = strings.Cut(text, "(")
	first, last, ok := strings.Cut(text, "-")
	if ok {
		n := Network{First: paddedAddr(strings.TrimSpace(first)), Last: paddedAddr(strings.TrimSpace(last))}
		return n, n.span().IsValid()
	}
	address, length, ok := strings.Cut(strings.TrimSpace(text), "/")
	if missing := 3 - strings.Count(address, "."); missing > 0 && !strings.Contains(address, ":") {
		address += strings.Repeat(".0", missing)
	}
	p, err := netip.ParsePrefix(address + "/" + length)
	if !ok || err != nil {
		return Network{}, false
	}
	return rangeOf(p), true
}

// resourceOf is how LACNIC says whose answer it passes on.
var resourceOf = regexp.MustCompile(`(?i)\bresource: +([a-z0-9.-]+)`)

// registry says whose answer the object is of: by its form, by what the text says
// of itself, or by the server.
func (w *whois) registry(o whoisObject) string {
	if o.isARIN() {
		return "arin"
	}
	source, _, _ := strings.Cut(o.get("source"), " ")
	if r := registryByToken(source, rir); r != nil {
		return r.name
	}
	for _, c := range w.comments {
		if m := resourceOf.FindStringSubmatch(c.value); m != nil && registryByHost(m[1]) != nil {
			return registryByHost(m[1]).name
		}
	}
	if r := registryByHost(w.server); r != nil {
		return r.name
	}
	for _, c := range w.comments {
		for _, word := range strings.FieldsFunc(c.value, notHost) {
			if r := registryByHost(word); r != nil {
				return r.name
			}
		}
	}
	for _, c := range w.comments {
		for _, word := range strings.FieldsFunc(c.value, notHost) {
			if r := registryByToken(word, rir); r != nil {
				return r.name
			}
		}
	}
	return ""
}

func notHost(c rune) bool { return notLDH(c) && c != '.' }

// readAutnum reads an object about an autonomous system.
func readAutnum(w *whois) (*reading, error) {
	for i, o := range w.objects {
		if o.kind() != "aut-num" && o.kind() != "asnumber" {
			continue
		}
		rd := &reading{
			class:   "autnum",
			network: Network{Name: o.get("as-name", "asname"), Handle: o.get("aut-num", "ashandle"), Country: o.get("country"), Registry: w.registry(o)},
			notes:   o.all("descr", "remarks", "comment"),
		}
		w.readContacts(rd, i)
		return rd, nil
	}
	return nil, nil
}

// readHandle reads an object that stands for a contact, as it is asked for by the
// handle that a network has named.
func readHandle(w *whois) (*reading, error) {
	for i, o := range w.objects {
		if o.handle() == "" {
			continue
		}
		rd := &reading{
			class:   "entity",
			network: Network{Name: o.get("person", "role"), Handle: o.handle(), Registry: w.registry(o)},
			holders: o.all("person", "role", "org-name"),
		}
		for k, o := range w.objects {
			o.readMailboxes(rd, reference{})
			if k == i {
				o.own(rd.mailboxes)
			}
		}
		return rd, nil
	}
	return nil, nil
}

// own marks the mailbox of an object that was asked for itself: the abuse-mailbox,
// or at LACNIC, whose objects have none, the e-mail.
func (o whoisObject) own(list []mention) {
	key := "e-mail"
	if o.get("abuse-mailbox") != "" || o.get("nic-hdl-br") == "" && o.get("mnt-by") != "" {
		key = "abuse-mailbox"
	}
	for i, m := range list {
		for _, a := range o {
			if a.key == key && a.where == m.where {
				list[i].entity = ""
			}
		}
	}
}

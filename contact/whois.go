package contact

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxObjects bounds what is read of one answer of port 43. Real ones hold a dozen.
const maxObjects = 256

// whois is an answer of port 43 (RFC 3912), which has no form of its own: objects
// of "key: value" lines between blank lines, as the RPSL registries (RFC 2622),
// ARIN, LACNIC and registro.br write them, and remarks of the server.
type whois struct {
	objects  []whoisObject
	comments []attribute // "%" and "#" lines, without the mark
}

// whoisObject is a paragraph; its first key says of what kind.
type whoisObject []attribute

type attribute struct {
	key   string // in lower case
	value string
	where string // "line 17", counted from 1
}

func lineNumber(n int) string { return fmt.Sprintf("line %d", n) }

func parseWHOIS(text string) whois {
	var w whois
	var object whoisObject
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "":
			w.add(object)
			object = nil
		case line[0] == '%' || line[0] == '#':
			w.comments = append(w.comments, attribute{value: strings.TrimSpace(line[1:]), where: lineNumber(n)})
		case line[0] == ' ' || line[0] == '\t' || line[0] == '+': // more of the value above: none of what is read here
		default:
			if key, value, ok := strings.Cut(line, ":"); ok {
				object = append(object, attribute{strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value), lineNumber(n)})
			}
		}
	}
	w.add(object)
	return w
}

func (w *whois) add(o whoisObject) {
	if len(o) > 0 && len(w.objects) < maxObjects {
		w.objects = append(w.objects, o)
	}
}

func (o whoisObject) kind() string { return o[0].key }

// get returns the first value of a key.
func (o whoisObject) get(keys ...string) string {
	for _, a := range o {
		if slices.Contains(keys, a.key) {
			return tame(a.value, maxText)
		}
	}
	return ""
}

// all returns the values of some keys.
func (o whoisObject) all(keys ...string) []string {
	var values []string
	for _, a := range o {
		if slices.Contains(keys, a.key) {
			values = append(values, tame(a.value, maxText))
		}
	}
	return values
}

// isNetwork reports whether the object describes a block of addresses.
func (o whoisObject) isNetwork() bool {
	return slices.Contains([]string{"inetnum", "inet6num", "netrange"}, o.kind())
}

// readWHOIS reads an answer of port 43 about a network.
func readWHOIS(server string, raw []byte) (*reading, error) {
	if strings.TrimSpace(string(raw)) == "" {
		return nil, errors.New("an empty answer")
	}
	w := parseWHOIS(strings.ToValidUTF8(string(raw), ""))
	at := w.mostSpecific()
	if at < 0 {
		return nil, errors.New("no network that can be read in the answer")
	}
	o := w.objects[at]
	n, _ := o.span()
	rd := &reading{
		class: "ip network",
		network: Network{First: n.First, Last: n.Last, Name: o.get("netname"), Handle: o.get("nethandle"),
			Country: o.get("country"), Registry: w.registry(server)},
		kind:  o.get("status", "nettype"),
		notes: o.all("descr", "remarks", "comment"),
	}
	w.readContacts(rd, at)
	return rd, nil
}

// mostSpecific returns the index of the smallest network, -1 when there is none.
func (w *whois) mostSpecific() int {
	best, bits := -1, 0
	for i, o := range w.objects {
		if !o.isNetwork() {
			continue
		}
		if n, ok := o.span(); ok && (best < 0 || n.hostBits() < bits) {
			best, bits = i, n.hostBits()
		}
	}
	return best
}

// span reads the block: "192.0.2.0 - 192.0.2.255", a prefix, or LACNIC's short
// form "200.57.128/19".
func (o whoisObject) span() (Network, bool) {
	first, last, ok := strings.Cut(o[0].value, " - ")
	if ok {
		n := Network{First: paddedAddr(strings.TrimSpace(first)), Last: paddedAddr(strings.TrimSpace(last))}
		return n, n.span().IsValid()
	}
	address, length, ok := strings.Cut(o[0].value, "/")
	if missing := 3 - strings.Count(address, "."); missing > 0 && !strings.Contains(address, ":") {
		address += strings.Repeat(".0", missing)
	}
	p, err := netip.ParsePrefix(address + "/" + length)
	if !ok || err != nil {
		return Network{}, false
	}
	return rangeOf(p), true
}

// registry says whose answer it is: by the server, or by what the text says of itself.
func (w *whois) registry(server string) string {
	if r := registryByHost(server); r != nil {
		return r.name
	}
	for _, c := range w.comments {
		for _, word := range strings.FieldsFunc(c.value, notHost) {
			if r := cmp.Or(registryByHost(word), registryByToken(word, rir)); r != nil {
				return r.name
			}
		}
	}
	for _, o := range w.objects {
		if o.kind() == "netrange" {
			return "arin"
		}
		source, _, _ := strings.Cut(o.get("source"), " ")
		if r := registryByToken(source, rir); r != nil {
			return r.name
		}
	}
	return ""
}

func notHost(c rune) bool { return notLDH(c) && c != '.' }

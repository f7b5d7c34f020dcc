package contact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

const (
	maxDepth = 64   // of arrays and objects in one another; registries need about ten
	maxText  = 1024 // octets kept of a name, a remark, a URL
	maxLines = 100  // of remarks that are read about one object
	maxMails = 32   // addresses that are read of one entity
)

// readRDAP reads an object of RFC 9083.
func readRDAP(server string, raw []byte) (*reading, error) {
	o, err := parseRDAP(raw)
	if err != nil {
		return nil, err
	}
	rd := &reading{
		class:   o.class(),
		network: o.network(server),
		kind:    o.text("type"),
		notes:   o.remarks(),
		parent:  o.link("up"),
		first:   o.number("startAutnum"),
		last:    o.number("endAutnum"),
	}
	if rd.class == "" {
		return nil, errors.New("JSON, but no RDAP object (RFC 9083)")
	}
	o.readEntities(rd)
	slices.SortStableFunc(rd.mailboxes, func(a, b mention) int { return int(a.level) - int(b.level) })
	return rd, nil
}

func parseRDAP(raw []byte) (object, error) {
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
	switch {
	case len(raw) == 0:
		return nil, errors.New("an empty answer")
	case raw[0] == '<':
		return nil, errors.New("a page of HTML or XML in place of JSON")
	case depth(raw) > maxDepth:
		return nil, fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("JSON that is not whole: %w", err)
	}
	o, _ := v.(map[string]any)
	return o, nil
}

// depth returns how deep arrays and objects nest, without decoding.
func depth(raw []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// object is any object of RFC 9083 §5. A member of another type than it should
// have counts as missing: it must not cost the rest of the answer.
type object map[string]any

func (o object) text(member string) string {
	s, _ := o[member].(string)
	return tame(s, maxText)
}

// tame makes text of strangers fit for logs and terminals: on one line, of
// printing characters, cut to a number of octets.
func tame(s string, limit int) string {
	s = strings.TrimSpace(s[:min(len(s), limit)])
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, ""))
}

// texts returns the strings of a list, or of one string in place of a list.
func (o object) texts(member string) []string {
	if s := o.text(member); s != "" {
		return []string{s}
	}
	list, _ := o[member].([]any)
	var texts []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			texts = append(texts, tame(s, maxText))
		}
	}
	return texts
}

// number returns an AS number; 0 for what is none.
func (o object) number(member string) uint32 {
	n, _ := o[member].(float64)
	if n < 0 || n > math.MaxUint32 {
		return 0
	}
	return uint32(n)
}

// objects returns a list with each object at its place, nil for what is none.
func (o object) objects(member string) []object {
	list, _ := o[member].([]any)
	objects := make([]object, len(list))
	for i, v := range list {
		objects[i], _ = v.(map[string]any)
	}
	return objects
}

// class is the objectClassName, or what the members tell where it is missing, as
// in RIPE's answers of 2015.
func (o object) class() string {
	if c := o.text("objectClassName"); c != "" {
		return strings.ToLower(c)
	}
	for _, tell := range []struct{ member, class string }{
		{"startAddress", "ip network"}, {"startAutnum", "autnum"}, {"ldhName", "domain"}, {"vcardArray", "entity"},
	} {
		if o[tell.member] != nil {
			return tell.class
		}
	}
	return ""
}

func (o object) network(server string) Network {
	n := Network{
		First: paddedAddr(o.text("startAddress")), Last: paddedAddr(o.text("endAddress")),
		Name: cmp.Or(o.text("name"), o.text("ldhName")), Handle: o.text("handle"), Country: o.text("country"),
		Registry: o.registry(server),
	}
	if n.First.IsValid() && n.Last.IsValid() {
		return n
	}
	n.First, n.Last = netip.Addr{}, netip.Addr{}
	if blocks := o.objects("cidr0_cidrs"); len(blocks) == 1 { // the NRO's extension
		length, _ := blocks[0]["length"].(float64)
		p, err := netip.ParsePrefix(fmt.Sprintf("%s%s/%d", blocks[0].text("v4prefix"), blocks[0].text("v6prefix"), int(length)))
		if err == nil {
			r := rangeOf(p)
			n.First, n.Last = r.First, r.Last
		}
	}
	return n
}

// paddedAddr reads an address of an answer. ARIN has padded octets with zeros
// (108.000.000.000) and RIPE has added a prefix length (62.239.237.0/32).
func paddedAddr(s string) netip.Addr {
	s, _, _ = strings.Cut(s, "/")
	if strings.Contains(s, ".") && !strings.Contains(s, ":") {
		octets := strings.Split(s, ".")
		for i, o := range octets {
			octets[i] = cmp.Or(strings.TrimLeft(o, "0"), "0")
		}
		s = strings.Join(octets, ".")
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a
}

// registry says whose answer it is: by the server, by its port 43, or by the
// place that the answer gives for itself.
func (o object) registry(server string) string {
	for _, host := range []string{server, o.text("port43"), hostOf(o.link("self"))} {
		if r := registryByHost(host); r != nil {
			return r.name
		}
	}
	return ""
}

// link returns the first link of a relation that leads to RDAP.
func (o object) link(rel string) string {
	for _, l := range o.objects("links") {
		kind := l.text("type")
		if strings.EqualFold(l.text("rel"), rel) && (kind == "" || strings.Contains(kind, "rdap+json")) {
			return l.text("href")
		}
	}
	return ""
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// remarks returns the lines of all remarks, titles first.
func (o object) remarks() []string {
	var lines []string
	for _, r := range o.objects("remarks") {
		lines = append(append(lines, r.text("title")), r.texts("description")...)
	}
	return lines[:min(len(lines), maxLines)]
}

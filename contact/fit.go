package contact

import (
	"regexp"
	"slices"
	"strings"
)

// unfit says why an answer as a whole says nothing about what was asked.
func (w *walk) unfit(s *step) string {
	rd := s.reading
	switch {
	case s.part == partEntity:
		return wantClass(rd, "entity", "the abuse entity")
	case s.part == partOrigin:
		return w.unfitOrigin(rd)
	case w.domain != "":
		return w.unfitDomain(rd)
	case !w.addr.IsValid() && rd.class != "ip network":
		return ""
	case s.source != "rdap" && s.source != "whois":
		return ""
	}
	return w.unfitNetwork(rd)
}

func wantClass(rd *reading, class, name string) string {
	if rd.class == class {
		return ""
	}
	return "the answer is about a " + rd.class + ", not about " + name
}

func (w *walk) unfitOrigin(rd *reading) string {
	if why := wantClass(rd, "autnum", "an autonomous system"); why != "" {
		return why
	}
	if as := w.origins[0]; as < rd.first || as > rd.last {
		return "the answer is about another autonomous system, " + asName(rd.first)
	}
	return ""
}

func (w *walk) unfitDomain(rd *reading) string {
	if rd.class == "hosts" {
		return ""
	}
	if why := wantClass(rd, "domain", "a domain"); why != "" {
		return why
	}
	if !strings.EqualFold(strings.TrimSuffix(rd.network.Name, "."), w.domain) {
		return "the answer is about another domain, " + rd.network.Name
	}
	return ""
}

func (w *walk) unfitNetwork(rd *reading) string {
	n := rd.network
	switch {
	case rd.class != "ip network":
		return wantClass(rd, "ip network", "a network")
	case !n.First.IsValid() || !n.span().IsValid():
		return "the answer gives no range of addresses"
	case w.addr.IsValid() && !n.Contains(w.addr):
		return "the answer is about another network, " + n.String()
	case n.wider(8, 16):
		return "the network is wider than anybody's: " + n.String()
	}
	return placeholderNetwork(rd)
}

// unheld is how registries say that a block is none of theirs.
var unheld = regexp.MustCompile(`(?i)not (fully |currently )?allocated (by|to) (the )?(afrinic|apnic|arin|lacnic|ripe)`)

// placeholderNetwork recognises blocks that registries describe without anybody
// holding them.
func placeholderNetwork(rd *reading) string {
	name := strings.ToUpper(rd.network.Name)
	if strings.EqualFold(rd.kind, "ALLOCATED UNSPECIFIED") || strings.EqualFold(rd.kind, "UNALLOCATED") {
		return "the block is " + rd.kind + ", nobody holds it as a whole"
	}
	for _, p := range []string{"IANA-", "ERX-NETBLOCK", "NON-RIPE-NCC-MANAGED"} {
		if strings.HasPrefix(name, p) {
			return rd.network.Name + " stands for what the registry does not hold"
		}
	}
	if movedTo(name) != nil {
		return rd.network.Name + " was transferred to another registry"
	}
	if slices.ContainsFunc(rd.notes, unheld.MatchString) {
		return "the registry says that it did not allocate the block"
	}
	return ""
}

// movedTo reads the names that ARIN gives to early registrations which other
// registries took over: APNIC-ERX-144-134-0-0.
func movedTo(name string) *registry {
	to, _, ok := strings.Cut(name, "-ERX-")
	if !ok {
		return nil
	}
	return registryByToken(to, rir)
}

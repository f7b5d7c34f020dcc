package contact

import (
	"slices"
	"strings"
	"time"
)

// registry is one that gives out addresses. Its own addresses must not get
// complaints about the networks of others, and it wants to be asked at a pace.
type registry struct {
	name    string
	title   string   // for people
	kind    kind     // who it refers to and who refers to it
	hosts   []string // its servers, RDAP and port 43
	domains []string // of its mailboxes, with all below
	holder  []string // parts of the name it has as the holder of a network, in lower case
	tokens  []string // what stands for it in handles and names of networks, such as JPNIC
	marks   bool     // its answers mark the abuse mailbox among the addresses of a role
	query   string   // how port 43 wants to be asked about an address; empty for the address alone
	pace    time.Duration
	refusal time.Duration // how long to leave it alone after a refusal without a time
	daily   int           // questions a day; 0 for any number
}

type kind int

const (
	rir  kind = iota + 1 // regional
	nir                  // national, below a regional one
	iana                 // holds what nobody has
)

// registries are the five regional ones, those below them, and IANA. The pace is
// slower than what each allows in its terms (2026-11); RIPE blocks for a day.
var registries = []registry{
	{
		name: "afrinic", title: "AFRINIC", kind: rir, marks: true, pace: 2 * time.Second, refusal: time.Hour,
		hosts: []string{"rdap.afrinic.net", "whois.afrinic.net"}, domains: []string{"afrinic.net"},
		holder: []string{"afrinic", "african network information"}, tokens: []string{"AFRINIC"},
	}, {
		name: "apnic", title: "APNIC", kind: rir, marks: true, pace: time.Second, refusal: time.Hour,
		hosts: []string{"rdap.apnic.net", "whois.apnic.net"}, domains: []string{"apnic.net"},
		holder: []string{"asia pacific network information", "apnic"}, tokens: []string{"APNIC"},
	}, {
		name: "arin", title: "ARIN", kind: rir, query: "n + %s", pace: time.Second, refusal: time.Hour,
		hosts: []string{"rdap.arin.net", "whois.arin.net"}, domains: []string{"arin.net"},
		holder: []string{"american registry for internet numbers", "arin operations"}, tokens: []string{"ARIN"},
	}, {
		name: "lacnic", title: "LACNIC", kind: rir, pace: 10 * time.Second, refusal: 15 * time.Minute,
		hosts: []string{"rdap.lacnic.net", "whois.lacnic.net"}, domains: []string{"lacnic.net"},
		holder: []string{"lacnic", "latin american and caribbean ip address"}, tokens: []string{"LACNIC"},
	}, {
		name: "ripe", title: "RIPE NCC", kind: rir, marks: true, query: "-b %s", pace: time.Second, refusal: 24 * time.Hour, daily: 1000,
		hosts: []string{"rdap.db.ripe.net", "whois.ripe.net"}, domains: []string{"ripe.net"},
		holder: []string{"ripe ncc", "network coordination cent"}, tokens: []string{"RIPE"},
	}, {
		name: "cnnic", title: "CNNIC", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts:   []string{"whois.cnnic.cn", "ipwhois.cnnic.net.cn"},
		domains: []string{"cnnic.cn", "cnnic.net.cn", "cnnic.com.cn"},
		holder:  []string{"china internet network information"}, tokens: []string{"CNNIC"},
	}, {
		name: "idnic", title: "IDNIC", kind: nir, marks: true, pace: 10 * time.Second, refusal: time.Hour,
		hosts: []string{"idnic.rdap.apnic.net", "whois.idnic.net"}, domains: []string{"idnic.net", "idnic.id", "apjii.or.id"},
		holder: []string{"idnic", "asosiasi penyelenggara jasa internet"}, tokens: []string{"IDNIC", "APJII"},
	}, {
		name: "irinn", title: "IRINN", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts: []string{"whois.irinn.in"}, domains: []string{"irinn.in", "irinn.net", "nixi.in"},
		holder: []string{"indian registry for internet", "national internet exchange of india"}, tokens: []string{"IRINN"},
	}, {
		name: "jpnic", title: "JPNIC", kind: nir, query: "%s/e", pace: 10 * time.Second, refusal: time.Hour,
		hosts: []string{"jpnic.rdap.apnic.net", "whois.nic.ad.jp"}, domains: []string{"nic.ad.jp"},
		holder: []string{"japan network information"}, tokens: []string{"JPNIC", "JNIC1"},
	}, {
		name: "krnic", title: "KRNIC", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts:   []string{"krnic.rdap.apnic.net", "whois.kisa.or.kr", "whois.krnic.net", "whois.nic.or.kr"},
		domains: []string{"nic.or.kr", "krnic.net", "krnic.kr", "kisa.or.kr"},
		holder:  []string{"korea internet & security agency", "korea network information"}, tokens: []string{"KRNIC"},
	}, {
		name: "nic.br", title: "NIC.br", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts: []string{"rdap.registro.br", "whois.registro.br", "whois.nic.br"}, domains: []string{"registro.br", "nic.br", "cert.br"},
		holder: []string{"ponto br"},
	}, {
		name: "nic.mx", title: "NIC Mexico", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts: []string{"whois.mx", "rdap.mx"}, domains: []string{"nic.mx", "iar.mx"}, holder: []string{"nic mexico"},
	}, {
		name: "twnic", title: "TWNIC", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts:   []string{"twnic.rdap.apnic.net", "whois.twnic.net.tw", "whois.twnic.net"},
		domains: []string{"twnic.net.tw", "twnic.net", "twnic.tw"},
		holder:  []string{"taiwan network information"}, tokens: []string{"TWNIC"},
	}, {
		name: "vnnic", title: "VNNIC", kind: nir, pace: 10 * time.Second, refusal: time.Hour,
		hosts: []string{"whois.vnnic.vn"}, domains: []string{"vnnic.vn", "vnnic.net.vn"},
		holder: []string{"vietnam internet network information"}, tokens: []string{"VNNIC"},
	}, {
		name: "iana", title: "IANA", kind: iana, pace: time.Second, refusal: time.Hour,
		hosts: []string{"whois.iana.org", "rdap.iana.org"}, domains: []string{"iana.org", "icann.org", "internic.net", "nro.net"},
		holder: []string{"internet assigned numbers authority"}, tokens: []string{"IANA"},
	},
}

// registryBy returns the first registry for which match holds, or nil.
func registryBy(match func(*registry) bool) *registry {
	i := slices.IndexFunc(registries, func(r registry) bool { return match(&r) })
	if i < 0 {
		return nil
	}
	return &registries[i]
}

func registryByName(name string) *registry {
	return registryBy(func(r *registry) bool { return r.name == name })
}

func registryByHost(host string) *registry {
	return registryBy(func(r *registry) bool { return slices.Contains(r.hosts, strings.ToLower(host)) })
}

// registryByDomain finds whose mailboxes are at or below domain.
func registryByDomain(domain string) *registry {
	return registryBy(func(r *registry) bool {
		return slices.ContainsFunc(r.domains, func(d string) bool { return within(domain, d) })
	})
}

// registryByToken finds a registry whose token is a whole word of a handle or
// network name: IRT-KRNIC-KR, IIJ-JPNIC-JP-20000308.
func registryByToken(text string, k kind) *registry {
	words := strings.FieldsFunc(strings.ToUpper(text), func(c rune) bool { return c == '-' || c == '_' || c == ' ' })
	return registryBy(func(r *registry) bool {
		return r.kind == k && slices.ContainsFunc(r.tokens, func(t string) bool { return slices.Contains(words, t) })
	})
}

// holds reports whether one of the names is the registry's own.
func (r *registry) holds(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(r.holder, func(part string) bool { return strings.Contains(strings.ToLower(name), part) })
	})
}

// within reports whether domain is d or below it.
func within(domain, d string) bool {
	domain = strings.ToLower(domain)
	return domain == d || strings.HasSuffix(domain, "."+d)
}

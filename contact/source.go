package contact

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// sources are the kinds of places that know who answers for an address or a
// domain. To add one, write its file with a recorded sample, put it here, and say
// in ways.go when it is asked.
var sources = map[string]source{
	"operator": {read: readOperator, open: newOperator},
	"rdap":     {read: readRDAP, open: newRDAP, chosen: true, alone: true},
	"whois":    {read: readWHOIS, open: newPort43, chosen: true, alone: true},
	"abusix":   {read: readAbusix, open: dnsSource(askAbusix), chosen: true, alone: true},
	"origin":   {read: readOrigin, open: dnsSource(askOrigin), chosen: true},
	"ptr":      {read: readPTR, open: dnsSource(askPTR), chosen: true},
	"mx":       {read: readMX, open: dnsSource(askMX)},
	"hosts":    {read: readHosts, open: dnsSource(askHosts)},
	"cfbl":     {read: readCFBL},
}

// SourceNames are the names that Config.Sources takes.
func SourceNames() []string { return namesWhere(func(s source) bool { return s.chosen }) }

// RecordedKinds are the kinds of answers that Recorded takes.
func RecordedKinds() []string { return namesWhere(func(s source) bool { return s.alone }) }

func namesWhere(is func(source) bool) (names []string) {
	for name, s := range sources {
		if is(s) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// source reads answers and asks for them. One without open is read from recorded
// answers only. open returns nil where the configuration leaves nobody to ask.
type source struct {
	read   reader
	open   func(p *parts) (asker, error)
	chosen bool // asked only if it is among Config.Sources, where those are given
	alone  bool // a recorded answer makes a decision by itself
}

// parts are what askers are made of.
type parts struct {
	Config
	boot     *bootstrap
	courtesy *courtesy
}

// reader tells what a recorded answer says, from its octets alone: no network,
// no clock, no judgement. server is the host that gave it, empty when unknown.
type reader func(server string, raw []byte) (*reading, error)

// asker puts one question to the network. What goes wrong is part of the
// Evidence; the error is that of ctx.
type asker interface {
	ask(ctx context.Context, q question) (Evidence, error)
}

// question is what to ask next.
type question struct {
	source   string
	about    string // address, "AS64500", or domain
	registry string // name of the registry to ask; empty for the one that IANA names
	server   string // host to ask, where an earlier answer named one
	url      string // place to ask, where an earlier answer named one
	text     string // literal text to ask, where an earlier answer named one
	part     part
}

// part says what the answer to a question is for.
type part int

const (
	partNetwork part = iota // the network of the address, or the domain itself
	partEntity              // the abuse entity, which came without its mailbox
	partParent              // the network around it
	partOrigin              // the autonomous system that announces it
)

// reading is what one answer says.
type reading struct {
	class     string // objectClassName of RFC 9083: "ip network", "autnum", "domain", "entity"
	network   Network
	kind      string   // of allocation: "ALLOCATED UNSPECIFIED"
	holders   []string // names and handles of those who hold the object
	notes     []string // remarks about the object itself
	handles   []string // of the entities at resource level
	mailboxes []mention
	none      bool   // the registry says itself that there is no abuse contact
	entity    string // URL of the abuse entity, when that stands there without a mailbox
	parent    string // URL of the network around this one
	referral  string // host of the server of port 43 that the answer sends on to
	ask       string // text to ask the same server of port 43 next

	first, last uint32       // of a block of AS numbers
	origins     []uint32     // AS numbers that announce the network
	names       []string     // forward-confirmed names of the address
	hosts       []netip.Addr // that serve the domain
	report      string       // format that the desk asks for
	said        string       // what the answer says, for people
	deaf        string       // why the domain takes no mail; empty if it does
	rules       *rules       // the operator's
}

// mention is an address in an answer, as it stands there.
type mention struct {
	text   string
	where  string // JSON pointer (RFC 6901), or line
	role   string // path of roles
	entity string // where the entity stands that it belongs to
	level  level
	mark   mark
	doubt  string // what the registry says against it, so that others go first
	dead   string // what the registry says that rules it out
}

// level is how near to the object an abuse role stands. Less is nearer.
type level int

const (
	levelResource level = iota // the object's own
	levelHolder                // that of its registrant; of its registrar for a domain
	levelRemark                // only a remark names it
	levelDerived               // it is derived from other data, or guessed by RFC 2142
	levelNone                  // not a role that takes complaints
)

// mark is how an address is told from others of the same entity. Less is better.
type mark int

const (
	markAbuse     mark = iota // vCard type "abuse": RIPE
	markPreferred             // vCard pref=1: the abuse-mailbox of an IRT object at APNIC and AFRINIC
	markName                  // it is called abuse (RFC 2142 §4)
	markNone
)

// Recorded makes evidence of an answer that was got by other means, of one of the
// RecordedKinds. server is the host that gave it, empty when unknown; at stands for
// the time of the question.
func Recorded(kind, server string, raw []byte, at time.Time) (Evidence, error) {
	if !slices.Contains(RecordedKinds(), kind) {
		return Evidence{}, fmt.Errorf("no kind of recorded answer is called %q; there are: %s", kind, strings.Join(RecordedKinds(), ", "))
	}
	ev := Evidence{Source: kind, Server: server, Status: StatusOK, At: stamp(func() time.Time { return at })}
	ev.record(raw)
	return ev, nil
}

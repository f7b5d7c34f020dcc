package contact

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// sources are the kinds of places that know who answers for a network. To add
// one, write its file with a recorded sample and put it here; walk.next says
// when it is asked.
var sources = map[string]source{
	"rdap":  {read: readRDAP, open: newRDAP},
	"whois": {read: readWHOIS},
}

// source reads answers and asks for them. One without open is read from recorded
// answers only.
type source struct {
	read reader
	open func(c Config, boot *bootstrap, courtesy *courtesy) (asker, error)
}

// reader tells what a recorded answer says, from its octets alone: no network,
// no clock, no judgement. server is the host that gave it, empty when unknown.
type reader func(server string, raw []byte) (*reading, error)

// asker puts one question about addr to the network. What goes wrong is part of
// the Evidence; the error is that of ctx.
type asker interface {
	ask(ctx context.Context, addr netip.Addr, q question) (Evidence, error)
}

// question is what to ask next. With neither registry nor url it goes to the
// registry that IANA names for the address.
type question struct {
	source   string
	registry string // name of another registry to ask about the address
	url      string // a place that an earlier answer named
	part     part
}

// part says what the answer to a question is for.
type part int

const (
	partNetwork part = iota // the network of the address
	partEntity              // the abuse entity, which came without its mailbox
	partParent              // the network around it
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

// Recorded makes evidence of an answer that was got by other means, of the kind
// that its source has as name: "rdap", "whois". at stands for the time of the question.
func Recorded(kind string, raw []byte, at time.Time) (Evidence, error) {
	if _, ok := sources[kind]; !ok {
		return Evidence{}, fmt.Errorf("no kind of answer is called %q; there are: %s", kind,
			strings.Join(slices.Sorted(maps.Keys(sources)), ", "))
	}
	ev := Evidence{Source: kind, Status: StatusOK, At: at.UTC().Truncate(time.Millisecond)}
	ev.record(raw)
	return ev, nil
}

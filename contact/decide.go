package contact

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxContacts  = 3
	maxQuestions = 5 // of one look-up; each may wait for its turn at a registry

	// How long an answer holds.
	highTTL    = 7 * 24 * time.Hour
	lowTTL     = 24 * time.Hour
	noneTTL    = 24 * time.Hour
	failureTTL = 15 * time.Minute // when to ask again after a failure that names no time
)

// Decide makes the answer about addr from what was asked and answered, and from
// nothing else: stored evidence gives the same answer again, octet for octet.
// What it writes into the Candidates and, for an answer that cannot be read, the
// Error of the evidence replaces what stood there.
//
// With the zero Addr it reads one recorded answer for itself, whatever object of
// RDAP that is about.
func Decide(addr netip.Addr, evidence []Evidence) Answer {
	answer, _ := decide(addr, evidence)
	return answer
}

// decide returns also what to ask next, nil when all is said.
func decide(addr netip.Addr, evidence []Evidence) (Answer, *question) {
	w := &walk{addr: addr, asked: map[string]bool{}}
	if addr.IsValid() {
		w.special = special(addr)
	}
	q := w.begin()
	for _, ev := range evidence {
		if q != nil {
			ev = w.take(*q, ev)
			q = w.next()
		}
		w.evidence = append(w.evidence, ev)
	}
	if len(evidence) >= maxQuestions {
		q = nil
	}
	return w.answer(), q
}

// walk is the way from question to question, replayed from the evidence.
type walk struct {
	addr     netip.Addr
	special  string
	asked    map[string]bool // registries and URLs
	evidence []Evidence

	network  Network
	contacts []Contact
	reason   string // of the contacts, or the last reason against one
	outcome  Outcome
	failed   string    // what failed last, if asking again may help
	retry    time.Time // when

	last  *reading  // the newest fit answer
	refer *registry // who knows more
}

func (w *walk) begin() *question {
	if w.special != "" {
		return nil
	}
	return &question{source: "rdap"}
}

// take reads one answer, judges what stands in it and returns the evidence with
// the verdicts.
func (w *walk) take(q question, ev Evidence) Evidence {
	ev.Candidates = nil
	w.asked[q.registry] = true
	w.asked[q.url] = true
	if ev.Status != StatusOK {
		w.fail(ev)
		return ev
	}
	ev.Error = ""
	src, ok := sources[ev.Source]
	if !ok {
		ev.Error = "no source of this name"
		return ev
	}
	rd, err := src.read(ev.Server, ev.Raw)
	if err != nil {
		ev.Error = err.Error()
		w.fail(ev)
		return ev
	}
	w.consider(q, rd, &ev)
	return ev
}

// fail notes an end without an answer. What a server does not know stays
// unknown; all else may be better another time.
func (w *walk) fail(ev Evidence) {
	who := cmp.Or(ev.Server, "the source")
	if unknown, ok := map[string]string{
		"404":          who + " knows nothing about it",
		"400":          who + " did not take the question",
		StatusNoServer: "no RDAP server is known for it",
	}[ev.Status]; ok {
		if w.last == nil {
			w.conclude(NoContact, unknown)
		}
		return
	}
	w.failed = who + ": " + ev.Status
	if ev.Status == StatusOK {
		w.failed = who + " gave " + ev.Error
	} else if ev.Error != "" {
		w.failed += ", " + ev.Error
	}
	at := ev.RetryAt
	if at.IsZero() {
		at = ev.At.Add(failureTTL)
	}
	if at.After(w.retry) {
		w.retry = at
	}
}

// consider judges the addresses of a readable answer.
func (w *walk) consider(q question, rd *reading, ev *Evidence) {
	j := judgement{reading: rd, source: ev.Source, part: q.part, unfit: w.unfit(q, rd)}
	j.class, j.network, j.holders = rd.class, rd.network, rd.holders
	if q.part == partEntity { // it speaks for the object that sent us to it
		j.class, j.network, j.holders = w.last.class, w.last.network, w.last.holders
	}
	w.asked[rd.network.Registry] = true
	ev.Candidates, w.contacts = j.judge()
	if j.refer != nil && q.part != partParent {
		w.refer = j.refer
	}
	if len(w.contacts) > 0 || q.part != partParent { // a mute parent changes nothing
		w.conclude(j.outcome, j.reason)
	}
	if j.unfit != "" || q.part == partEntity {
		return
	}
	w.last = rd
	if q.part == partNetwork && (!w.network.First.IsValid() || rd.network.hostBits() <= w.network.hostBits()) {
		w.network = rd.network
	}
}

// conclude sets the end so far. An answer that names nobody does not undo the
// word of an earlier one that another registry knows.
func (w *walk) conclude(o Outcome, reason string) {
	if o == Found || !w.referred() {
		w.outcome, w.reason = o, reason
	}
}

func (w *walk) referred() bool { return w.outcome == NIRDescend || w.outcome == Referral }

// unfit says why an answer as a whole says nothing about the address.
func (w *walk) unfit(q question, rd *reading) string {
	n := rd.network
	switch {
	case q.part == partEntity:
		if rd.class != "entity" {
			return "the answer is about a " + rd.class + ", not about the abuse entity"
		}
		return ""
	case !w.addr.IsValid() && rd.class != "ip network":
		return ""
	case rd.class != "ip network":
		return "the answer is about a " + rd.class + ", not about a network"
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

// next is the question that the answers so far leave open.
func (w *walk) next() *question {
	switch {
	case len(w.contacts) > 0:
		return nil
	case w.last != nil && w.last.entity != "" && !w.asked[w.last.entity]:
		return &question{source: "rdap", url: w.last.entity, part: partEntity}
	case w.refer != nil && !w.asked[w.refer.name]:
		return &question{source: "rdap", registry: w.refer.name}
	case !w.referred() && w.last != nil && w.last.parent != "" && !w.asked[w.last.parent]:
		return &question{source: "rdap", url: w.last.parent, part: partParent}
	}
	return nil
}

func (w *walk) answer() Answer {
	a := Answer{
		Addr: w.addr, Network: w.network, Outcome: w.outcome, Reason: w.reason,
		Contacts: w.contacts, Evidence: w.evidence,
	}
	if a.Contacts == nil {
		a.Contacts = []Contact{}
	}
	if a.Evidence == nil {
		a.Evidence = []Evidence{}
	}
	var now time.Time
	if len(w.evidence) > 0 {
		now = w.evidence[len(w.evidence)-1].At
	}
	switch {
	case w.special != "":
		a.Outcome, a.Reason = Special, w.special
	case len(w.evidence) == 0:
		a.Outcome, a.Reason = NoContact, "nobody was asked"
	case len(a.Contacts) > 0:
		a.Expires = now.Add(lowTTL)
		if a.Contacts[0].Confidence == High {
			a.Expires = now.Add(highTTL)
		}
	case w.failed != "":
		a.Outcome, a.Reason = Unreachable, w.failed
		a.Retry, a.Expires = w.retry, w.retry
	default:
		a.Expires = now.Add(noneTTL)
	}
	return a
}

package contact

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxContacts  = 3
	maxQuestions = 16 // of one look-up; each may wait for its turn at a registry

	// How long an answer holds.
	highTTL    = 7 * 24 * time.Hour
	lowTTL     = 24 * time.Hour
	noneTTL    = 24 * time.Hour
	failureTTL = 15 * time.Minute // when to ask again after a failure that names no time
)

// walk is the way from question to question, replayed from the evidence. What was
// asked and answered is kept in steps; all else follows from them.
type walk struct {
	addr     netip.Addr
	domain   string
	special  string
	recorded bool // one answer is read for what it says, whatever would be asked
	asked    map[question]bool
	steps    []step
	unread   []Evidence // what no question led to
	view
}

// step is a question and what came of it.
type step struct {
	question
	ev      Evidence
	reading *reading // nil where there is no readable answer
	results []verdict
	reason  string // what came of the answer as a whole
	unknown bool   // the server says that it has no entry
}

// view is what the steps so far say together.
type view struct {
	facts
	network  Network
	taken    []*verdict // the main one first
	ruled    *Override  // the operator's word, which ends the walk
	contacts []Contact
	outcome  Outcome
	reason   string
	failures []failed
	fit      bool      // an answer about the subject was read
	home     string    // the registry that holds it, as far as is known
	refer    *registry // who knows more
	entity   string    // URL
	parent   string    // URL
}

// facts are what answers say besides addresses.
type facts struct {
	rules   *rules
	deaf    map[string]string // why mail to a domain goes nowhere
	own     map[string]bool   // registered domains of the source's own names
	origins []uint32
}

// failed is a registry that could not be asked.
type failed struct {
	registry string
	source   string
	reason   string
	retry    time.Time
}

// Decide makes the answer about addr from what was asked and answered, and from
// nothing else: stored evidence gives the same answer again, octet for octet.
// What it writes into the Candidates and, for an answer that cannot be read, the
// Error of the evidence replaces what stood there.
func Decide(addr netip.Addr, evidence []Evidence) Answer {
	return newWalk(addr, "").replay(evidence)
}

// DecideRecorded makes the answer from one recorded answer. It is about the address
// or the domain given; with the zero Addr and no domain it is taken for what it
// says, whatever object of RDAP or WHOIS that is about.
func DecideRecorded(addr netip.Addr, domain string, ev Evidence) Answer {
	w := newWalk(addr, domain)
	w.recorded = true
	return w.replay([]Evidence{ev})
}

func newWalk(addr netip.Addr, domain string) *walk {
	w := &walk{addr: addr.Unmap().WithZone(""), domain: domain, asked: map[question]bool{}}
	if w.addr.IsValid() {
		w.special = special(w.addr)
	}
	w.settle()
	return w
}

// replay goes the way that the evidence shows. A question without evidence was
// not put: nobody was there to ask.
func (w *walk) replay(evidence []Evidence) Answer {
	for _, ev := range evidence {
		q := w.next()
		for q != nil && q.source != ev.Source {
			w.skip(*q)
			q = w.next()
		}
		if q == nil {
			w.unread = append(w.unread, ev)
			continue
		}
		w.take(*q, ev)
	}
	return w.answer()
}

// skip notes a question that can't be put to anybody.
func (w *walk) skip(q question) { w.asked[q] = true }

// take reads one answer and sees what all answers so far say together.
func (w *walk) take(q question, ev Evidence) {
	w.asked[q] = true
	s := step{question: q, ev: ev}
	s.ev.Candidates, s.ev.Said = nil, ""
	if ev.Status == StatusOK {
		s.ev.Error = ""
		s.read()
	}
	w.steps = append(w.steps, s)
	w.settle()
}

// read reads the answer. A contact that WHOIS was asked for by its handle speaks
// for the network that named it.
func (s *step) read() {
	rd, err := sources[s.ev.Source].read(s.ev.Server, s.ev.Raw)
	if err != nil {
		s.ev.Error, s.unknown = err.Error(), errors.Is(err, errNoMatch)
		return
	}
	if s.reading = rd; s.text != "" && rd.class == "entity" {
		s.part = partEntity
	}
}

// settle looks at all steps anew: a later one can tell against an earlier one.
func (w *walk) settle() {
	w.view = view{facts: w.gather()}
	for i := range w.steps {
		s := &w.steps[i]
		if s.reading == nil {
			w.fail(s)
			continue
		}
		w.consider(s)
	}
	w.choose()
}

// gather collects the facts of all steps.
func (w *walk) gather() facts {
	f := facts{rules: &rules{}, deaf: map[string]string{}, own: map[string]bool{}}
	for _, s := range w.steps {
		rd := s.reading
		switch {
		case rd == nil: // of a domain that can't be asked the delivery will show
		case s.source == "mx":
			f.deaf[s.about] = rd.deaf
		case s.source == "operator":
			f.rules = rd.rules
		case s.source == "origin":
			f.origins = rd.origins
		case s.source == "ptr":
			for _, name := range rd.names {
				f.own[registered(name)] = true
			}
		}
	}
	delete(f.own, "")
	return f
}

// fail notes an end without an answer. What a server does not know stays
// unknown; all else may be better another time.
func (w *walk) fail(s *step) {
	if s.source != "rdap" && s.source != "whois" {
		return
	}
	who := cmp.Or(s.ev.Server, "the source")
	if unknown, ok := map[string]string{
		"404":          who + " knows nothing about it",
		"400":          who + " did not take the question",
		StatusNoServer: "no server is known for it",
	}[s.status()]; ok {
		if !w.fit && s.part == partNetwork {
			w.conclude(NoContact, unknown)
		}
		return
	}
	f := failed{registry: s.registry, source: s.source, reason: who + ": " + s.ev.Status, retry: s.ev.RetryAt}
	if s.ev.Status == StatusOK {
		f.reason = who + " gave " + s.ev.Error
	} else if s.ev.Error != "" {
		f.reason += ", " + s.ev.Error
	}
	if f.retry.IsZero() {
		f.retry = s.ev.At.Add(failureTTL)
	}
	w.failures = append(w.failures, f)
}

// said is what the answer says of its subject, for people.
func (s *step) said() string {
	rd := s.reading
	if rd == nil {
		return ""
	}
	said := []string{rd.said, tame(cmp.Or(rd.network.Name, rd.network.Handle), 80), rd.network.String()}
	if rd.referral != "" {
		said = append(said, "sends on to "+rd.referral)
	}
	if rd.ask != "" {
		said = append(said, "leaves "+rd.ask+" to be asked")
	}
	return strings.Join(slices.DeleteFunc(said, func(t string) bool { return t == "" }), " ")
}

// status is how the question ended, in the words of HTTP where WHOIS has its own.
func (s *step) status() string {
	if s.unknown {
		return "404"
	}
	return s.ev.Status
}

// consider judges the addresses of a readable answer.
func (w *walk) consider(s *step) {
	rd := s.reading
	j := judgement{reading: rd, facts: &w.facts, source: s.source, part: s.part, unfit: w.unfit(s)}
	j.class, j.network, j.holders = rd.class, rd.network, rd.holders
	if s.part == partEntity { // it speaks for the object that sent us to it
		j.class, j.network, j.holders = w.sender(s)
	}
	s.results = j.judge()
	s.reason = j.reason
	if s.source == "rdap" || s.source == "whois" {
		w.follow(s, &j)
	}
}

// follow takes in what a registry's answer says about the subject itself.
func (w *walk) follow(s *step, j *judgement) {
	rd := s.reading
	if j.refer != nil && s.part == partNetwork {
		w.refer = j.refer
	}
	if w.domain != "" && j.unfit != "" && rd.referral != "" {
		return // it only says who is to be asked
	}
	if s.part == partNetwork || j.outcome == Found { // a mute parent changes nothing
		w.conclude(j.outcome, j.reason)
	}
	if j.unfit != "" || s.part == partEntity || s.part == partOrigin {
		return
	}
	w.parent = cmp.Or(rd.parent, w.parent)
	if s.part == partParent {
		return
	}
	w.fit = true
	w.entity = cmp.Or(rd.entity, w.entity)
	w.home = cmp.Or(rd.network.Registry, w.home)
	w.failures = slices.DeleteFunc(w.failures, func(f failed) bool { return f.registry == s.registry })
	if !w.network.First.IsValid() || rd.network.hostBits() <= w.network.hostBits() {
		w.network = rd.network
	}
}

// sender finds the object whose abuse entity was asked for.
func (w *walk) sender(s *step) (class string, n Network, holders []string) {
	for _, from := range w.steps {
		if from.reading != nil && (s.url != "" && from.reading.entity == s.url || s.text != "" && from.reading.ask == s.text) {
			return from.reading.class, from.reading.network, from.reading.holders
		}
	}
	return "", Network{}, nil
}

// conclude sets the end so far. An answer that names nobody does not undo the
// word of an earlier one that another registry knows.
func (w *walk) conclude(o Outcome, reason string) {
	if o == Found || !w.referred() {
		w.outcome, w.reason = o, reason
	}
}

func (w *walk) referred() bool { return w.outcome == NIRDescend || w.outcome == Referral }

// answer puts together what was found.
func (w *walk) answer() Answer {
	a := Answer{
		Addr: w.addr, Domain: w.domain, Network: w.network, Outcome: w.outcome, Reason: w.reason,
		Contacts: w.contacts, Evidence: []Evidence{},
	}
	if a.Contacts == nil {
		a.Contacts = []Contact{}
	}
	a.Network.Origins = w.origins
	var now time.Time
	for i := range w.steps {
		s := &w.steps[i]
		s.ev.Candidates = w.candidates(s)
		s.ev.Said = s.said()
		a.Evidence = append(a.Evidence, s.ev)
		now = s.ev.At
	}
	a.Evidence = append(a.Evidence, w.unread...)
	w.date(&a, now)
	return a
}

// date says how long the answer holds and gives the ends that no answer has.
func (w *walk) date(a *Answer, now time.Time) {
	retry := time.Time{}
	var reasons []string
	for _, f := range w.failures {
		if f.source == "whois" && w.fit && (w.refer == nil || f.registry != w.refer.name) {
			continue // RDAP has answered for the same registry
		}
		reasons = append(reasons, f.reason)
		if f.retry.After(retry) {
			retry = f.retry
		}
	}
	switch {
	case w.special != "":
		a.Outcome, a.Reason = Special, w.special
	case len(w.steps) == 0:
		a.Outcome, a.Reason = NoContact, "nobody was asked"
	case len(a.Contacts) > 0 && a.Contacts[0].Confidence == High:
		a.Expires = now.Add(highTTL)
	case len(a.Contacts) > 0 || w.silenced():
		a.Expires = now.Add(lowTTL)
		if !retry.IsZero() && retry.Before(a.Expires) {
			a.Expires = retry
		}
	case !retry.IsZero():
		a.Outcome, a.Reason = Unreachable, strings.Join(slices.Compact(reasons), "; ")
		a.Retry, a.Expires = retry, retry
	default:
		a.Expires = now.Add(noneTTL)
	}
}

// silenced reports that the operator wants nobody written to.
func (w *walk) silenced() bool { return w.outcome == Never }

func asName(n uint32) string { return "AS" + strconv.FormatUint(uint64(n), 10) }

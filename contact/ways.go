package contact

import "strings"

// next is the question that the answers so far leave open; nil when all is said.
func (w *walk) next() *question {
	if len(w.steps) >= maxQuestions || w.special != "" {
		return nil
	}
	for _, q := range w.open() {
		if !w.asked[q] {
			return &q
		}
	}
	return nil
}

// open lists what there is to ask, in order, asked or not. A contact of high
// confidence ends the list, one of low confidence leaves what may be better.
func (w *walk) open() []question {
	list := []question{{source: "operator", about: w.subject()}}
	if w.rules.hasOrigins() {
		list = append(list, w.origin())
	}
	switch {
	case w.ruled != nil:
		return list
	case w.domain != "":
		return append(list, w.openDomain()...)
	}
	list = append(list, question{source: "rdap", about: w.subject()})
	list = append(list, w.openRDAP()...)
	list = append(list, w.openChecks()...)
	if w.satisfied() {
		return list
	}
	list = append(list, w.openWHOIS()...)
	if w.parent != "" && !w.referred() {
		list = append(list, question{source: "rdap", url: w.parent, part: partParent})
	}
	list = append(list, question{source: "abusix", about: w.subject()})
	if len(w.taken) > 0 {
		return list
	}
	return append(list, w.openGuesses()...)
}

// openRDAP follows what a registry's answer says about a better place, as long as
// nobody is found.
func (w *walk) openRDAP() (list []question) {
	if len(w.taken) > 0 {
		return nil
	}
	if w.entity != "" {
		list = append(list, question{source: "rdap", url: w.entity, part: partEntity})
	}
	if w.refer != nil {
		list = append(list, question{source: "rdap", about: w.subject(), registry: w.refer.name})
	}
	return list
}

// openChecks asks whether those found can be written to, and whether they are
// the source itself.
func (w *walk) openChecks() (list []question) {
	for _, v := range w.taken {
		list = append(list, question{source: "mx", about: domainOf(v.address)})
	}
	if len(w.taken) > 0 && w.network.tiny() {
		list = append(list, question{source: "ptr", about: w.subject()})
	}
	if len(w.taken) > 0 && w.addr.IsValid() {
		list = append(list, w.origin()) // people look for complaints by it
	}
	return list
}

// openWHOIS asks port 43 of the registry, and again what its answers name.
func (w *walk) openWHOIS() []question {
	first := question{source: "whois", about: w.subject(), registry: w.home}
	if w.refer != nil {
		first.registry = w.refer.name
	}
	list := []question{first}
	for _, s := range w.steps {
		if s.source == "whois" && s.reading != nil && s.reading.ask != "" {
			list = append(list, question{source: "whois", about: w.subject(), registry: s.registry, server: s.server, text: s.reading.ask})
		}
	}
	return list
}

// openGuesses are for when no registry and nothing derived from it names anybody.
func (w *walk) openGuesses() []question {
	list := []question{w.origin()}
	if len(w.origins) == 1 { // several say that the network's home is not clear
		list = append(list, question{source: "rdap", about: asName(w.origins[0]), part: partOrigin})
	}
	return append(list, question{source: "ptr", about: w.subject()})
}

func (w *walk) origin() question { return question{source: "origin", about: w.subject()} }

// openDomain asks where the domain's mail and pages live, and for its registrar:
// RDAP where its top-level domain has it, else port 43 from IANA downwards.
func (w *walk) openDomain() []question {
	if w.free() {
		return []question{{source: "mx", about: w.domain}}
	}
	list := []question{{source: "hosts", about: w.domain}, {source: "rdap", about: w.domain}}
	list = append(list, w.openRDAP()...)
	list = append(list, w.openChecks()...)
	if w.satisfied() {
		return list
	}
	top := w.domain[strings.LastIndexByte(w.domain, '.')+1:]
	list = append(list, question{source: "whois", about: w.domain, registry: "iana", text: top})
	for _, s := range w.steps {
		if s.source == "whois" && s.reading != nil && s.reading.referral != "" {
			list = append(list, question{source: "whois", about: w.domain, server: s.reading.referral})
		}
	}
	return list
}

// subject is what the look-up is about; empty for a recorded answer.
func (w *walk) subject() string {
	if w.addr.IsValid() {
		return w.addr.String()
	}
	return w.domain
}

// satisfied reports whether a registry names an abuse mailbox without a doubt.
func (w *walk) satisfied() bool {
	return len(w.taken) > 0 && len(w.taken[0].notes) == 0
}

// rank orders the answers that name somebody, by what a careful person would go
// by first. Less is better.
func (s *step) rank() int {
	best := s.taken()[0]
	switch {
	case len(best.notes) == 0:
		return 0
	case best.selfServing:
		return 3
	case s.part == partParent:
		return 2
	case s.source == "abusix":
		return 4
	case best.level == levelRemark:
		return 5
	case s.part == partOrigin:
		return 6
	case s.source == "ptr":
		return 7
	}
	return 1
}

// taken returns what was taken from the step's answer, the main one first.
func (s *step) taken() (list []*verdict) {
	for i := range s.results {
		if s.results[i].taken {
			list = append(list, &s.results[i])
		}
	}
	return list
}

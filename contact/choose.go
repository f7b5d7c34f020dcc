package contact

import (
	"fmt"
	"slices"
	"strings"
)

// choose finds the step whose contacts are taken: the first that a registry names
// without a doubt, else the best of the others. What the rest say is told in the
// reason, and never added.
func (w *walk) choose() {
	var naming []*step
	for i := range w.steps {
		if s := &w.steps[i]; len(s.taken()) > 0 {
			naming = append(naming, s)
		}
	}
	if len(naming) > 0 {
		best := slices.MinFunc(naming, func(a, b *step) int { return a.rank() - b.rank() })
		w.elect(best, naming)
	}
	if w.free() {
		w.toProvider()
	}
	if o := w.override(); o != nil {
		w.obey(o)
	}
}

// elect takes the contacts of one step and tells those of the others why not.
func (w *walk) elect(best *step, naming []*step) {
	w.taken = best.taken()
	for _, v := range w.taken {
		w.contacts = append(w.contacts, w.contact(best, v))
	}
	w.outcome, w.reason = Found, best.reason
	for _, s := range naming {
		if s == best {
			continue
		}
		for _, v := range s.taken() {
			v.taken = false
			same := slices.ContainsFunc(w.taken, func(t *verdict) bool { return strings.EqualFold(t.address, v.address) })
			if same {
				v.reason = "the same as by " + best.source
				w.reason += fmt.Sprintf("; %s says the same", s.source)
				continue
			}
			v.reason = fmt.Sprintf("what %s names goes first", best.source)
			w.reason += fmt.Sprintf("; %s names %s", s.source, v.address)
		}
	}
}

func (w *walk) contact(s *step, v *verdict) Contact {
	c := Contact{Address: v.address, Source: s.source, Role: v.role, Scope: v.scope, Confidence: High}
	if len(v.notes) > 0 {
		c.Confidence = Low
	}
	c.Form = w.formOf(v.address)
	return c
}

// candidates are the verdicts of a step for those who ask why.
func (w *walk) candidates(s *step) (list []Candidate) {
	for _, v := range s.results {
		list = append(list, Candidate{Address: v.text, Where: v.where, Role: v.role, Taken: v.taken, Reason: v.reason})
	}
	return list
}

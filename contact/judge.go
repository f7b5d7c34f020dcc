package contact

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxCandidates bounds what is kept of one answer. Real ones name a dozen.
const maxCandidates = 64

// judgement is about the addresses of one answer.
type judgement struct {
	*reading
	facts   *facts
	source  string
	part    part
	class   string   // of the object asked about
	network Network  // the object asked about
	holders []string // its holders
	unfit   string   // why the answer as a whole counts for nothing

	outcome Outcome
	reason  string
	refer   *registry
}

// verdict is a mention on its way to be taken.
type verdict struct {
	mention
	address string // as SMTP takes it; set when the address passed the filters
	taken   bool
	reason  string
	notes   []string // why it is not of high confidence
	scope   Scope

	selfServing bool // it is the source's own
}

// judge returns all addresses with the verdict on each, those taken in order.
func (j *judgement) judge() []verdict {
	var list []verdict
	for _, m := range j.mailboxes[:min(len(j.mailboxes), maxCandidates)] {
		if j.part == partEntity && m.entity == "" {
			m.level, m.role = levelResource, "abuse" // it is the entity that had the role
		}
		list = append(list, j.filter(m))
	}
	taken := j.choose(list)
	for i := range list {
		list[i].taken = slices.Contains(taken, &list[i])
		list[i].scope = j.scope()
	}
	j.conclude(list, taken)
	return list
}

// filter decides whether an address may get complaints at all.
func (j *judgement) filter(m mention) verdict {
	v := verdict{mention: m}
	if j.unfit != "" {
		v.reason = j.unfit
		return v
	}
	if m.level == levelNone {
		v.reason = "the role takes no complaints"
		return v
	}
	address, err := Mailbox(m.text)
	if err != nil {
		v.reason = "not a mailbox: " + err.Error()
		return v
	}
	domain := address[strings.LastIndexByte(address, '@')+1:]
	switch r := registryByDomain(domain); {
	case r != nil && !j.heldBy(r):
		v.reason = "a mailbox of " + r.title + ", which does not hold the network"
	case isPlaceholder(address):
		v.reason = "a placeholder that nobody reads"
	case slices.ContainsFunc(j.facts.rules.Gone, func(g string) bool { return strings.EqualFold(g, address) }):
		v.reason = "mail to it came back"
	case m.dead != "":
		v.reason = m.dead
	case j.facts.deaf[strings.ToLower(domain)] != "":
		v.reason = j.facts.deaf[strings.ToLower(domain)]
	default:
		v.address, v.notes = address, j.doubts(m, domain)
		if v.selfServing = j.network.tiny() && j.facts.own[registered(domain)]; v.selfServing {
			v.notes = append(v.notes, "of the source's own domain, in a block of a few addresses")
		}
	}
	return v
}

// heldBy reports whether the registry itself holds the network: it is its own
// answer, names it as the holder, and the block is of the size of an office, not
// of a stock to give out.
func (j *judgement) heldBy(r *registry) bool {
	return j.network.Registry == r.name && r.holds(j.holders) && !j.network.wider(16, 32)
}

// doubts tells what keeps an address from high confidence.
func (j *judgement) doubts(m mention, domain string) []string {
	var notes []string
	if m.doubt != "" {
		notes = append(notes, m.doubt)
	}
	if r := registryByName(j.network.Registry); r != nil && r.marks && m.mark >= markName {
		notes = append(notes, "not marked as the abuse mailbox")
	}
	switch {
	case m.level == levelRemark:
		notes = append(notes, "only in a remark")
	case j.source == "abusix":
		notes = append(notes, "of a database made from those of the registries")
	case j.source == "ptr":
		notes = append(notes, "by convention only (RFC 2142)")
	}
	if isFreemail(domain) || j.facts.rules.freemail(domain) {
		notes = append(notes, "at a provider of free mailboxes")
	}
	switch {
	case j.part == partParent:
		notes = append(notes, "of the network around it")
	case j.class == "autnum":
		notes = append(notes, "of the autonomous system")
	}
	return notes
}

// choose takes the best of what passed, the main one first. Of several that are
// equally good each entity gives one.
func (j *judgement) choose(list []verdict) (taken []*verdict) {
	var passed []*verdict
	for i := range list {
		if list[i].address != "" {
			passed = append(passed, &list[i])
		}
	}
	slices.SortStableFunc(passed, compare)
	seen := map[string]*verdict{} // by address and by entity
	for _, v := range passed {
		address := strings.ToLower(v.address)
		best := passed[0]
		switch {
		case seen[address] != nil:
			v.reason = "the same as at " + seen[address].where
		case seen[v.entity] != nil:
			v.reason = "the entity has a better one at " + seen[v.entity].where
		case compare(v, best) != 0:
			v.reason = "the one at " + best.where + " is better"
		case len(taken) == maxContacts:
			v.reason = fmt.Sprintf("more than %d", maxContacts)
		default:
			v.reason = strings.Join(append([]string{"role " + v.role}, v.notes...), ", ")
			seen[address], seen[v.entity] = v, v
			taken = append(taken, v)
		}
	}
	return taken
}

// compare orders by what the registry could validate, then by level, then by mark.
// It is 0 for mentions that are equally good.
func compare(a, b *verdict) int {
	return cmp.Or(min(len(a.doubt), 1)-min(len(b.doubt), 1), int(a.level-b.level), int(a.mark-b.mark))
}

// scope is what those named answer for.
func (j *judgement) scope() Scope {
	switch {
	case j.class == "domain":
		return ScopeRegistrar
	case j.class == "autnum" || j.part == partParent:
		return ScopeUpstream
	case j.source == "ptr":
		return ScopeDomain
	}
	return ScopeNetwork
}

// conclude says what came of the answer, and who may know more.
func (j *judgement) conclude(list []verdict, taken []*verdict) {
	who := j.title()
	if len(taken) > 0 {
		j.outcome = Found
		j.reason = fmt.Sprintf("%s names %s for %s: %s", who, taken[0].address, j.subject(), taken[0].reason)
		return
	}
	j.refer = j.referral(list)
	first := slices.IndexFunc(list, func(v verdict) bool { return v.level != levelNone })
	switch {
	case j.refer != nil && j.refer.kind == nir:
		j.outcome = NIRDescend
		j.reason = fmt.Sprintf("%s leaves %s to %s, and nothing of %s names an abuse mailbox", who, j.subject(), j.refer.title, j.refer.title)
	case j.refer != nil:
		j.outcome = Referral
		j.reason = fmt.Sprintf("%s has transferred %s to %s, and nothing of %s names an abuse mailbox", who, j.subject(), j.refer.title, j.refer.title)
	case j.unfit != "":
		j.outcome, j.reason = NoContact, who+": "+j.unfit
	case first < 0 && j.class == "domain" && j.reading.referral != "":
		j.outcome = Referral
		j.reason = fmt.Sprintf("%s sends on to %s for %s, and nothing of it names an abuse mailbox", who, j.reading.referral, j.subject())
	case first < 0 && j.none:
		j.outcome, j.reason = NoContact, fmt.Sprintf("%s says that no abuse contact is registered for %s", who, j.subject())
	case first < 0:
		j.outcome, j.reason = NoAbuseRole, fmt.Sprintf("%s names no abuse mailbox for %s", who, j.subject())
	default:
		j.outcome = NoContact
		if obfuscated.MatchString(list[first].text) {
			j.outcome = Obfuscated
		}
		j.reason = fmt.Sprintf("%s names %q for %s: %s", who, tame(list[first].text, 80), j.subject(), list[first].reason)
	}
}

// obfuscated is a mailbox that is written for people, to keep it from programs.
var obfuscated = regexp.MustCompile(`(?i)\S ?[\[({< ]+at[\])}> ]+\S`)

// title is the registry for people.
func (j *judgement) title() string {
	if r := registryByName(j.reading.network.Registry); r != nil {
		return r.title
	}
	return "the registry"
}

// subject is the object asked about for people.
func (j *judgement) subject() string {
	return strings.Join(slices.DeleteFunc([]string{tame(cmp.Or(j.network.Name, j.network.Handle), 80), j.network.String()},
		func(s string) bool { return s == "" }), " ")
}

// referral finds another registry that must know more: one whose own mailbox
// stands in the abuse role or which is named as the holder, as for blocks that
// have moved (APNIC-ERX-144-134-0-0), and a national registry that appears
// anywhere at resource level, as JNIC1-AP does for all of JPNIC's members.
func (j *judgement) referral(list []verdict) *registry {
	if j.class != "ip network" {
		return nil
	}
	here := j.reading.network.Registry
	other := func(r *registry) bool { return r != nil && r.name != here && r.kind != iana }
	for _, v := range list {
		if r := ownerOf(v.text); v.level != levelNone && other(r) {
			return r
		}
	}
	if r := registryByHost(j.reading.referral); other(r) {
		return r
	}
	if r := movedTo(j.network.Name); other(r) {
		return r
	}
	if r := registryBy(func(r *registry) bool { return r.kind == rir && r.holds(j.holders) }); other(r) {
		return r
	}
	for _, v := range list {
		if r := ownerOf(v.text); other(r) && r.kind == nir && strings.Count(v.entity, "/") == 2 {
			return r
		}
	}
	for _, h := range append(j.handles, j.network.Name) {
		if r := registryByToken(h, nir); other(r) {
			return r
		}
	}
	return nil
}

// ownerOf finds the registry whose mailbox a text is.
func ownerOf(text string) *registry {
	address, err := Mailbox(text)
	if err != nil {
		return nil
	}
	return registryByDomain(address[strings.LastIndexByte(address, '@')+1:])
}

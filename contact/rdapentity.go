package contact

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// readEntities collects the mailboxes of an answer: those of the abuse role at
// the object itself, then those nested in its holder, then all others, which are
// kept to tell why they were not taken. Whoever stands below an abuse entity
// only maintains it.
func (o object) readEntities(rd *reading) {
	if rd.class == "entity" {
		rd.holders = o.names()
		o.readEntity(rd, "", "", levelResource)
	}
	for i, e := range o.objects("entities") {
		at := fmt.Sprintf("/entities/%d", i)
		rd.handles = append(rd.handles, e.text("handle"))
		nested := levelNone
		if e.has(holderRole(rd.class)) {
			rd.holders = append(rd.holders, e.names()...)
			nested = levelHolder
		}
		top := levelResource
		if rd.class == "entity" {
			top, nested = levelHolder, levelNone
		}
		e.readEntity(rd, at, "", top)
		for j, below := range e.objects("entities") {
			below.readEntity(rd, fmt.Sprintf("%s/entities/%d", at, j), e.path(""), nested)
		}
	}
}

// holderRole is the role of who has the object in hand (RFC 9083 §10.2.4).
func holderRole(class string) string {
	if class == "domain" {
		return "registrar"
	}
	return "registrant"
}

// readEntity adds the mailboxes of one entity; at is its JSON pointer, l what an
// abuse role counts there.
func (o object) readEntity(rd *reading, at, above string, l level) {
	if !o.has("abuse") {
		l = levelNone
	}
	doubt, dead := o.standing()
	emails := o.emails()
	for _, e := range emails {
		rd.mailboxes = append(rd.mailboxes, mention{
			text: e.text, where: at + "/vcardArray/1/" + e.where, role: o.path(above), entity: at,
			level: l, mark: e.mark, doubt: doubt, dead: dead(e.text),
		})
	}
	if len(emails) == 0 && l != levelNone && rd.entity == "" {
		rd.entity = o.link("self")
	}
}

// has reports whether the entity has a role.
func (o object) has(role string) bool { return contains(o.texts("roles"), role) }

// contains reports whether word is in a list, in whatever case.
func contains(list []string, word string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, word) })
}

// path is the role that counts, below those of the entity around.
func (o object) path(above string) string {
	role := strings.Join(o.texts("roles"), ",")
	switch {
	case o.has("abuse"):
		role = "abuse"
	case o.has("registrant"):
		role = "registrant"
	case o.has("registrar"):
		role = "registrar"
	case role == "":
		role = "none"
	}
	if above == "" {
		return role
	}
	return above + "/" + role
}

// names returns what the entity is called, but for maintainers: RIPE lists
// RIPE-NCC-END-MNT as a registrant of networks that are not its own.
func (o object) names() []string {
	if strings.HasSuffix(strings.ToUpper(o.text("handle")), "-MNT") {
		return nil
	}
	names := []string{o.text("handle")}
	for _, p := range o.card() {
		if s, ok := p.value(); ok && (p.is("fn") || p.is("org")) {
			names = append(names, tame(s, maxText))
		}
	}
	return names
}

// standing returns what the registry itself says against the entity's addresses:
// doubt about all of them (ARIN) and a judgement on single ones (APNIC, RIPE).
func (o object) standing() (doubt string, dead func(address string) string) {
	lines := o.remarks()
	for _, line := range lines {
		if strings.Contains(strings.ToLower(line), "unvalidated poc") {
			doubt = "the registry got no answer from it (Unvalidated POC)"
		}
	}
	return doubt, func(address string) string {
		for _, line := range lines {
			line = strings.ToLower(line)
			if strings.Contains(line, "validation failed") || saysInvalid(line, strings.ToLower(address)) {
				return "the registry found it invalid"
			}
		}
		return ""
	}
}

// saysInvalid reports whether a line says of just this address that it is
// invalid, as APNIC does after a check.
func saysInvalid(line, address string) bool {
	words := strings.Fields(line)
	for i, w := range words {
		if w == address && strings.HasPrefix(strings.Join(words[i+1:], " "), "is invalid") {
			return true
		}
	}
	return false
}

// email is an address of a jCard.
type email struct {
	text  string
	where string // below the list of properties
	mark  mark
}

// emails returns the EMAIL properties of the entity's jCard (RFC 7095, RFC 6350
// §6.4.2) with what sets one apart from the others.
func (o object) emails() []email {
	var list []email
	for i, p := range o.card() {
		if !p.is("email") {
			continue
		}
		s, ok := p.value()
		if !ok || strings.TrimSpace(s) == "" {
			continue
		}
		e := email{text: s, where: strconv.Itoa(i) + "/3", mark: markNone}
		local, _, _ := strings.Cut(strings.ToLower(s), "@")
		switch {
		case contains(p.parameter("type"), "abuse"):
			e.mark = markAbuse
		case contains(p.parameter("pref"), "1") || contains(p.parameter("type"), "pref"):
			e.mark = markPreferred
		case strings.Contains(local, "abuse"):
			e.mark = markName
		}
		list = append(list, e)
	}
	return list[:min(len(list), maxMails)]
}

// property is one of a jCard: name, parameters, type of value, value …
type property []any

// card returns the properties at their places; what is none has no length.
func (o object) card() []property {
	outer, _ := o["vcardArray"].([]any)
	if len(outer) < 2 {
		return nil
	}
	inner, _ := outer[1].([]any)
	list := make([]property, len(inner))
	for i, p := range inner {
		list[i], _ = p.([]any)
	}
	return list
}

func (p property) is(name string) bool {
	if len(p) < 4 {
		return false
	}
	s, _ := p[0].(string)
	return strings.EqualFold(s, name)
}

func (p property) value() (string, bool) {
	if len(p) < 4 {
		return "", false
	}
	s, ok := p[3].(string)
	return s, ok
}

// parameter returns the values of a parameter, given as a string, a number or a
// list of them.
func (p property) parameter(name string) []string {
	parameters, _ := p[1].(map[string]any)
	v, ok := parameters[name]
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

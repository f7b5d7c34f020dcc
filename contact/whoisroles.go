package contact

import (
	"regexp"
	"slices"
	"strings"
)

// abuseLine is what RIPE, APNIC and AFRINIC print above the objects.
var abuseLine = regexp.MustCompile(`(?i)^abuse contact for '([^']+)' is '([^']+)'$`)

// addressInText finds what may be a mailbox.
var addressInText = regexp.MustCompile(`[^\s<>()\[\]:;,'"]+@[^\s<>()\[\]:;,'"]+`)

// readContacts collects the mailboxes of an answer about the network at index at.
// Objects of people are shared by networks, so they count by how the network, or
// its holder, refers to them.
func (w *whois) readContacts(rd *reading, at int) {
	network := w.objects[at]
	for _, o := range w.objects {
		if o.isNetwork() { // a national registry may stand in the wider one only
			rd.handles = append(rd.handles, o.all("admin-c", "tech-c", "mnt-by", "mnt-lower", "mnt-irt")...)
		}
	}
	rd.holders = network.all("owner", "organization")
	for _, c := range w.comments {
		rd.none = rd.none || strings.HasPrefix(strings.ToLower(c.value), "no abuse contact registered for ")
		if m := abuseLine.FindStringSubmatch(c.value); m != nil && network.isBlock(m[1]) {
			rd.mailboxes = append(rd.mailboxes, mention{text: m[2], where: c.where, role: "abuse", entity: c.where, level: levelResource, mark: markAbuse})
		}
	}
	abuse := network.all("abuse-c", "mnt-irt")
	for _, o := range w.section(at) {
		if o.kind() == "organisation" && o.get("organisation") == network.get("org") || o.kind() == "orgname" {
			rd.holders = append(rd.holders, o.all("org-name", "orgname", "orgid")...)
			abuse = append(abuse, o.all("abuse-c")...)
		}
	}
	for _, o := range w.section(at) {
		o.readMailboxes(rd, slices.Contains(abuse, o.handle()))
	}
	slices.SortStableFunc(rd.mailboxes, func(a, b mention) int { return int(a.level) - int(b.level) })
}

// section returns the objects that may speak for the network at index at: with
// ARIN those up to the next network, with the others all but other networks.
func (w *whois) section(at int) []whoisObject {
	list := []whoisObject{w.objects[at]}
	for i, o := range w.objects {
		switch {
		case !o.isNetwork() && (w.objects[at].kind() != "netrange" || i > at):
			list = append(list, o)
		case o.isNetwork() && i > at && o.kind() == "netrange":
			return list
		}
	}
	return list
}

// isBlock reports whether a text is the object's own block, as it stands there.
func (o whoisObject) isBlock(block string) bool {
	return strings.EqualFold(strings.TrimSpace(block), o[0].value)
}

func (o whoisObject) handle() string {
	if o.kind() == "irt" {
		return o.get("irt")
	}
	return o.get("nic-hdl", "nic-hdl-br")
}

// whoisKeys says what a mailbox under a key counts. Keys that stand for changes
// and notifications (changed, notify, upd-to, mnt-nfy) are no contacts at all.
var whoisKeys = map[string]struct {
	role  string
	level level
	mark  mark
}{
	"rabuseemail":   {"abuse", levelResource, markNone},
	"orgabuseemail": {"registrant/abuse", levelHolder, markNone},
	"abuse-mailbox": {"abuse-mailbox", levelHolder, markPreferred},
	"e-mail":        {"e-mail", levelNone, markNone},
	"rtechemail":    {"technical", levelNone, markNone},
	"rnocemail":     {"noc", levelNone, markNone},
	"orgtechemail":  {"registrant/technical", levelNone, markNone},
	"orgnocemail":   {"registrant/noc", levelNone, markNone},
}

// readMailboxes adds the mailboxes of one object; abuse says that it is the abuse
// contact by its handle.
func (o whoisObject) readMailboxes(rd *reading, abuse bool) {
	entity := o[0].where
	hasMailbox := o.get("abuse-mailbox") != ""
	for _, a := range o {
		k, known := whoisKeys[a.key]
		switch {
		case known && a.value != "":
			m := mention{text: a.value, where: a.where, role: k.role, entity: entity, level: k.level, mark: k.mark}
			if abuse && (a.key == "abuse-mailbox" || a.key == "e-mail" && !hasMailbox) {
				m.role, m.level, m.mark = "abuse", levelResource, min(m.mark, nameMark(a.value))
			}
			m.dead = o.invalid(a.value)
			rd.mailboxes = append(rd.mailboxes, m)
		case a.key == "remarks" || a.key == "comment" || a.key == "descr":
			if text, ok := remarked(a.value); ok {
				rd.mailboxes = append(rd.mailboxes, mention{text: text, where: a.where, role: "remark", entity: a.where, level: levelRemark, mark: nameMark(text)})
			}
		}
	}
}

// invalid is what the registry itself says against an address in its remarks.
func (o whoisObject) invalid(address string) string {
	for _, line := range o.all("remarks") {
		line = strings.ToLower(line)
		if strings.Contains(line, "validation failed") || saysInvalid(line, strings.ToLower(address)) {
			return "the registry found it invalid"
		}
	}
	return ""
}

func nameMark(address string) mark {
	if local, _, _ := strings.Cut(strings.ToLower(address), "@"); strings.Contains(local, "abuse") {
		return markName
	}
	return markNone
}

// remarked finds the one address of a phrase about abuse or spam. A line with
// several addresses says nothing clear.
func remarked(line string) (address string, ok bool) {
	found := addressInText.FindAllString(line, 2)
	if len(found) != 1 {
		return "", false
	}
	phrase := strings.ToLower(strings.Replace(line, found[0], " ", 1))
	about := strings.Contains(phrase, "abuse") || strings.Contains(phrase, "spam")
	sends := false
	for _, verb := range []string{"send", "report", "contact", "mail", "notif"} {
		sends = sends || strings.Contains(phrase, verb)
	}
	return strings.TrimRight(found[0], "."), about && sends
}

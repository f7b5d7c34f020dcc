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

// reference is how the objects of an answer hang together: by handles.
type reference struct {
	abuse  []string // of those that take complaints
	people []string // of those that run the network
}

// readContacts collects the mailboxes of an answer about the network or autonomous
// system at index at. Objects of people are shared by networks, so they count by
// how the network, or its holder, refers to them.
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
	}
	w.readAbuseLines(rd, network)
	ref := reference{abuse: network.all("abuse-c", "mnt-irt"), people: network.all("admin-c", "tech-c", "owner-c")}
	section := w.section(at)
	for _, o := range section {
		if o.kind() == "organisation" && o.get("organisation") == network.get("org") || o.kind() == "orgname" {
			rd.holders = append(rd.holders, o.all("org-name", "orgname", "orgid")...)
			ref.abuse = append(ref.abuse, o.all("abuse-c")...)
		}
	}
	for _, o := range section {
		o.readMailboxes(rd, ref)
		if rd.referral == "" && (o.get("source") == "IANA" || network.isARIN()) {
			rd.referral = w.referredHost(o.get("referralserver", "refer", "whois"))
		}
	}
	rd.ask = w.unread(rd, ref.abuse)
}

// readAbuseLines reads what the server prints about one network above the objects.
func (w *whois) readAbuseLines(rd *reading, network whoisObject) {
	for _, c := range w.comments {
		if m := abuseLine.FindStringSubmatch(c.value); m != nil && network.isBlock(m[1]) {
			rd.mailboxes = append(rd.mailboxes, mention{text: m[2], where: c.where, role: "abuse", entity: c.where, level: levelResource, mark: markAbuse})
		}
	}
}

// readWider adds what speaks for the network at index at, in an answer about a
// smaller one in it: ARIN prints customers without contacts of their own.
func (w *whois) readWider(rd *reading, at int) {
	network := w.objects[at]
	n, _ := span(network[0].value)
	if !n.Contains(rd.network.First) || !n.Contains(rd.network.Last) || n.wider(8, 16) || movedTo(network.get("netname")) != nil {
		return
	}
	around := &reading{}
	if network.isARIN() {
		w.readContacts(around, at)
	} else {
		w.readAbuseLines(around, network)
	}
	for _, m := range around.mailboxes {
		m.doubt = "of the network around it"
		rd.mailboxes = append(rd.mailboxes, m)
	}
}

// unread returns the handle of an abuse contact that the answer names without its
// object, when nothing else in it takes complaints.
func (w *whois) unread(rd *reading, handles []string) string {
	if slices.ContainsFunc(rd.mailboxes, func(m mention) bool { return m.level < levelRemark }) {
		return ""
	}
	for _, h := range handles {
		known := slices.ContainsFunc(w.objects, func(o whoisObject) bool { return strings.EqualFold(o.handle(), h) })
		if !known && handle.MatchString(h) {
			return h
		}
	}
	return ""
}

// section returns the objects that may speak for the network at index at: with
// ARIN those up to the next network, with the others all but other networks.
func (w *whois) section(at int) []whoisObject {
	list := []whoisObject{w.objects[at]}
	for i, o := range w.objects {
		switch {
		case i == at:
		case !o.isNetwork() && !o.isARIN() && (!w.objects[at].isARIN() || i > at):
			list = append(list, o)
		case i > at && o.isARIN():
			return list
		}
	}
	return list
}

// isBlock reports whether a text is the object's own block or number.
func (o whoisObject) isBlock(text string) bool {
	if strings.EqualFold(strings.TrimSpace(text), o[0].value) {
		return true
	}
	a, ok := span(text)
	b, also := span(o[0].value)
	return ok && also && a.First == b.First && a.Last == b.Last
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
	"abuseemail":    {"abuse", levelResource, markNone}, // before 2004
	"rabuseemail":   {"abuse", levelResource, markNone},
	"orgabuseemail": {"registrant/abuse", levelHolder, markNone},
	"abuse-mailbox": {"abuse-mailbox", levelHolder, markPreferred},
	"e-mail":        {"e-mail", levelNone, markNone},
	"rtechemail":    {"technical", levelNone, markNone},
	"rnocemail":     {"noc", levelNone, markNone},
	"orgtechemail":  {"registrant/technical", levelNone, markNone},
	"orgnocemail":   {"registrant/noc", levelNone, markNone},
}

// readMailboxes adds the mailboxes of one object. It is the abuse contact by its
// handle, or the network itself, as in RIPE's brief answers (-b).
func (o whoisObject) readMailboxes(rd *reading, ref reference) {
	entity, handle, dead := o[0].where, o.handle(), o.standing()
	desk := handle != "" && contains(ref.abuse, handle)
	hasMailbox, mails := o.get("abuse-mailbox") != "", 0
	for _, a := range o {
		k, known := whoisKeys[a.key]
		switch {
		case known && a.value != "" && mails < maxMails:
			mails++
			m := mention{text: a.value, where: a.where, role: k.role, entity: entity, level: k.level, mark: k.mark}
			switch {
			case a.key == "abuse-mailbox" && (desk || o.isNetwork()) || a.key == "e-mail" && desk && !hasMailbox:
				m.role, m.level, m.mark = "abuse", levelResource, min(m.mark, nameMark(a.value))
			case a.key == "e-mail" && handle != "" && contains(ref.people, handle) && isAbuseName(a.value):
				m.role, m.level, m.mark = "e-mail that is named abuse", levelRemark, markName
			}
			m.dead = dead(a.value)
			rd.mailboxes = append(rd.mailboxes, m)
		case a.key == "remarks" || a.key == "comment" || a.key == "descr":
			if text, ok := remarked(a.value); ok {
				rd.mailboxes = append(rd.mailboxes, mention{text: text, where: a.where, role: "remark", entity: a.where, level: levelRemark, mark: nameMark(text)})
			}
		}
	}
}

// standing returns what the registry itself says against an address in the
// remarks of the object.
func (o whoisObject) standing() func(address string) string {
	lines := o.all("remarks")
	for i, line := range lines {
		lines[i] = strings.ToLower(line)
	}
	lines = lines[:min(len(lines), maxLines)]
	return func(address string) string {
		address = strings.ToLower(address)
		for _, line := range lines {
			if strings.Contains(line, "validation failed") || saysInvalid(line, address) {
				return "the registry found it invalid"
			}
		}
		return ""
	}
}

func nameMark(address string) mark {
	if local, _, _ := strings.Cut(strings.ToLower(address), "@"); strings.Contains(local, "abuse") {
		return markName
	}
	return markNone
}

// isAbuseName reports whether the local part is just the one of RFC 2142 §4.
func isAbuseName(address string) bool {
	local, _, ok := strings.Cut(address, "@")
	return ok && strings.EqualFold(local, "abuse")
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

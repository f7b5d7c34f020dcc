package contact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// domainText is an answer about a domain on the way to be read. Registries and
// registrars share the fields that ICANN has named (RDDS labeling policy), and
// else little but lines of "key: value" and headings with deeper lines below.
type domainText struct {
	rd     *reading
	w      *whois
	known  bool   // there is a line that only an answer about a domain has
	open   bool   // the name may be on the next line
	host   bool   // in a record about a name server
	head   string // key of the heading that the line stands below
	indent int    // of that heading
	entity string // where the registrar's abuse contact begins
	free   string // line that says that nobody has the domain
}

// readDomain reads an answer about a domain. Only its registrar's abuse contact
// counts: all others are people, or the registry.
func readDomain(w *whois) (*reading, error) {
	d := &domainText{w: w, rd: &reading{class: "domain"}}
	for i, line := range w.lines {
		d.read(line, lineNumber(i+1))
	}
	switch {
	case d.free != "":
		return nil, fmt.Errorf("%w: %q", errNoMatch, d.free)
	case !d.known:
		return nil, nil
	}
	return d.rd, nil
}

func (d *domainText) read(line, where string) {
	body := strings.TrimLeft(line, " \t")
	indent := len(line) - len(body)
	if body == "" || indent <= d.indent {
		d.head = ""
	}
	if body == "" || strings.ContainsRune("%#;>", rune(body[0])) {
		return
	}
	key, value := domainField(body)
	d.naming(key, value, body)
	d.status(key, value)
	d.contacts(key, value, body, where)
	if key != "" && value == "" && d.ofRegistrar() {
		d.head, d.indent = key, indent
	}
}

// naming looks for the domain's name, on the line of its key or on the next.
func (d *domainText) naming(key, value, body string) {
	open := d.open
	d.open = domainKeys[key] && value == ""
	switch {
	case open && key == "":
		d.name(body)
	case open && key == "name", domainKeys[key]:
		d.host = false
		d.name(value)
	case key == "server name":
		d.host = true
	}
}

// domainKeys are what the name itself stands under.
var domainKeys = map[string]bool{"domain name": true, "domain": true, "domainname": true, "domain information": true}

// holderKeys also occur in nothing else than answers about domains.
var holderKeys = map[string]bool{"registrar": true, "registrant": true, "sponsoring registrar": true, "registrar name": true, "registrar url": true}

// separators are what servers put between the words of a key.
var separators = regexp.MustCompile(`[\s._/()-]+`)

// domainField splits a line into key and value: "Registrar URL: x", "domain....: x",
// "[Domain Name] x". The words of the key are in lower case, with one space between.
func domainField(line string) (key, value string) {
	line = strings.TrimLeft(line, "* ")
	if m := bracketed.FindStringSubmatch(line); m != nil {
		return words(m[2]), m[3]
	}
	key, value, ok := strings.Cut(line, ":")
	if !ok || len(key) > 64 {
		return "", ""
	}
	return words(key), strings.TrimSpace(value)
}

func words(key string) string {
	return strings.TrimSpace(separators.ReplaceAllString(strings.ToLower(key), " "))
}

// name takes the first text that may be the domain's name.
func (d *domainText) name(text string) {
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	if text == "" || strings.ContainsAny(text, "@:/") {
		return
	}
	d.known = true
	if d.rd.network.Name == "" {
		d.rd.network.Name = tame(text, maxText)
	}
}

// status recognises registries that print the name of a domain that nobody has.
func (d *domainText) status(key, value string) {
	d.known = d.known || holderKeys[key]
	if key == "status" || key == "domain status" {
		switch line := strings.ToLower(value); line {
		case "free", "available", "unassigned", "no object found":
			d.free = key + ": " + line
		}
	}
}

// contacts takes a referral and whatever mailbox stands in a line.
func (d *domainText) contacts(key, value, body, where string) {
	switch {
	case slices.Contains([]string{"registrar whois server", "whois server", "whois", "refer"}, key):
		if d.rd.referral == "" && !d.host && d.ofRegistrar() {
			d.rd.referral = d.w.referredHost(value)
		}
	case isAbuseKey(key) && d.ofRegistrar() && (strings.Contains(key, "mail") || strings.Contains(value, "@")):
		d.abuse(value, where)
	case isAbuseKey(d.head) && key == "" && strings.Contains(body, "@"):
		d.abuse(body, where)
	case isAbuseKey(d.head) && (key == "e mail" || key == "email"):
		d.abuse(value, where)
	case strings.Contains(value, "@") && len(d.rd.mailboxes) < maxObjects:
		role := strings.TrimSpace(d.head + " " + key)
		d.rd.mailboxes = append(d.rd.mailboxes, mention{text: value, where: where, role: role, entity: where, level: levelNone, mark: markNone})
	}
}

// abuseKeyWords are all that the key of the registrar's abuse mailbox is made of:
// "Registrar Abuse Contact Email", "abuse-email" (.ua), "Abuse Contact" (.nl).
var abuseKeyWords = []string{"registrar", "sponsoring", "abuse", "contact", "email", "e", "mail"}

func isAbuseKey(key string) bool {
	parts := strings.Fields(key)
	other := func(word string) bool { return !slices.Contains(abuseKeyWords, word) }
	return len(parts) > 1 && slices.Contains(parts, "abuse") && !slices.ContainsFunc(parts, other)
}

// ofRegistrar reports whether the line stands where a registrar speaks of itself:
// under no heading, or under its own. Below others any text may be a stranger's.
func (d *domainText) ofRegistrar() bool {
	return d.head == "" || strings.Contains(d.head, "registrar") || strings.Contains(d.head, "domain")
}

// abuse adds the addresses of a field. One that is written in another way than
// mail is sent to stays as it stands.
func (d *domainText) abuse(value, where string) {
	if d.entity == "" {
		d.entity = where
	}
	texts := strings.FieldsFunc(value, func(c rune) bool { return c == ',' || c == ';' || c == ' ' || c == '\t' })
	texts = slices.DeleteFunc(texts, func(s string) bool { return !strings.Contains(s, "@") })
	if len(texts) == 0 && value != "" {
		texts = []string{value}
	}
	for _, text := range texts[:min(len(texts), maxMails)] {
		text = strings.Trim(text, "<>()")
		d.rd.mailboxes = append(d.rd.mailboxes, mention{text: text, where: where, role: "registrar/abuse", entity: d.entity, level: levelHolder, mark: nameMark(text)})
	}
}

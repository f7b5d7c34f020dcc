package trace

import "strings"

// sameHost reports whether two names can be the same machine: equal, or one of
// them unqualified and equal to the other's first label.
func sameHost(a, b string) bool {
	a, b = trimmed(a, square|stop), trimmed(b, square|stop)
	if a == "" || b == "" {
		return false
	}
	if strings.EqualFold(a, b) {
		return true
	}
	la, ra, qa := strings.Cut(a, ".")
	lb, rb, qb := strings.Cut(b, ".")
	if !strings.EqualFold(la, lb) {
		return false
	}
	return !qa || !qb || strings.EqualFold(organisation(ra), organisation(rb))
}

// sameOrganisation reports whether two qualified names belong together.
func sameOrganisation(a, b string) bool {
	oa := organisation(a)
	return oa != "" && strings.EqualFold(oa, organisation(b))
}

// organisation returns the registered domain of a host name: two labels, or three
// below a country's second level such as "co.uk". This needs no list of public
// suffixes, because nothing is believed for the organisation's sake alone.
func organisation(name string) string {
	name = strings.TrimSuffix(name, ".")
	if !isHostName(name) {
		return ""
	}
	last := strings.LastIndexByte(name, '.')
	second := strings.LastIndexByte(name[:last], '.')
	if second < 0 {
		return name
	}
	if len(name)-last == 3 && secondLevel(name[second+1:last]) {
		second = strings.LastIndexByte(name[:second], '.')
	}
	return name[second+1:]
}

func secondLevel(label string) bool {
	if len(label) <= 2 {
		return true
	}
	switch strings.ToLower(label) {
	case "com", "net", "org", "edu", "gov", "gob", "mil", "sch", "nom", "info", "govt", "gouv":
		return true
	}
	return false
}

// qualified reports whether a name can be looked up by anybody on the Internet.
func qualified(name string) bool {
	if !isHostName(name) {
		return false
	}
	switch tld := name[strings.LastIndexByte(name, '.')+1:]; strings.ToLower(tld) {
	case "local", "localdomain", "localhost", "internal", "lan", "home", "corp", "intern", "private", "priv", "arpa":
		return false
	}
	return true
}

package trace

import (
	"math/bits"
	"strings"
)

// role is what the first word of a from clause means.
type role uint8

const (
	roleHELO    role = iota // what the client called itself: Postfix, Sendmail, Microsoft …
	roleName                // the PTR name, HELO being the same unless stated: Exim, CommuniGate
	roleAccount             // the provider's number for its customer
	roleUser                // a user of the host itself
	roleNothing
)

// dialect is how one product writes its Received fields, as far as that differs
// from the common reading. All globs that a row gives must match; an empty one
// matches anything. To add a product add a row and testdata/dialects/NAME.txt.
type dialect struct {
	name    string
	by      string // glob for the receiving host's name
	with    string // glob for the protocol
	comment string // glob for any comment outside the from clause
	id      string // glob for the id
	date    func(string) bool

	first    role
	verifies bool // it records only names that resolve back to the address
	kind     Kind // what such a field always is; empty if the field tells
	// authID reads from the id that the client authenticated, where nothing else tells.
	authID func(id string) bool
}

// dialects lists the products, most specific first.
var dialects = []dialect{
	{name: "fetchmail", comment: "fetchmail-*", kind: KindFetch},
	{name: "getmail", comment: "getmail*", kind: KindFetch},
	{name: "mpop", comment: "mpop*", kind: KindFetch},
	{name: "gmail-fetch", by: "pop.gmail.com", kind: KindFetch},
	{name: "amavis", comment: "amavis*", kind: KindFilter},
	{name: "postfix-pickup", comment: "Postfix, from userid *", kind: KindLocal},
	{name: "sendmail-submit", comment: "*/Submit", kind: KindLocal, first: roleUser},
	{name: "qmail-local", comment: "qmail * invoked by *", kind: KindLocal},
	{name: "nullmailer", comment: "nullmailer pid * invoked by *", kind: KindLocal},
	{name: "ssmtp", comment: "sSMTP *", kind: KindLocal},
	{name: "dma", comment: "DragonFly Mail Agent*", kind: KindLocal, first: roleUser},
	{name: "qmail-queue", comment: "qmail * invoked from network*", kind: KindReceiver},
	{name: "qmail-scanner", with: "qmail-scanner*", kind: KindFilter, first: roleNothing},
	{name: "exim-local", with: "local*", kind: KindLocal, first: roleUser},
	{name: "exim-scanned", with: "spam-scanned", kind: KindFilter, first: roleUser},
	{name: "mapi", with: "mapi", kind: KindLocal},
	{name: "outlook-store", by: "*.outlook.com", with: "HTTPS*", kind: KindFilter},
	{name: "exchangelabs-store", by: "*.exchangelabs.com", with: "HTTPS*", kind: KindFilter},
	{name: "coremail-web", by: "ajax-webmail*", kind: KindWebmail, first: roleAccount},
	{name: "gmailapi", by: "gmailapi.google.com", kind: KindHTTP, first: roleAccount},
	{name: "sendgrid-api", comment: "SG", with: "HTTP", kind: KindHTTP, first: roleAccount},
	{name: "gmail", by: "*.gmail.com", verifies: true, authID: googleAuthID},
	{name: "google", by: "*.google.com", verifies: true, authID: googleAuthID},
	{name: "exim", comment: "Exim *", first: roleName, verifies: true},
	{name: "exim-id", id: "??????-??????-??", first: roleName, verifies: true},
	{name: "exim-long-id", id: "??????-???????????-????", first: roleName, verifies: true},
	{name: "communigate", comment: "CommuniGate Pro *", first: roleName},
	{name: "postfix", comment: "Postfix*", verifies: true},
	{name: "sendmail", comment: "8.*/*", verifies: true},
	{name: "qmail", date: qmailDate, first: roleName},
	{name: "sendmail-vendor", comment: "*/8.*", verifies: true},
}

var plainDialect = dialect{name: "plain"}

// rowSet has a bit for each row of dialects.
type rowSet uint64

// Most rows can't fit a field by the first octet of what they ask for, so each is
// looked up by it: commented by a comment's, speaking by the protocol's. The
// others are tried against every field.
var commented, speaking, others = indexDialects()

func indexDialects() (commented, speaking [256]rowSet, others rowSet) {
	for i, d := range dialects {
		switch {
		case d.comment != "":
			enter(&commented, d.comment[0], 1<<i)
		case d.with != "":
			enter(&speaking, d.with[0], 1<<i)
		default:
			others |= 1 << i
		}
	}
	return commented, speaking, others
}

// enter adds a row under an octet in either case, and under all for a wildcard.
func enter(index *[256]rowSet, octet byte, row rowSet) {
	for c := range index {
		if !differ(octet, byte(c)) {
			index[c] |= row
		}
	}
}

// dialectOf finds the row for a field.
func dialectOf(f *field, h *Hop) *dialect {
	var buf [8]string
	products, rows := buf[:0], others
	if h.With != "" {
		rows |= speaking[h.With[0]]
	}
	for c := range f.part {
		if clause(c) == inFrom {
			continue
		}
		for i := range f.part[c] {
			if t := &f.part[c][i]; t.kind == comment && t.text != "" {
				products = append(products, t.text)
				rows |= commented[t.text[0]]
			}
		}
	}
	for ; rows != 0; rows &= rows - 1 {
		if d := &dialects[bits.TrailingZeros64(uint64(rows))]; d.matches(products, f.date, h) {
			return d
		}
	}
	return &plainDialect
}

func (d *dialect) matches(products []string, date string, h *Hop) bool {
	if d.by != "" && !glob(d.by, h.By) || d.with != "" && !glob(d.with, h.With) ||
		d.id != "" && !glob(d.id, h.ID) || d.date != nil && !d.date(date) {
		return false
	}
	if d.comment == "" {
		return true
	}
	for _, p := range products {
		if glob(d.comment, p) {
			return true
		}
	}
	return false
}

// qmailDate recognises qmail, which names itself nowhere, by its date: no weekday,
// and "-0000" for a zone that it doesn't know.
func qmailDate(date string) bool {
	date = strings.TrimSpace(date)
	return date != "" && isDigit(date[0]) && strings.HasSuffix(date, " -0000")
}

// googleAuthID reads the mark of a client that logged in to Gmail: "sm" between
// digits, where mail from other servers has "si" and Google's own "so".
func googleAuthID(id string) bool {
	id, _, _ = strings.Cut(id, ".")
	i := strings.LastIndex(id, "sm")
	return i > 0 && i+2 < len(id) && isDigit(id[i-1]) && isDigit(id[i+2])
}

package reporter

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"spamreport-milter/trace"
)

// ticketFields are header fields in which ticket systems write their number.
var ticketFields = []string{"RT-Ticket", "X-RT-Ticket", "X-Ticket-ID", "X-Ticket-Number", "X-OTRS-TicketNumber", "X-Case-ID"}

// Of what the expressions below are made: a number, digits with a queue's letters and
// signs about them; what desks call it; and how they lead up to it.
const (
	ticketNumber = `((?:[a-z]{1,12}[-_.:/]?)?[0-9][a-z0-9]*(?:[-_.:/][a-z0-9]+){0,4})`
	ticketNoun   = `(?:ticket|case|incident|reference|ref|request|issue|tracking|abuse ?id|report id|inquiry|enquiry|support|vorgang|vorgangs?-?nummer|ticket-?nummer|fall|fallnummer|anfrage|aktenzeichen|dossier|demande|caso|incidencia|solicitud|chamado|protocolo|protocollo|segnalazione|richiesta|meldnummer|zaaknummer|zgloszeni[ae]|sprawy|заявк[аи]|заявке|обращени[яею]|тикет[а]?|номером?|工单|工單|案件|编号|編號|チケット|受付)`
	ticketLead   = `(?:[ -]?(?:number|numero|numer|nummer|номер|id|key|code|no|nr|n|号|號|番号))?[.°o]?(?: has been (?:created|opened|assigned)| (?:is|ist|lautet|est|es|e|to|under))?[ :#"'=([]{1,4}#?`
)

// tickets are the ways in which desks number what they get, on texts without accents.
// In a subject a number in brackets is enough, in the text something must call it one.
var tickets = []*regexp.Regexp{
	regexp.MustCompile(unaccented(`(?i)\[(?:abuse|report|` + ticketNoun + `)` + ticketLead + ticketNumber + `\]`)),
	regexp.MustCompile(`(?i)\[[a-z0-9 ._-]{1,40}#` + ticketNumber + `\]`),
	regexp.MustCompile(`(?i)\[#?((?:[a-z]{1,10}-?)?[0-9]{4,20})\]`),
	regexp.MustCompile(`(?i)\(#?((?:[a-z]{1,10}-)[0-9]{2,20}|#[0-9]{4,20})\)`),
	regexp.MustCompile(`##([0-9]{4,20})##`),
	regexp.MustCompile(unaccented(`(?i)(?:\b|[^\x00-\x7f])` + ticketNoun + ticketLead + ticketNumber)),
	regexp.MustCompile(`(?:^|[\s(])#([0-9]{4,20})\b`),
	regexp.MustCompile(`(?i)\bref:(_[a-z0-9_.!]{8,60}):ref\b`),
	regexp.MustCompile(`\b([A-Z]{2,10}-[0-9]{3,12})\b`),
}

// ticket returns the desk's number, which is not the one of our complaint.
func ticket(m *trace.Message, text string) string {
	for _, name := range ticketFields {
		if v := field(m, name); v != "" {
			return clip(oneLine(v), 40)
		}
	}
	for _, where := range []string{decodedSubject(m), clip(text, 4000)} {
		where = unaccented(where)
		for _, form := range tickets {
			for _, found := range form.FindAllStringSubmatch(where, 10) {
				if n := strings.Trim(found[1], "#.:-/"); isTicket(n) {
					return n
				}
			}
		}
	}
	return ""
}

var dateLike = regexp.MustCompile(`^([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)`)

// isTicket tells a number from an address, a date or a count.
func isTicket(n string) bool {
	digits := 0
	for _, c := range n {
		if unicode.IsDigit(c) {
			digits++
		}
	}
	_, err := netip.ParseAddr(n)
	return digits >= 3 && len(n) <= 60 && err != nil && !dateLike.MatchString(n)
}

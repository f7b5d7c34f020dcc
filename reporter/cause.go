package reporter

import (
	"regexp"
	"slices"
	"strings"
)

// cause is why a server did not take a mail for a mailbox.
type cause int

const (
	causeUnknown cause = iota
	causeGone          // there is no such mailbox, or none that mail can reach
	causeRefused       // this mail or its sender is not wanted
	causeFull          // the mailbox has no room
	causeLater         // a network, a time limit, a rate
)

// causes are what servers say, in the order of trust: what they say of us, then of
// room, of time and of content, and of the mailbox last, since a filter that wants no
// mail likes to call the mailbox unknown. A weak one means less than a code.
var causes = []struct {
	cause cause
	weak  bool
	says  *expression
}{
	{causeGone, false, phrase(`recipientnotfound|nosuchuser|recipient address rejected: access denied`)},
	{causeRefused, false, phrase(`\bsender (address|verif\w*|domain|id|host|ip)\b|\b(invalid|unknown|bad|unverified) sender\b|\byour (ip|host|server|domain|network|mail server|reputation)\b|\bclient host\b|\bhelo\b|\behlo\b|\breverse (dns|lookup|hostname)|\bptr\b`)},
	{causeFull, false, phrase(`\b(mail ?box|mail ?drop|inbox|account|folder|user|recipient|destinatario|postfach|bo[îi]te|casella|caixa|buz[oó]n|skrzynka|ящик)\b.{0,40}(\b(full|voll|pleine?|llen[oa]|pien[oa]|chei[oa]|vol|pe[lł]na)\b|переполнен)|\bfull (mail ?box|inbox|folder)|quota|\bover ?(the )?limit|(disk|storage|mail ?box|mail) ?(space|limit|size)\b.{0,20}(full|exceed|reached|not enough)|exceed.{0,40}\b(storage|disk|space|capacity|size)|(not enough|insufficient|out of|no) (disk |system |storage )?(space|storage)|邮箱已满|容量`)},
	{causeLater, false, phrase(`temporar|greylist|rate ?limit|too (quickly|fast|many|much)|at a rate|retry time|time-?out|timed out|connection (refused|reset|lost)|unreachable|not reachable|\bexpired|hop count|\bloop|no route`)},
	{causeRefused, false, phrase(`spam|unsolicited|\bbulk\b|\bjunk\b|virus|malware|phish|malicious|infected|(black|block|deny) ?list|\bblocked\b|\blisted (at|in|on|by)\b|\brbl\b|dnsbl|reputation|dmarc|\bspf\b|dkim|\bbanned\b|suspicious|\bcontent\b|attachment|\bpolic(y|ies)\b`)},
	{causeGone, false, phrase(`\bno such\b|\b(user|recipient|mail ?box|account|address(ee)?|alias|e-?mail|userid|person|destinataire|adresse|empf(ä|ae)nger|benutzer|postfach|usuario|direcci[oó]n|cuenta|utente|indirizzo|usu[aá]rio|endere[cç]o|conta|destinat[aá]rio|gebruiker|adres|u[zż]ytkownik)\b.{0,60}(\bunknown\b|\bnot (be )?(found|known|listed)\b|\b(does|do) ?n[o']t (have|exist)|\bnot exist|\bno longer\b|\b(disabled|deactivated|inactive|discontinued|deleted|terminated|closed)\b|\bnot (a )?(valid|local|active)\b|\binvalid\b|\bunavailable\b|n'existe (pas|plus)|\binconnue?\b|\bunbekannt|nicht (gefunden|bekannt|vorhanden)|existiert nicht|\bno existe|\bdesconocid|non esiste|sconosciut|inesistente|n[aã]o existe|inexistente|desconhecid|onbekend|bestaat niet|nie istnieje|nieznany)`)},
	{causeGone, false, phrase(`\b(unknown|invalid|bad|non-?existent|inactive|disabled|illegal) (or \w+ )?(final delivery )?(user|recipient|destination|mail ?box|address|account|alias|local part|virtual|e-?mail)|\bno (mail ?box|account|user|recipient)s? (here |exists |found )?(by|with|for|under|at) (that|this)|\bno valid recipients?\b|\bunrouteable address|\bnull ?mx|\b(does|do) not (accept|receive) (any )?e-?mail|\b(host|domain)( or domain)?( name)? (is )?(not found|unknown|does ?n[o']t exist|invalid)|\bunknown (host|domain)|non-?existent hosts?|nxdomain|he/her is not|не существует|не найден|неизвест|недоступен|不存在|查无此|查無此|존재하지|存在しません|見つかりません`)},
	{causeRefused, true, phrase(`\bdenied|\brelay|\bnot (allowed|permitted|authori[sz]ed|accept)|prohibited|restrict|forbidden|authentica|refused|rejected`)},
}

// goneCodes say that there is no such mailbox (RFC 3463 §3.2, §3.3; 5.1.10 of RFC 7505
// and Exchange; 5.4.4 and 5.4.310 are said of domains that are not there).
var goneCodes = []string{"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4", "5.4.310"}

// named is what carries words that mean nothing: addresses, links, names of hosts.
var named = regexp.MustCompile(`\S*@\S+|\bhttps?:\S+|\bhost \S+|\b[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}\b`)

// maxSaid is how much of what a server said is read, in octets.
const maxSaid = 4000

// causeOf decides by the status code, which may be empty, and what the server said. A
// code of the class 4 is never the last word on a mailbox.
func causeOf(code, said string) cause {
	full := folded(clip(said, maxSaid))
	words := named.ReplaceAllString(full, " ")
	found, weak := causeUnknown, true
	for i, c := range causes {
		if i == 0 && c.says.MatchString(full) || c.says.MatchString(words) { // the first has names that look like hosts'
			found, weak = c.cause, c.weak
			break
		}
	}
	switch {
	case code == "5.2.2":
		return causeFull
	case weak && slices.Contains(goneCodes, code):
		return causeGone
	case found == causeGone && strings.HasPrefix(code, "4"):
		return causeLater
	}
	return found
}

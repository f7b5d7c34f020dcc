package reporter

import (
	"regexp"
	"slices"
	"strings"

	"spamreport-milter/trace"
)

// bouncers are how mail servers introduce a bounce in words of their own.
var bouncers = phrase(`this is the .{0,40}\b(qmail-send|mail system|mail delivery|deliver|mta|postfix)\b|(message|mail) (was )?(automatically )?created (automatically )?by (the )?mail delivery|delivery status notification|delivery (failed|failure|error|report|problem|has failed)|delivery to the following|(not|n't) (yet )?(be(en)? )?(delivered|reach)|cannot (be )?(delivered|reach)|non-?delivery|undeliver|returned (mail|to (the )?sender|message)|(unable|not able|failed|failure|impossible|attempt(s|ed)?) to deliver|failure notice|mail (system )?(error|failure)|fatal errors|failed recipient|(nicht|konnte) .{0,60}zugestellt|unzustellbar|non (remis|delivre|distribue)|(pas|n'a) (pu )?.{0,20}(remis|delivre|distribue|achemine)|no (ha |se ha |pudo |se pudo |pudo ser )?(podido |sido )?entrega|no entregado|non .{0,30}(recapitat|consegnat)|nao .{0,30}entreg|niet .{0,30}(bezorgd|afgeleverd)|nie .{0,30}dostarcz|не может быть доставлен|не доставлен|недоставк|无法(发送|投递|送达)|退信|配信(でき|不能|エラー)`)

// What a server says that is still trying, and that it has given up.
var (
	triesOn  = phrase(`not yet been delivered|hasn't yet been delivered|not been delivered yet|\bdelay|will (be retried|keep trying|continue|retry|try again)|still (being retried|trying)|postponed|warning (message )?only|(not|no) need to (resend|do anything)|no action is required|could not send (message )?for (the )?past|noch nicht zugestellt|verzoger|retarde|retrasad`)
	triedOut = phrase(`permanent|giv(en|ing) up|no (further|more) attempts|fatal error|undeliverable|failed recipient`)
)

// returned is where a bounce goes over to the mail that it returns.
var returned = regexp.MustCompile(`(?im)^[^\p{L}\n]*(below this line is a copy|this is a copy of|a copy of (the|your) |((the|your|full|full text of) )?(original|returned|undelivered|unsent|rejected|message) ?(message|mail|e-?mail|text|headers?|body)?\b.{0,30}(follows|begins|below|attached|returned|is as follows|---)|(message|mail) headers? follow|original message headers|-{3,} ?(the )?(original|returned|unsent|message|header|forwarded).*|this is an email abuse report for .*|(received|return-path|message-id|mime-version): .*|原信|附件中的内容)`)

func unquotedBounce(text string) string {
	if at := returned.FindStringIndex(text); at != nil {
		return text[:at[0]]
	}
	return text
}

var (
	addressIn     = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+`)
	returnedAbout = regexp.MustCompile(`(?im)^[ \t>]*message-id:\s*(<[^<>\s]{1,250}>)`)
	failedSubject = phrase(`^\W*(undeliver(ed|able)|returned mail|mail delivery fail|delivery status notification|delivery (failure|has failed|failed)|failure notice|mail (system )?error|mail could not be delivered|non-?delivery|unzustellbar|non remis|no se puede entregar)`)
	bouncerNames  = regexp.MustCompile(`(?i)mailer[-_. ]?daemon|postmaster|mail(er)? delivery|delivery (sub)?system|mdaemon|system administrator|mail administrator`)
)

// readFreeBounce reads a bounce in words. It counts only with the null reverse-path, a
// server's own name as sender or a subject that begins like one: people quote bounces,
// too.
func readFreeBounce(m *trace.Message, text string) (r Reply, ok bool) {
	own := unquotedBounce(text)
	said := folded(decodedSubject(m) + "\n" + clip(own, 2*maxSaid))
	failed := mailboxesIn(field(m, "X-Failed-Recipients"))
	if !nullSender(m) && !bouncerNames.MatchString(field(m, "From")) && !failedSubject.MatchString(folded(decodedSubject(m))) || len(failed) == 0 && !bouncers.MatchString(said) {
		return r, false
	}
	r = Reply{Kind: ReplyBounced, Text: excerpt(own)}
	if about := returnedAbout.FindStringSubmatch(text[len(own):]); about != nil {
		r.About = about[1]
	}
	if triesOn.MatchString(said) && !triedOut.MatchString(said) {
		r.Kind = ReplyDelayed
		return r, true
	}
	r.blame(own, failed)
	return r, true
}

// blame finds for whom a bounce in words is: what it says counts for all mailboxes in
// it, unless it says different things, and then for each what stands behind it.
func (r *Reply) blame(own string, failed []string) {
	own = clip(own, 2*maxSaid)
	if len(failed) == 0 {
		failed = mailboxesIn(own)
	}
	r.Failed = failed
	switch all := causeOf(statusCode.FindString(own), own); {
	case all == causeGone:
		r.Gone = failed
	case all != causeUnknown && len(failed) > 1:
		for _, part := range partsByMailbox(own) {
			if causeOf(statusCode.FindString(part.said), part.said) == causeGone {
				r.Gone = appendNew(r.Gone, []string{part.mailbox})
			}
		}
	}
}

// maxMailboxes bounds how many mailboxes of a bounce are looked at: a complaint has
// three.
const maxMailboxes = 20

func mailboxesIn(text string) []string {
	var all []string
	for _, a := range addressIn.FindAllString(clip(text, 2*maxSaid), maxMailboxes) {
		all = appendNew(all, []string{strings.TrimRight(a, ".-")})
	}
	return all
}

type blamed struct{ mailbox, said string }

// partsByMailbox splits a text at its mailboxes. One that is named again in what is
// said of it begins nothing.
func partsByMailbox(text string) (parts []blamed) {
	places := addressIn.FindAllStringIndex(text, maxMailboxes)
	for i, at := range places {
		mailbox, end := strings.TrimRight(text[at[0]:at[1]], ".-"), len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		said := text[at[1]:end]
		if n := slices.IndexFunc(parts, func(p blamed) bool { return strings.EqualFold(p.mailbox, mailbox) }); n >= 0 {
			parts[n].said += said
			continue
		}
		parts = append(parts, blamed{mailbox, said})
	}
	return parts
}

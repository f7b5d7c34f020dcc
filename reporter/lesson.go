package reporter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// lesson is what an answer changes.
type lesson struct {
	action  string
	actor   string
	reason  string
	shut    []string      // addresses that get no complaints any more
	expires time.Duration // how long; 0 for ever
}

// lessonOf decides by the address and the answer. Only addresses of the complaint
// itself can be shut: who has its tag has it from there.
func (l *Learner) lessonOf(verb Verb, m *trace.Message, c *queue.Complaint, before []string) lesson {
	if !verb.command() {
		return lessonOfReply(ReadReply(m, l.sent(c)), c, before)
	}
	// A command is a mail that somebody wrote: responders and scanners answer any
	// address that they see.
	what := lesson{actor: actorDesk, reason: "by the address for " + string(verb)}
	switch {
	case automaticReply(m):
		what.action, what.reason = queue.ActionNoted, "automatic mail to the address for "+string(verb)+": nothing done"
	case verb == VerbResolved:
		what.action = queue.ActionResolved
	case verb == VerbNotOurs:
		what.action, what.reason = queue.ActionAnswered, "not ours, "+what.reason
	case verb == VerbStop:
		what.action, what.reason, what.shut = queue.ActionAnswered, "no more complaints, "+what.reason, wanted(m, c.To)
		if len(what.shut) == 0 {
			what.reason += "; it went to several desks, and which of them says so is not clear: nothing is suppressed"
		}
	}
	return what
}

// wanted returns for whom a desk can ask for no more: for all addresses of a complaint
// where they are its own, and of those of several desks for those in the domain that it
// writes from. That can be forged by the other desk alone.
func wanted(m *trace.Message, to []string) []string {
	if len(to) < 2 || !slices.ContainsFunc(to, func(a string) bool { return siteOf(a) != siteOf(to[0]) }) {
		return to
	}
	var own []string
	from := addressIn.FindString(field(m, "From"))
	for _, a := range to {
		if from != "" && siteOf(a) == siteOf(from) {
			own = append(own, a)
		}
	}
	return own
}

// siteOf is the registered domain of an address, or its domain.
func siteOf(address string) string {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	if site, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return site
	}
	return domain
}

// sent knows what a complaint said and showed: its letter, and the reported message as
// far as it is kept.
func (l *Learner) sent(c *queue.Complaint) Sent {
	var b bytes.Buffer
	if len(c.Incidents) == 0 || l.Composer.Compose(&b, c) != nil {
		return nil // of a complaint without its message the usual signs of quoting are left
	}
	var texts []string
	if letter, err := trace.Read(&b, 1<<20); err == nil {
		text, _ := textsOf(letter)
		texts = append(texts, text)
	}
	text, markup := textsOf(&c.Incidents[0].Report.Message)
	return SentWords(append(texts, text, shownText(markup))...)
}

func lessonOfReply(r Reply, c *queue.Complaint, before []string) lesson {
	l := lesson{actor: actorDesk, action: queue.ActionAnswered, reason: string(r.Kind) + ": " + r.Text}
	if r.Ticket != "" {
		l.reason = fmt.Sprintf("%s, ticket %s: %s", r.Kind, r.Ticket, r.Text)
	}
	if r.Page != "" {
		l.reason += " " + r.Page
	}
	switch r.Kind {
	case ReplyBounced:
		l.bounced(r, c, before)
	case ReplyDelayed:
		l.actor, l.action = actorRelay, queue.ActionNoted
	case ReplyAuto:
		l.action = queue.ActionNoted
	case ReplyResolved:
		l.action = queue.ActionResolved
	}
	return l
}

// bounced says what a bounce changes: mailboxes that are gone get no more, and the
// complaint has bounced, unless others have it, of whom it did not come back before. A
// bounce of another message, such as the one before the complaint was reopened, says
// nothing of this one.
func (l *lesson) bounced(r Reply, c *queue.Complaint, before []string) {
	l.actor, l.action, l.expires = actorRelay, queue.ActionBounced, bounceRest
	if r.About != "" && r.About != c.MessageID {
		l.action, l.reason = queue.ActionNoted, "of another message, "+l.reason
		return
	}
	l.shut = both(c.To, r.Gone)
	if len(both(c.To, r.Failed)) > 0 && len(both(c.To, append(before, r.Failed...))) < len(c.To) {
		l.action = queue.ActionNoted
	}
}

// both returns the addresses of a list that are in another one, too.
func both(list, other []string) (all []string) {
	for _, a := range list {
		if slices.ContainsFunc(other, func(b string) bool { return strings.EqualFold(a, b) }) {
			all = append(all, a)
		}
	}
	return all
}

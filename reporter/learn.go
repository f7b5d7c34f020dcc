package reporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// Memory is what answers change.
type Memory interface {
	Case(ctx context.Context, id int64) (*queue.Case, error)
	Decide(ctx context.Context, d queue.Decision, ids ...int64) (queue.Decided, error)
	Suppress(ctx context.Context, p queue.Suppression) error
	Reopen(ctx context.Context, id int64, actor, reason string) error
}

// Learner takes what comes back to the addresses that complaints named. It never
// makes a mail: so there is no loop.
type Learner struct {
	Composer *Composer
	Memory   Memory
	Log      *slog.Logger
}

// ErrNoReply means that an address is none that we made: what came to it teaches
// nothing.
var ErrNoReply = errors.New("not an address of a complaint")

// actorRelay is who brings bounces, in events and suppressions.
const actorRelay = "relay"

// bounceRest is how long a mailbox that bounced gets nothing: desks come back.
const bounceRest = 90 * 24 * time.Hour

// IsReply reports whether an address is one that a complaint of ours named.
func (l *Learner) IsReply(recipient string) bool {
	_, _, ok := l.Composer.Addressed(recipient)
	return ok
}

// Recipient returns the address of ours that a message came to, by its envelope or,
// for a saved one, by what servers and its sender wrote.
func (l *Learner) Recipient(m *trace.Message) (address string, ok bool) {
	candidates := slices.Clone(m.RcptTo)
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"} {
		for _, v := range m.Fields(name) {
			candidates = append(candidates, addressIn.FindAllString(v, 20)...)
		}
	}
	i := slices.IndexFunc(candidates, l.IsReply)
	if i < 0 {
		return "", false
	}
	return candidates[i], true
}

// Reply learns from a message to such an address. An error other than ErrNoReply
// may pass: the message is to be brought again. A complaint that is gone, or stands
// where an answer changes nothing, is no error.
func (l *Learner) Reply(ctx context.Context, recipient string, m trace.Message) error {
	id, verb, ok := l.Composer.Addressed(recipient)
	if !ok {
		return fmt.Errorf("%s: %w", oneLine(recipient), ErrNoReply)
	}
	k, err := l.Memory.Case(ctx, id)
	if errors.Is(err, queue.ErrNotFound) {
		l.Log.Info("answer to a complaint that is gone", "complaint", id)
		return nil
	}
	if err != nil {
		return err
	}
	return l.apply(ctx, &k.Complaint, lessonOf(verb, &m, k.Complaint.To))
}

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
func lessonOf(verb Verb, m *trace.Message, to []string) lesson {
	if verb == VerbBounce || verb == VerbReply {
		return lessonOfReply(ReadReply(m), to)
	}
	// A command is a mail that somebody wrote: responders and scanners answer any
	// address that they see.
	l := lesson{actor: "desk", reason: "by the address for " + string(verb)}
	switch {
	case automaticReply(m):
		l.action, l.reason = queue.ActionNoted, "automatic mail to the address for "+string(verb)+": nothing done"
	case verb == VerbResolved:
		l.action = queue.ActionResolved
	case verb == VerbNotOurs:
		l.action, l.reason = queue.ActionAnswered, "not ours, "+l.reason
	case verb == VerbStop:
		l.action, l.reason, l.shut = queue.ActionAnswered, "no more complaints, "+l.reason, to
	}
	return l
}

func lessonOfReply(r Reply, to []string) lesson {
	l := lesson{actor: "desk", action: queue.ActionAnswered, reason: string(r.Kind) + ": " + r.Text}
	if r.Ticket != "" {
		l.reason = fmt.Sprintf("%s, ticket %s: %s", r.Kind, r.Ticket, r.Text)
	}
	if r.Page != "" {
		l.reason += " " + r.Page
	}
	switch r.Kind {
	case ReplyBounced:
		l.actor, l.action, l.expires = actorRelay, queue.ActionBounced, bounceRest
		for _, a := range to {
			if slices.ContainsFunc(r.Gone, func(g string) bool { return strings.EqualFold(a, g) }) {
				l.shut = append(l.shut, a)
			}
		}
		if n := len(l.shut); n > 0 && n < len(to) { // the others have it
			l.action = queue.ActionNoted
		}
	case ReplyDelayed:
		l.actor, l.action = actorRelay, queue.ActionNoted
	case ReplyAuto:
		l.action = queue.ActionNoted
	case ReplyResolved:
		l.action = queue.ActionResolved
	}
	return l
}

func (l *Learner) apply(ctx context.Context, c *queue.Complaint, what lesson) error {
	for _, a := range what.shut {
		p := queue.Suppression{Address: a, Actor: what.actor, Reason: fmt.Sprintf("complaint %d: %s", c.ID, what.reason)}
		if what.expires > 0 {
			p.Expires = time.Now().Add(what.expires)
		}
		if err := l.Memory.Suppress(ctx, p); err != nil {
			return err
		}
	}
	out, err := l.Memory.Decide(ctx, queue.Decision{Action: what.action, Actor: what.actor, Reason: what.reason}, c.ID)
	if err != nil {
		return err
	}
	if len(out.Refused) > 0 && c.State == queue.Sending {
		return fmt.Errorf("complaint %d is not recorded as sent yet", c.ID)
	}
	for _, refused := range out.Refused {
		l.Log.Info("answer changes nothing", "complaint", c.ID, "reason", refused.Err)
	}
	l.Log.Info("answer to a complaint", "complaint", c.ID, "action", what.action, "suppressed", what.shut)
	return l.reopen(ctx, c, what)
}

// reopen has another contact looked for where all mailboxes of a complaint are gone.
// Nobody is told anew that we take something back. The bounce may come twice, or we
// may have been stopped after the first half: a complaint that stands bounced is
// reopened, any other is left as it is.
func (l *Learner) reopen(ctx context.Context, c *queue.Complaint, what lesson) error {
	if what.action != queue.ActionBounced || len(what.shut) == 0 || c.Withdraws != 0 {
		return nil
	}
	err := l.Memory.Reopen(ctx, c.ID, what.actor, "came back from "+strings.Join(what.shut, ", ")+", which gets no more; another contact is looked for")
	if errors.Is(err, queue.ErrState) {
		return nil
	}
	return err
}

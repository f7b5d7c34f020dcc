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
	Suppressed(ctx context.Context, addresses ...string) (map[string]queue.Suppression, error)
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

// Who brings bounces and who writes answers, in events and suppressions.
const (
	actorRelay = "relay"
	actorDesk  = "desk"
)

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
	if !verb.command() && answers(k.Events) >= maxAnswers {
		l.Log.Warn("answer passed by: the complaint has had enough of them", "complaint", id)
		return nil
	}
	shut, err := l.Memory.Suppressed(ctx, k.Complaint.To...)
	if err != nil {
		return err
	}
	what := l.lessonOf(verb, &m, &k.Complaint, cameBack(shut))
	if verb.command() && saidBefore(k.Events, what) {
		l.Log.Info("answer passed by: it was said before", "complaint", id)
		return nil
	}
	return l.apply(ctx, &k.Complaint, what)
}

// cameBack lists the addresses that a complaint came back from before.
func cameBack(shut map[string]queue.Suppression) (all []string) {
	for a, p := range shut {
		if p.Actor == actorRelay {
			all = append(all, a)
		}
	}
	return all
}

// maxAnswers is how many answers of one complaint go into its trail: a loop of two
// machines somewhere, or a desk's bad will, must not fill the queue. What an address
// for a command says a second time is said already.
const maxAnswers = 100

func answers(events []queue.Event) (n int) {
	for i := range events {
		if answered(&events[i]) {
			n++
		}
	}
	return n
}

func answered(e *queue.Event) bool { return e.Actor == actorRelay || e.Actor == actorDesk }

func saidBefore(events []queue.Event, what lesson) bool {
	return slices.ContainsFunc(events, func(e queue.Event) bool {
		return answered(&e) && e.Action == what.action && e.Reason == what.reason
	})
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

package reporter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/mail"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// How long a relay may keep refusing for now. RFC 5321 §4.5.4.1 asks for four to
// five days; a complaint about something that old helps nobody any more.
const (
	firstRetry = 5 * time.Minute
	maxRetry   = 4 * time.Hour
	giveUp     = 5 * 24 * time.Hour
)

// deliverNext hands one approved complaint to the relay and records what came of
// it. It reports whether there was one.
func (r *Reporter) deliverNext(ctx context.Context) (bool, error) {
	claim, err := r.queue.ClaimComplaint(ctx, r.Lease)
	if err != nil || claim == nil {
		return false, ignoreCancel(ctx, err)
	}
	outcome := r.attempt(ctx, claim)
	// Whatever the relay said must be remembered even while we are being stopped:
	// else a complaint that was taken would go out again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	r.Log.Info("complaint delivery", "complaint", claim.Complaint.ID, "state", outcome.State,
		"taken", outcome.Taken, "reason", outcome.Reason)
	return true, r.queue.Record(ctx, claim, outcome)
}

// attempt sends while the claim is renewed, and no longer, should it panic.
func (r *Reporter) attempt(ctx context.Context, claim *queue.ComplaintClaim) queue.Outcome {
	defer r.keep(context.WithoutCancel(ctx), claim)()
	return r.send(ctx, &claim.Complaint)
}

func (r *Reporter) send(ctx context.Context, c *queue.Complaint) queue.Outcome {
	msg, err := r.message(c)
	if err != nil {
		return queue.Outcome{State: queue.Failed, Reason: err.Error()}
	}
	sender := r.senderOf(c)
	from, err := mail.ParseAddress(sender.From)
	if err != nil {
		return queue.Outcome{State: queue.Failed, Reason: "reporter.from: " + err.Error()}
	}
	to, shut, err := r.remaining(ctx, c)
	switch {
	case err != nil:
		return queue.Outcome{State: queue.Deferred, NextAttempt: time.Now().Add(firstRetry), Reason: err.Error()}
	case len(to) == 0 && len(c.Taken) > 0:
		return queue.Outcome{State: queue.Sent, Reason: shut}
	case len(to) == 0:
		return queue.Outcome{State: queue.Failed, Reason: shut}
	}
	d, err := r.Relay.deliver(ctx, parcel{
		helo: sender.Host, from: cmp.Or(r.address(c.ID, VerbBounce), from.Address), to: to,
		id: strings.Trim(c.MessageID, "<>"), msg: msg,
	})
	return outcome(d, err, c, time.Now())
}

// remaining are the addressees that don't have the complaint yet and may get it: one
// may have been shut since it was approved. shut says so.
func (r *Reporter) remaining(ctx context.Context, c *queue.Complaint) (to []string, shut string, err error) {
	closed, err := r.queue.Suppressed(ctx, c.To...)
	if err != nil {
		return nil, "", err
	}
	for _, a := range c.To {
		if p, ok := closed[strings.ToLower(a)]; ok {
			shut = a + " gets no complaints any more: " + p.Reason
		} else if !slices.Contains(c.Taken, a) {
			to = append(to, a)
		}
	}
	return to, shut, nil
}

// message is a complaint as the relay gets it.
func (r *Reporter) message(c *queue.Complaint) ([]byte, error) {
	var msg bytes.Buffer
	if err := r.Compose(&msg, c); err != nil || r.DKIM == nil {
		return msg.Bytes(), err
	}
	return r.DKIM.sign(msg.Bytes())
}

// outcome decides between done, trying again and giving up. One addressee that has
// the complaint makes it sent, as soon as no other may still take it.
func outcome(d delivered, err error, c *queue.Complaint, now time.Time) queue.Outcome {
	o := queue.Outcome{Taken: d.Taken, Reason: d.String()}
	if err != nil {
		o.Reason = err.Error()
	}
	late := now.Sub(c.ReadyAt) > giveUp
	switch {
	case errors.Is(err, context.Canceled):
		o.State, o.NextAttempt, o.Reason = queue.Deferred, now, "daemon stopped"
	case err == nil && !d.Later, (Permanent(err) || late) && len(c.Taken)+len(d.Taken) > 0:
		o.State = queue.Sent
	case Permanent(err):
		o.State = queue.Failed
	case late:
		o.State, o.Reason = queue.Failed, "given up after 5 days: "+o.Reason
	default:
		o.State, o.NextAttempt = queue.Deferred, now.Add(backOff(c.Attempts))
	}
	return o
}

// backOff doubles from firstRetry to maxRetry, each with up to a quarter more so
// that complaints deferred together do not come back together. The attempt that
// was just made counts, so the first is 1.
func backOff(attempts int) time.Duration {
	d := maxRetry
	if attempts <= 6 {
		d = min(firstRetry<<max(0, attempts-1), maxRetry)
	}
	return d + rand.N(d/4)
}

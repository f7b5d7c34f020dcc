package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// ReplayCmd decides again about what was reported.
type ReplayCmd struct {
	Since string `default:"30d" placeholder:"WHEN" help:"From when on: 30d or 4w ago, or a date."`
	JSON  bool   `name:"json" help:"One JSON object."`
}

// Help is shown by `replay --help`.
func (*ReplayCmd) Help() string {
	return `Goes through the reports that were decided about since then, in their order and their time,
with the configuration as it is now, and prints what would have gone out to whom, what would
have been held or closed and why, and where that is not what was done. Nothing is sent,
nothing is written, and nobody is asked: whose network it is stands in the queue. What
persons decided then they decide again.

    spamreport-milter --config new.toml replay --since 7d

Reports that wait still, and those whose mail is not kept any more, are left out and counted.`
}

// Run replays and prints.
func (c *ReplayCmd) Run(e *Env) error {
	now := time.Now()
	since, err := parseWhen("--since", c.Since, now)
	if err != nil {
		return err
	}
	if since.IsZero() {
		return usage("--since: say from when on")
	}
	return withQueue(e, func(store *queue.Store) error {
		r := newRerun(e, store, since)
		p := newProgress(e.Stderr)
		err := r.run(e.Context, now, p)
		p.end()
		if err != nil {
			return err
		}
		s := r.summary()
		if c.JSON {
			return newJSON(e.Stdout).Encode(s)
		}
		return s.write(e.Stdout)
	})
}

// rerun walks the trail and holds what a replay decides against what was decided.
type rerun struct {
	store  *queue.Store
	replay *reporter.Replay
	since  time.Time
	warm   time.Duration // what decisions look back to

	answers map[netip.Addr]contact.Answer // by the source that they were given for
	known   []contact.Answer              // of all networks, newest last
	read    map[int64]bool                // complaints whose answer is known
	first   map[int64]int64               // report that a real complaint was filed for
	out     map[int64]bool                // such reports whose real complaint went out by itself, later

	would replayed
	said  outcome // what the replay decided last
}

// outcome is how a report ended.
type outcome struct {
	Action string      `json:"action"`
	State  queue.State `json:"state,omitempty"`
	To     []string    `json:"to,omitempty"`
	First  int64       `json:"first_report,omitempty"` // of the complaint that it is in
	Reason string      `json:"reason,omitempty"`
}

func newRerun(e *Env, store *queue.Store, since time.Time) *rerun {
	r := &rerun{store: store, since: since, answers: map[netip.Addr]contact.Answer{}, read: map[int64]bool{},
		first: map[int64]int64{}, out: map[int64]bool{}, would: newReplayed(since)}
	rc := e.Config.Reporter
	rc.Trace.Networks = append(ownAddresses(), rc.Trace.Networks...)
	r.warm = day + rc.Policy.Interval + rc.Policy.MaxAge
	r.replay = reporter.NewReplay(rc, r, r.step)
	return r
}

// LookupWithout is Lookup: nothing comes back in a replay.
func (r *rerun) LookupWithout(ctx context.Context, a netip.Addr, _ []string) (contact.Answer, error) {
	return r.Lookup(ctx, a)
}

// Lookup answers from what is stored: nobody is asked.
func (r *rerun) Lookup(_ context.Context, a netip.Addr) (contact.Answer, error) {
	if answer, ok := r.answers[a]; ok {
		return answer, nil
	}
	for i := range r.known {
		if k := r.known[len(r.known)-1-i]; k.Network.Contains(a) {
			return k, nil
		}
	}
	return contact.Answer{Addr: a, Reason: "no answer about it is stored"}, nil
}

// learn takes the answer that a real complaint was filed with.
func (r *rerun) learn(ctx context.Context, complaint int64, report *queue.Report, rc *reporter.Replay) error {
	source, ok := rc.Source(report)
	if !ok {
		return nil
	}
	if _, known := r.answers[source]; known && r.read[complaint] {
		return nil
	}
	text, err := r.store.Answer(ctx, complaint)
	if err != nil || text == nil {
		return err
	}
	var answer contact.Answer
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	answer.Retry = time.Time{} // it is all that we will ever have
	for i := range answer.Evidence {
		answer.Evidence[i].Raw = nil
	}
	r.answers[source] = answer
	if !r.read[complaint] && answer.Network.First.IsValid() {
		r.known = append(r.known, answer)
	}
	r.read[complaint] = true
	return nil
}

const replayPage = 1000

// run goes through the trail until now.
func (r *rerun) run(ctx context.Context, now time.Time, p *progress) error {
	shut, err := r.store.Suppressions(ctx)
	if err != nil {
		return err
	}
	r.replay.Shut(shut)
	at, err := r.store.EventBefore(ctx, r.since.Add(-r.warm))
	if err != nil {
		return err
	}
	last, err := r.store.Events(ctx, queue.EventFilter{Limit: 1})
	if err != nil || len(last) == 0 {
		return err
	}
	for begin := at; at < last[0].ID; {
		events, err := r.store.EventsAfter(ctx, at, replayPage)
		if err != nil || len(events) == 0 {
			return err
		}
		for i := range events {
			if err := r.event(ctx, &events[i]); err != nil {
				return err
			}
			at = events[i].ID
			p.show("replay", at-begin, last[0].ID-begin)
		}
	}
	return r.replay.Until(ctx, now)
}

// event does again what an event of the trail tells of.
func (r *rerun) event(ctx context.Context, ev *queue.Event) error {
	switch ev.Action {
	case queue.ActionFiled:
		if ev.ReportID == 0 {
			return r.withdrawn(ctx, ev)
		}
		r.first[ev.ComplaintID] = ev.ReportID
		return r.report(ctx, ev)
	case queue.ActionJoined, queue.ActionClosed:
		if ev.ReportID != 0 {
			return r.report(ctx, ev)
		}
	case queue.ActionApproved, queue.ActionDropped, queue.ActionEdited, queue.ActionHeld, queue.ActionDone:
		if first := r.first[ev.ComplaintID]; first != 0 {
			return r.replay.Decide(ctx, ev.Time, ev.Action, first)
		}
	case queue.ActionReleased:
		r.out[r.first[ev.ComplaintID]] = true
	}
	return nil
}

// withdrawn counts a message that takes a complaint back.
func (r *rerun) withdrawn(ctx context.Context, ev *queue.Event) error {
	k, err := r.store.Case(ctx, ev.ComplaintID)
	if errors.Is(err, queue.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.replay.LetOut(ctx, ev.Time, &k.Complaint)
}

// report decides about a report again.
func (r *rerun) report(ctx context.Context, ev *queue.Event) error {
	report, err := r.store.Report(ctx, ev.ReportID)
	if errors.Is(err, queue.ErrNotFound) || err == nil && report.Purged {
		r.would.gone(ev)
		return nil
	}
	if err != nil {
		return err
	}
	if ev.ComplaintID != 0 {
		if err := r.learn(ctx, ev.ComplaintID, report, r.replay); err != nil {
			return err
		}
	}
	r.said = outcome{}
	if err := r.replay.Report(ctx, ev.Time, report); err != nil {
		return err
	}
	was := outcome{Action: ev.Action, Reason: ev.Reason}
	switch ev.Action {
	case queue.ActionFiled:
		was.State, was.First = ev.To, ev.ReportID
	case queue.ActionJoined:
		was.First = r.first[ev.ComplaintID]
	}
	r.would.compare(ev, was, r.said)
	return nil
}

// step notes what the replay did.
func (r *rerun) step(s reporter.Step) {
	if s.Report != 0 {
		r.said = outcome{Action: s.Action, State: s.Complaint.State, To: s.Complaint.To, First: s.First, Reason: s.Reason}
		if s.Action == queue.ActionJoined {
			r.said.State, r.said.To = "", nil
		}
	}
	r.would.step(s)
}

func (r *rerun) summary() *replayed {
	r.would.released(r.out)
	return &r.would
}

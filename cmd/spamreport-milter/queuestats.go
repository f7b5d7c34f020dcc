package main

import (
	"context"
	"time"

	"spamreport-milter/queue"
)

// QueueStatsCmd shows counts over a time.
type QueueStatsCmd struct {
	Since string `default:"30d" placeholder:"WHEN" help:"From when on: 30d or 4w ago, or a date; whole days of UTC are counted."`
	Top   int    `default:"10" placeholder:"N" help:"How many networks and contacts."`
	JSON  bool   `name:"json" help:"One JSON object."`
}

// Help is shown by `queue stats --help`.
func (*QueueStatsCmd) Help() string {
	return `Counts are kept by day and outlive the complaints that they count. A complaint that was
approved twice was approved two times. What desks answer may be counted days after the
complaint was sent.`
}

// Run prints the counts.
func (c *QueueStatsCmd) Run(e *Env) error {
	since, err := parseWhen("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	if c.Top < 1 {
		return usage("--top %d shows nobody: give at least 1", c.Top)
	}
	return withQueue(e, func(store *queue.Store) error {
		s, err := readStats(e.Context, store, since.UTC().Truncate(day), c.Top)
		if err != nil {
			return err
		}
		if c.JSON {
			return newJSON(e.Stdout).Encode(s)
		}
		return s.write(e.Stdout, isTerminal(e.Stdout), coloured(e.Stdout))
	})
}

const day = 24 * time.Hour

// stats are the counts of a time.
type stats struct {
	Since    time.Time           `json:"since"`
	States   map[queue.State]int `json:"states"`  // now
	Actions  map[string]int64    `json:"actions"` // in all days together
	Rates    []rate              `json:"rates"`
	Days     []dayCounts         `json:"days"` // without those on which nothing was
	Networks []queue.Tally       `json:"networks"`
	Contacts []queue.Tally       `json:"contacts"`
	Causes   []queue.Tally       `json:"causes"`
}

// dayCounts is how often each action was on one day, or in one week.
type dayCounts struct {
	Day     time.Time        `json:"day"`
	Actions map[string]int64 `json:"actions"`
}

func readStats(ctx context.Context, store *queue.Store, since time.Time, top int) (*stats, error) {
	s := &stats{Since: since, Actions: map[string]int64{}, Days: []dayCounts{}}
	var err error
	if s.States, err = store.Counts(ctx); err != nil {
		return nil, err
	}
	daily, err := store.Daily(ctx, queue.TallyAction, since)
	if err != nil {
		return nil, err
	}
	for _, t := range daily {
		if n := len(s.Days); n == 0 || !s.Days[n-1].Day.Equal(t.Day) {
			s.Days = append(s.Days, dayCounts{t.Day, map[string]int64{}})
		}
		s.Days[len(s.Days)-1].Actions[t.Name] = t.N
		s.Actions[t.Name] += t.N
	}
	for _, l := range []struct {
		what string
		into *[]queue.Tally
	}{{queue.TallyNetwork, &s.Networks}, {queue.TallyContact, &s.Contacts}, {queue.TallyCause, &s.Causes}} {
		list, err := store.Top(ctx, l.what, since, top)
		if err != nil {
			return nil, err
		}
		*l.into = append([]queue.Tally{}, list...) // no null in JSON
	}
	for _, r := range rates {
		r.Part, r.Of = s.sum(r.part), s.sum(r.of)
		s.Rates = append(s.Rates, r)
	}
	return s, nil
}

// rate is a share of what was done.
type rate struct {
	Name string `json:"name"`
	Part int64  `json:"part"`
	Of   int64  `json:"of"`

	part, of []string // actions
}

var rates = []rate{
	{Name: "approved of decided", part: []string{queue.ActionApproved}, of: []string{queue.ActionApproved, queue.ActionDropped}},
	{Name: "failed of tried", part: []string{queue.ActionFailed}, of: []string{queue.ActionSent, queue.ActionFailed}},
	{Name: "bounced of sent", part: []string{queue.ActionBounced}, of: []string{queue.ActionSent}},
	{Name: "answered of sent", part: []string{queue.ActionAnswered}, of: []string{queue.ActionSent}},
	{Name: "resolved of sent", part: []string{queue.ActionResolved}, of: []string{queue.ActionSent}},
	{Name: "retracted of sent", part: []string{queue.ActionRetracted}, of: []string{queue.ActionSent}},
}

func (s *stats) sum(actions []string) (n int64) {
	for _, a := range actions {
		n += s.Actions[a]
	}
	return n
}

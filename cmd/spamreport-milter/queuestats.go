package main

import (
	"context"
	"fmt"
	"io"
	"strings"
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
	now := time.Now()
	since, err := parseWhen("--since", c.Since, now)
	if err != nil {
		return err
	}
	if c.Top < 1 {
		return usage("--top %d shows nobody: give at least 1", c.Top)
	}
	return withQueue(e, func(store *queue.Store) error {
		s, err := readStats(e.Context, store, since.UTC().Truncate(day), now.UTC(), c.Top)
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

func readStats(ctx context.Context, store *queue.Store, since, now time.Time, top int) (*stats, error) {
	s := &stats{Since: since, Actions: map[string]int64{}}
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
		if *l.into, err = store.Top(ctx, l.what, since, top); err != nil {
			return nil, err
		}
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

// drawn are the actions that have a bar.
var drawn = []struct{ action, sgr string }{
	{queue.ActionFiled, "36"}, {queue.ActionSent, "32"}, {queue.ActionBounced, "31"}, {queue.ActionResolved, "1;32"},
}

// write prints the counts, with bars for a person's eyes.
func (s *stats) write(out io.Writer, bars, colour bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "since %s\n", s.Since.Format(time.DateOnly))
	if all := countsLine(s.States); all != "" {
		fmt.Fprintf(&b, "now %s\n", all)
	}
	b.WriteByte('\n')
	s.writeDays(&b, bars, colour)
	b.WriteByte('\n')
	for _, r := range s.Rates {
		if r.Of > 0 {
			fmt.Fprintf(&b, "%-18s %3.0f %%  %d of %d\n", r.Name, 100*float64(r.Part)/float64(r.Of), r.Part, r.Of)
		}
	}
	for _, l := range []struct {
		title string
		list  []queue.Tally
	}{{"networks", s.Networks}, {"contacts", s.Contacts}, {"reports by cause", s.Causes}} {
		if len(l.list) > 0 {
			fmt.Fprintf(&b, "\n%s\n", l.title)
		}
		for _, t := range l.list {
			fmt.Fprintf(&b, "%7d  %s\n", t.N, visible(t.Name))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// manyDays are drawn as weeks.
const manyDays = 62

// steps are the days from the first with something to the last, or the weeks.
func (s *stats) steps() (list []dayCounts, step time.Duration) {
	step = day
	if len(s.Days) == 0 {
		return nil, step
	}
	first, last := s.Days[0].Day, s.Days[len(s.Days)-1].Day
	if last.Sub(first) > manyDays*day {
		step = 7 * day
	}
	i := 0
	for at := first; !at.After(last); at = at.Add(step) {
		sum := dayCounts{at, map[string]int64{}}
		for ; i < len(s.Days) && s.Days[i].Day.Before(at.Add(step)); i++ {
			for a, n := range s.Days[i].Actions {
				sum.Actions[a] += n
			}
		}
		list = append(list, sum)
	}
	return list, step
}

func (s *stats) writeDays(b *strings.Builder, bars, colour bool) {
	steps, step := s.steps()
	if steps == nil {
		b.WriteString("nothing happened\n")
		return
	}
	title := "day"
	if step > day {
		title = "week of"
	}
	width := 0
	if bars {
		width = 8
	}
	most := int64(1)
	for _, d := range steps {
		for _, a := range drawn {
			most = max(most, d.Actions[a.action])
		}
	}
	fmt.Fprintf(b, "%-10s", title)
	for _, a := range drawn {
		fmt.Fprintf(b, " %8s %-*s", a.action, width, "")
	}
	b.WriteByte('\n')
	for _, d := range steps {
		fmt.Fprintf(b, "%s", d.Day.Format(time.DateOnly))
		for _, a := range drawn {
			n := d.Actions[a.action]
			fmt.Fprintf(b, " %8d %s", n, picture{colour}.paint(a.sgr, bar(n, most, width)))
		}
		b.WriteByte('\n')
	}
}

// bar draws n in eighths of a character, padded to width.
func bar(n, most int64, width int) string {
	eighths := int(n * int64(width) * 8 / most)
	if n > 0 && width > 0 {
		eighths = max(eighths, 1)
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string(rune('█' + 8 - rest)) // U+2589 to U+258F are seven eighths to one
	}
	return s + strings.Repeat(" ", width-(eighths+7)/8)
}

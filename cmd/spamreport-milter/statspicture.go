package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"spamreport-milter/queue"
)

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

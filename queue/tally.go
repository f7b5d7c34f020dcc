package queue

import (
	"cmp"
	"context"
	"slices"
)

// What is counted. Counts are kept by day, and outlive what they count.
const (
	TallyAction  = "action"  // events, by action
	TallyNetwork = "network" // complaints filed, by network
	TallyContact = "contact" // complaints filed, by address
	TallyCause   = "cause"   // reports that ended, by cause
	tallyState   = "state"   // complaints that are in a state now; day 0
)

// tally is one count that a change adds to.
type tally struct {
	day  int64 // since 1970
	what string
	name string
	n    int64
}

const microsPerDay = 24 * 60 * 60 * 1_000_000

// counted adds to a count of today.
func (s *Store) counted(c *change, what, name string) {
	c.tallies = append(c.tallies, tally{micros(s.now()) / microsPerDay, what, text(name), 1})
}

// count writes the counts of a transaction. Its events are counted here, and the
// states that they lead from and to. Who writes counts holds the trail, so no two
// wait for each other.
func count(ctx context.Context, c *change) error {
	for _, e := range c.events {
		c.tallies = append(c.tallies, tally{micros(e.Time) / microsPerDay, TallyAction, e.Action, 1})
		if e.From == e.To {
			continue
		}
		if e.From != "" {
			c.tallies = append(c.tallies, tally{0, tallyState, string(e.From), -1})
		}
		if e.To != "" {
			c.tallies = append(c.tallies, tally{0, tallyState, string(e.To), 1})
		}
	}
	rows := newRows(ctx, c, `INSERT INTO tallies (day, what, name, n)`)
	rows.suffix = ` ON CONFLICT (day, what, name) DO UPDATE SET n = tallies.n + excluded.n`
	for _, t := range sums(c.tallies) {
		if err := rows.add(t.day, t.what, t.name, t.n); err != nil {
			return err
		}
	}
	return rows.flush()
}

// sums adds up what is counted more than once.
func sums(all []tally) []tally {
	slices.SortFunc(all, func(a, b tally) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.what, b.what), cmp.Compare(a.name, b.name))
	})
	var sum []tally
	for _, t := range all {
		if last := len(sum) - 1; last >= 0 && sum[last].day == t.day && sum[last].what == t.what && sum[last].name == t.name {
			sum[last].n += t.n
			continue
		}
		sum = append(sum, t)
	}
	return sum
}

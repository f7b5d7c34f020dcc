package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// replayed is what a replay would have done.
type replayed struct {
	Since       time.Time            `json:"since"`
	Reports     int                  `json:"reports"`   // decided about
	Gone        int                  `json:"mail_gone"` // not decided about: their mail is not kept
	Complaints  []*replayedComplaint `json:"complaints"`
	Closed      map[string]int       `json:"closed"` // reports by the reason
	Contacts    []replayedContact    `json:"contacts"`
	Differences []difference         `json:"differences"`

	byID map[int64]*replayedComplaint
}

// replayedComplaint is one that the replay made.
type replayedComplaint struct {
	FirstReport int64       `json:"first_report"`
	Reports     int         `json:"reports"`
	Filed       time.Time   `json:"filed"`
	State       queue.State `json:"state"`               // ready means that it went out
	Out         time.Time   `json:"out,omitzero"`        // when
	ByItself    bool        `json:"by_itself,omitempty"` // or a person let it out
	Waited      bool        `json:"waited,omitempty"`    // for its time
	To          []string    `json:"to"`
	Source      string      `json:"source"`
	Beside      string      `json:"beside,omitempty"` // the party, of a complaint beside that to the source's network
	Subject     string      `json:"subject"`
	Hold        string      `json:"hold,omitempty"`
}

// replayedContact sums up what one address would have got.
type replayedContact struct {
	Address string `json:"address"`
	Out     int    `json:"out"`
	Held    int    `json:"held"`
	Reports int    `json:"reports"` // in both
}

// difference is a report that ends otherwise than it did.
type difference struct {
	Report int64   `json:"report"`
	Was    outcome `json:"was"`
	Would  outcome `json:"would"`
}

func newReplayed(since time.Time) replayed {
	return replayed{Since: since, Complaints: []*replayedComplaint{}, Closed: map[string]int{}, Differences: []difference{},
		byID: map[int64]*replayedComplaint{}}
}

// gone counts a report that can't be decided about.
func (r *replayed) gone(ev *queue.Event) {
	if !ev.Time.Before(r.Since) {
		r.Gone++
	}
}

// step notes what became of a complaint. Those from before the time that was asked
// for are there for what follows only.
func (r *replayed) step(s reporter.Step) {
	if s.Action == queue.ActionClosed {
		if !s.At.Before(r.Since) {
			r.Closed[s.Reason]++
		}
		return
	}
	c := r.byID[s.Complaint.ID]
	if c == nil {
		c = &replayedComplaint{FirstReport: s.First, Filed: s.At, Source: s.Complaint.Source.String(), Beside: s.Beside, Subject: s.Complaint.Subject}
		r.byID[s.Complaint.ID] = c
	}
	if s.Report != 0 {
		c.Reports++
	}
	c.State, c.To, c.Hold = s.Complaint.State, s.Complaint.To, s.Complaint.Hold
	if c.State == queue.Ready && c.Out.IsZero() {
		c.Out, c.ByItself, c.Waited = s.At, s.Action != queue.ActionApproved, s.Action == queue.ActionReleased
	}
}

// compare notes where a report ended otherwise. Reasons may name times, which are not
// the same to the second.
func (r *replayed) compare(ev *queue.Event, was, would outcome) {
	if ev.Time.Before(r.Since) {
		return
	}
	r.Reports++
	same := was.Action == would.Action && was.State == would.State && (was.First == would.First || was.Action == queue.ActionJoined && was.First == 0)
	slices.Sort(was.Beside)
	slices.Sort(would.Beside)
	if same = same && slices.Equal(was.Beside, would.Beside); !same || was.Action == queue.ActionClosed && was.Reason != would.Reason {
		r.Differences = append(r.Differences, difference{ev.ReportID, was, would})
	}
}

// released ends the replay: out are the first reports of the real complaints that went
// out when their time had come.
func (r *replayed) released(out map[int64]bool) {
	contacts := map[string]*replayedContact{}
	for _, id := range slices.Sorted(maps.Keys(r.byID)) {
		c := r.byID[id]
		if c.Filed.Before(r.Since) && c.Out.Before(r.Since) {
			continue
		}
		r.Complaints = append(r.Complaints, c)
		if was := out[c.FirstReport]; was != c.Waited && c.Beside == "" {
			d := difference{Report: c.FirstReport, Was: outcome{Action: queue.ActionFiled, State: queue.Held},
				Would: outcome{Action: queue.ActionReleased, State: queue.Ready, To: c.To}}
			if was {
				d.Was, d.Would = d.Would, outcome{Action: queue.ActionFiled, State: c.State, Reason: c.Hold}
			}
			r.Differences = append(r.Differences, d)
		}
		for _, a := range c.To {
			k := contacts[a]
			if k == nil {
				k = &replayedContact{Address: a}
				contacts[a] = k
			}
			k.Reports += c.Reports
			if c.State == queue.Ready {
				k.Out++
			} else if c.State == queue.Held {
				k.Held++
			}
		}
	}
	r.Contacts = []replayedContact{}
	for _, k := range contacts {
		r.Contacts = append(r.Contacts, *k)
	}
	slices.SortFunc(r.Contacts, func(a, b replayedContact) int {
		return cmp.Or(b.Out-a.Out, b.Held-a.Held, strings.Compare(a.Address, b.Address))
	})
}

// write prints it for a person.
func (r *replayed) write(w io.Writer) error {
	t := newTable(w)
	fmt.Fprintf(t, "%d reports since %s, %d left out: their mail is not kept\n", r.Reports, stamp(r.Since), r.Gone)
	if len(r.Complaints) > 0 {
		fmt.Fprintln(t, "\nFILED\tWOULD BE\tREPORTS\tSOURCE\tTO\tSUBJECT")
	}
	for _, c := range r.Complaints {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", stamp(c.Filed), c.end(), c.Reports, visible(strings.TrimSpace(c.Source+" "+c.Beside)), visible(strings.Join(c.To, ", ")), visible(c.Subject))
	}
	if len(r.Contacts) > 0 {
		fmt.Fprintln(t, "\nCONTACT\tOUT\tHELD\tREPORTS")
	}
	for _, k := range r.Contacts {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\n", visible(k.Address), k.Out, k.Held, k.Reports)
	}
	if len(r.Closed) > 0 {
		fmt.Fprintln(t, "\nCLOSED\tWHY")
	}
	for _, why := range slices.Sorted(maps.Keys(r.Closed)) {
		fmt.Fprintf(t, "%d\t%s\n", r.Closed[why], visible(why))
	}
	if len(r.Differences) == 0 {
		fmt.Fprintln(t, "\nAll as it was done.")
	} else {
		fmt.Fprintf(t, "\n%d differences\nREPORT\tWAS\tWOULD BE\n", len(r.Differences))
	}
	for _, d := range r.Differences {
		fmt.Fprintf(t, "%d\t%s\t%s\n", d.Report, visible(d.Was.String()), visible(d.Would.String()))
	}
	return t.Flush()
}

// end says in words where a complaint stands.
func (c *replayedComplaint) end() string {
	switch {
	case c.State != queue.Ready:
		return visible(join(string(c.State), c.Hold))
	case !c.ByItself:
		return "approved"
	case c.Waited:
		return "sent at " + stamp(c.Out)
	}
	return "sent"
}

func (o outcome) String() string {
	s := join(o.Action, o.Reason)
	if o.State != "" {
		s = join(o.Action+" "+string(o.State), o.Reason)
	}
	if o.Action == queue.ActionJoined {
		s += fmt.Sprintf(" report %d", o.First)
	}
	if len(o.Beside) > 0 {
		s += "; beside it " + strings.Join(o.Beside, ", ")
	}
	return s
}

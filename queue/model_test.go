package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the queue as it is meant to be, in maps.
type model struct {
	*fixture

	reports    map[int64]*item
	complaints map[int64]*modelComplaint

	reportClaims    []*ReportClaim // all that were ever given out
	complaintClaims []*ComplaintClaim
	lookupClaims    []*LookupClaim
}

// item is work that can be claimed; a zero due is that of fresh work.
type item struct {
	due  time.Time
	open bool
	by   Claim
}

type modelComplaint struct {
	state    State
	to       bool
	gathers  bool // takes reports
	send     item // ready, deferred, sending
	lookup   item
	attempts int
	events   int
}

// testModel runs random operations on the queue and on a model of it.
func testModel(t *testing.T, open opener) {
	rapid.Check(t, func(r *rapid.T) {
		c := &clock{t: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
		m := &model{
			fixture:    &fixture{t: r, ctx: t.Context(), clock: c, Store: open(t, c.now)},
			reports:    map[int64]*item{},
			complaints: map[int64]*modelComplaint{},
		}
		defer m.Close()
		r.Repeat(map[string]func(*rapid.T){
			"compare":        m.compare,
			"submit":         m.doSubmit,
			"claim reports":  m.doClaimReports,
			"end report":     m.doEndReport,
			"join":           m.doJoin,
			"claim":          m.doClaimComplaint,
			"record":         m.doRecord,
			"claim look-up":  m.doClaimLookup,
			"set contact":    m.doSetContact,
			"renew":          m.doRenew,
			"decide":         m.doDecide,
			"time goes by":   func(r *rapid.T) { m.clock.advance(time.Duration(rapid.IntRange(1, 90).Draw(r, "s")) * time.Second) },
			"time goes back": func(r *rapid.T) { m.clock.advance(-time.Duration(rapid.IntRange(1, 90).Draw(r, "s")) * time.Second) },
		})
		m.compare(r)
		m.verified()
	})
}

const modelLease = time.Minute

// due returns which item is to be claimed next, 0 for none.
func due[T any](items map[int64]T, now time.Time, of func(T) *item) (next int64) {
	for id, v := range items {
		it := of(v)
		if !it.open || it.due.After(now) {
			continue
		}
		if next == 0 || it.due.Before(of(items[next]).due) || it.due.Equal(of(items[next]).due) && id < next {
			next = id
		}
	}
	return next
}

func (it *item) claim(c Claim, now time.Time) { it.by, it.due = c, now.Add(modelLease) }

// owns compares an operation's error with whether its claim was good.
func owns(r *rapid.T, it *item, c Claim, err error) bool {
	good := it.by == c
	if good && err != nil || !good && !errors.Is(err, ErrLeaseLost) {
		r.Fatalf("claim is good: %v, error: %v", good, err)
	}
	return good
}

func (m *model) doSubmit(*rapid.T) { m.reports[m.submit()] = &item{open: true} }

func self(it *item) *item { return it }

func (m *model) doClaimReports(r *rapid.T) {
	n := rapid.IntRange(1, 3).Draw(r, "claims")
	claims, err := m.ClaimReports(m.ctx, n, 1<<20, modelLease)
	m.check(err)
	var got, want []int64
	for _, c := range claims {
		got = append(got, c.Report.ID)
	}
	for range n {
		id := due(m.reports, m.clock.now(), self)
		if id == 0 {
			break
		}
		want = append(want, id)
		if i := slices.Index(got, id); i >= 0 {
			m.reports[id].claim(claims[i], m.clock.now())
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Fatalf("claimed reports %v, want %v", got, want)
	}
	m.reportClaims = append(m.reportClaims, claims...)
}

func (m *model) doEndReport(r *rapid.T) {
	c := choose(r, m.reportClaims)
	it := m.reports[c.Report.ID]
	switch rapid.IntRange(0, 2).Draw(r, "end") {
	case 0:
		if owns(r, it, c, m.CloseReport(m.ctx, c, "no")) {
			*it = item{}
		}
	case 1:
		at := m.clock.now().Add(30 * time.Second)
		if owns(r, it, c, m.ReleaseReport(m.ctx, c, at, "later")) {
			*it = item{open: true, due: at}
		}
	default:
		m.doFile(r, c, it)
	}
}

func (m *model) doFile(r *rapid.T, c *ReportClaim, it *item) {
	complaint := sampleComplaint(c.Report.ID, Held)
	complaint.LookupAt = m.clock.now().Add(20 * time.Second)
	mc := &modelComplaint{state: Held, events: 1, lookup: item{open: true, due: complaint.LookupAt}}
	if rapid.Bool().Draw(r, "contact") {
		complaint.To, mc.to = []string{"abuse@example.net"}, true
		if rapid.Bool().Draw(r, "ready") {
			complaint.State, mc.state, mc.send, mc.lookup = Ready, Ready, item{open: true}, item{}
		}
	}
	if mc.gathers = rapid.Bool().Draw(r, "gathers"); mc.gathers {
		complaint.Gathering = Gathering{Key: "k"}
	}
	id, _, err := m.File(m.ctx, c, complaint)
	if owns(r, it, c, err) {
		*it = item{}
		m.complaints[id] = mc
	}
}

// doJoin adds a report to any complaint.
func (m *model) doJoin(r *rapid.T) {
	c := choose(r, m.reportClaims)
	id, mc := m.someComplaint(r)
	err := m.Join(m.ctx, c, id, Incident{Report: c.Report})
	if !mc.gathers {
		if !errors.Is(err, ErrJoin) {
			r.Fatalf("complaint %d takes no reports: %v", id, err)
		}
		return
	}
	if it := m.reports[c.Report.ID]; owns(r, it, c, err) {
		*it = item{}
		mc.events++
	}
}

func (m *model) doClaimComplaint(r *rapid.T) {
	want := due(m.complaints, m.clock.now(), func(c *modelComplaint) *item { return &c.send })
	c, err := m.ClaimComplaint(m.ctx, modelLease)
	m.check(err)
	if (c == nil) != (want == 0) || c != nil && c.Complaint.ID != want {
		r.Fatalf("claimed %v, want complaint %d", c, want)
	}
	if c == nil {
		return
	}
	mc := m.complaints[want]
	mc.state, mc.gathers = Sending, false
	mc.attempts++
	mc.events++
	mc.send.claim(c, m.clock.now())
	m.complaintClaims = append(m.complaintClaims, c)
}

func (m *model) doRecord(r *rapid.T) {
	c := choose(r, m.complaintClaims)
	mc := m.complaints[c.Complaint.ID]
	o := Outcome{State: rapid.SampledFrom([]State{Sent, Deferred, Failed}).Draw(r, "outcome"), NextAttempt: m.clock.now().Add(time.Minute)}
	if !owns(r, &mc.send, c, m.Record(m.ctx, c, o)) {
		return
	}
	mc.state, mc.send = o.State, item{}
	mc.events++
	if o.State == Deferred {
		mc.send = item{open: true, due: o.NextAttempt}
	}
}

func (m *model) doClaimLookup(r *rapid.T) {
	want := due(m.complaints, m.clock.now(), func(c *modelComplaint) *item { return &c.lookup })
	c, err := m.ClaimLookup(m.ctx, modelLease)
	m.check(err)
	if (c == nil) != (want == 0) || c != nil && c.Complaint.ID != want {
		r.Fatalf("claimed %v, want look-up %d", c, want)
	}
	if c != nil {
		m.complaints[want].lookup.claim(c, m.clock.now())
		m.lookupClaims = append(m.lookupClaims, c)
	}
}

func (m *model) doSetContact(r *rapid.T) {
	c := choose(r, m.lookupClaims)
	mc := m.complaints[c.Complaint.ID]
	f := Found{LookupAt: m.clock.now().Add(time.Minute), Key: "k"}
	if rapid.Bool().Draw(r, "found") {
		f.To = []string{"abuse@example.net"}
		f.Ready = rapid.Bool().Draw(r, "ready")
	}
	f.Form = !f.Ready && rapid.Bool().Draw(r, "form")
	if !owns(r, &mc.lookup, c, m.SetContact(m.ctx, c, f)) {
		return
	}
	if !mc.to || f.To == nil || f.Ready || f.Form { // else it waits on, as before
		mc.events++
	}
	mc.to, mc.lookup = f.To != nil, item{open: true, due: f.LookupAt}
	switch {
	case f.Ready:
		mc.state, mc.send, mc.lookup = Ready, item{open: true}, item{}
	case f.Form:
		mc.state, mc.lookup = Form, item{}
	}
}

func (m *model) doRenew(r *rapid.T) {
	c := choose(r, m.reportClaims)
	it := m.reports[c.Report.ID]
	if owns(r, it, c, m.Renew(m.ctx, c, modelLease)) {
		it.due = m.clock.now().Add(modelLease)
	}
}

// doDecide decides about several complaints at once, one of them twice maybe.
func (m *model) doDecide(r *rapid.T) {
	action := rapid.SampledFrom([]string{ActionApproved, ActionDropped, ActionHeld, ActionRetried, ActionBounced, ActionResolved, ActionDone}).Draw(r, "action")
	var ids []int64
	for range rapid.IntRange(1, 3).Draw(r, "n") {
		id, _ := m.someComplaint(r)
		ids = append(ids, id)
	}
	d, err := m.Decide(m.ctx, Decision{Action: action, Actor: "user:anna"}, ids...)
	m.check(err)
	if len(d.Done)+len(d.Refused) != len(ids) {
		r.Fatalf("%s of %v ended in %+v", action, ids, d)
	}
	seen := map[int64]bool{}
	for _, id := range ids {
		if !seen[id] && m.decided(action, m.complaints[id]) != slices.Contains(d.Done, id) {
			r.Fatalf("%s of %d (%+v): %+v", action, id, m.complaints[id], d)
		}
		seen[id] = true
	}
}

// decided does to the model what an action does, and says whether it may.
func (m *model) decided(action string, mc *modelComplaint) bool {
	was := mc.state
	switch {
	case action == ActionApproved && was == Held && mc.to, action == ActionRetried && (was == Deferred || was == Failed):
		mc.state, mc.send, mc.lookup, mc.attempts = Ready, item{open: true}, item{}, 0
	case action == ActionDropped && (was == Held || was == Ready || was == Deferred || was == Failed || was == Bounced || was == Form):
		mc.state, mc.send, mc.lookup, mc.gathers = Dropped, item{}, item{}, false
	case action == ActionHeld && (was == Ready || was == Deferred || was == Failed || was == Bounced || was == Form):
		mc.state, mc.send = Held, item{}
	case action == ActionDone && was == Form:
		mc.state, mc.gathers = Sent, false
	case action == ActionBounced && was == Sent:
		mc.state = Bounced
	case action == ActionResolved && (was == Sent || was == Bounced || was == Resolved):
		mc.state = Resolved
	default:
		return false
	}
	mc.events++
	return true
}

// choose takes any claim ever given, or skips the step when there is none.
func choose[T any](r *rapid.T, all []T) T {
	if len(all) == 0 {
		r.Skip("none yet")
	}
	return rapid.SampledFrom(all).Draw(r, "claim")
}

func (m *model) someComplaint(r *rapid.T) (int64, *modelComplaint) {
	if len(m.complaints) == 0 {
		r.Skip("none yet")
	}
	id := rapid.Int64Range(1, int64(len(m.complaints))).Draw(r, "complaint")
	return id, m.complaints[id]
}

// compare holds everything that can be read against the model.
func (m *model) compare(r *rapid.T) {
	waiting := 0
	for _, it := range m.reports {
		if it.open {
			waiting++
		}
	}
	n, _, err := m.Waiting(m.ctx)
	m.check(err)
	if n != waiting {
		r.Fatalf("%d reports wait, want %d", n, waiting)
	}
	want, got := map[int64]string{}, map[int64]string{}
	for id, mc := range m.complaints {
		want[id] = fmt.Sprintf("%s, contact %v, attempt %d, events %d", mc.state, mc.to, mc.attempts, mc.events)
	}
	trail, err := m.Events(m.ctx, EventFilter{Limit: 1000})
	m.check(err)
	events := map[int64]int{}
	for _, e := range trail {
		events[e.ComplaintID]++
	}
	list, err := m.List(m.ctx, Filter{Limit: 1000})
	m.check(err)
	for _, c := range list {
		got[c.ID] = fmt.Sprintf("%s, contact %v, attempt %d, events %d", c.State, len(c.To) > 0, c.Attempts, events[c.ID])
	}
	if !maps.Equal(want, got) {
		r.Fatalf("complaints are %v, want %v", got, want)
	}
}

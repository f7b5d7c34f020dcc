package reporter

import (
	"container/heap"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// memory is the part of a queue that decisions depend on, for one worker, in a time
// that is set by hand.
type memory struct {
	Queue // the rest: nobody asks for it here

	each    func(Step)
	now     time.Time
	last    int64
	kept    map[int64]*kept  // complaints that have not gone out
	first   map[reason]int64 // their numbers by what they were filed for
	keys    map[string][]*kept
	waiting waiting
	out     []departed // in the order of time
	shut    map[string]queue.Suppression
}

// kept is a complaint that has not gone out.
type kept struct {
	queue.Complaint
	gathers bool
}

// reason is what a complaint was filed for: a report, to a FurtherParty or the network.
type reason struct {
	report int64
	party  string
}

// departed is a complaint that was let out.
type departed struct {
	at     time.Time
	to     []string
	source netip.Addr
}

func newMemory(each func(Step)) *memory {
	return &memory{each: each, kept: map[int64]*kept{}, first: map[reason]int64{}, keys: map[string][]*kept{}}
}

// advance moves the clock, never back.
func (m *memory) advance(at time.Time) {
	if at.After(m.now) {
		m.now = at
	}
}

// waits is a complaint that is to be looked at.
type waits struct {
	at time.Time
	id int64
}

// waiting is a heap: the first to be looked at is on top.
type waiting []waits

func (w waiting) Len() int { return len(w) }
func (w waiting) Less(i, j int) bool {
	return w[i].at.Before(w[j].at) || w[i].at.Equal(w[j].at) && w[i].id < w[j].id
}
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(x any)   { *w = append(*w, x.(waits)) }
func (w *waiting) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

// due takes the next complaint that is to be looked at until then; nil for none.
func (m *memory) due(at time.Time) *kept {
	for len(m.waiting) > 0 && !m.waiting[0].at.After(at) {
		next := heap.Pop(&m.waiting).(waits)
		if k := m.kept[next.id]; k != nil && k.LookupAt.Equal(next.at) { // else somebody decided meanwhile
			return k
		}
	}
	return nil
}

func (m *memory) wait(k *kept) {
	if !k.LookupAt.IsZero() {
		heap.Push(&m.waiting, waits{k.LookupAt, k.ID})
	}
}

// RuleAlone has nobody to wait for.
func (m *memory) RuleAlone(context.Context) (done func(), err error) { return func() {}, nil }

// Suppressed knows what the replay was told of.
func (m *memory) Suppressed(_ context.Context, addresses ...string) (map[string]queue.Suppression, error) {
	found := map[string]queue.Suppression{}
	for _, a := range addresses {
		a = strings.ToLower(a)
		if s, ok := m.shut[a]; ok && !s.Since.After(m.now) && (s.Expires.IsZero() || s.Expires.After(m.now)) {
			found[a] = s
		}
	}
	return found, nil
}

// Candidates are as those of the real queue, which looks at no more of them.
func (m *memory) Candidates(_ context.Context, key string) (all []queue.Candidate, err error) {
	for _, k := range slices.Backward(m.keys[key]) {
		if len(all) == queue.MaxCandidates {
			break
		}
		all = append(all, queue.Candidate{ID: k.ID, State: k.State, Sketch: k.Gathering.Sketch})
	}
	return all, nil
}

// Beside is nobody: stored answers are final, so a desk that had none is not found later.
func (m *memory) Beside(context.Context, int64) (map[string]int64, error) { return nil, nil }

// File keeps a complaint, or notes that it went out, and those beside it.
func (m *memory) File(_ context.Context, claim *queue.ReportClaim, c queue.Complaint, beside ...queue.Complaint) (id int64, joined bool, err error) {
	id = m.file(claim, c)
	for _, other := range beside {
		m.file(claim, other)
	}
	return id, false, nil
}

func (m *memory) file(claim *queue.ReportClaim, c queue.Complaint) int64 {
	m.last++
	c.ID, c.Created, c.Updated = m.last, m.now, m.now
	c.Incidents = []queue.Incident{light(c.Incidents[0])}
	k := &kept{Complaint: c, gathers: c.Gathering.Key != ""}
	m.kept[k.ID], m.first[reason{claim.Report.ID, FurtherParty(&c)}] = k, k.ID
	if k.gathers {
		m.keys[c.Gathering.Key] = append(m.keys[c.Gathering.Key], k)
	}
	m.wait(k)
	m.tell(queue.ActionFiled, claim.Report.ID, k, c.Hold)
	if c.State == queue.Ready {
		m.goes(k)
	}
	return k.ID
}

// light is an incident without the octets of its mail: what decisions depend on.
func light(in queue.Incident) queue.Incident {
	in.Report.Message.Header, in.Report.Message.Body = nil, nil
	return in
}

// Join adds a report.
func (m *memory) Join(_ context.Context, claim *queue.ReportClaim, id int64, in queue.Incident) error {
	k := m.kept[id]
	if k == nil || !k.gathers || len(k.Incidents) >= queue.MaxIncidents {
		return queue.ErrJoin
	}
	k.Incidents, k.Updated = append(k.Incidents, light(in)), m.now
	m.tell(queue.ActionJoined, claim.Report.ID, k, "")
	return nil
}

// CloseReport notes why.
func (m *memory) CloseReport(_ context.Context, claim *queue.ReportClaim, reason string) error {
	m.each(Step{At: m.now, Action: queue.ActionClosed, Report: claim.Report.ID, Reason: reason})
	return nil
}

// SetContact ends a look at a complaint.
func (m *memory) SetContact(_ context.Context, claim *queue.LookupClaim, f queue.Found) error {
	k := m.kept[claim.Complaint.ID]
	if k.gathers && f.Key != k.Gathering.Key {
		m.closes(k)
		if k.Gathering.Key, k.gathers = f.Key, f.Key != ""; k.gathers {
			m.keys[f.Key] = append(m.keys[f.Key], k)
			slices.SortFunc(m.keys[f.Key], func(a, b *kept) int { return int(a.ID - b.ID) })
		}
	}
	waits := f.WaitsOn(&k.Complaint)
	k.To, k.Network, k.ASN, k.Hold, k.LookupAt, k.Updated = f.To, f.Network, f.ASN, f.Hold, f.LookupAt, m.now
	if f.Ready {
		k.State, k.Sender, k.ReadyAt = queue.Ready, f.Sender, m.now
		m.tell(queue.ActionReleased, 0, k, f.Reason)
		m.goes(k)
		return nil
	}
	if f.Form {
		k.State, k.LookupAt = queue.Form, time.Time{}
		m.tell(queue.ActionTasked, 0, k, f.Reason)
		return nil
	}
	m.wait(k)
	if !waits {
		m.tell(queue.ActionContact, 0, k, f.Reason)
	}
	return nil
}

// decide does what a person did.
func (m *memory) decide(action string, about reason) {
	k := m.kept[m.first[about]]
	if k == nil || k.State != queue.Held && k.State != queue.Form {
		return
	}
	k.LookupAt = time.Time{}
	held := k.State == queue.Held
	switch {
	case action == queue.ActionApproved && held && len(k.To) > 0:
		k.State, k.ReadyAt = queue.Ready, m.now
		m.tell(action, 0, k, "")
		m.goes(k)
	case action == queue.ActionDropped:
		m.ends(k, action, queue.Dropped)
	case action == queue.ActionDone && !held:
		m.ends(k, action, queue.Sent)
	case action == queue.ActionHeld:
		k.State = queue.Held
	case action == queue.ActionEdited && held:
		m.closes(k)
		k.gathers = false
	}
}

// ends notes that a complaint comes to nothing, or was brought to a page.
func (m *memory) ends(k *kept, action string, end queue.State) {
	k.State = end
	m.tell(action, 0, k, "")
	m.closes(k)
	delete(m.kept, k.ID)
}

// goes notes that a complaint went out.
func (m *memory) goes(k *kept) {
	m.out = append(m.out, departed{m.now, k.To, k.Source})
	m.closes(k)
	delete(m.kept, k.ID)
}

// closes takes a complaint from those that reports may join.
func (m *memory) closes(k *kept) {
	key := k.Gathering.Key
	m.keys[key] = slices.DeleteFunc(m.keys[key], func(other *kept) bool { return other == k })
	if len(m.keys[key]) == 0 {
		delete(m.keys, key)
	}
}

func (m *memory) tell(action string, report int64, k *kept, reason string) {
	m.each(Step{At: m.now, Action: action, Report: report, Complaint: k.Complaint, First: k.Incidents[0].ReportID, Beside: FurtherParty(&k.Complaint), Reason: reason})
}

// LetOut is when complaints went out.
func (m *memory) LetOut(_ context.Context, f queue.LetOut) (at []time.Time, err error) {
	for _, g := range slices.Backward(m.out) {
		if !g.at.After(f.Since) || f.Limit > 0 && len(at) == f.Limit {
			break
		}
		to := f.Contact == "" || slices.ContainsFunc(g.to, func(a string) bool { return strings.EqualFold(a, f.Contact) })
		if to && (!f.Network.IsValid() || f.Network.Contains(g.source)) {
			at = append(at, g.at)
		}
	}
	return at, nil
}

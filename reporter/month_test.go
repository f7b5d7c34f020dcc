package reporter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// month is a simulated one: reports of labelled mailings from many networks, with all
// that must hold noted on the way.
type month struct {
	t         *testing.T
	random    *rand.Rand
	own       netip.Prefix
	policy    reporter.Policy
	mailings  []string
	mailingOf map[int64]int   // report → its label
	about     map[int64]place // report → where it came from
	filters   map[int64]bool  // reports of filters
	open      map[string]int64
	size      map[int64]int
	out       []time.Time
	desks     map[string][]time.Time
	networks  map[int][]time.Time

	refused, joined, released int
}

type place struct{ network, host int }

// deskOf is the mailbox of a network: some have one in common.
func deskOf(network int) string { return fmt.Sprintf("abuse@desk%d.test", network/3) }

func (p place) addr() netip.Addr {
	return netip.AddrFrom4([4]byte{45, 66 + byte(p.network/256), byte(p.network % 256), byte(p.host)})
}

func (m *month) LookupWithout(ctx context.Context, a netip.Addr, _ []string) (contact.Answer, error) {
	return m.Lookup(ctx, a)
}

func (m *month) Lookup(_ context.Context, a netip.Addr) (contact.Answer, error) {
	b := a.As4()
	n := int(b[1]-66)*256 + int(b[2])
	b[3] = 0
	answer := contact.Answer{Addr: a, Network: contact.Network{First: netip.AddrFrom4(b)}, Reason: "abuse mailbox",
		Contacts: []contact.Contact{{Address: deskOf(n), Confidence: contact.High, Scope: contact.ScopeNetwork}}}
	b[3] = 255
	answer.Network.Last = netip.AddrFrom4(b)
	return answer, nil
}

// write makes the texts of mailings: words of their own, and a footer that many share.
func (m *month) write(n int) {
	for i := range n {
		var b strings.Builder
		for w := range 40 {
			fmt.Fprintf(&b, "%s%s ", syllables[m.random.IntN(len(syllables))], syllables[m.random.IntN(len(syllables))])
			if w%13 == 12 {
				b.WriteString("NAME http://shop.test/?id=NUMBER ")
			}
		}
		if i%2 == 0 {
			b.WriteString("you get this mail because you asked for it on our page: unsubscribe here")
		}
		m.mailings = append(m.mailings, b.String())
	}
}

var syllables = strings.Fields("ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zu bra cle dri flo gru ska ple tri sto")

func (m *month) report(id int64, mailing int, from place, at time.Time) *queue.Report {
	name := fmt.Sprintf("user%c%c", 'a'+m.random.IntN(26), 'a'+m.random.IntN(26))
	text := strings.NewReplacer("NAME", name, "NUMBER", fmt.Sprint(m.random.Uint32())).Replace(m.mailings[mailing])
	msg := fromSender()
	msg.Session.Client = netip.AddrPortFrom(from.addr(), 25)
	msg.Session.Time = at.Add(-time.Duration(m.random.IntN(49*60)) * time.Minute)
	msg.RcptTo = []string{name + "@isp.test"}
	subject := []string{"Special offer of this week", "For " + name}[mailing%2]
	msg.Header, msg.Body, msg.BodySize = []byte("Subject: "+subject+"\r\n"), []byte(text), int64(len(text))
	r := &queue.Report{ID: id, Received: at, Cause: queue.CauseUser, Message: msg}
	if m.random.IntN(3) == 0 {
		r.Cause = queue.CauseFilter
	}
	m.mailingOf[id], m.about[id], m.filters[id] = mailing, from, r.Cause == queue.CauseFilter
	return r
}

// label is what reports of one complaint must have in common.
func (m *month) label(report int64) string {
	return fmt.Sprint(m.mailingOf[report], m.about[report].network, m.filters[report])
}

// step holds what was decided against the labels.
func (m *month) step(s reporter.Step) {
	c := &s.Complaint
	if c.ID != 0 && m.own.Contains(c.Source) {
		m.t.Errorf("own network: %+v", s)
	}
	switch s.Action {
	case queue.ActionClosed:
		m.refused++
	case queue.ActionFiled:
		l := m.label(s.Report)
		if before, ok := m.open[l]; ok && m.size[before] < queue.MaxIncidents {
			m.t.Errorf("report %d (%s) was filed beside complaint %d", s.Report, l, before)
		}
		if m.size[c.ID] = 1; c.State == queue.Held {
			m.open[l] = c.ID
		}
	case queue.ActionJoined:
		m.joined++
		if m.label(s.Report) != m.label(s.First) {
			m.t.Errorf("report %d (%s) joined a complaint of %s", s.Report, m.label(s.Report), m.label(s.First))
		}
		m.size[c.ID]++
	case queue.ActionReleased:
		m.released++
		delete(m.open, m.label(s.First))
	}
	if c.State == queue.Ready && s.Action != queue.ActionJoined {
		if m.filters[s.First] {
			m.t.Errorf("a filter's word went out: %+v", s)
		}
		m.out = append(m.out, s.At)
		m.desks[c.To[0]] = append(m.desks[c.To[0]], s.At)
		n := m.about[s.First].network
		m.networks[n] = append(m.networks[n], s.At)
	}
}

// never reports whether more than most lie within a time anywhere.
func (m *month) never(what string, all []time.Time, d time.Duration, most int) {
	for i := most; i < len(all); i++ {
		if all[i].Sub(all[i-most]) < d {
			m.t.Errorf("%s: more than %d within %v", what, most, d)
		}
	}
}

// TestMonth decides on the reports of a month about 2,000 networks, with the code that
// decides in the daemon: no desk, network or hour gets more than it may, nothing is said
// about own networks, and no mailing is split, nor two in one. `make soak` takes
// 100,000 reports.
func TestMonth(t *testing.T) {
	reports := 5_000
	if os.Getenv("SOAK") != "" {
		reports = 100_000
	}
	m := &month{t: t, random: rand.New(rand.NewPCG(1, 2)), own: netip.MustParsePrefix("45.66.0.0/20"),
		mailingOf: map[int64]int{}, about: map[int64]place{}, filters: map[int64]bool{}, open: map[string]int64{}, size: map[int64]int{},
		desks: map[string][]time.Time{}, networks: map[int][]time.Time{}}
	m.policy = reporter.Policy{MaxAge: 48 * time.Hour, Approve: reporter.ApproveJudged,
		Interval: 6 * time.Hour, ContactCap: 3, NetworkCap: 2, HourCap: 40}
	m.write(60)
	replay := reporter.NewReplay(reporter.Config{Policy: m.policy, Trace: trace.Options{Networks: []netip.Prefix{m.own}}}, m, m.step)
	for n := range reports {
		from := place{m.random.IntN(2000), 1 + m.random.IntN(250)}
		if n%3 == 0 {
			from.network = m.random.IntN(20) * 97 // the worst
		}
		mailing := (n*40/reports + m.random.IntN(20)) % len(m.mailings) // each runs for a while
		at := noon.Add(time.Duration(n) * (30 * 24 * time.Hour / time.Duration(reports)))
		if err := replay.Report(t.Context(), at, m.report(int64(n+1), mailing, from, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := replay.Until(t.Context(), noon.Add(31*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	m.never("all", m.out, time.Hour, m.policy.HourCap)
	for desk, all := range m.desks {
		m.never(desk, all, 24*time.Hour, m.policy.ContactCap)
		m.never(desk, all, m.policy.Interval, 1)
	}
	for n, all := range m.networks {
		m.never(fmt.Sprint("network ", n), all, 24*time.Hour, m.policy.NetworkCap)
	}
	t.Logf("%d reports: %d refused, %d joined, %d complaints went out, %d of them after they had waited", reports, m.refused, m.joined, len(m.out), m.released)
	if m.refused == 0 || m.joined < reports/50 || m.released < reports/50 || len(m.out) < reports/10 {
		t.Error("the month was too quiet to show anything")
	}
}

package queue

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spamreport-milter/trace"
)

// A large queue, as a provider has it after some years.
const (
	scaleComplaints = 1_000_000
	scaleReports    = 3 * scaleComplaints
	scaleMails      = 20_000
)

// BenchmarkScale fills a queue of each engine and measures what an admin and the
// MTA see of it. It takes minutes: `make scale`. SCALE_DIR names a directory where
// the SQLite file stays.
func BenchmarkScale(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		dir := os.Getenv("SCALE_DIR")
		if dir == "" {
			dir = b.TempDir()
		}
		os.Remove(filepath.Join(dir, "queue.db"))
		s := openAt(b, filepath.Join(dir, "queue.db"), nil)
		measure(b, s, `EXPLAIN QUERY PLAN `)
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		_, url := ownServer(b, false)
		s := openAt(b, url, nil)
		defer func(d time.Duration) { postgres.patience = d }(postgres.patience)
		postgres.patience = time.Minute // to fill it takes larger steps than work does
		measure(b, s, `EXPLAIN `)
	})
}

func measure(b *testing.B, s *Store, explain string) {
	start := time.Now()
	l := &large{b: b, s: s, random: rand.New(rand.NewPCG(1, 2)), now: time.Now()}
	l.fill()
	b.Logf("filled in %s", time.Since(start).Round(time.Second))
	for b.Loop() {
	}
	l.lists(explain)
	l.approve()
	l.purge()
}

// large is a queue with very much in it.
type large struct {
	b      *testing.B
	s      *Store
	random *rand.Rand
	now    time.Time
	terms  []termRow
}

func (l *large) must(err error) {
	l.b.Helper()
	if err != nil {
		l.b.Fatal(err)
	}
}

// fill writes the rows themselves, some thousand a transaction.
func (l *large) fill() {
	l.each(scaleMails, 2000, `INSERT INTO mail (id, hash, header, body, coding)`, func(id int64) []any {
		m := packMail(fmt.Appendf(nil, "Subject: %d\r\n", id), []byte(strings.Repeat(fmt.Sprint(l.random.Uint64()), 20)))
		return []any{id, m.hash, m.header, m.body, m.coding}
	})
	l.each(scaleReports, 5000, `INSERT INTO reports (id, received, cause, reporter, reason, mail_from, session, header_cut, body_size, mail_id)`, func(id int64) []any {
		return []any{id, l.time(id, scaleReports), "filter", l.reporter(id), "X-Spam-Flag: YES", []byte("x@sender.example"), nil, 0, 400, 1 + id%scaleMails}
	})
	l.complaints()
	l.each(scaleReports/2, 5000, `INSERT INTO incidents (complaint_id, position, report_id, chain)`, func(n int64) []any {
		return []any{1 + (n-1)%scaleComplaints, (n - 1) / scaleComplaints, n, `{"hops":[]}`}
	})
	slices.SortFunc(l.terms, func(a, b termRow) int {
		return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.complaint, b.complaint))
	})
	l.each(int64(len(l.terms)), 20_000, `INSERT INTO terms (term, complaint_id)`, func(n int64) []any {
		return []any{l.terms[n-1].term, l.terms[n-1].complaint}
	})
	l.terms = nil
	l.events()
	for _, t := range tables {
		if t.seq {
			_, err := commit(l.b.Context(), l.s, func(ctx context.Context, tx *change) (none struct{}, err error) {
				return none, l.s.engine.setLastID(ctx, tx, t.name, scaleReports)
			})
			l.must(err)
		}
	}
	for _, finish := range []string{
		`DELETE FROM tallies WHERE day = 0`,
		`INSERT INTO tallies (day, what, name, n) SELECT 0, 'state', state, count(*) FROM complaints GROUP BY state`,
		`ANALYZE`,
	} {
		_, err := l.s.writer.Exec(finish)
		l.must(err)
	}
}

// each inserts n rows in large transactions.
func (l *large) each(n, step int64, insert string, row func(id int64) []any) {
	for from := int64(1); from <= n; from += step {
		_, err := commit(l.b.Context(), l.s, func(ctx context.Context, tx *change) (none struct{}, err error) {
			rows := newRows(ctx, tx, insert)
			for id := from; id < min(from+step, n+1); id++ {
				if err := rows.add(row(id)...); err != nil {
					return none, err
				}
			}
			return none, rows.flush()
		})
		l.must(err)
	}
}

// time spreads ids over three years up to now.
func (l *large) time(id, of int64) int64 {
	return micros(l.now) - (of-id)*(3*365*microsPerDay/of)
}

func (l *large) reporter(id int64) string {
	if id%5 == 0 {
		return fmt.Sprintf("user%d@example.org", id%997)
	}
	return "X-Spam-Flag"
}

// state is that of complaint id: nearly all are sent, the newest wait.
func (l *large) state(id int64) State {
	switch {
	case id > scaleComplaints-15_000:
		return Held
	case id%50 == 0:
		return []State{Dropped, Bounced, Failed, Resolved}[id/50%4]
	}
	return Sent
}

// source is of a few large networks and of very many small ones.
func (l *large) source(id int64) netip.Addr {
	n := uint32(id * 2654435761)
	if id%3 == 0 {
		return netip.AddrFrom4([4]byte{45, 66, byte(n >> 8), byte(n)})
	}
	return netip.AddrFrom4([4]byte{byte(60 + n>>24%100), byte(n >> 16), byte(n >> 8), byte(n)})
}

var spamWords = strings.Fields("account cheap pills order invoice urgent payment winner konto bank update verify offer free casino loan delivery parcel tax refund")

func (l *large) complaints() {
	l.each(scaleComplaints, 5000, `INSERT INTO complaints (id, state, created, updated, addressees, source, network, asn, party,
			format, subject, hold, message_id, sender, ready_at, taken)`, func(id int64) []any {
		c := Complaint{
			ID: id, State: l.state(id), Source: l.source(id), ASN: uint32(64500 + id*id%4000),
			To:        []string{fmt.Sprintf("abuse@isp%d.example", id*7%3001)},
			MessageID: fmt.Sprintf("<%d.%x@mx.isp.test>", id, l.random.Uint32()),
			Incidents: []Incident{{Report: Report{Reporter: l.reporter(id)}}},
		}
		for range 5 {
			c.Subject += spamWords[l.random.IntN(len(spamWords))] + " "
		}
		c.Subject += fmt.Sprint(l.random.IntN(100_000))
		for _, t := range termsOf(&c) {
			l.terms = append(l.terms, termRow{t, id})
		}
		to, _ := encodeList(c.To)
		at := l.time(id, scaleComplaints)
		return []any{id, c.State, at, at + id%1000*1_000_000, to, addrKey(c.Source), "net", c.ASN, "source network",
			"arf", c.Subject, "", c.MessageID, "{}", at, "[]"}
	})
}

// events writes three for each complaint, and one for each report without one.
func (l *large) events() {
	const step = 5000
	events := int64(3*scaleComplaints + scaleReports/2)
	for from := int64(0); from < events; from += step {
		_, err := commit(l.b.Context(), l.s, func(ctx context.Context, tx *change) (none struct{}, err error) {
			for n := from; n < min(from+step, events); n++ {
				e := Event{Time: fromMicros(l.time(n, events)), Actor: "system:mx", Action: ActionClosed, ReportID: n - 3*scaleComplaints + scaleReports/2}
				if n < 3*scaleComplaints {
					e.ComplaintID, e.ReportID = 1+n/3, 0
					e.Action = []string{ActionFiled, ActionSending, ActionSent}[n%3]
					e.To = []State{Held, "", Sent}[n%3]
				}
				tx.events = append(tx.events, e)
			}
			return none, nil
		})
		l.must(err)
	}
}

// asked are filters of every kind, with values drawn at random.
func (l *large) asked() map[string]Filter {
	r := l.random
	id := 1 + r.Int64N(scaleComplaints)
	source := l.source(id)
	prefix := func(bits int) netip.Prefix { p, _ := source.Prefix(bits); return p }
	contact := fmt.Sprintf("abuse@isp%d.example", r.IntN(3001))
	word := func() string { return spamWords[r.IntN(len(spamWords))] }
	ago := func(days int) time.Time { return l.now.Add(-time.Duration(days) * day) }
	return map[string]Filter{
		"all": {}, "oldest first": {Sort: Sort{Forward: true}}, "by update": {Sort: Sort{By: SortUpdated}}, "by source": {Sort: Sort{By: SortSource}},
		"a page far behind": {After: Sort{}.Position(&Complaint{ID: id})},
		"held":              {States: []State{Held}}, "sent": {States: []State{Sent}}, "open": {States: []State{Held, Ready, Deferred, Sending}},
		"failed and bounced, by update": {States: []State{Failed, Bounced}, Sort: Sort{By: SortUpdated}},
		"contact":                       {Contact: contact}, "held of a contact": {Contact: contact, States: []State{Held}}, "domain": {Contact: contact[5:]},
		"address": {Network: prefix(32)}, "/24": {Network: prefix(24)}, "/20": {Network: prefix(20)}, "/12": {Network: prefix(12)}, "half of all": {Network: netip.MustParsePrefix("0.0.0.0/1")},
		"ASN": {ASN: uint32(64500 + r.IntN(4000))}, "reporter": {Reporter: fmt.Sprintf("user%d@example.org", r.IntN(997))}, "filter": {Reporter: "X-Spam-Flag"},
		"last week": {Since: ago(7)}, "older than a year": {Until: ago(365)}, "a month two years ago": {Since: ago(760), Until: ago(730)},
		"old and bounced": {Until: ago(700), States: []State{Bounced}},
		"a word":          {Text: word()}, "two words": {Text: word() + " " + word()}, "three words": {Text: word() + " " + word() + " " + word()},
		"a number": {Text: fmt.Sprint(r.IntN(100_000))}, "no such word": {Text: "xyzzy"},
		"a word, held": {Text: word(), States: []State{Held}}, "a word of a contact": {Text: word(), Contact: contact},
		"a word in a /16": {Text: word(), Network: prefix(16)}, "a word, by update": {Text: fmt.Sprint(r.IntN(100_000)), Sort: Sort{By: SortUpdated}},
	}
}

// lists times pages of 50 and looks how the engine comes by them.
func (l *large) lists(explain string) {
	times := map[string][]time.Duration{}
	var all []time.Duration
	for round := range 12 {
		for name, f := range l.asked() {
			f.Limit = 50
			start := time.Now()
			_, err := l.s.List(l.b.Context(), f)
			took := time.Since(start)
			l.must(err)
			if round == 0 { // not warm
				l.plan(explain, name, f)
				continue
			}
			times[name] = append(times[name], took)
			all = append(all, took)
		}
	}
	l.b.ReportMetric(p95(all).Seconds()*1000, "list-p95-ms")
	for name, t := range times {
		if p := p95(t); p > 50*time.Millisecond {
			l.b.Logf("p95 of %q: %s", name, p.Round(time.Millisecond))
		}
	}
}

func p95(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*95/100]
}

// plan fails when a page is found by looking at every row of a large table.
func (l *large) plan(explain, name string, f Filter) {
	tx, err := l.s.reader.begin(l.b.Context(), nil)
	l.must(err)
	defer tx.Rollback()
	q, err := l.s.query(l.b.Context(), tx, f)
	l.must(err)
	query, args := q.sql(complaintColumns, 50)
	rows, err := tx.Query(explain+query, args...)
	l.must(err)
	defer rows.Close()
	columns, err := rows.Columns()
	l.must(err)
	var plan []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		l.must(rows.Scan(values...))
		plan = append(plan, fmt.Sprint(*values[len(values)-1].(*any)))
	}
	l.must(rows.Err())
	text := strings.Join(plan, "\n")
	walked := strings.Contains(text, "Seq Scan on") || strings.Contains(text, "SCAN t\n") || strings.Contains(text, "SCAN c\n") && len(q.w.conditions) > 0
	if walked {
		l.b.Errorf("%s looks at all rows:\n%s", name, text)
	}
}

// approve lets 10,000 held complaints go out.
func (l *large) approve() {
	ids, err := l.s.IDs(l.b.Context(), Filter{States: []State{Held}})
	l.must(err)
	start := time.Now()
	d, err := l.s.Decide(l.b.Context(), Decision{Action: ActionApproved, Actor: "user:anna"}, ids[:10_000]...)
	l.must(err)
	if len(d.Done) != 10_000 {
		l.b.Fatalf("%d were approved: %+v", len(d.Done), d.Refused[:1])
	}
	l.b.ReportMetric(time.Since(start).Seconds(), "approve-10000-s")
}

// purge removes old mail for some seconds while reports come in, and compares with
// as many seconds before.
func (l *large) purge() {
	before := l.intake(5*time.Second, func(context.Context) {})
	during := l.intake(5*time.Second, func(ctx context.Context) {
		for ctx.Err() == nil {
			p, err := l.s.Purge(ctx, Retention{Mail: 300 * day, Complaints: 600 * day})
			if err == nil && p == (Purged{}) {
				l.b.Error("nothing to purge is left")
				return
			}
		}
	})
	l.b.ReportMetric(float64(before.n)/5, "reports/s")
	l.b.ReportMetric(float64(during.n)/5, "reports/s-while-purging")
	l.b.ReportMetric(before.p95.Seconds()*1000, "intake-p95-ms")
	l.b.ReportMetric(during.p95.Seconds()*1000, "intake-p95-ms-while-purging")
}

type intake struct {
	n   int64
	p95 time.Duration
}

func (l *large) intake(d time.Duration, beside func(context.Context)) intake {
	ctx, cancel := context.WithTimeout(l.b.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	var serial atomic.Int64
	serial.Store(time.Now().UnixNano())
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				_, err := l.s.Submit(context.WithoutCancel(ctx), Report{Message: trace.Message{Header: fmt.Appendf(nil, "N: %d\r\n", serial.Add(1)), Body: make([]byte, 8<<10)}})
				if err != nil {
					l.b.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			}
		})
	}
	wg.Go(func() { beside(ctx) })
	wg.Wait()
	return intake{int64(len(took)), p95(took)}
}

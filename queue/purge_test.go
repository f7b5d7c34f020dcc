package queue

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"spamreport-milter/trace"
)

const day = 24 * time.Hour

var keep = Retention{Mail: 10 * day, Answers: 20 * day, Complaints: 30 * day, Events: 40 * day}

// count returns how many rows each table has that a purge may touch.
func (b *fixture) rowsOf(tables ...string) map[string]int {
	b.t.Helper()
	n := map[string]int{}
	for _, table := range tables {
		var k int
		b.check(b.reader.QueryRow(`SELECT count(*) FROM ` + table).Scan(&k))
		n[table] = k
	}
	return n
}

var purged = []string{"mail", "recipients", "answers", "terms", "incidents", "complaints", "reports", "events"}

// testRetention lets settled data of all kinds grow old, more than one step removes.
func testRetention(t *testing.T, b *fixture) {
	const n = purgeStep + 20
	for range n {
		b.serial++
		r := sampleReport(b.serial)
		r.Message.RcptTo = []string{"anna@example.org"}
		_, err := b.Submit(b.ctx, r)
		b.check(err)
		claim := b.claimReport()
		if b.serial%2 == 0 {
			b.check(b.CloseReport(b.ctx, claim, "own network"))
			continue
		}
		c := sampleComplaint(claim.Report.ID, Held, "abuse@example.net")
		c.Contact = []byte(`{"reason":"the registry says so"}`)
		id, _, err := b.File(b.ctx, claim, c)
		b.check(err)
		b.check(b.Drop(b.ctx, id, "user:anna", ""))
	}
	top, err := b.Top(b.ctx, TallyAction, b.clock.now(), 10)
	b.check(err)
	b.clock.advance(11 * day)
	p, err := b.Purge(b.ctx, keep)
	b.check(err)
	if want := (Purged{Mail: n}); p != want {
		t.Errorf("after 11 days: %+v, want %+v", p, want)
	}
	if left := b.rowsOf(purged...); left["mail"] != 1 || left["recipients"] != 0 || left["reports"] != n {
		t.Errorf("left: %v", left)
	}
	r, err := b.Report(b.ctx, 1)
	b.check(err)
	if !r.Purged || len(r.Message.Header) != 0 || r.Reporter != "anna@example.org" {
		t.Errorf("a report without mail: %+v", r)
	}
	b.clock.advance(10 * day)
	if p, err = b.Purge(b.ctx, keep); err != nil || p != (Purged{Answers: 1}) {
		t.Errorf("after 21 days: %+v, %v", p, err)
	}
	if c := b.complaint(1); c.Contact != nil {
		t.Errorf("contact after its time: %s", c.Contact)
	}
	b.clock.advance(10 * day)
	if p, err = b.Purge(b.ctx, keep); err != nil || p != (Purged{Complaints: n / 2, Reports: n}) {
		t.Errorf("after 31 days: %+v, %v", p, err)
	}
	b.clock.advance(10 * day)
	if p, err = b.Purge(b.ctx, keep); err != nil || p.Events != 2*n-n/2 {
		t.Errorf("after 41 days: %+v, %v", p, err)
	}
	// The complaints' ends are in the trail, which goes on.
	if seen := b.verified(); seen.First != 2*n-n/2+1 || seen.Events != n/2 {
		t.Errorf("trail: %+v", seen)
	}
	if left := b.rowsOf(purged...); left["terms"]+left["complaints"]+left["incidents"]+left["reports"]+left["answers"] != 0 {
		t.Errorf("left at the end: %v", left)
	}
	counts, err := b.Counts(b.ctx)
	b.check(err)
	if len(counts) != 0 {
		t.Errorf("counts: %v", counts)
	}
	again, err := b.Top(b.ctx, TallyAction, b.clock.now().Add(-50*day), 10)
	b.check(err)
	if d := diff(top[0], again[0]); d != "" {
		t.Errorf("what was counted (-before +after):\n%s", d)
	}
}

// testRetentionKeeps lets data grow old that somebody waits for.
func testRetentionKeeps(t *testing.T, b *fixture) {
	held := b.file(Held, "abuse@example.net")
	b.inState(Ready)
	waiting := b.submit()
	mail := trace.Message{Header: []byte("Shared: 1\r\n"), Body: []byte("x")}
	for range 2 { // one mail, two reports
		_, err := b.Submit(b.ctx, Report{Message: mail})
		b.check(err)
	}
	b.claimReport()
	b.check(b.CloseReport(b.ctx, b.claimReport(), "own network"))
	b.clock.advance(time.Second)
	if p, err := b.Purge(b.ctx, Retention{Mail: 1, Answers: 1, Complaints: 1}); err != nil || p.Mail != 1 || p.Complaints != 0 {
		t.Errorf("purged %+v, %v", p, err)
	}
	for _, id := range []int64{1, 2, waiting, 5} {
		if r, err := b.Report(b.ctx, id); err != nil || r.Purged {
			t.Errorf("report %d: %+v, %v", id, r, err)
		}
	}
	if c := b.complaint(held); c.State != Held || c.Incidents[0].Report.Purged {
		t.Errorf("held complaint: %+v", c)
	}
	b.verified()
}

// testForget erases a person from everywhere, and nobody else.
func testForget(t *testing.T, b *fixture) {
	person := "anna@example.org"
	mails := map[string]string{
		"header":    "To: <Anna@example.org>\r\n",
		"word":      "Subject: =?utf-8?q?for_anna=40example=2Eorg?=\r\n",
		"reporter":  "Subject: clean\r\n",
		"recipient": "Subject: clean too\r\n",
		"body":      "Subject: body\r\n",
		"base64":    "Content-Transfer-Encoding: base64\r\n",
		"near":      "To: joanna@example.org, anna@example.org.uk\r\n",
		"other":     "To: bert@example.org\r\n",
	}
	bodies := map[string]string{
		"body":   "Unsubscribe: b-anna=example.org@list.example, or ann=\r\na@example.org",
		"base64": "ZGVhciBjdXN0b21lciB3aXRoIHRoZSBhZGRyZXNzIGFubmFAZXhhbXBs\r\nZS5vcmcsIHdlIGhhdmUgYW4gb2ZmZXIgZm9yIHlvdQ==\r\n",
	}
	ids, reports := map[string]int64{}, map[string]int64{}
	for _, name := range []string{"header", "word", "reporter", "recipient", "body", "base64", "near", "other"} {
		r := Report{Cause: CauseUser, Reporter: "bert@example.org", Message: trace.Message{Header: []byte(mails[name]), Body: []byte(bodies[name])}}
		switch name {
		case "reporter":
			r.Reporter = person
		case "recipient":
			r.Message.RcptTo = []string{person, "bert@example.org"}
		}
		var err error
		reports[name], err = b.Submit(b.ctx, r)
		b.check(err)
		claim := b.claimReport()
		c := sampleComplaint(claim.Report.ID, Held, "abuse@example.net")
		c.Subject = "about " + name
		if name == "recipient" {
			c.Subject = "for Anna@Example.org only"
		}
		c.Incidents[0].Report = claim.Report
		ids[name], _, err = b.File(b.ctx, claim, c)
		b.check(err)
		if name == "body" {
			b.check(b.Drop(b.ctx, ids[name], "user:bert", "says anna@example.org"))
		}
	}
	raw := base64.StdEncoding.EncodeToString([]byte("e-mail: " + person + " (a customer of the network)"))
	for i, answer := range []string{`{"contacts":[{"address":"` + person + `"}]}`, `{"evidence":[{"raw":"` + raw + `"}]}`, `{"contacts":[{"address":"bert@example.org"}]}`} {
		at := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		b.check(b.PutContact(b.ctx, at, at, b.clock.now().Add(time.Hour), []byte(answer)))
	}
	waiting, err := b.Submit(b.ctx, Report{Reporter: person, Message: trace.Message{Header: []byte("A: b\r\n")}})
	b.check(err)
	before := b.verified()
	f, err := b.Forget(b.ctx, "ANNA@example.org", "user:bert", func(string, int64, int64) {})
	b.check(err)
	if want := (Forgotten{Reports: 7, Complaints: 6, Events: 1, Answers: 2, Dropped: 5}); f != want {
		t.Errorf("forgotten: %+v, want %+v", f, want)
	}
	for name, id := range ids {
		gone := name != "near" && name != "other"
		c := b.complaint(id)
		r := &c.Incidents[0].Report
		if r.Purged != gone || gone != (c.State == Dropped) {
			t.Errorf("%s: mail gone %v, %s", name, r.Purged, c.State)
		}
		if strings.Contains(strings.ToLower(c.Subject+r.Reporter+strings.Join(r.Message.RcptTo, " ")), person) {
			t.Errorf("%s still names the person: %+v", name, c)
		}
	}
	if _, err := b.Report(b.ctx, waiting); err != nil {
		t.Error(err)
	}
	if c, err := b.ClaimReports(b.ctx, 1, 1<<20, time.Minute); err != nil || len(c) > 0 {
		t.Errorf("the person's waiting report is still to be filed: %v, %v", c, err)
	}
	if list, err := b.List(b.ctx, Filter{Text: "anna"}); err != nil || len(list) != 0 {
		t.Errorf("found by name: %v, %v", idsOf(list), err)
	}
	if list, err := b.List(b.ctx, Filter{Reporter: person}); err != nil || len(list) != 0 {
		t.Errorf("found by reporter: %v, %v", idsOf(list), err)
	}
	seen := b.verified()
	if seen.Erased != 1 || seen.Events <= before.Events {
		t.Errorf("trail after: %+v", seen)
	}
	b.holdsNot(person)
	if left := b.rowsOf("contacts"); left["contacts"] != 1 {
		t.Errorf("%d remembered contacts are left, want 1", left["contacts"])
	}
	if _, err := b.Forget(b.ctx, "anna", "user:bert", nil); !errors.Is(err, ErrFilter) {
		t.Errorf("forget of no address: %v", err)
	}
}

// holdsNot reads every text and every octet of the database.
func (b *fixture) holdsNot(address string) {
	b.t.Helper()
	tx, err := b.reader.begin(b.ctx, nil)
	b.check(err)
	defer tx.Rollback()
	m, err := newMatcher(address)
	b.check(err)
	for _, table := range tables {
		err := scanTable(b.ctx, tx, table, func(columns []string, page [][]any, _ int64) error {
			for _, row := range page {
				for i, v := range row {
					var text []byte
					switch v := v.(type) {
					case string:
						text = []byte(v)
					case []byte:
						text = v
						if plain, err := unpack(packed, v); err == nil {
							text = plain
						}
					}
					if m.in(text) {
						b.t.Errorf("%s.%s still holds %s: %q", table.name, columns[i], address, text)
					}
				}
			}
			return nil
		})
		b.check(err)
	}
}

package queue

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func testList(t *testing.T, b *fixture) {
	want := map[State]int{}
	var sent []int64
	for _, state := range []State{Sent, Held, Sent, Dropped, Sent} {
		id := b.inState(state)
		want[state]++
		if state == Sent {
			sent = append([]int64{id}, sent...)
		}
	}
	counts, err := b.Counts(b.ctx)
	b.check(err)
	if d := diff(want, counts); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	all, err := b.List(b.ctx, Filter{})
	b.check(err)
	if ids := idsOf(all); !slices.Equal(ids, []int64{5, 4, 3, 2, 1}) {
		t.Errorf("listed %v", ids)
	}
	if all[0].Contact != nil || all[0].Incidents != nil || all[0].To[0] != "abuse@example.net" {
		t.Errorf("a listed complaint is %+v", all[0])
	}
	// Page by page, two states of which one has none.
	var paged []int64
	f := Filter{States: []State{Sent, Failed}, Limit: 2}
	for {
		page, err := b.List(b.ctx, f)
		b.check(err)
		if len(page) == 0 {
			break
		}
		paged = append(paged, idsOf(page)...)
		f.After = f.Sort.Position(&page[len(page)-1])
	}
	if !slices.Equal(paged, sent) {
		t.Errorf("pages hold %v, want %v", paged, sent)
	}
}

func idsOf(list []Complaint) (ids []int64) {
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

func testEvents(t *testing.T, b *fixture) {
	first, second := b.inState(Sent), b.inState(Dropped)
	show := func(f EventFilter) (got []string) {
		events, err := b.Events(b.ctx, f)
		b.check(err)
		for _, e := range events {
			got = append(got, fmt.Sprintf("%d %s", e.ComplaintID, e.Action))
		}
		return got
	}
	for _, test := range []struct {
		f    EventFilter
		want []string
	}{
		{EventFilter{}, []string{"2 dropped", "2 filed", "1 sent", "1 sending", "1 filed"}},
		{EventFilter{ComplaintID: first}, []string{"1 sent", "1 sending", "1 filed"}},
		{EventFilter{ComplaintID: second, Action: ActionFiled}, []string{"2 filed"}},
		{EventFilter{ReportID: 1}, []string{"1 filed"}},
		{EventFilter{Before: 4, Limit: 2}, []string{"1 sent", "1 sending"}},
	} {
		if got := show(test.f); !slices.Equal(got, test.want) {
			t.Errorf("%+v gives %q, want %q", test.f, got, test.want)
		}
	}
}

// testWake has every change that makes work close the channel, and none of the
// changes that workers make all the time.
func testWake(t *testing.T, b *fixture) {
	woken := func(name string, want bool, change func()) {
		t.Helper()
		w := b.Wake()
		change()
		select {
		case <-w:
			if !want {
				t.Errorf("%s wakes workers", name)
			}
		default:
			if want {
				t.Errorf("%s does not wake workers", name)
			}
		}
	}
	var claim *ReportClaim
	var id int64
	woken("Submit", true, func() { b.submit() })
	woken("ClaimReport", false, func() { claim = b.claimReport() })
	woken("Renew", false, func() { b.check(b.Renew(b.ctx, claim, time.Minute)) })
	woken("File", true, func() {
		var err error
		id, _, err = b.File(b.ctx, claim, sampleComplaint(claim.Report.ID, Held, "abuse@example.net"))
		b.check(err)
	})
	woken("ClaimReport of nothing", false, b.noReport)
	woken("Approve", true, func() { b.check(b.Approve(b.ctx, id, Sender{}, "user:anna", "")) })
	woken("ClaimComplaint", false, func() { b.claimComplaint() })
}

// testClockBack sets the clock back by a year: fresh work still flows, nothing
// is claimed twice, and the trail keeps its order.
func testClockBack(t *testing.T, b *fixture) {
	held := b.file(Held, "abuse@example.net")
	b.submit()
	leased := b.claimReport()
	b.clock.advance(-365 * 24 * time.Hour)
	b.check(b.Approve(b.ctx, held, Sender{}, "user:anna", ""))
	c := b.claimComplaint()
	b.check(b.Record(b.ctx, c, Outcome{State: Sent}))
	if got, want := b.trail(held), "filed>held approved>ready sending>sending sent>sent"; got != want {
		t.Errorf("events %s\nwant   %s", got, want)
	}
	fresh := b.submit()
	if got := b.claimReport().Report.ID; got != fresh {
		t.Errorf("claimed %d, want the fresh %d", got, fresh)
	}
	b.noReport()
	b.check(b.CloseReport(b.ctx, leased, "still ours"))
}

func testContacts(t *testing.T, b *fixture) {
	addr := netip.MustParseAddr
	put := func(first, last string, ttl time.Duration) {
		t.Helper()
		b.check(b.PutContact(b.ctx, addr(first), addr(last), b.clock.now().Add(ttl), []byte(first+"-"+last)))
	}
	want := func(ip, answer string) {
		t.Helper()
		got, err := b.ContactFor(b.ctx, addr(ip))
		b.check(err)
		if string(got) != answer || (answer == "") != (got == nil) {
			t.Errorf("%s has %q, want %q", ip, got, answer)
		}
	}
	want("192.0.2.1", "")
	put("192.0.0.0", "192.255.255.255", time.Hour)
	put("192.0.2.0", "192.0.2.255", time.Minute)
	put("192.0.2.16", "192.0.2.47", time.Hour) // no CIDR block
	put("::", "::ffff:ffff", time.Hour)
	want("192.0.2.16", "192.0.2.16-192.0.2.47")
	want("192.0.2.47", "192.0.2.16-192.0.2.47")
	want("::ffff:192.0.2.47", "192.0.2.16-192.0.2.47")
	want("192.0.2.48", "192.0.2.0-192.0.2.255")
	want("192.0.3.0", "192.0.0.0-192.255.255.255")
	want("193.0.0.0", "")
	want("::c000:0210", "::-::ffff:ffff")
	put("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", time.Hour)
	want("2001:db8::", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	want("193.0.0.0", "") // no IPv6 network has IPv4 addresses
	b.clock.advance(time.Minute)
	want("192.0.2.48", "192.0.0.0-192.255.255.255")
	b.check(b.PutContact(b.ctx, addr("192.0.2.16"), addr("192.0.2.47"), b.clock.now().Add(time.Hour), []byte("anew")))
	want("192.0.2.16", "anew")
	for _, bad := range [][2]netip.Addr{{addr("192.0.2.2"), addr("192.0.2.1")}, {addr("192.0.2.2"), addr("2001:db8::")}, {}} {
		if err := b.PutContact(b.ctx, bad[0], bad[1], b.clock.now(), nil); err == nil {
			t.Errorf("%s to %s was taken for a network", bad[0], bad[1])
		}
	}
	if _, err := b.ContactFor(b.ctx, netip.Addr{}); err == nil {
		t.Error("an invalid address was looked up")
	}
}

// TestPlans has SQLite say how it will answer what is asked all the time: it must
// search an index, never scan a table.
func TestPlans(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "queue.db"), nil)
	for _, query := range []string{selectBlock, selectContact, selectNextBase, selectRanges, nextReports, nextComplaint, nextLookup} {
		rows, err := s.reader.Query("EXPLAIN QUERY PLAN "+query, 1, 2, 3, 4)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(step, "SCAN") {
				t.Errorf("%s\nis answered by %s", query, step)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// testContactsModel compares with a search through all networks. They lie side
// by side or within each other, as registries hand them out.
func testContactsModel(t *testing.T, b *fixture) {
	type network struct{ first, last netip.Addr }
	var known []network
	var draw func(*rapid.T, int, int, int)
	at := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }
	draw = func(r *rapid.T, from, to, depth int) {
		known = append(known, network{at(from), at(to)})
		b.check(b.PutContact(b.ctx, at(from), at(to), b.clock.now().Add(time.Hour), fmt.Appendf(nil, "%d", len(known)-1)))
		for from <= to && depth > 0 && rapid.Bool().Draw(r, "within") {
			f := rapid.IntRange(from, to).Draw(r, "from")
			l := rapid.IntRange(f, to).Draw(r, "to")
			if f == from && l == to || slices.Contains(known, network{at(f), at(l)}) {
				return
			}
			draw(r, f, l, depth-1)
			from = l + 1
		}
	}
	answer := func(n int) (index string) {
		for i, k := range known { // inner networks come later
			if !at(n).Less(k.first) && !k.last.Less(at(n)) {
				index = fmt.Sprint(i)
			}
		}
		return index
	}
	base := 0
	rapid.Check(t, func(r *rapid.T) {
		if base += 256; base > 1<<16-256 {
			r.Skip("the address space of the test is used up")
		}
		known = known[:0]
		draw(r, base, base+rapid.IntRange(0, 255).Draw(r, "size"), 4)
		for range 20 {
			n := base + rapid.IntRange(0, 255).Draw(r, "address")
			want := answer(n)
			got, err := b.ContactFor(b.ctx, at(n))
			if err != nil || string(got) != want {
				r.Fatalf("%s has %q (%v), want %q of %v", at(n), got, err, want, known)
			}
			span, err := b.ContactSpan(b.ctx, at(n))
			if err != nil || !span.Contains(at(n)) {
				r.Fatalf("%s has the span %s, %v", at(n), span, err)
			}
			for m := base; m < base+256; m++ {
				if span.Contains(at(m)) && answer(m) != want {
					r.Fatalf("the span %s of %s holds %s, which has another answer of %v", span, at(n), at(m), known)
				}
			}
		}
	})
}

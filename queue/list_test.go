package queue

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"spamreport-milter/trace"
)

// testFilters asks every filter alone and with others, in every order and page by
// page, and compares with what a plain look at all complaints gives.
func testFilters(t *testing.T, b *fixture) {
	var all []Complaint
	sources := []string{"192.0.2.7", "192.0.2.200", "198.51.100.9", "2001:db8::7", "2001:db8:1::7"}
	subjects := []string{"Cheap PILLS for you", "Ihr Konto läuft ab", "Re: pills", "=?", "Account Übersicht"}
	for i := range 60 {
		b.serial++
		reporter := []string{"anna@example.org", "X-Spam-Flag"}[i%2]
		_, err := b.Submit(b.ctx, Report{Cause: CauseUser, Reporter: reporter, Message: trace.Message{Header: fmt.Appendf(nil, "N: %d\r\n", i), MailFrom: "x@sender.example"}})
		b.check(err)
		claim := b.claimReport()
		c := sampleComplaint(claim.Report.ID, Held)
		c.Source = netip.MustParseAddr(sources[i%5])
		c.Subject = subjects[(i/3)%5]
		c.ASN = uint32(64500 + i%3)
		c.Network = []string{"192.0.2.0/24", "EXAMPLE-NET"}[i%2]
		if i%4 != 0 {
			c.To = []string{"Abuse@example.net", "noc@other.example"}[:1+i%2]
		}
		c.Incidents[0].Report = claim.Report
		id, _, err := b.File(b.ctx, claim, c)
		b.check(err)
		b.clock.advance(90 * time.Minute)
		if i%7 == 0 {
			b.check(b.Drop(b.ctx, id, "user:anna", ""))
		}
	}
	list, err := b.List(b.ctx, Filter{Limit: 1000})
	b.check(err)
	for _, c := range list {
		all = append(all, b.complaint(c.ID))
	}
	begin := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	filters := map[string]Filter{
		"all":              {},
		"state":            {States: []State{Dropped}},
		"states":           {States: []State{Dropped, Held, Sent}},
		"mailbox":          {Contact: "abuse@EXAMPLE.net"},
		"domain":           {Contact: "@other.example"},
		"no such contact":  {Contact: "nobody@example.net"},
		"network":          {Network: netip.MustParsePrefix("192.0.2.0/24")},
		"half a network":   {Network: netip.MustParsePrefix("192.0.2.128/25")},
		"wide network":     {Network: netip.MustParsePrefix("192.0.0.0/6")},
		"one address":      {Network: netip.MustParsePrefix("198.51.100.9/32")},
		"IPv6":             {Network: netip.MustParsePrefix("2001:db8::/47")},
		"all IPv6":         {Network: netip.MustParsePrefix("::/0")},
		"ASN":              {ASN: 64501},
		"reporter":         {Reporter: "Anna@Example.org"},
		"since":            {Since: begin.Add(20 * time.Hour)},
		"until":            {Until: begin.Add(20 * time.Hour)},
		"before the first": {Until: begin.Add(-48 * time.Hour)},
		"after the last":   {Since: begin.Add(1000 * time.Hour)},
		"some hours":       {Since: begin.Add(20 * time.Hour), Until: begin.Add(50 * time.Hour)},
		"word":             {Text: "pills"},
		"umlaut":           {Text: "ÜBERSICHT account"},
		"two words":        {Text: "pills cheap"},
		"text and state":   {Text: "konto", States: []State{Held}},
		"much at once":     {Text: "pills", ASN: 64500, Network: netip.MustParsePrefix("192.0.2.0/24"), States: []State{Held, Dropped}, Reporter: "x-spam-flag"},
		"address as text":  {Text: "2001:db8::7"},
	}
	for name, f := range filters {
		for _, sort := range []Sort{{}, {By: SortUpdated}, {By: SortSource, Forward: true}, {Forward: true}} {
			f.Sort = sort
			want := chosen(all, f)
			for _, limit := range []int{1000, 7} {
				f.Limit = limit
				if got := b.pages(f); !slices.Equal(got, want) {
					t.Errorf("%s by %+v, %d a page: %v, want %v", name, sort, limit, got, want)
				}
			}
			ids, err := b.IDs(b.ctx, f)
			b.check(err)
			if !slices.Equal(ids, want) {
				t.Errorf("numbers of %s by %+v: %v, want %v", name, sort, ids, want)
			}
		}
	}
	for _, f := range []Filter{{Sort: Sort{By: "party"}}, {Text: "!?"}, {After: "7"}, {After: "updated:1:2"}, {After: "created:x:2"}} {
		_, err := b.List(b.ctx, f)
		wantErr(t, err, ErrFilter)
	}
}

// pages lists page by page.
func (b *fixture) pages(f Filter) (ids []int64) {
	b.t.Helper()
	for {
		page, err := b.List(b.ctx, f)
		b.check(err)
		ids = append(ids, idsOf(page)...)
		if len(page) < f.Limit {
			return ids
		}
		f.After = f.Sort.Position(&page[len(page)-1])
	}
}

// chosen filters as a person would, by looking at each.
func chosen(all []Complaint, f Filter) (ids []int64) {
	var match []Complaint
	for _, c := range all {
		ok := len(f.States) == 0 || slices.Contains(f.States, c.State)
		ok = ok && (f.Contact == "" || slices.ContainsFunc(c.To, func(a string) bool {
			a, want := strings.ToLower(a), strings.ToLower(f.Contact)
			return a == want || want[0] == '@' && strings.HasSuffix(a, want)
		}))
		ok = ok && (!f.Network.IsValid() || f.Network.Contains(c.Source))
		ok = ok && (f.ASN == 0 || f.ASN == c.ASN)
		ok = ok && (f.Reporter == "" || strings.EqualFold(c.Incidents[0].Report.Reporter, f.Reporter))
		ok = ok && !c.Created.Before(f.Since) && (f.Until.IsZero() || c.Created.Before(f.Until))
		text := strings.ToLower(c.Subject + " " + c.Source.String())
		for _, w := range strings.FieldsFunc(strings.ToLower(f.Text), func(r rune) bool { return r == ' ' || r == ':' }) {
			ok = ok && strings.Contains(text, w)
		}
		if ok {
			match = append(match, c)
		}
	}
	slices.SortFunc(match, func(a, b Complaint) int {
		n := int(a.ID - b.ID)
		switch {
		case f.Sort.By == SortUpdated && !a.Updated.Equal(b.Updated):
			n = a.Updated.Compare(b.Updated)
		case f.Sort.By == SortSource && a.Source != b.Source:
			n = netip.AddrFrom16(a.Source.As16()).Compare(netip.AddrFrom16(b.Source.As16()))
		}
		if f.Sort.Forward {
			return n
		}
		return -n
	})
	return idsOf(match)
}

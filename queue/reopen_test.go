package queue

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// testFileSeveral files complaints to two parties about one report.
func testFileSeveral(t *testing.T, b *fixture) {
	report := b.submit()
	claim := b.claimReport()
	network, domain := sampleComplaint(report, Ready, "abuse@example.net"), sampleComplaint(report, Held, "abuse@registrar.example")
	domain.MessageID, domain.Party, domain.Domain, domain.Hold = "<2@example.org>", "sender domain", "shop.example", "a person decides"
	domain.Incidents[0].Proof = json.RawMessage(`{"domain":"shop.example"}`)

	twice := domain
	twice.MessageID = network.MessageID
	if _, _, err := b.File(b.ctx, claim, network, twice); err == nil {
		t.Fatal("two complaints with one Message-ID were filed")
	}
	if counts, err := b.Counts(b.ctx); err != nil || counts[Ready]+counts[Held] != 0 {
		t.Fatalf("half of it was filed: %v, %v", counts, err)
	}

	id, _, err := b.File(b.ctx, claim, network, domain)
	b.check(err)
	b.noReport()
	if c := b.complaint(id); c.State != Ready || c.Domain != "" || c.Incidents[0].Proof != nil {
		t.Errorf("the first: %+v", c)
	}
	list, err := b.List(b.ctx, Filter{Text: "shop.example"})
	b.check(err)
	if len(list) != 1 || list[0].ID == id {
		t.Fatalf("by its domain: %+v", list)
	}
	c := b.complaint(list[0].ID)
	if c.Domain != "shop.example" || c.Party != "sender domain" || string(c.Incidents[0].Proof) != `{"domain":"shop.example"}` || c.Incidents[0].ReportID != report {
		t.Errorf("the second: %+v", c)
	}
	if beside, err := b.Beside(b.ctx, id); err != nil || len(beside) != 1 || beside["abuse@registrar.example"] != c.ID {
		t.Errorf("beside the first: %v, %v", beside, err)
	}
	b.check(b.Drop(b.ctx, c.ID, "user:anna", ""))
	if beside, err := b.Beside(b.ctx, id); err != nil || len(beside) != 0 {
		t.Errorf("beside the first, once that is dropped: %v, %v", beside, err)
	}
	for _, id := range []int64{id, c.ID} {
		if got := b.trail(id); !strings.HasPrefix(got, "filed>") {
			t.Errorf("trail of complaint %d: %s", id, got)
		}
	}
	b.verified()
}

// testReopen takes a complaint that bounced to another contact.
func testReopen(t *testing.T, b *fixture) {
	id := b.inState(Bounced)
	before := b.complaint(id)
	sent := b.inState(Sent)
	wantErr(t, b.Reopen(b.ctx, sent, "relay", ""), ErrState, "only a bounced one")
	b.check(b.Reopen(b.ctx, id, "relay", "came back from abuse@example.net"))
	c := b.complaint(id)
	if c.State != Held || len(c.To)+len(c.Taken) != 0 || !c.ReadyAt.IsZero() || c.Sender != (Sender{}) || c.Hold != "came back from abuse@example.net" {
		t.Errorf("reopened: %+v", c)
	}
	if c.MessageID == before.MessageID || !strings.HasSuffix(c.MessageID, "@example.org>") {
		t.Errorf("Message-ID %s after %s", c.MessageID, before.MessageID)
	}
	if list, err := b.List(b.ctx, Filter{Contact: "abuse@example.net", States: []State{Held}}); err != nil || len(list) != 0 {
		t.Errorf("still found by the old contact: %+v, %v", list, err)
	}
	claim, err := b.ClaimLookup(b.ctx, time.Minute)
	b.check(err)
	if claim == nil || claim.Complaint.ID != id {
		t.Fatalf("its look-up is not due: %+v", claim)
	}
	b.check(b.SetContact(b.ctx, claim, Found{To: []string{"noc@example.net"}, Format: "plain"}))
	if c := b.complaint(id); c.State != Held || c.To[0] != "noc@example.net" || c.Format != "plain" {
		t.Errorf("with its new contact: %+v", c)
	}
	if got := b.trail(id); !strings.HasSuffix(got, "bounced>bounced reopened>held contact>held") {
		t.Errorf("trail: %s", got)
	}
	b.check(b.Approve(b.ctx, id, Sender{Host: "mx.example.org"}, "user:anna", ""))
	b.verified()
}

package queue

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"spamreport-milter/trace"
)

// opener returns a new empty queue of one engine, closed when the test ends.
type opener func(t testing.TB, now func() time.Time) *Store

// suite is what every engine must pass.
func suite(t *testing.T, open opener) {
	tests := []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"octets", testOctets},
		{"hostile text", testHostileText},
		{"equal mail", testEqualMail},
		{"refused submits", testRefusedSubmits},
		{"report order", testReportOrder},
		{"claims by octets", testClaimOctets},
		{"report lease", testReportLease},
		{"renewed leases", testRenew},
		{"file", testFile},
		{"file refuses", testFileRefuses},
		{"file several", testFileSeveral},
		{"reopen", testReopen},
		{"join", testJoin},
		{"join refused", testJoinRefused},
		{"join a form task", testJoinForm},
		{"one mailing from many sides", testOvertaken},
		{"failures beside successes", testFailureBesides},
		{"what was seen is not joined again", testOvertakenAlone},
		{"release in its time", testRelease},
		{"close report", testCloseReport},
		{"states", testStates},
		{"approve without contact", testApproveWithoutContact},
		{"unknown ids", testUnknownIDs},
		{"many at once", testMany},
		{"would", testWould},
		{"pick", testPick},
		{"heads", testWasHead},
		{"edit", testEdit},
		{"suppression", testSuppression},
		{"retraction", testRetraction},
		{"filters", testFilters},
		{"trail", testTrail},
		{"altered trail", testAlteredTrail},
		{"retention", testRetention},
		{"needed data stays", testRetentionKeeps},
		{"forget", testForget},
		{"turns", testTurns},
		{"tallies", testTallies},
		{"delivery", testDelivery},
		{"complaint lease", testComplaintLease},
		{"look-up", testLookup},
		{"list", testList},
		{"events", testEvents},
		{"wake", testWake},
		{"clock going back", testClockBack},
		{"contacts", testContacts},
		{"contacts model", testContactsModel},
		{"random operations", func(t *testing.T, _ *fixture) { testModel(t, open) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &clock{t: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
			test.run(t, &fixture{t: t, ctx: t.Context(), clock: c, Store: open(t, c.now)})
		})
	}
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fixture is a queue under test with short ways to do the usual.
type fixture struct {
	t      rapid.TB
	ctx    context.Context
	clock  *clock
	serial int
	*Store
}

func (b *fixture) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// wantErr fails unless err is target and its text contains every one of parts.
func wantErr(t testing.TB, err, target error, parts ...string) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func (b *fixture) submit() int64 {
	b.t.Helper()
	b.serial++
	id, err := b.Submit(b.ctx, sampleReport(b.serial))
	b.check(err)
	return id
}

func sampleReport(n int) Report {
	return Report{Cause: CauseUser, Reporter: "anna@example.org", Message: trace.Message{
		Header: fmt.Appendf(nil, "Subject: %d\r\n", n), Body: []byte("Buy!\r\n"), BodySize: 6}}
}

func (b *fixture) claimReport() *ReportClaim {
	b.t.Helper()
	c, err := b.ClaimReports(b.ctx, 1, 1<<20, time.Minute)
	b.check(err)
	if len(c) == 0 {
		b.t.Fatal("no report to claim")
	}
	return c[0]
}

func (b *fixture) noReport() {
	b.t.Helper()
	c, err := b.ClaimReports(b.ctx, 1, 1<<20, time.Minute)
	b.check(err)
	if len(c) > 0 {
		b.t.Fatalf("claimed report %d, want none", c[0].Report.ID)
	}
}

func sampleComplaint(report int64, state State, to ...string) Complaint {
	return Complaint{State: state, To: to, Source: netip.MustParseAddr("192.0.2.7"),
		MessageID: fmt.Sprintf("<%d@example.org>", report), Incidents: []Incident{{ReportID: report}}}
}

// file brings a new complaint into the queue.
func (b *fixture) file(state State, to ...string) int64 {
	b.t.Helper()
	b.submit()
	c := b.claimReport()
	id, _, err := b.File(b.ctx, c, sampleComplaint(c.Report.ID, state, to...))
	b.check(err)
	return id
}

// inState brings a new complaint into a state.
func (b *fixture) inState(state State) int64 {
	b.t.Helper()
	after := map[State]string{Bounced: ActionBounced, Answered: ActionAnswered, Resolved: ActionResolved, Retracted: ActionRetracted}
	switch state {
	case Held, Ready, Form:
		return b.file(state, "abuse@example.net")
	case Bounced, Answered, Resolved, Retracted:
		id := b.inState(Sent)
		b.check(b.one(b.Decide(b.ctx, Decision{Action: after[state], Actor: "desk:abuse@example.net"}, id)))
		return id
	case Dropped:
		id := b.file(Held, "abuse@example.net")
		b.check(b.Drop(b.ctx, id, "user:anna", ""))
		return id
	}
	id := b.file(Ready, "abuse@example.net")
	c := b.claimComplaint()
	if c.Complaint.ID != id {
		b.t.Fatalf("claimed complaint %d, want %d", c.Complaint.ID, id)
	}
	if state != Sending {
		b.check(b.Record(b.ctx, c, Outcome{State: state, NextAttempt: b.clock.now().Add(time.Hour)}))
	}
	return id
}

func (b *fixture) Approve(ctx context.Context, id int64, sender Sender, actor, reason string) error {
	return b.one(b.Decide(ctx, Decision{Action: ActionApproved, Actor: actor, Reason: reason, Sender: sender}, id))
}

func (b *fixture) Drop(ctx context.Context, id int64, actor, reason string) error {
	return b.one(b.Decide(ctx, Decision{Action: ActionDropped, Actor: actor, Reason: reason}, id))
}

// one is what came of a decision about one complaint.
func (b *fixture) one(d Decided, err error) error {
	b.t.Helper()
	if err == nil && len(d.Done)+len(d.Refused) != 1 {
		b.t.Fatalf("a decision about one complaint ended in %+v", d)
	}
	for _, r := range d.Refused {
		return r.Err
	}
	return err
}

func (b *fixture) claimComplaint() *ComplaintClaim {
	b.t.Helper()
	c, err := b.ClaimComplaint(b.ctx, time.Minute)
	b.check(err)
	if c == nil {
		b.t.Fatal("no complaint to claim")
	}
	return c
}

func (b *fixture) noComplaint() {
	b.t.Helper()
	c, err := b.ClaimComplaint(b.ctx, time.Minute)
	b.check(err)
	if c != nil {
		b.t.Fatalf("claimed complaint %d, want none", c.Complaint.ID)
	}
}

func (b *fixture) complaint(id int64) Complaint {
	b.t.Helper()
	k, err := b.Case(b.ctx, id)
	b.check(err)
	return k.Complaint
}

// verified fails unless the trail is whole.
func (b *fixture) verified() Trail {
	b.t.Helper()
	seen, err := b.Verify(b.ctx, func(int64, int64) {})
	b.check(err)
	return seen
}

// trail returns a complaint's actions with the states they led to.
func (b *fixture) trail(id int64) string {
	b.t.Helper()
	k, err := b.Case(b.ctx, id)
	b.check(err)
	var steps []string
	for _, e := range k.Events {
		steps = append(steps, fmt.Sprintf("%s>%s", e.Action, e.To))
	}
	return strings.Join(steps, " ")
}

// diff compares addresses as values and no slice with an empty one.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}))
}

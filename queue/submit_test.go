package queue

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"spamreport-milter/trace"
)

func testOctets(t *testing.T, b *fixture) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	for name, r := range map[string]Report{
		"empty": {Received: at},
		"full": {Received: at, Cause: CauseFilter, Reporter: "X-Spam-Flag", Reason: "YES, ünd mehr", Message: trace.Message{
			MailFrom: "b\xf6se@example.net", // Latin-1, as it is seen without SMTPUTF8
			RcptTo:   []string{"zoe@example.org", "anna@example.org", "", "\xff\x00\n@example.org"},
			Header:   []byte("Subject: \x00\xff\xfe\r\nX: bare\nno colon\r\r\n"),
			Body:     []byte("\r\n.\r\n\x00\x80\n"),
			BodySize: 1 << 40,
			Session: &trace.Session{
				Client: netip.MustParseAddrPort("[2001:db8::1%eth0]:25"), PTR: "mx.example.net", PTRVerified: true,
				HELO: "[192.0.2.1]", ESMTP: true, TLSVersion: "TLSv1.3", AuthUser: "jo", QueueID: "4XYZ", Time: at,
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := b.Submit(b.ctx, r)
			b.check(err)
			r.ID = id
			got, err := b.Report(b.ctx, id)
			b.check(err)
			if d := diff(&r, got); d != "" {
				t.Errorf("read back (-want +got):\n%s", d)
			}
			if claimed := b.claimReport(); diff(r, claimed.Report) != "" {
				t.Errorf("claimed (-want +got):\n%s", diff(r, claimed.Report))
			}
		})
	}
}

// testHostileText has all that an attacker chooses filed, shown and listed.
func testHostileText(t *testing.T, b *fixture) {
	const bad, shown = "\xff\x00<", "\uFFFD\uFFFD<"
	r := sampleReport(0)
	r.Reporter, r.Reason = bad, bad
	r.Message.Session = &trace.Session{HELO: bad[:1]}
	_, err := b.Submit(b.ctx, r)
	b.check(err)
	claim := b.claimReport()
	if r := claim.Report; r.Reporter != shown || r.Reason != shown || r.Message.Session.HELO != shown[:3] {
		t.Errorf("report text was kept as %q, %q, %q", r.Reporter, r.Reason, r.Message.Session.HELO)
	}
	c := sampleComplaint(claim.Report.ID, Held, "abuse@example.net")
	c.Subject, c.Network, c.Hold = bad, bad, bad
	c.Incidents[0].Chain.Hops = []trace.Hop{
		{HELO: bad[:1], Date: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Date: time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 99*3600))},
	}
	id, _, err := b.File(b.ctx, claim, c)
	b.check(err)
	got := b.complaint(id)
	if got.Subject != shown || got.Network != shown || got.Hold != shown {
		t.Errorf("complaint text was kept as %q, %q, %q", got.Subject, got.Network, got.Hold)
	}
	for _, h := range got.Incidents[0].Chain.Hops {
		if !h.Date.IsZero() {
			t.Errorf("impossible date was kept as %s", h.Date)
		}
	}
	if c.Incidents[0].Chain.Hops[0].Date.IsZero() {
		t.Error("File changed its caller's chain")
	}
}

// testEqualMail tells mails apart that only split differently, and stores equal
// ones once.
func testEqualMail(t *testing.T, b *fixture) {
	mails := [][2]string{{"A: 1\r\n", "x"}, {"A: 1\r\n", "x"}, {"A: 1\r\nx", ""}, {"", "A: 1\r\nx"}}
	for _, m := range mails {
		id, err := b.Submit(b.ctx, Report{Message: trace.Message{Header: []byte(m[0]), Body: []byte(m[1])}})
		b.check(err)
		r, err := b.Report(b.ctx, id)
		b.check(err)
		if got := [2]string{string(r.Message.Header), string(r.Message.Body)}; got != m {
			t.Errorf("stored %q, read %q", m, got)
		}
	}
	var stored int
	b.check(b.reader.QueryRow(`SELECT count(*) FROM mail WHERE id <> 0`).Scan(&stored))
	if stored != 3 {
		t.Errorf("%d mails are stored, want 3", stored)
	}
}

func testRefusedSubmits(t *testing.T, b *fixture) {
	why := errors.New("session ended")
	ctx, cancel := context.WithCancelCause(b.ctx)
	cancel(why)
	_, err := b.Submit(ctx, sampleReport(1))
	wantErr(t, err, why, "not stored")
	if n, _, err := b.Waiting(b.ctx); n != 0 || err != nil {
		t.Errorf("%d reports wait (%v) after a submit that failed", n, err)
	}
	b.check(b.Close())
	_, err = b.Submit(b.ctx, sampleReport(1))
	wantErr(t, err, ErrClosed)
	wantErr(t, b.Approve(b.ctx, 1, Sender{}, "user:anna", ""), ErrClosed)
	b.check(b.Close())
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// desks answers for networks of 256 addresses.
type desks struct{}

func (d desks) LookupWithout(ctx context.Context, a netip.Addr, _ []string) (contact.Answer, error) {
	return d.Lookup(ctx, a)
}

func (desks) Lookup(_ context.Context, a netip.Addr) (contact.Answer, error) {
	b := a.As4()
	n := b[2]
	first, last := [4]byte{b[0], b[1], n, 0}, [4]byte{b[0], b[1], n, 255}
	answer := contact.Answer{Addr: a, Network: contact.Network{First: netip.AddrFrom4(first), Last: netip.AddrFrom4(last)}, Reason: "abuse mailbox"}
	if n%5 == 4 {
		answer.Reason = "the registry names nobody"
		return answer, nil
	}
	answer.Contacts = []contact.Contact{{Address: fmt.Sprintf("abuse@net%d.test", n/2), Confidence: contact.High}}
	if n%5 == 3 {
		answer.Contacts[0].Confidence = contact.Low
	}
	return answer, nil
}

var mailings = []string{
	"Dear customer, the best pills of the world are cheaper this week than ever before: order them now and save, our doctors answer each question.",
	"Hello friend, your parcel waits in our store around the corner since nobody opened the door: choose another day on the page of our service.",
	"hi",
}

// TestReplayEqualsLive runs the daemon's reporter under several policies, a person
// between, and then the replay: it decides as was decided. Under another policy it does not.
func TestReplayEqualsLive(t *testing.T) {
	const interval = 4 * time.Second
	for name, policy := range map[string]reporter.Policy{
		"manual": {Approve: reporter.ApproveManual, MaxAge: 48 * time.Hour},
		"judged": {Approve: reporter.ApproveJudged, MaxAge: 48 * time.Hour, Interval: interval, ContactCap: 4, NetworkCap: 3, HourCap: 9},
		"all":    {Approve: reporter.ApproveAll, Interval: interval},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, store, took := live(t, policy)
			for policy.Interval > 0 && took > policy.Interval*3/4 { // what falls on the border may fall on either side
				policy.Interval = 2 * took
				e, store, took = live(t, policy)
			}
			rerun := func(p reporter.Policy) *replayed {
				e.Config.Reporter.Policy = p
				r := newRerun(e, store, time.Now().Add(-time.Hour))
				if err := r.run(t.Context(), time.Now(), newProgress(io.Discard)); err != nil {
					t.Fatal(err)
				}
				return r.summary()
			}
			s := rerun(policy)
			for _, d := range s.Differences {
				t.Errorf("report %d was %+v and would be %+v", d.Report, d.Was, d.Would)
			}
			out, err := store.LetOut(t.Context(), queue.LetOut{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			sent := 0
			for _, c := range s.Complaints {
				if c.State == queue.Ready {
					sent++
				}
			}
			if s.Reports != 80 || sent != len(out) || sent == 0 || s.Closed["null reverse-path: a bounce or another automatic mail"] == 0 {
				t.Errorf("%d reports, %d complaints went out and %d would, closed %v", s.Reports, len(out), sent, s.Closed)
			}
			policy.MaxAge, policy.Approve = time.Nanosecond, reporter.ApproveManual
			if s := rerun(policy); len(s.Differences) == 0 {
				t.Error("another policy would have done the same")
			}
			var b strings.Builder
			if err := s.write(&b); err != nil || !strings.Contains(b.String(), "All as it was done.") || !strings.Contains(b.String(), "abuse@net0.test") {
				t.Errorf("%v\n%s", err, b.String())
			}
			if _, err := json.Marshal(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// live has a reporter decide about 80 reports, and a person about some complaints, and
// says how long it took before it waited for what goes out later.
func live(t *testing.T, policy reporter.Policy) (e *Env, store *queue.Store, took time.Duration) {
	log := slog.New(slog.DiscardHandler)
	store, err := queue.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), queue.Options{Daemon: true, Host: "mx.isp.test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	relay, err := testnet.StartSMTP(nil)
	if err != nil {
		t.Fatal(err)
	}
	us := queue.Sender{From: "abuse@isp.test", Host: "mx.isp.test", Agent: "test"}
	rc := reporter.Config{Composer: reporter.Composer{Sender: us, Evidence: reporter.Evidence{Key: []byte("key")}}, Policy: policy,
		Relay: reporter.Relay{Addr: relay.Addr, TLS: "none", Timeout: 2 * time.Second}, Poll: 10 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		reporter.New(rc, store, desks{}).Run(ctx)
		close(done)
	}()
	t.Cleanup(func() { stop(); <-done; relay.Close(); store.Close() })
	begin := time.Now()
	for i := range 80 {
		m := trace.Message{MailFrom: "a@evil.test", RcptTo: []string{"anna@isp.test"}, Header: fmt.Appendf(nil, "Subject: number %d\r\n", i),
			Session: &trace.Session{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{45, 66, byte(i % 7), byte(i)}), 4000), Host: "mx.isp.test", Time: time.Now()}}
		m.Body = []byte(mailings[i%len(mailings)])
		m.BodySize = int64(len(m.Body))
		cause := []queue.Cause{queue.CauseUser, queue.CauseFilter, queue.CauseTrap}[i/7%3]
		if i%20 == 19 {
			m.MailFrom = ""
		}
		if _, err := store.Submit(t.Context(), queue.Report{Cause: cause, Reporter: "anna@isp.test", Message: m}); err != nil {
			t.Fatal(err)
		}
		quiet(t, store)
		if i%15 == 10 {
			person(t, store, us)
			quiet(t, store)
		}
	}
	took = time.Since(begin)
	time.Sleep(policy.Interval + time.Second) // what waits goes out
	quiet(t, store)
	return &Env{Context: t.Context(), Config: &Config{Reporter: rc}, Log: log}, store, took
}

// person approves, drops and edits the newest held complaints.
func person(t *testing.T, store *queue.Store, us queue.Sender) {
	held, err := store.List(t.Context(), queue.Filter{States: []queue.State{queue.Held}})
	if err != nil {
		t.Fatal(err)
	}
	held = slices.DeleteFunc(held, func(c queue.Complaint) bool { return len(c.To) == 0 })
	for i, action := range []string{queue.ActionApproved, queue.ActionDropped, queue.ActionEdited} {
		switch {
		case i >= len(held):
		case action == queue.ActionEdited:
			err = store.Edit(t.Context(), held[i].ID, queue.Edit{To: held[i].To, Letter: "Dear desk"}, "user:anna", "")
		default:
			_, err = store.Decide(t.Context(), queue.Decision{Action: action, Actor: "user:anna", Sender: us}, held[i].ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// quiet waits until nothing is to be done at once.
func quiet(t *testing.T, store *queue.Store) {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		n, _, err := store.Waiting(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		counts, err := store.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n+counts[queue.Ready]+counts[queue.Sending] == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d reports wait, %v", n, counts)
		}
	}
}

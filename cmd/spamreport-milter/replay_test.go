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

	"spamreport-milter/auth"
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
			e, store, took := live(t, policy, nil)
			for policy.Interval > 0 && took > policy.Interval*3/4 { // what falls on the border may fall on either side
				policy.Interval = 2 * took
				e, store, took = live(t, policy, nil)
			}
			rerun := func(p reporter.Policy) *replayed {
				e.Config.Reporter.Policy = p
				r, err := newRerun(e, store, time.Now().Add(-time.Hour))
				if err != nil {
					t.Fatal(err)
				}
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
func live(t *testing.T, policy reporter.Policy, change func(*reporter.Config)) (e *Env, store *queue.Store, took time.Duration) {
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
	if change != nil {
		change(&rc)
	}
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

// registrars answer about domains, and prove that of a sender.
type registrars struct{ desks }

func (registrars) LookupDomain(_ context.Context, name string) (contact.Answer, error) {
	a := contact.Answer{Domain: name, Reason: "abuse mailbox of " + name}
	switch name {
	case "paper-example.com":
		a.Contacts = []contact.Contact{{Form: "https://paper.test/"}}
	case "shop-example.com", "pills-example.com":
		a.Contacts = []contact.Contact{{Address: "abuse@" + name, Confidence: contact.High}}
	}
	return a, nil
}

func (registrars) Feedback(context.Context, []byte) (contact.Answer, error) {
	return contact.Answer{Contacts: []contact.Contact{{Address: "fbl@shop-example.com", Report: "xarf"}}}, nil
}

func (registrars) Freemail(string) bool { return false }

func (registrars) Check(_ context.Context, m *trace.Message, _ *trace.Chain) (auth.Verdict, error) {
	if m.MailFrom != "a@shop-example.com" {
		return auth.Verdict{Reason: "fails"}, nil
	}
	return auth.Verdict{Author: "shop-example.com", Domain: "shop-example.com", Reason: "dkim passes"}, nil
}

// TestReplayOfFurtherParties: complaints beside that to the network are decided about
// from what is stored with them, and so is what a person said of one. With fewer parties
// there are fewer; those that nobody thought of then are not found now.
func TestReplayOfFurtherParties(t *testing.T) {
	policy := reporter.Policy{Approve: reporter.ApproveAll}
	e, store, _ := live(t, policy, func(c *reporter.Config) {
		c.Parties = []string{"network", "customer", "domain", "feedback", "sites"}
		c.Domains, c.Authentication = registrars{}, registrars{}
		c.Trace.Relays = []trace.Relay{{Name: "Relay", Pattern: ".relay.test"}}
	})
	submit := func(from, header, body string, change func(*trace.Session)) {
		m := trace.Message{MailFrom: from, RcptTo: []string{"anna@isp.test"}, Header: []byte(header + "Subject: x\r\n"), Body: []byte(body),
			Session: &trace.Session{Client: netip.MustParseAddrPort("45.70.0.7:4000"), Host: "mx.isp.test", Time: time.Now()}}
		if change != nil {
			change(m.Session)
		}
		if _, err := store.Submit(t.Context(), queue.Report{Cause: queue.CauseUser, Reporter: "anna@isp.test", Message: m}); err != nil {
			t.Fatal(err)
		}
		quiet(t, store)
	}
	submit("a@shop-example.com", "CFBL-Address: fbl@shop-example.com\r\n", "https://pills-example.com/ https://paper-example.com/ https://nobody-example.com/", nil)
	submit("a@forged-example.com", "", "now", nil)
	submit("a@evil.test", "Received: from [46.5.6.7] (helo=pc)\r\n\tby out.relay.test with ESMTPA id 1abc\r\n\tfor <anna@isp.test>; "+time.Now().Format(time.RFC1123Z)+"\r\n", "now",
		func(s *trace.Session) { s.PTR, s.PTRVerified, s.HELO = "out.relay.test", true, "out.relay.test" })
	held, err := store.List(t.Context(), queue.Filter{Contact: "abuse@shop-example.com"})
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	if _, err := store.Decide(t.Context(), queue.Decision{Action: queue.ActionDropped, Actor: "user:anna"}, held[0].ID); err != nil {
		t.Fatal(err)
	}
	tasks, err := store.List(t.Context(), queue.Filter{States: []queue.State{queue.Form}})
	if err != nil || len(tasks) != 1 {
		t.Fatal(tasks, err)
	}
	if _, err := store.Decide(t.Context(), queue.Decision{Action: queue.ActionDone, Actor: "user:anna"}, tasks[0].ID); err != nil {
		t.Fatal(err)
	}
	rerun := func(parties ...string) (*replayed, []string) {
		e.Config.Reporter.Parties = parties
		r, err := newRerun(e, store, time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.run(t.Context(), time.Now(), newProgress(io.Discard)); err != nil {
			t.Fatal(err)
		}
		s := r.summary()
		var beside []string
		for _, c := range s.Complaints {
			if c.Beside != "" {
				beside = append(beside, fmt.Sprintf("%s: %s %s", c.Beside, c.State, strings.Join(c.To, " ")))
			}
		}
		return s, beside
	}
	s, beside := rerun("network", "customer", "domain", "feedback", "sites")
	for _, d := range s.Differences {
		t.Errorf("report %d was %+v and would be %+v", d.Report, d.Was, d.Would)
	}
	want := []string{"sender domain shop-example.com: dropped abuse@shop-example.com", "feedback address shop-example.com: held fbl@shop-example.com",
		"advertised site pills-example.com: held abuse@pills-example.com", "advertised site paper-example.com: sent ", "relay's customer: held abuse@net3.test"}
	if !slices.Equal(beside, want) || s.Reports != 83 {
		t.Errorf("%d reports, beside %q, want %q", s.Reports, beside, want)
	}
	if s, beside := rerun("network", "domain"); !slices.Equal(beside, want[:1]) || len(s.Differences) != 2 {
		t.Errorf("with fewer: %q, %+v", beside, s.Differences)
	}
}

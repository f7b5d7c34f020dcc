package reporter_test

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"log/slog"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// TestBounceFindsAnotherContact: the desk's mailbox is gone, so that the complaint
// goes back to a person with the next contact, or with the word that there is none.
func TestBounceFindsAnotherContact(t *testing.T) {
	for name, c := range map[string]struct {
		next string // what the registry names at the second look-up
		to   string
		hold string
	}{
		"another":  {"noc@net.test", "noc@net.test", "came back from abuse@net.test; this is the next contact"},
		"the same": {"Abuse@net.test", "", "came back from abuse@net.test; no contact: Abuse@net.test gets no complaints: complaint 1: bounced"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := reporter.Composer{Sender: us, Answers: "abuse+*@isp.test"}
			var asked atomic.Int32
			d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
				answer, err := found(a)
				if asked.Add(1) > 1 {
					answer.Contacts[0].Address = c.next
				}
				return answer, err
			}), func(rc *reporter.Config) { rc.Composer = w })
			d.approved()
			id := d.event(queue.ActionSent).ComplaintID
			sent := d.relay.Messages()
			learner := reporter.Learner{Composer: &w, Memory: d.Store, Log: slog.New(slog.DiscardHandler)}
			bounce := answer(t, replies(t)["01-dsn-postfix"][0])
			for range 2 { // it may be brought twice
				if err := learner.Reply(t.Context(), sent[0].From, bounce); err != nil {
					t.Fatal(err)
				}
			}
			d.event(queue.ActionContact)
			k := d.complaint(id)
			if k.State != queue.Held || strings.Join(k.To, " ") != c.to || !strings.HasPrefix(k.Hold, c.hold) {
				t.Errorf("%s to %v, hold %q", k.State, k.To, k.Hold)
			}
			if shut, err := d.Suppressed(t.Context(), "abuse@net.test"); err != nil || len(shut) != 1 {
				t.Errorf("suppressed: %v, %v", shut, err)
			}
			if n := len(d.relay.Messages()); n != 1 {
				t.Errorf("%d messages went out without a person", n)
			}
			if c.to == "" {
				return
			}
			if err := d.Approve(t.Context(), id, us, "user:admin", ""); err != nil {
				t.Fatal(err)
			}
			got, err := d.relay.Wait(t.Context(), 2)
			if err != nil {
				t.Fatal(err)
			}
			if got[1].To[0] != c.to || strings.Contains(string(got[1].Data), k.MessageID) == strings.Contains(string(got[0].Data), k.MessageID) {
				t.Errorf("the second went to %v, under the Message-ID of the first", got[1].To)
			}
		})
	}
}

package reporter_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

func foundThree(a netip.Addr) (contact.Answer, error) {
	answer, err := foundTwo(a)
	answer.Contacts = append(answer.Contacts, contact.Contact{Address: "noc@net.test", Source: "rdap", Role: "abuse"})
	return answer, err
}

// TestMixedRecipients has each of three addressees answered otherwise. Whatever happens,
// and however often it is tried, none gets the complaint twice.
func TestMixedRecipients(t *testing.T) {
	const ok, later, never, full, down, cut = "", "450 4.2.0 grey\r\n", "550 5.1.1 gone\r\n", "552 5.2.2 full\r\n", "421 4.3.2 down\r\n", "cut"
	d := start(t, registry(foundThree), func(c *reporter.Config) { c.Poll = time.Minute })
	for _, c := range []struct {
		rcpt [3]string
		data string // the answer to the message
		want queue.State
		has  int // addressees that have it after the first attempt
	}{
		{[3]string{ok, ok, ok}, ok, queue.Sent, 3},
		{[3]string{ok, later, ok}, ok, queue.Deferred, 2},
		{[3]string{ok, never, ok}, ok, queue.Sent, 2},
		{[3]string{never, later, ok}, ok, queue.Deferred, 1},
		{[3]string{never, later, never}, ok, queue.Deferred, 0},
		{[3]string{later, never, later}, ok, queue.Deferred, 0},
		{[3]string{never, never, never}, ok, queue.Failed, 0},
		{[3]string{ok, full, ok}, ok, queue.Deferred, 2},
		{[3]string{ok, down, ok}, ok, queue.Deferred, 0},
		{[3]string{ok, ok, cut}, ok, queue.Deferred, 0},
		{[3]string{ok, never, cut}, ok, queue.Deferred, 0},
		{[3]string{ok, ok, later}, later, queue.Deferred, 0},
		{[3]string{ok, ok, later}, never, queue.Failed, 0},
		{[3]string{ok, ok, never}, later, queue.Deferred, 0},
	} {
		t.Run(fmt.Sprintf("%.3q then %.3q", c.rcpt, c.data), func(t *testing.T) {
			d := &desk{d.Store, d.relay, t}
			before := len(d.relay.Messages())
			for i, to := range []string{"abuse@net.test", "security@net.test", "noc@net.test"} {
				if c.rcpt[i] != ok {
					d.relay.Fail(testnet.RcptTo(to), answerOf(c.rcpt[i]))
				}
			}
			if c.data != ok {
				d.relay.Fail(testnet.End, answerOf(c.data))
			}
			id := d.let()
			k, reason := d.tried(id)
			if k.State != c.want || len(k.Taken) != c.has {
				t.Errorf("%s, %v have it (%s), want %s and %d", k.State, k.Taken, reason, c.want, c.has)
			}
			d.relay.Recover()
			if c.want != queue.Sent {
				if k = d.again(id); len(k.Taken) != 3 {
					t.Errorf("in the end %v have it", k.Taken)
				}
			}
			var has []string
			for _, m := range d.relay.Messages()[before:] {
				has = append(has, m.To...)
			}
			if slices.Sort(has); !slices.Equal(has, slices.Sorted(slices.Values(k.Taken))) {
				t.Errorf("%v have it, and %v is written down", has, k.Taken)
			}
		})
	}
}

func answerOf(say string) testnet.Fault {
	if say == "cut" {
		return testnet.Fault{Cut: true}
	}
	return testnet.Fault{Say: say, Cut: strings.HasPrefix(say, "421")}
}

package reporter_test

import (
	"net/netip"
	"strings"
	"testing"

	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// TestShutBeforeItGoesOut shuts an address whose complaint is approved and waits its
// turn, because the relay hangs with the one before: it never gets it.
func TestShutBeforeItGoesOut(t *testing.T) {
	d := start(t, registry(found), nil)
	d.relay.Hang(testnet.Connect)
	var ids []int64
	for range 2 {
		d.submit(fromSender())
	}
	for len(ids) < 2 {
		list, err := d.List(t.Context(), queue.Filter{Sort: queue.Sort{Forward: true}})
		if err != nil {
			t.Fatal(err)
		}
		ids = ids[:0]
		for _, c := range list {
			ids = append(ids, c.ID)
		}
	}
	approve := func(id int64) {
		if err := d.Approve(t.Context(), id, us, "user:admin", ""); err != nil {
			t.Fatal(err)
		}
	}
	approve(ids[0])
	if err := d.relay.Reached(t.Context(), testnet.Connect); err != nil {
		t.Fatal(err)
	}
	approve(ids[1])
	if err := d.Suppress(t.Context(), queue.Suppression{Address: "abuse@net.test", Actor: "user:admin", Reason: "asked us to stop"}); err != nil {
		t.Fatal(err)
	}
	if ev := d.event(queue.ActionFailed); ev.ComplaintID != ids[1] || !strings.Contains(ev.Reason, "asked us to stop") {
		t.Errorf("event %+v, want complaint %d to fail", ev, ids[1])
	}
}

// TestAnnouncingNetwork files a complaint under the autonomous system of its source.
func TestAnnouncingNetwork(t *testing.T) {
	d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
		answer, err := found(a)
		answer.Network.Origins = []uint32{64500, 64501}
		return answer, err
	}), func(c *reporter.Config) {})
	d.submit(fromSender())
	id := d.event(queue.ActionFiled).ComplaintID
	list, err := d.List(t.Context(), queue.Filter{ASN: 64500})
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("by the system's number: %+v, %v", list, err)
	}
	if c := d.complaint(id); strings.Contains(string(c.Contact), c.Source.String()) && !strings.Contains(string(c.Contact), `"addr":""`) {
		t.Errorf("the kept answer is of one address only: %s", c.Contact)
	}
}

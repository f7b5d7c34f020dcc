package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSenderDomain has the daemon prove the domain of a sender, and find that the desk
// of the source's network answers for it too: it gets one complaint. Of a domain that
// is forged the complaint says nothing.
func TestSenderDomain(t *testing.T) {
	h := newHost(t)
	text, err := os.ReadFile(h.config)
	h.must(err)
	text = bytes.Replace(text, []byte("[reporter]\n"), []byte("[reporter]\nparties = [\"network\", \"domain\"]\n"), 1)
	h.must(os.WriteFile(h.config, text, 0o600))
	h.serve()
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	spam := strings.Replace(tagged, "p@evil.example", "p@shop.test", 1) + "\r\n" + body
	c.mail("one@shop.test", []byte(spam))
	k := h.show(h.waitFor(1)[0].ID)
	if k.Party != "source network, sender domain" || !slices.Equal(k.To, []string{"abuse@net.test"}) {
		t.Errorf("%s: %v; %s", k.Party, k.To, k.Incidents[0].Proof)
	}
	for command, want := range map[string]string{
		"show":           "sender domain      shop.test  to abuse@net.test in one complaint with source network",
		"show --message": "Reported-Domain: shop.test",
	} {
		if out := h.run(append([]string{"queue"}, append(strings.Fields(command), "1")...)...); !strings.Contains(out, want) {
			t.Errorf("queue %s does not say %q:\n%s", command, want, out)
		}
	}

	other := h.connect("ADDR=45.66.77.89 PORT=40124 NAME=host.evil.test", "evil.example")
	other.mail("two@shop.test", []byte(spam))
	h.waitFor(2)
	if k := h.show(2); k.Party != "source network" || !strings.Contains(string(k.Incidents[0].Proof), `"result":"fail"`) {
		t.Errorf("forged: %s; %s", k.Party, k.Incidents[0].Proof)
	}
	h.stop(syscall.SIGTERM)
}

package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"spamreport-milter/internal/testnet"
)

// set puts lines behind one of the configuration.
func (h *host) set(behind, lines string) {
	h.t.Helper()
	text, err := os.ReadFile(h.config)
	h.must(err)
	h.must(os.WriteFile(h.config, bytes.Replace(text, []byte(behind), []byte(behind+lines+"\n"), 1), 0o600))
}

// Each party is in a network of its own, 46.5.N.0/24, whose desk is abuse@ its name.
var partiesDesks = []string{"access.test", "host.test", "pages.test", "paper.test", "bank.test"}

func partiesNetworks() (all []testnet.Network) {
	for i, desk := range partiesDesks {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{46, 5, byte(i), 0}), 24)
		all = append(all, testnet.RIPE(p, strings.ToUpper(desk), "abuse@"+desk))
	}
	return all
}

// store.test signs its mail, which goes through servers of host.test; pills.test and
// drugs.test are sites; victim.test says that nobody sends for it from elsewhere.
var (
	storeKey    = ed25519.NewKeyFromSeed(bytes.Repeat([]byte("k"), ed25519.SeedSize))
	partiesZone = func() string {
		zone := "store.test. IN MX 1 mx.host.test.\npills.test. IN A 46.5.2.9\ndrugs.test. IN A 46.5.3.9\nuser-token.pills.test. IN A 127.0.0.1\n" +
			"victim.test. IN MX 1 mx.bank.test.\nvictim.test. IN TXT \"v=spf1 ip4:46.5.4.0/24 -all\"\n" +
			"k._domainkey.store.test. IN TXT \"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(storeKey.Public().(ed25519.PublicKey)) + "\"\n"
		for i, desk := range partiesDesks {
			zone += fmt.Sprintf("%s. IN MX 1 mx.%s.\nmx.%s. IN A 46.5.%d.1\n", desk, desk, desk, i)
		}
		return zone
	}()
)

// offer is spam of an author, with further fields, about a link. Such short ones are
// taken for no mailing.
func offer(from, fields, link string) string {
	return fields + "From: " + from + "\r\nSubject: cheap\r\nX-Spam-Flag: YES\r\n\r\nBuy " + link + "\r\n"
}

// signed is a message under the signature of store.test.
func (h *host) signed(mail string) []byte {
	h.t.Helper()
	var b bytes.Buffer
	h.must(dkim.Sign(&b, strings.NewReader(mail), &dkim.SignOptions{Domain: "store.test", Selector: "k", Signer: storeKey,
		HeaderKeys: []string{"From", "Subject", "CFBL-Address"}}))
	return b.Bytes()
}

// site counts who comes to a site.
func (h *host) site() (addr string, visits *atomic.Int32) {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	h.t.Cleanup(func() { l.Close() })
	visits = new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			c.Close()
		}
	}()
	return l.Addr().String(), visits
}

// TestFurtherParties has the daemon find each kind of party. What goes out by itself is
// the complaints to the networks alone; the domain of a forged sender gets nothing, and
// no link is followed.
func TestFurtherParties(t *testing.T) {
	h := newHost(t)
	h.set("[reporter]\n", "parties = [\"network\", \"customer\", \"domain\", \"feedback\", \"sites\"]\napprove = \"all\"\ncontact_interval = 0")
	h.set("max_age = 0    # the samples keep their dates\n", "[[trace.relay]]\nname = \"Relay\"\npattern = \".relay.test\"\n"+
		"[[contact.form]]\nfor = \"abuse@paper.test\"\nurl = \"https://paper.test/complain\"")
	h.serve()
	at, visits := h.site()
	_, port, _ := net.SplitHostPort(at)
	client := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	client.mail("bounce@store.test", h.signed(offer("deals@store.test", "CFBL-Address: fbl@store.test\r\n",
		"http://user-token.pills.test:"+port+"/?u=1 http://"+at+"/")))
	client.mail("x@victim.test", []byte(offer("service@victim.test", "CFBL-Address: fbl@victim.test\r\n", "now")))
	client.mail("x@evil.example", []byte(offer("x@victim.test", "", "https://www.drugs.test/")))
	relay := h.connect("ADDR=45.66.77.90 PORT=40124 NAME=out.relay.test", "out.relay.test")
	relay.mail("x@evil.example", []byte(offer("x@evil.example", "Received: from [46.5.0.7] (helo=pc)\r\n\tby out.relay.test with ESMTPA id 1abc\r\n"+
		"\tfor <user@example.org>; "+time.Now().Format(time.RFC1123Z)+"\r\n", "now")))
	want := []string{
		"advertised site drugs.test: form ", "advertised site pills.test: held abuse@pages.test", "feedback address store.test: held fbl@store.test",
		"relay's customer : held abuse@access.test", "sender domain store.test: held abuse@host.test",
		"source network : sent abuse@net.test", "source network : sent abuse@net.test", "source network : sent abuse@net.test", "source network : sent abuse@net.test",
	}
	var got []string
	var task int64
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got = nil; time.Now().After(deadline) {
			break
		}
		for _, c := range h.complaints() {
			got = append(got, fmt.Sprintf("%s %s: %s %s", c.Party, c.Domain, c.State, strings.Join(c.To, " ")))
			if c.State == "form" {
				task = c.ID
			}
		}
		if slices.Sort(got); slices.Equal(got, want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("queue:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, m := range h.desk.Messages() {
		if !slices.Equal(m.To, []string{"abuse@net.test"}) {
			t.Errorf("sent to %v", m.To)
		}
	}
	if out := h.run("queue", "show", fmt.Sprint(task)); !strings.Contains(out, "on a page only: https://paper.test/complain") ||
		!strings.Contains(out, "about the domain drugs.test") {
		t.Errorf("the task:\n%s", out)
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("links were followed %d times", n)
	}
	for _, q := range h.dns.Queries() {
		if strings.Contains(q, "user-token") || strings.Contains(q, "www.drugs") || strings.Contains(q, "bank.test") || strings.Contains(q, "victim") && !strings.Contains(q, "TXT") {
			t.Errorf("asked %s", q)
		}
	}
	h.stop(syscall.SIGTERM)
}

// TestSenderDomain has the daemon prove the domain of a sender, and find that the desk
// of the source's network answers for it too: it gets one complaint. Of a domain that
// is forged the complaint says nothing.
func TestSenderDomain(t *testing.T) {
	h := newHost(t)
	h.set("[reporter]\n", `parties = ["network", "domain"]`)
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

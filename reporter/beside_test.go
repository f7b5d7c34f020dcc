package reporter_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"spamreport-milter/auth"
	"spamreport-milter/contact"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/resolver"
	"spamreport-milter/trace"
)

// domains is the registries' word on domains: the mailboxes or pages by domain.
type domains map[string]string

func (d domains) LookupDomain(_ context.Context, name string) (contact.Answer, error) {
	return d.answer(name, ""), nil
}

func (d domains) Feedback(_ context.Context, message []byte) (contact.Answer, error) {
	if !strings.Contains(string(message), "CFBL-Address: fbl@") || !strings.Contains(string(message), "\r\n\r\nBuy") {
		return contact.Answer{Reason: "no field, or not the whole message"}, nil
	}
	return d.answer("fbl", "xarf"), nil
}

func (d domains) answer(name, report string) contact.Answer {
	a := contact.Answer{Domain: name, Reason: "nobody is named for " + name}
	switch known := d[name]; {
	case strings.HasPrefix(known, "https:"):
		a.Contacts = []contact.Contact{{Source: "operator", Form: known}}
	case known != "":
		a.Contacts = []contact.Contact{{Address: known, Source: "rdap", Role: "abuse", Scope: contact.ScopeDomain, Report: report}}
	}
	return a
}

func (d domains) Freemail(domain string) bool { return domain == "freemail-example.com" }

const senders = `
shop-example.com. TXT "v=spf1 ip4:45.66.77.0/24 -all"
forwarder-example.org. TXT "v=spf1 ip4:45.66.77.0/24 -all"
freemail-example.com. TXT "v=spf1 ip4:45.66.77.0/24 -all"
isp-example.net. TXT "v=spf1 ip4:45.66.77.0/24 -all"
bank-example.de. TXT "v=spf1 ip4:198.51.100.0/24 -all"
`

// filed hands in a message and returns all that was filed about it.
func filed(t *testing.T, parties []string, known domains, m trace.Message) (list []queue.Complaint, d *desk, dns *testnet.DNS) {
	t.Helper()
	return filedAt(t, byAddress, parties, known, m)
}

func filedAt(t *testing.T, contacts registry, parties []string, known domains, m trace.Message) (list []queue.Complaint, d *desk, dns *testnet.DNS) {
	t.Helper()
	dns, err := testnet.StartDNS(senders)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dns.Close() })
	r, err := resolver.New(resolver.Config{Servers: []string{dns.Addr}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	d = start(t, contacts, func(c *reporter.Config) {
		c.Parties, c.Domains, c.Authentication = parties, known, &auth.Checker{DNS: r}
		c.Trace.Relays = []trace.Relay{{Name: "Relay", Pattern: ".relay-example.net"}}
		c.Trace.Hosts = []string{"mx.isp-example.net"}
	})
	d.submit(m)
	d.event(queue.ActionFiled)
	list, err = d.List(t.Context(), queue.Filter{Sort: queue.Sort{Forward: true}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i] = *d.complaint(list[i].ID)
	}
	return list, d, dns
}

// byAddress names another desk for the network behind the relay.
func byAddress(a netip.Addr) (contact.Answer, error) {
	answer, err := found(a)
	if a != sender.Addr() {
		answer.Contacts[0].Address = "abuse@access.test"
	}
	return answer, err
}

// offer is a message from an author, under an envelope sender.
func offer(from, mailFrom, fields string) trace.Message {
	m := fromSender()
	m.MailFrom, m.RcptTo = mailFrom, []string{"user@isp-example.net"}
	m.Header = []byte(fields + "From: " + from + "\r\nSubject: Rabatt\r\n")
	m.Body = []byte("Buy at https://user-token.pills-example.com/u?user and https://www.google.com/x\r\n")
	m.BodySize = int64(len(m.Body))
	return m
}

func TestPartiesOfOneReport(t *testing.T) {
	all := []string{"network", "customer", "domain", "feedback", "sites"}
	known := domains{"shop-example.com": "abuse@host.test", "bank-example.de": "abuse@bank.test", "freemail-example.com": "abuse@freemail.test",
		"isp-example.net": "abuse@isp-example.net", "forwarder-example.org": "abuse@forwarder.test", "fbl": "fbl@shop-example.com", "pills-example.com": "abuse@pills.test"}
	shop := func(fields string) trace.Message { return offer("a@shop-example.com", "x@shop-example.com", fields) }
	same := domains{"shop-example.com": "Abuse@net.test"}
	const cfbl = "CFBL-Address: fbl@shop-example.com; report=xarf\r\n"
	relayed := shop("Received: from [46.5.6.7] (helo=pc)\r\n\tby out.relay-example.net with ESMTPA id 1abc\r\n\tfor <user@isp-example.net>; Mon, 23 Nov 2026 11:59:59 +0000\r\n")
	relayed.Session.PTR, relayed.Session.PTRVerified, relayed.Session.HELO = "out.relay-example.net", true, "out.relay-example.net"
	for _, c := range []struct {
		name    string
		parties []string
		known   domains
		m       trace.Message
		want    []string // party: addressees
		outcome string   // stands in the proof
	}{
		{"by default", []string{"network"}, known, shop(cfbl), []string{"source network: abuse@net.test"}, ""},
		{"proven domain", []string{"network", "domain"}, known, shop(cfbl), []string{"source network: abuse@net.test", "sender domain: abuse@host.test"}, "spf passes for shop-example.com"},
		{"one desk for both", []string{"network", "domain"}, same, shop(""), []string{"source network, sender domain: abuse@net.test"}, "in one complaint with source network"},
		{"nobody for the domain", []string{"network", "domain"}, domains{}, shop(""), []string{"source network: abuse@net.test"}, "nobody is named for shop-example.com"},
		{"a joe-jobbed bank", []string{"network", "domain", "feedback"}, known, offer("service@bank-example.de", "x@bank-example.de", cfbl), []string{"source network: abuse@net.test"}, `"result":"fail"`},
		{"a forwarder", []string{"network", "domain"}, known, offer("service@bank-example.de", "srs0@forwarder-example.org", ""), []string{"source network: abuse@net.test"}, "not of the author's domain"},
		{"free mail", []string{"network", "domain"}, known, offer("x@freemail-example.com", "x@freemail-example.com", ""), []string{"source network: abuse@net.test"}, "anybody has a mailbox there"},
		{"our own domain", []string{"network", "domain"}, known, offer("x@isp-example.net", "x@isp-example.net", ""), []string{"source network: abuse@net.test"}, "a domain of ours"},
		{"feedback address", []string{"network", "feedback"}, known, shop(cfbl), []string{"source network: abuse@net.test", "feedback address: fbl@shop-example.com"}, ""},
		{"no feedback address", []string{"network", "feedback"}, known, shop(""), []string{"source network: abuse@net.test"}, ""},
		{"a site", []string{"network", "sites"}, known, shop(""), []string{"source network: abuse@net.test", "advertised site: abuse@pills.test"}, ""},
		{"behind a relay", []string{"network", "customer"}, known, relayed, []string{"source network: abuse@net.test", "relay's customer: abuse@access.test"}, "a relay that tells the truth"},
		{"all", all, known, shop(cfbl), []string{"source network: abuse@net.test", "sender domain: abuse@host.test", "feedback address: fbl@shop-example.com", "advertised site: abuse@pills.test"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, _, dns := filed(t, c.parties, c.known, c.m)
			var got []string
			for i, k := range list {
				got = append(got, k.Party+": "+strings.Join(k.To, " "))
				if k.State != queue.Held || i > 0 && !strings.Contains(k.Hold, "without a person's word") {
					t.Errorf("%s is %s, hold %q", k.Party, k.State, k.Hold)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("filed %q, want %q; %s", got, c.want, list[0].Incidents[0].Proof)
			}
			if !strings.Contains(string(list[0].Incidents[0].Proof), c.outcome) {
				t.Errorf("the proof does not say %q: %s", c.outcome, list[0].Incidents[0].Proof)
			}
			for _, q := range dns.Queries() {
				if len(c.parties) == 1 || strings.Contains(q, "user") || strings.Contains(q, "pills") {
					t.Errorf("asked %s", q)
				}
			}
		})
	}
}

// TestLettersNameTheParty: a desk learns what it answers for, and why.
func TestLettersNameTheParty(t *testing.T) {
	m := offer("a@shop-example.com", "x@shop-example.com",
		"Received: from [46.5.6.7] (helo=pc) (Authenticated sender: kunde4711)\r\n\tby out.relay-example.net (Postfix) with ESMTPSA id 1abc\r\n\tfor <user@isp-example.net>; Mon, 23 Nov 2026 11:59:59 +0000\r\n")
	m.Session.PTR, m.Session.PTRVerified, m.Session.HELO = "out.relay-example.net", true, "out.relay-example.net"
	list, _, _ := filed(t, []string{"network", "customer", "domain"}, domains{"shop-example.com": "abuse@host.test"}, m)
	if len(list) != 3 {
		t.Fatalf("%d complaints", len(list))
	}
	for i, want := range [][]string{
		{"from IP 45.66.77.88", "Handed in by     46.5.6.7, account kunde4711", "contact of that network"},
		{"from IP 46.5.6.7", "Came through     45.66.77.88", "contact of that network"},
		{"from IP 45.66.77.88", "Domain           shop-example.com   (spf passes for shop-example.com)", "it is about the domain shop-example.com", "contact for that domain", "Reported-Domain: shop-example.com"},
	} {
		for _, format := range reporter.Formats() {
			list[i].Format = format
			raw := compose(t, &list[i])
			if format != "arf" {
				continue
			}
			for _, w := range want {
				if !strings.Contains(string(raw), w) {
					t.Errorf("complaint to the %s does not say %q:\n%.1500s", list[i].Party, w, raw)
				}
			}
		}
	}
	var proof reporter.Proof
	if err := json.Unmarshal(list[2].Incidents[0].Proof, &proof); err != nil || len(proof.Parties) != 3 {
		t.Errorf("proof %+v, %v", proof, err)
	}
	if strings.Contains(string(list[0].Incidents[0].Proof), "@shop-example.com") {
		t.Errorf("the proof names a mailbox: %s", list[0].Incidents[0].Proof)
	}
}

// TestDomainIsAskedForAgain reopens a complaint about a domain: it stays one.
func TestDomainIsAskedForAgain(t *testing.T) {
	known := domains{"shop-example.com": "abuse@host.test"}
	list, d, _ := filed(t, []string{"network", "domain"}, known, offer("a@shop-example.com", "x@shop-example.com", ""))
	id := list[1].ID
	if err := d.Approve(t.Context(), id, us, "user:admin", ""); err != nil {
		t.Fatal(err)
	}
	d.event(queue.ActionSent)
	if _, err := d.Decide(t.Context(), queue.Decision{Action: queue.ActionBounced, Actor: "relay"}, id); err != nil {
		t.Fatal(err)
	}
	if err := d.Reopen(t.Context(), id, "relay", "came back"); err != nil {
		t.Fatal(err)
	}
	d.event(queue.ActionContact)
	if c := d.complaint(id); !slices.Equal(c.To, []string{"abuse@host.test"}) || c.Domain != "shop-example.com" {
		t.Errorf("to %v about %q", c.To, c.Domain)
	}
}

// TestNobodyHasTwoAboutOneReport: the registry of the source was away, and then names
// the desk that has the complaint about the domain.
func TestNobodyHasTwoAboutOneReport(t *testing.T) {
	down := true
	away := registry(func(a netip.Addr) (contact.Answer, error) {
		if down {
			down = false
			answer, err := nobody(a)
			answer.Retry = time.Now()
			return answer, err
		}
		return found(a)
	})
	d := start(t, away, func(c *reporter.Config) {
		c.Parties, c.Domains, c.Authentication = []string{"network", "sites"}, domains{"pills-example.com": "Abuse@net.test"}, &auth.Checker{}
	})
	d.submit(offer("a@shop-example.com", "x@shop-example.com", ""))
	id := d.event(queue.ActionContact).ComplaintID
	if c := d.complaint(id); c.Party != "source network" || len(c.To) != 0 || !strings.Contains(c.Hold, "abuse@net.test has complaint") {
		t.Errorf("complaint to the %s goes to %v, hold %q", c.Party, c.To, c.Hold)
	}
}

// TestPartyWithAPageOnly: its complaint is a person's task, one for each page.
func TestPartyWithAPageOnly(t *testing.T) {
	const page = "https://host.test/abuse"
	shop := offer("a@shop-example.com", "x@shop-example.com", "")
	onPage := registry(func(a netip.Addr) (contact.Answer, error) {
		answer, err := found(a)
		answer.Contacts[0].Form = page
		return answer, err
	})
	for _, c := range []struct {
		name     string
		contacts registry
		known    domains
		want     []string
		outcome  string
	}{
		{"beside a mailbox", found, domains{"shop-example.com": page}, []string{"source network: held", "sender domain: form"}, `"to ` + page + `"`},
		{"two parties, two pages", onPage, domains{"shop-example.com": "https://other.test/"}, []string{"source network: form", "sender domain: form"}, `"to https://other.test/"`},
		{"one page for all", onPage, domains{"shop-example.com": page, "pills-example.com": page}, []string{"source network, sender domain, advertised site: form"}, page + " in one complaint with source network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, _, _ := filedAt(t, c.contacts, []string{"network", "domain", "sites"}, c.known, shop)
			var got []string
			for i, k := range list {
				got = append(got, k.Party+": "+string(k.State))
				if k.State == queue.Form && (len(k.To) != 0 || !strings.Contains(k.Hold, "on a page only: https://")) {
					t.Errorf("%s to %v, hold %q", k.Party, k.To, k.Hold)
				}
				if i == 1 && (!strings.Contains(k.Hold, "without a person's word: spf passes") || k.Domain != "shop-example.com") {
					t.Errorf("about %q, hold %q", k.Domain, k.Hold)
				}
			}
			if !slices.Equal(got, c.want) || !strings.Contains(string(list[0].Incidents[0].Proof), c.outcome) {
				t.Errorf("filed %q, want %q; %s", got, c.want, list[0].Incidents[0].Proof)
			}
			var b strings.Builder
			if err := composer.Paste(&b, &list[len(list)-1]); err != nil || !strings.Contains(b.String(), "about the domain shop-example.com") {
				t.Errorf("to be pasted, %v:\n%.800s", err, b.String())
			}
		})
	}
}

// registries answers about domains as told.
type registries struct {
	domains
	lookup func(name string) contact.Answer
}

func (r registries) LookupDomain(_ context.Context, name string) (contact.Answer, error) {
	return r.lookup(name), nil
}

// TestPartyIsAskedForAgain: a registry that was away when the report came is asked
// later, and what it says then waits for a person.
func TestPartyIsAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		later  string // what the registry names in the end
		action string
		state  queue.State
		to     string
		hold   string
	}{
		{"mailbox", "abuse@host.test", queue.ActionContact, queue.Held, "abuse@host.test", "advertised site, which is never written to without a person's word: the message links to it"},
		{"page", "https://host.test/abuse", queue.ActionTasked, queue.Form, "", "on a page only: https://host.test/abuse"},
		{"nobody", "", queue.ActionContact, queue.Held, "", "no contact: nobody is named for pills-example.com"},
		{"desk of the source", "Abuse@net.test", queue.ActionContact, queue.Held, "", "abuse@net.test has complaint 1 about the same message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			known := registries{lookup: func(name string) contact.Answer {
				if asked++; asked == 1 {
					return contact.Answer{Domain: name, Outcome: contact.Unreachable, Reason: "rdap: timeout", Retry: time.Now()}
				}
				return domains{name: c.later}.answer(name, "")
			}}
			d := start(t, registry(high), func(rc *reporter.Config) {
				rc.Policy = reporter.Policy{Approve: reporter.ApproveAll} // which lets nobody but the network's out
				rc.Parties, rc.Domains, rc.Authentication = []string{"network", "sites"}, known, &auth.Checker{}
			})
			d.submit(offer("a@shop-example.com", "x@shop-example.com", ""))
			k := d.complaint(d.event(c.action).ComplaintID)
			if k.Party != "advertised site" || k.State != c.state || strings.Join(k.To, " ") != c.to || !k.LookupAt.IsZero() ||
				!strings.Contains(strings.ToLower(k.Hold), strings.ToLower(c.hold)) || !strings.Contains(k.Hold, "never written to without a person's word") {
				t.Errorf("to the %s: %s to %v, hold %q", k.Party, k.State, k.To, k.Hold)
			}
			d.event(queue.ActionSent)
			if got := d.relay.Messages(); len(got) != 1 || got[0].To[0] != "abuse@net.test" {
				t.Errorf("sent %+v", got)
			}
		})
	}
}

func TestSites(t *testing.T) {
	for name, c := range map[string]struct{ kind, body, want string }{
		"plain":            {"text/plain", "see https://a.shop-example.com/x?y=user@isp.test, http://shop-example.com.", "shop-example.com"},
		"html":             {"text/html", `<html xmlns="http://other-example.com/"><a class=x href="https://shop-example.com/">Bank</a><img src="https://pixel-example.com/u"></html>`, "shop-example.com"},
		"entities":         {"text/html", `<a href="https://shop&#45;example.com/?a=1&amp;b=2">x</a>`, "shop-example.com"},
		"user information": {"text/plain", "https://www.bank-example.de@evil-example.com/", "evil-example.com"},
		"big sites":        {"text/plain", "https://docs.google.com/forms/x https://bit.ly/2 https://t.me/x", ""},
		"anybody's pages":  {"text/plain", "https://anna.github.io/ https://x.blogspot.com/", ""},
		"an address":       {"text/plain", "http://192.0.2.1/ http://[2001:db8::1]/ https://localhost/", ""},
		"ours":             {"text/plain", "https://webmail.isp-example.net/", ""},
		"too many to tell": {"text/plain", "http://a-example.com http://b-example.com http://c-example.com http://d-example.com", ""},
		"none":             {"text/plain", "mailto:x@shop-example.com ftp://shop-example.com/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := trace.Message{Header: []byte("MIME-Version: 1.0\r\nContent-Type: " + c.kind + "\r\n"), Body: []byte(c.body)}
			got := reporter.Sites(&m, func(domain string) bool { return domain == "isp-example.net" })
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// FuzzSites: whatever a message holds, what is looked up are registered domains, few
// of them, and none of ours.
func FuzzSites(f *testing.F) {
	f.Add("text/html", `<a href="http://x.shop-example.com">`)
	f.Add("text/plain", "https://[::1]:x@y https://%zz https://xn--a.example")
	f.Fuzz(func(t *testing.T, kind, body string) {
		m := trace.Message{Header: []byte("Content-Type: " + kind + "\r\n"), Body: []byte(body)}
		sites := reporter.Sites(&m, func(domain string) bool { return domain == "isp-example.net" })
		if len(sites) > 3 {
			t.Errorf("%d sites", len(sites))
		}
		for _, s := range sites {
			if domain, err := contact.Domain(s); err != nil || domain != s || s == "isp-example.net" {
				t.Errorf("%q is looked up: %v", s, err)
			}
		}
	})
}

package auth_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"spamreport-milter/auth"
	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
	"spamreport-milter/trace"
)

var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// zone is the DNS of the senders below. All names are below public suffixes, as
// real ones are.
func zone() string {
	public := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	return `
s._domainkey.shop-example.com. TXT "v=DKIM1; k=ed25519; p=` + public + `"
s._domainkey.mailer-example.net. TXT "v=DKIM1; k=ed25519; p=` + public + `"
test._domainkey.shop-example.com. TXT "v=DKIM1; t=s:y; k=ed25519; p=` + public + `"
shop-example.com. TXT "v=spf1 ip4:45.66.77.0/24 -all"
mail.shop-example.com. TXT "v=spf1 ip4:45.66.77.0/24 -all"
forwarder-example.org. TXT "v=spf1 ip4:45.66.77.0/24 -all"
bank-example.de. TXT "v=spf1 ip4:198.51.100.0/24 -all"
open-example.com. TXT "v=spf1 +all"
curious-example.com. TXT "v=spf1 exists:%{l}.curious-example.com -all"
`
}

func newChecker(t *testing.T) (*auth.Checker, *testnet.DNS) {
	t.Helper()
	d, err := testnet.StartDNS(zone())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	r, err := resolver.New(resolver.Config{Servers: []string{d.Addr}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Checker{DNS: r, Hosts: []string{"mx.isp.example", ".filters.isp.example"}}, d
}

const rest = "To: user@isp.example\r\nSubject: Rabatt\r\nDate: Fri, 27 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n"

// sign puts a signature of a domain on top of a message from somebody.
func sign(t *testing.T, from, domain, selector string) string {
	t.Helper()
	header := "From: " + from + "\r\n" + rest
	var signed bytes.Buffer
	err := dkim.Sign(&signed, strings.NewReader(header+"\r\nBuy!\r\n"), &dkim.SignOptions{Domain: domain, Selector: selector, Signer: key})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(signed.String(), "\r\nBuy!\r\n")
}

// hop0 is a session with a stranger at 45.66.77.88.
func hop0() *trace.Session {
	return &trace.Session{Client: netip.MustParseAddrPort("45.66.77.88:40123"), HELO: "out.example", Host: "mx.isp.example",
		Time: time.Date(2026, 11, 27, 0, 0, 1, 0, time.UTC)}
}

// inner is a session with a server of our own, and received its field about the stranger.
func inner() *trace.Session {
	s := hop0()
	s.Client, s.PTR, s.PTRVerified, s.HELO = netip.MustParseAddrPort("192.0.2.25:40123"), "in.isp.example", true, "in.isp.example"
	return s
}

const received = "Received: from out.example (unknown [45.66.77.88])\r\n\tby in.isp.example (Postfix) with ESMTP id 4ABC\r\n\tfor <user@isp.example>; Fri, 27 Nov 2026 00:00:00 +0000 (UTC)\r\n"

func TestProofs(t *testing.T) {
	options := trace.Options{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Hosts: []string{"in.isp.example"}}
	const shop, bank = "Shop <news@mail.shop-example.com>", "Bank <service@bank-example.de>"
	plain := func(from string) string { return "From: " + from + "\r\n" + rest }
	const says = "Authentication-Results: mx.isp.example; dkim=pass header.d=bank-example.de;\r\n dmarc=pass header.from=bank-example.de\r\n"
	for _, c := range []struct {
		name     string
		header   string
		mailFrom string
		session  *trace.Session
		want     string // the domain proven
		reason   string // what the verdict or a check says
	}{
		{"its own signature", sign(t, shop, "shop-example.com", "s"), "x@bounces.example", hop0(), "shop-example.com", "dkim passes for shop-example.com"},
		{"a signature of another domain", sign(t, bank, "mailer-example.net", "s"), "x@mailer-example.net", hop0(), "", "not of the author's domain"},
		{"a signature that does not fit", strings.Replace(sign(t, shop, "shop-example.com", "s"), "Rabatt", "Gewinn", 1), "", hop0(), "", "fail"},
		{"a key for tests", sign(t, shop, "shop-example.com", "test"), "", hop0(), "", "the key is for tests"},
		{"two authors", sign(t, shop, "shop-example.com", "s") + "From: " + bank + "\r\n", "", hop0(), "", "2 From fields"},
		{"two authors in one field", plain(shop + ", " + bank), "x@shop-example.com", hop0(), "", "no single address"},
		{"SPF of the author", plain(shop), "x@shop-example.com", hop0(), "shop-example.com", "spf passes"},
		{"SPF of a forwarder", plain(bank), "srs0=1=x=bank-example.de=a@forwarder-example.org", hop0(), "", "not of the author's domain"},
		{"SPF fails", plain(bank), "x@bank-example.de", hop0(), "", "fail"},
		{"SPF that lets anybody", plain("a@open-example.com"), "x@open-example.com", hop0(), "", "lets anybody send"},
		{"a joe job", plain(bank), "x@evil.example", hop0(), "", "no check that passes"},
		{"results forged under our name", says + plain(bank), "x@evil.example", hop0(), "", "no check that passes"},
		{"results forged below our field", received + says + plain(bank), "x@evil.example", inner(), "", "no check that passes"},
		{"results of our own server", says + received + plain(bank), "x@evil.example", inner(), "bank-example.de", "says mx.isp.example"},
		{"results of a stranger", strings.Replace(says, "mx.isp", "mx.evil", 1) + received + plain(bank), "x@evil.example", inner(), "", "no check that passes"},
		{"results of one below a domain of ours", strings.Replace(says, "mx.isp", "a.filters.isp", 1) + received + plain(bank), "", inner(), "bank-example.de", "a.filters"},
		{"results about another domain", strings.ReplaceAll(says, "bank-example.de", "mailer-example.net") + received + plain(bank), "", inner(), "", "no check that passes"},
		{"the sender's words in a comment", "Authentication-Results: mx.isp.example; spf=fail (helo is x; dmarc=pass header.from=bank-example.de) smtp.mailfrom=x\r\n" + received + plain(bank),
			"", inner(), "", "no check that passes"},
		{"the sender's words in quotes", "Authentication-Results: mx.isp.example; spf=fail smtp.mailfrom=\"a; dmarc=pass header.from=bank-example.de \"@x\r\n" + received + plain(bank),
			"", inner(), "", "no check that passes"},
		{"SPF where a server of ours took it", received + plain(shop), "x@shop-example.com", inner(), "shop-example.com", "spf passes"},
		{"a saved file", sign(t, shop, "shop-example.com", "s"), "", nil, "shop-example.com", "dkim passes"},
		{"a saved file, SPF", plain(shop), "x@shop-example.com", nil, "", "no session"},
		{"no domain", plain("root@localhost"), "", hop0(), "", "domain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checker, _ := newChecker(t)
			m := &trace.Message{Session: c.session, MailFrom: c.mailFrom, Header: []byte(c.header), Body: []byte("Buy!\r\n"), BodySize: 6}
			chain := trace.Follow(m, options)
			v, err := checker.Check(t.Context(), m, &chain)
			if err != nil || v.Domain != c.want {
				t.Fatalf("proven %q, want %q: %+v, %v", v.Domain, c.want, v, err)
			}
			all := v.Reason
			for _, k := range v.Checks {
				all += "; " + k.Result + " " + k.Reason
			}
			if !strings.Contains(all, c.reason) {
				t.Errorf("it says %q, not %q", all, c.reason)
			}
		})
	}
}

// TestOnlyTheAuthorsDomainIsAsked: a sender who signs as others must not learn from
// our questions who reports what.
func TestOnlyTheAuthorsDomainIsAsked(t *testing.T) {
	checker, dns := newChecker(t)
	m := &trace.Message{Session: hop0(), MailFrom: "user-isp.example@mailer-example.net", Body: []byte("Buy!\r\n"), BodySize: 6,
		Header: []byte(sign(t, "a@bank-example.de", "mailer-example.net", "s"))}
	chain := trace.Follow(m, trace.Options{})
	if _, err := checker.Check(t.Context(), m, &chain); err != nil {
		t.Fatal(err)
	}
	if asked := dns.Queries(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// TestNoMailboxIsAsked: a record may want the mailbox of the envelope sender in the
// question; it does not get the recipient's mark that stands there.
func TestNoMailboxIsAsked(t *testing.T) {
	checker, dns := newChecker(t)
	m := &trace.Message{Session: hop0(), MailFrom: "bounce-user=isp.example@curious-example.com", Header: []byte("From: a@curious-example.com\r\n")}
	chain := trace.Follow(m, trace.Options{})
	v, err := checker.Check(t.Context(), m, &chain)
	if err != nil || v.Domain != "" {
		t.Errorf("%+v, %v", v, err)
	}
	asked := strings.Join(dns.Queries(), " ")
	if !strings.Contains(asked, "postmaster.curious") || strings.Contains(asked, "user") {
		t.Errorf("asked %s", asked)
	}
}

// TestNoAnswerProvesNothing: DNS that is down makes no proof and no error.
func TestNoAnswerProvesNothing(t *testing.T) {
	checker, dns := newChecker(t)
	dns.Fail("s._domainkey.shop-example.com", testnet.ServFail)
	m := &trace.Message{Session: hop0(), Body: []byte("Buy!\r\n"), BodySize: 6, Header: []byte(sign(t, "a@shop-example.com", "shop-example.com", "s"))}
	chain := trace.Follow(m, trace.Options{})
	v, err := checker.Check(t.Context(), m, &chain)
	if err != nil || v.Domain != "" || v.Checks[0].Result != "temperror" {
		t.Errorf("%+v, %v", v, err)
	}
}

// FuzzCheck: whatever the fields hold, nothing is proven without a session, a
// signature and a field of ours.
func FuzzCheck(f *testing.F) {
	f.Add("mx.isp.example; dkim=pass header.d=bank-example.de", "a@bank-example.de")
	f.Add(`mx.isp.example; spf=pass (\) smtp.mailfrom="a;@b`, "\"a,b\" <a@b.c>, d")
	f.Fuzz(func(t *testing.T, results, from string) {
		m := &trace.Message{Header: []byte("Authentication-Results: " + results + "\r\nFrom: " + from + "\r\n")}
		chain := trace.Follow(m, trace.Options{})
		checker := auth.Checker{Hosts: []string{"mx.isp.example"}}
		if strings.Contains(strings.ToLower(string(m.Header)), "dkim-signature") || bytes.Contains(m.Header, []byte("eceived")) {
			return
		}
		if v, err := checker.Check(t.Context(), m, &chain); err != nil || v.Domain != "" {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

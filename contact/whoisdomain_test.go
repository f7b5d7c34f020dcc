package contact

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

// answerFrom decides on one answer of a server of port 43, for itself where addr is
// empty.
func answerFrom(t testing.TB, addr, server, text string) Answer {
	t.Helper()
	ev := recorded(t, "whois", []byte(text))
	ev[0].Server = server
	a, _ := netip.ParseAddr(addr)
	return Decide(a, ev)
}

// TestDomainSamples reads recorded answers of registries and registrars.
func TestDomainSamples(t *testing.T) {
	text, err := os.ReadFile("testdata/whois_domain.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		sample
		Server string `json:"server"`
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		t.Fatal(err, len(list))
	}
	for _, s := range list {
		t.Run(s.ID, func(t *testing.T) {
			rd, err := readWHOIS(s.Server, []byte(s.Text))
			if err != nil || rd.class != "domain" || !strings.EqualFold(rd.network.Name, s.Query) {
				t.Fatalf("read as %+v, %v", rd, err)
			}
			got := answerFrom(t, "", s.Server, s.Text)
			if addresses(got) != strings.Join(s.Expect, " ") {
				t.Errorf("took %q, want %q: %s", addresses(got), s.Expect, got.Reason)
			}
			if len(got.Contacts) > 0 && (got.Contacts[0].Scope != ScopeRegistrar || got.Contacts[0].Role != "registrar/abuse" || slices.Contains(s.MustNot, got.Contacts[0].Address)) {
				t.Errorf("took %+v", got.Contacts[0])
			}
			if (s.Outcome == Referral) != (len(s.Expect) == 0 && rd.referral != "") {
				t.Errorf("referral %q", rd.referral)
			}
			if s.Outcome == "obfuscated" && !strings.Contains(got.Reason, "not a mailbox") || s.Outcome == NoAbuseRole && got.Outcome != NoAbuseRole {
				t.Errorf("outcome %s, want %s: %s", got.Outcome, s.Outcome, got.Reason)
			}
		})
	}
}

// TestDomain holds single rules of reading answers about domains, each in the form
// of the server that it is named after.
func TestDomain(t *testing.T) {
	const gtld = "Domain Name: EXAMPLE.TEST\nRegistrar: R\n"
	const abuse = "Registrar Abuse Contact Email: abuse@registrar.test\n"
	for name, c := range map[string]struct {
		server, text string
		want         string // address, or "" for none
		referral     string
		why          string
	}{
		"ICANN":                    {"", gtld + abuse + "Registrant Email: abuse@owner.test\n", "abuse@registrar.test", "", "registrar/abuse"},
		"other case and spacing":   {"", "  domain name :  example.test\n  REGISTRAR  ABUSE CONTACT E-MAIL  :   Abuse@Registrar.test  \r\n", "Abuse@Registrar.test", "", ""},
		"tabs and dots":            {"", "\tDomain.......: example.test\n\tRegistrar Abuse Email.......:\tabuse@registrar.test\n", "abuse@registrar.test", "", ""},
		"mailto":                   {"", gtld + "Registrar Abuse Contact Email: mailto:abuse@registrar.test\n", "abuse@registrar.test", "", ""},
		"two in a field":           {"", gtld + "Registrar Abuse Contact Email: help@registrar.test, abuse@registrar.test\n", "abuse@registrar.test", "", ""},
		"the first field":          {"", gtld + abuse + "Registrant Name: x\nRegistrar Abuse Contact Email: victim@other.test\n", "abuse@registrar.test", "", ""},
		"a registrant's value":     {"", gtld + "Registrant Street: Registrar Abuse Contact Email: victim@other.test\n", "", "", "names no abuse mailbox"},
		"a registrant's lines":     {"", gtld + "Registrant:\n   Street:\n   Registrar Abuse Contact Email: victim@other.test\n   Abuse Contact:\n      victim@other.test\n", "", "", "names no abuse mailbox"},
		"only people":              {"", gtld + "Registrant Email: a@owner.test\nAdmin Email: b@owner.test\nTech Email: c@owner.test\nBilling Email: d@owner.test\n", "", "", "names no abuse mailbox"},
		"the reseller":             {"", gtld + "Reseller Abuse Contact Email: abuse@reseller.test\nRegistry Abuse Contact Email: abuse@registry.test\n", "", "", "names no abuse mailbox"},
		"a phone is no mailbox":    {"", gtld + "Registrar Abuse Contact Phone: +1.5@5\n", "", "", "names no abuse mailbox"},
		"terms are no field":       {"", gtld + "\nReport abuse to the registry at abuse@registry.test.\n# Registrar Abuse Contact Email: abuse@registry.test\n", "", "", "names no abuse mailbox"},
		"obfuscated":               {"", gtld + "Registrar Abuse Contact Email: abuse(at)registrar.test\n", "", "", "not a mailbox"},
		"a form":                   {"", gtld + "Registrar Abuse Contact Email: https://registrar.test/abuse\n", "", "", "not a mailbox"},
		"undecodable":              {"", gtld + "Registrar Abuse Contact Email: abuse\xff@registrar.test\n", "", "", "not a mailbox"},
		"Latin-1 elsewhere":        {"", gtld + "Registrant Name: Pe\xf1a\n" + abuse, "abuse@registrar.test", "", ""},
		"behind a byte order mark": {"", "\ufeff" + gtld + abuse, "abuse@registrar.test", "", ""},
		"referral":                 {"whois.registry.test", gtld + "Registrar WHOIS Server: whois.Registrar.test\nRegistrar Abuse Contact Email:\nRegistrar Abuse Contact Phone:\n", "", "whois.registrar.test", ""},
		"no referral to itself":    {"whois.registrar.test", gtld + "Registrar WHOIS Server: whois.registrar.test\n", "", "", ""},
		"no referral to a number":  {"", gtld + "Registrar WHOIS Server: 10.0.0.1\nWHOIS Server: rwhois://whois.registrar.test:4321\n", "", "", ""},
		"a registrant's referral":  {"", gtld + "Registrant:\n   Whois Server: whois.evil.test\n", "", "", ""},
		"a thin registry": {"", "   Server Name: EXAMPLE.TEST.EVIL.TEST\n   Registrar: E\n   Whois Server: whois.evil.test\n\n" +
			"   Domain Name: EXAMPLE.TEST\n   Registrar: R\n   Whois Server: whois.registrar.test\n", "", "whois.registrar.test", ""},
		"IANA": {"whois.iana.org", "% IANA WHOIS server\n\nrefer:        whois.nic.test\n\ndomain:       TEST\n\ncontact:      administrative\ne-mail:       admin@nic.test\n\nwhois:        whois.nic.test\nsource:       IANA\n", "", "whois.nic.test", ""},
		".nl": {"", "Domain name: example.test\nStatus:      active\n\nRegistrar:\n   R B.V.\n   Street 1\n\nAbuse Contact:\n   +31.201234567\n   abuse@registrar.test\n\nDNSSEC:      yes\n",
			"abuse@registrar.test", "", ""},
		".ua": {"", "domain:           example.test\nmnt-by:           ua.r\n\n% Registrar:\n% ==========\nregistrar:        ua.r\nabuse-email:      abuse@registrar.test\nabuse-phone:      +380.441\nsource:           UAEPP\n\n" +
			"% Registrant:\nperson:           P\ne-mail:           p@owner.test\n", "abuse@registrar.test", "", ""},
		".uk": {"", "\n    Domain name:\n        example.test\n\n    Registrar:\n        R [Tag = R]\n        URL: https://registrar.test\n", "", "", "names no abuse mailbox"},
		".eu": {"", "Domain: example.test\nScript: LATIN\n\nTechnical:\n        Organisation: R\n        Email: abuse@registrar.test\n\nRegistrar:\n        Name: R\n", "", "", "names no abuse mailbox"},
		".fr": {"", "domain:      example.test\nregistrar:   R\n\nregistrar:   R\ne-mail:      support@registrar.test\n\nnic-hdl:     R1-FRNIC\ntrouble:     Spam: mailto:abuse@registrar.test\ne-mail:      p@registrar.test\n", "", "", "names no abuse mailbox"},
		".jp": {"", "Domain Information:\n[Domain Name]                   EXAMPLE.TEST\n\n[Registrant]                    R\n\nContact Information:\n[Name]                          R\n[Email]                         abuse@registrar.test\n", "", "", "names no abuse mailbox"},
		".kr": {"", "query : example.test\n\nDomain Name                 : example.test\nAC E-Mail                   : p@owner.test\nAuthorized Agency           : R(http://r.test)\n", "", "", "names no abuse mailbox"},
		".br": {"", "% Security and mail abuse issues should also be addressed to\n% cert.br, respectivelly to cert@cert.br and mail-abuse@cert.br\n\ndomain:      example.test\nowner-c:     ABC\n\nnic-hdl-br:  ABC\ne-mail:      p@owner.test\n", "", "", "names no abuse mailbox"},
	} {
		t.Run(name, func(t *testing.T) {
			rd, err := readWHOIS(c.server, []byte(c.text))
			if err != nil || rd.class != "domain" || rd.referral != c.referral {
				t.Fatalf("read as %+v, %v; want referral %q", rd, err, c.referral)
			}
			if !strings.EqualFold(rd.network.Name, "example.test") && name != "IANA" {
				t.Errorf("the domain is %q", rd.network.Name)
			}
			a := answerFrom(t, "", c.server, c.text)
			if addresses(a) != c.want || !strings.Contains(a.Reason, c.why) {
				t.Errorf("%q: %s; want %q, %q", addresses(a), a.Reason, c.want, c.why)
			}
		})
	}
}

// TestDomainIsNoNetwork: an answer about a domain says nothing about an address.
func TestDomainIsNoNetwork(t *testing.T) {
	a := answerFrom(t, "62.1.2.3", "", "Domain Name: EXAMPLE.TEST\nRegistrar Abuse Contact Email: abuse@registrar.test\n")
	if len(a.Contacts) != 0 || !strings.Contains(a.Reason, "about a domain") {
		t.Errorf("%v: %s", a.Contacts, a.Reason)
	}
}

// TestDomainThatNobodyHas covers registries that print the name all the same.
func TestDomainThatNobodyHas(t *testing.T) {
	for _, text := range []string{"Domain: example.test\nStatus: free\n", "Domain:\texample.test\nStatus:\tAVAILABLE\n",
		"Domain Name: example.test\nDomain Status: No Object Found\n"} {
		if _, err := readWHOIS("", []byte(text)); !errors.Is(err, errNoMatch) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := readWHOIS("", []byte("Domain:\texample.test\nStatus:\tNOT AVAILABLE\n")); err != nil {
		t.Error(err)
	}
}

package contact

import (
	"strings"
	"testing"

	"spamreport-milter/internal/testnet"
)

// TestWHOISFollowsItsAnswers: what an answer of port 43 names is asked for next.
func TestWHOISFollowsItsAnswers(t *testing.T) {
	const rpslHandle = "person: Abuse desk\nnic-hdl-br: ABC\ne-mail: seguranca@isp.test\n"
	for name, c := range map[string]struct {
		registry, rdap string
		answers        map[string]string
		want, scope    string
		asked          string
	}{
		"JPNIC's contact": {"jpnic", jpnicOnly, map[string]string{
			"133.1.2.3/e": "[ JPNIC database provides ... ]\n\nNetwork Information:\na. [Network Number]                133.1.2.0/24\nb. [Network Name]                  MEMBER-NET\n" +
				"m. [Administrative Contact]        AA1234JP\nn. [Technical Contact]             TT1234JP\n",
			"TT1234JP/e": "Contact Information:\na. [JPNIC Handle]                  TT1234JP\nc. [Last, First]                   Desk\nd. [E-Mail]                        noc@isp.test\n",
		}, "noc@isp.test", "network", "133.1.2.3/e TT1234JP/e"},
		"KRNIC's smallest block": {"krnic", strings.NewReplacer("JNIC1-AP", "IRT-KRNIC-KR", "hostmaster@nic.ad.jp", "irt@nic.or.kr").Replace(jpnicOnly), map[string]string{
			"133.1.2.3": "# ENGLISH\n\n[ Network Information ]\nIPv4 Address       : 133.1.0.0 - 133.1.255.255 (/16)\nOrganization Name  : Telecom\n\n" +
				"[ Network Abuse Contact Information ]\nE-Mail : abuse@telecom.test\n\n--\n\nMore specific assignment information is as follows.\n\n" +
				"[ Network Information ]\nIPv4 Address       : 133.1.2.0 - 133.1.2.255 (/24)\nOrganization Name  : Member\n\n[ Network Abuse Contact Information ]\nE-Mail : abuse@isp.test\n",
		}, "abuse@isp.test", "network", "133.1.2.3"},
		"ARIN's rows": {"arin", answerOf(`"startAddress":"133.1.0.0","endAddress":"133.1.255.255"`), map[string]string{
			"n + 133.1.2.3":         "ISP WIDE (NET-133-0-0-0-1) 133.0.0.0 - 133.255.255.255\nMember NEAR (NET-133-1-2-0-1) 133.1.2.0 - 133.1.2.255\n",
			"n + ! NET-133-1-2-0-1": "NetRange: 133.1.2.0 - 133.1.2.255\nNetName: NEAR\n\nOrgName: Member\n\nOrgAbuseEmail: abuse@isp.test\n",
		}, "abuse@isp.test", "network", "n + 133.1.2.3 n + ! NET-133-1-2-0-1"},
		"LACNIC's handle": {"lacnic", answerOf(`"startAddress":"133.1.0.0","endAddress":"133.1.255.255","port43":"whois.lacnic.net"`), map[string]string{
			"133.1.2.3": "% Joint Whois - whois.lacnic.net\n\ninetnum: 133.1/16\nstatus: allocated\nowner: ISP\nabuse-c: ABC\n",
			"ABC":       rpslHandle,
		}, "seguranca@isp.test", "network", "133.1.2.3 ABC"},
		"a handle that says nothing": {"lacnic", answerOf(`"startAddress":"133.1.0.0","endAddress":"133.1.255.255","port43":"whois.lacnic.net"`), map[string]string{
			"133.1.2.3": "% Joint Whois - whois.lacnic.net\n\ninetnum: 133.1/16\nstatus: allocated\nowner: ISP\nabuse-c: ABC\n",
		}, "", "", "133.1.2.3 ABC"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := w.port43(t, c.registry)
			w.Add(testnet.Network{Prefix: prefix("133.1.0.0/16"), Body: []byte(c.rdap)})
			for query, text := range c.answers {
				server.Answer(query, text)
			}
			a := lookup(t, w.finder(t), "133.1.2.3")
			if addresses(a) != c.want || strings.Join(server.Queries(), " ") != c.asked {
				t.Fatalf("%q, asked %q: %s", addresses(a), server.Queries(), a.Reason)
			}
			if c.want != "" && string(a.Contacts[0].Scope) != c.scope {
				t.Errorf("%+v", a.Contacts[0])
			}
		})
	}
}

// TestRegistrarByWHOIS: from IANA to the registry to the registrar.
func TestRegistrarByWHOIS(t *testing.T) {
	const registry = "Domain Name: SPAM.TEST\nRegistrar WHOIS Server: whois.registrar.test\nRegistrar Abuse Contact Email:\n"
	const registrar = "Domain Name: spam.test\nRegistrar Abuse Contact Email: abuse@isp.test\nRegistrant Email: owner@spam.test\n"
	for name, c := range map[string]struct {
		registry, registrar, want string
		outcome                   Outcome
	}{
		"the registrar's answer":   {registry, registrar, "abuse@isp.test", Found},
		"the registry's own":       {strings.Replace(registry, "Email:", "Email: abuse@isp.test", 1), "", "abuse@isp.test", Found},
		"a registrar that says no": {registry, "No match for spam.test\n", "", Referral},
		"about another domain":     {registry, strings.Replace(registrar, "spam.test", "other.test", 1), "", Referral},
		"written to hide":          {registry, strings.Replace(registrar, "abuse@isp", "abuse[at]isp", 1), "", Referral},
		"nobody registered it":     {"No match for domain \"SPAM.TEST\".\n", "", "", NoContact},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asks(t, "spam.test. MX 0 .\n")
			server := w.port43(t, "iana", "whois.nic.test", "whois.registrar.test")
			server.Answer("test", "domain: TEST\n\norganisation: Registry\n\nwhois: whois.nic.test\n\nsource: IANA\n")
			asked := 0
			server.Answer("spam.test", c.registry)
			if c.registrar != "" { // one server plays both, in turn
				server.Answer("spam.test", c.registry)
				server.Then("spam.test", c.registrar)
				asked = 1
			}
			a := lookupDomain(t, w.finder(t), "spam.test")
			if addresses(a) != c.want || a.Outcome != c.outcome || len(server.Queries()) != 2+asked {
				t.Errorf("%q, %s, asked %q: %s", addresses(a), a.Outcome, server.Queries(), a.Reason)
			}
		})
	}
}

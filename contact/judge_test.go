package contact

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// ent writes an entity: roles, then properties of its jCard, then what follows
// in the object.
func ent(roles, card, more string) string {
	return fmt.Sprintf(`{"handle":"H-%s","roles":[%s],"vcardArray":["vcard",[["version",{},"text","4.0"],%s]]%s}`,
		strings.Trim(roles, `"`), roles, card, more)
}

func emailProperty(address string) string { return fmt.Sprintf(`["email",{},"text",%q]`, address) }

// network writes an answer about 62.1.0.0/16; members go before the usual ones
// and win.
func answerOf(members string, entities ...string) string {
	if members != "" {
		members += ","
	}
	if !strings.Contains(members, "startAddress") {
		members += `"startAddress":"62.1.0.0","endAddress":"62.1.255.255",`
	}
	if !strings.Contains(members, "port43") {
		members += `"port43":"whois.arin.net",`
	}
	return fmt.Sprintf(`{"objectClassName":"ip network",%s"entities":[%s]}`, members, strings.Join(entities, ","))
}

func TestJudge(t *testing.T) {
	abuse := func(card string) string { return ent(`"abuse"`, card, "") }
	holder := func(name string) string { return ent(`"registrant"`, fmt.Sprintf(`["fn",{},"text",%q]`, name), "") }
	const ripe = `"port43":"whois.ripe.net"`
	for name, c := range map[string]struct {
		answer string
		want   string // contacts, "?" behind those of low confidence
		reason string // part of the Reason
	}{
		"resource before holder": {answerOf("",
			ent(`"registrant"`, emailProperty("office@isp.test"), `,"entities":[`+abuse(emailProperty("abuse@holder.test"))+`]`), abuse(emailProperty("abuse@isp.test"))),
			"abuse@isp.test", "role abuse"},
		"nested in the holder only": {answerOf("",
			ent(`"technical"`, emailProperty("t@isp.test"), `,"entities":[`+abuse(emailProperty("abuse@tech.test"))+`]`),
			ent(`"registrant"`, emailProperty("office@isp.test"), `,"entities":[`+abuse(emailProperty("abuse@isp.test"))+`]`)),
			"abuse@isp.test", "registrant/abuse"},
		"nobody below the abuse entity": {answerOf("", ent(`"abuse"`, emailProperty("abuse@isp.test"), `,"entities":[`+abuse(emailProperty("person@isp.test"))+`]`)),
			"abuse@isp.test", ""},
		"roles in any case, one as a string": {answerOf("", `{"roles":"Abuse","vcardArray":["vcard",[["EMAIL",{},"text","abuse@isp.test"]]]}`),
			"abuse@isp.test", ""},
		"two abuse entities": {answerOf("", abuse(emailProperty("one@isp.test")), abuse(emailProperty("two@isp.test"))),
			"one@isp.test two@isp.test", ""},
		"the better marked entity": {answerOf("", abuse(emailProperty("noc@isp.test")), abuse(emailProperty("abuse@isp.test"))),
			"abuse@isp.test", ""},
		"at most three": {answerOf("", abuse(emailProperty("a@isp.test")), abuse(emailProperty("b@isp.test")), abuse(emailProperty("c@isp.test")), abuse(emailProperty("d@isp.test"))),
			"a@isp.test b@isp.test c@isp.test", ""},
		"one address twice": {answerOf("", abuse(emailProperty("abuse@isp.test")), abuse(emailProperty("Abuse@ISP.test"))),
			"abuse@isp.test", ""},
		"one of several in an entity": {answerOf("", abuse(emailProperty("noc@isp.test")+","+emailProperty("abuse@isp.test"))),
			"abuse@isp.test", ""},
		"marked by type": {answerOf(ripe, abuse(emailProperty("abuse-team@isp.test")+`,["email",{"type":["work","abuse"]},"text","desk@isp.test"]`)),
			"desk@isp.test", ""},
		"marked by preference": {answerOf(`"port43":"whois.apnic.net"`, abuse(emailProperty("abuse@isp.test")+`,["email",{"pref":1},"text","desk@isp.test"]`)),
			"desk@isp.test", ""},
		"unmarked where the registry marks": {answerOf(ripe, abuse(emailProperty("abuse@isp.test"))),
			"abuse@isp.test?", "not marked"},
		"unvalidated last": {answerOf("",
			ent(`"abuse"`, emailProperty("old@isp.test"), `,"remarks":[{"title":"Unvalidated POC","description":["no response"]}]`), abuse(emailProperty("abuse@isp.test"))),
			"abuse@isp.test", ""},
		"unvalidated for want of others": {answerOf("",
			ent(`"abuse"`, emailProperty("old@isp.test"), `,"remarks":[{"title":"Unvalidated POC"}]`)),
			"old@isp.test?", "Unvalidated"},
		"found invalid": {answerOf("", ent(`"abuse"`, emailProperty("abuse@isp.test"), `,"remarks":[{"description":["abuse@isp.test is invalid"]}]`)),
			"", "invalid"},
		"another found invalid": {answerOf("", ent(`"abuse"`, emailProperty("abuse@isp.test"), `,"remarks":[{"description":["old-abuse@isp.test is invalid"]}]`)),
			"abuse@isp.test", ""},
		"validation failed": {answerOf(ripe, ent(`"abuse"`, emailProperty("abuse@isp.test"), `,"remarks":[{"description":"Abuse-mailbox validation failed. Please refer to ORG-X"}]`)),
			"", "invalid"},
		"free mailbox": {answerOf("", abuse(emailProperty("isp.abuse@gmail.com"))), "isp.abuse@gmail.com?", "free mailboxes"},
		"placeholder, then another": {answerOf("", abuse(emailProperty("no-email@isp.test")), abuse(emailProperty("abuse@isp.test"))),
			"abuse@isp.test", ""},
		"obfuscated":             {answerOf("", abuse(emailProperty("abuse at isp.test"))), "", "not a mailbox"},
		"injection":              {answerOf("", abuse(emailProperty("abuse@isp.test>\r\nRCPT TO:<victim@evil.test"))), "", "not a mailbox"},
		"international":          {answerOf("", abuse(emailProperty("abuse@bücher.test"))), "abuse@xn--bcher-kva.test", ""},
		"remarks are no contact": {answerOf(`"remarks":[{"description":["send spam reports to abuse@isp.test"]}]`, ent(`"technical"`, emailProperty("t@isp.test"), "")), "", "names no abuse mailbox"},

		"registry's mailbox": {answerOf("", holder("Some ISP"), abuse(emailProperty("abuse@arin.net"))), "", "does not hold"},
		"below the registry": {answerOf("", holder("Some ISP"), abuse(emailProperty("x@ops.ripe.net"))), "", "RIPE NCC"},
		"registry's own network": {answerOf(ripe, holder("Reseaux IP Europeens Network Coordination Centre (RIPE NCC)"),
			abuse(`["email",{"type":"abuse"},"text","abuse@ripe.net"]`)), "abuse@ripe.net", ""},
		"registry's maintainer is no holder": {answerOf(ripe, `{"handle":"RIPE-NCC-END-MNT","roles":["registrant"],"vcardArray":["vcard",[["fn",{},"text","RIPE NCC"]]]}`,
			abuse(emailProperty("abuse@ripe.net"))), "", "does not hold"},
		"registry's stock": {answerOf(ripe+`,"startAddress":"62.0.0.0","endAddress":"62.63.255.255"`, holder("RIPE NCC"), abuse(emailProperty("abuse@ripe.net"))),
			"", "does not hold"},
		"registry of another's block": {answerOf(`"name":"APNIC-ERX-62-1-0-0"`, holder("Asia Pacific Network Information Centre"), abuse(emailProperty("search-apnic-not-arin@apnic.net"))),
			"", "transferred"},
		"registry held by another's word": {answerOf("", holder("RIPE NCC"), abuse(emailProperty("abuse@ripe.net"))), "", "transferred"},
		"like a registry":                 {answerOf("", abuse(emailProperty("abuse@charin.net"))), "abuse@charin.net", ""},

		"too wide":              {answerOf(`"startAddress":"62.0.0.0","endAddress":"63.255.255.255"`, abuse(emailProperty("abuse@isp.test"))), "", "wider"},
		"a /8 is a network":     {answerOf(`"startAddress":"62.0.0.0","endAddress":"62.255.255.255"`, abuse(emailProperty("abuse@isp.test"))), "abuse@isp.test", ""},
		"padded, with a length": {answerOf(`"startAddress":"062.001.000.000/32","endAddress":"062.001.255.255/32"`, abuse(emailProperty("abuse@isp.test"))), "abuse@isp.test", ""},
		"range by cidr0":        {answerOf(`"startAddress":null,"cidr0_cidrs":[{"v4prefix":"62.1.0.0","length":16}]`, abuse(emailProperty("abuse@isp.test"))), "abuse@isp.test", ""},
		"no range":              {answerOf(`"startAddress":7`, abuse(emailProperty("abuse@isp.test"))), "", "no range"},
		"backward range":        {answerOf(`"startAddress":"62.2.0.0","endAddress":"62.1.0.0"`, abuse(emailProperty("abuse@isp.test"))), "", "no range"},
		"unspecified":           {answerOf(ripe+`,"type":"ALLOCATED UNSPECIFIED","name":"EU-ZZ-62"`, abuse(emailProperty("abuse@isp.test"))), "", "UNSPECIFIED"},
		"IANA's":                {answerOf(`"name":"IANA-NETBLOCK-62"`, abuse(emailProperty("abuse@isp.test"))), "", "does not hold"},
		"RIPE's elsewhere":      {answerOf(ripe+`,"name":"NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK"`, abuse(emailProperty("abuse@isp.test"))), "", "does not hold"},
		"not allocated":         {answerOf(`"remarks":[{"description":["This network range is not allocated to APNIC."]}]`, abuse(emailProperty("abuse@isp.test"))), "", "did not allocate"},

		"broken entities":        {answerOf("", `null`, `7`, `{"roles":["abuse"],"vcardArray":7}`, `{"roles":["abuse"],"vcardArray":["vcard",[7,[],["email"],["email",{},"text",7]]]}`, abuse(emailProperty("abuse@isp.test"))), "abuse@isp.test", ""},
		"entities are an object": {`{"objectClassName":"ip network","startAddress":"62.1.0.0","endAddress":"62.1.255.255","entities":{}}`, "", "names no abuse mailbox"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Decide(netip.MustParseAddr("62.1.2.3"), answered(t, []byte(c.answer)))
			var got []string
			for _, x := range a.Contacts {
				if x.Confidence == Low {
					x.Address += "?"
				}
				got = append(got, x.Address)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("took %q, want %q: %s", got, c.want, a.Reason)
			}
			if !strings.Contains(a.Reason, c.reason) {
				t.Errorf("reason %q does not say %q", a.Reason, c.reason)
			}
			for _, x := range a.Evidence[0].Candidates {
				if x.Reason == "" {
					t.Errorf("no reason for %q", x.Address)
				}
			}
		})
	}
}

// TestOutcomeNamesWhoKnowsMore covers answers that leave a block to others.
func TestOutcomeNamesWhoKnowsMore(t *testing.T) {
	const apnic = `"port43":"whois.apnic.net"`
	for name, c := range map[string]struct {
		answer string
		want   Outcome
		names  string
	}{
		"team of the national registry": {answerOf(apnic, ent(`"abuse"`, emailProperty("irt@nic.or.kr"), "")), NIRDescend, "KRNIC"},
		"its people":                    {answerOf(apnic, ent(`"technical"`, emailProperty("hostmaster@twnic.net.tw"), "")), NIRDescend, "TWNIC"},
		"its name in the network's":     {answerOf(apnic + `,"name":"SOME-VNNIC-NET"`), NIRDescend, "VNNIC"},
		"its handle":                    {answerOf(apnic, `{"handle":"IRT-IDNIC-ID","roles":["technical"]}`), NIRDescend, "IDNIC"},
		"its own answer":                {answerOf(`"port43":"whois.nic.ad.jp"`, ent(`"technical"`, emailProperty("hostmaster@nic.ad.jp"), "")), NoAbuseRole, "JPNIC"},
		"moved to another region":       {answerOf(`"name":"RIPE-ERX-62-1-0-0"`), Referral, "RIPE NCC"},
		"held by another region":        {answerOf("", ent(`"registrant"`, `["fn",{},"text","Latin American and Caribbean IP address Regional Registry"]`, "")), Referral, "LACNIC"},
		"a member with its own team":    {answerOf(apnic+`,"name":"IDNIC-MEMBER-ID"`, ent(`"abuse"`, emailProperty("abuse@member.test"), "")), Found, "APNIC"},
	} {
		a := Decide(netip.MustParseAddr("62.1.2.3"), answered(t, []byte(c.answer)))
		if a.Outcome != c.want || !strings.Contains(a.Reason, c.names) {
			t.Errorf("%s: %s, want %s of %s: %s", name, a.Outcome, c.want, c.names, a.Reason)
		}
	}
}

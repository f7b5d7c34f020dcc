package contact

import (
	"net/netip"
	"strings"
	"testing"
)

// TestWHOIS holds single rules of reading port 43. Each answer is about 62.1.2.3.
func TestWHOIS(t *testing.T) {
	const head = "% This is the RIPE Database query service.\n\n"
	const network = "inetnum: 62.1.0.0 - 62.1.255.255\nnetname: NET\nadmin-c: P1-RIPE\norg: ORG-1\nsource: RIPE\n\n"
	for name, c := range map[string]struct {
		text string
		want string // address, or "" for none
		low  bool
		why  string // stands in the reason
	}{
		"the line above all":       {head + "% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'abuse@isp.test'\n\n" + network + "role: R\nnic-hdl: P1-RIPE\nabuse-mailbox: old@isp.test\n", "abuse@isp.test", false, "role abuse"},
		"a line about another":     {head + "% Abuse contact for '62.1.0.0 - 62.1.0.255' is 'abuse@other.test'\n\n" + network, "", false, "names no abuse mailbox"},
		"abuse-c of the holder":    {head + network + "organisation: ORG-1\norg-name: ISP\nabuse-c: A1-RIPE\n\nrole: Abuse\nnic-hdl: A1-RIPE\nabuse-mailbox: abuse@isp.test\n", "abuse@isp.test", false, "role abuse"},
		"a person is no desk":      {head + network + "person: P\nnic-hdl: P1-RIPE\ne-mail: p@isp.test\nnotify: n@isp.test\nchanged: c@isp.test 2020\n", "", false, "names no abuse mailbox"},
		"only a remark":            {head + strings.Replace(network, "source:", "remarks: Please report spam to abuse@isp.test.\nsource:", 1), "abuse@isp.test", true, "only in a remark"},
		"a remark that is unclear": {head + strings.Replace(network, "source:", "remarks: report abuse to a@isp.test or b@isp.test\nsource:", 1), "", false, ""},
		"a remark without a verb":  {head + strings.Replace(network, "source:", "remarks: abuse@isp.test\nsource:", 1), "", false, ""},
		"found invalid":            {head + network + "irt: IRT-X\nremarks: abuse@isp.test is invalid\nabuse-mailbox: abuse@isp.test\n", "", false, "found it invalid"},
		"the registry's own":       {head + "% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'abuse@ripe.net'\n\n" + network, "", false, "RIPE NCC"},
		"the smaller network":      {head + "inetnum: 62.0.0.0 - 62.255.255.255\n\n% Abuse contact for '62.0.0.0 - 62.255.255.255' is 'wide@isp.test'\n\n% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'near@isp.test'\n\n" + network, "near@isp.test", false, ""},
		"another network":          {head + "% Abuse contact for '63.1.0.0 - 63.1.255.255' is 'abuse@isp.test'\n\ninetnum: 63.1.0.0 - 63.1.255.255\n", "", false, "another network"},
		"hostile":                  {head + "% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'a@isp.test>\\r\\nBcc: b@isp.test'\n\n" + network, "", false, ""},
		"ARIN's own section": {"NetRange: 62.0.0.0 - 62.255.255.255\n\nOrgName: Wide\n\nOrgAbuseEmail: wide@isp.test\n\n" +
			"NetRange: 62.1.0.0 - 62.1.255.255\n\nOrgName: Near\n\nOrgAbuseEmail: near@isp.test\n", "near@isp.test", false, "ARIN"},
		"ARIN's resource level": {"NetRange: 62.1.0.0 - 62.1.255.255\n\nOrgAbuseEmail: org@isp.test\n\nRAbuseEmail: net@isp.test\n", "net@isp.test", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := Decide(netip.MustParseAddr("62.1.2.3"), recorded(t, "whois", []byte(c.text)))
			if got := addresses(a); got != c.want || !strings.Contains(a.Reason, c.why) {
				t.Fatalf("%q: %s; want %q, %q", got, a.Reason, c.want, c.why)
			}
			if c.want != "" && (a.Contacts[0].Confidence == Low) != c.low {
				t.Errorf("confidence %s", a.Contacts[0].Confidence)
			}
		})
	}
}

// TestWHOISThatIsNone: what is no answer about a network is an error, not a guess.
func TestWHOISThatIsNone(t *testing.T) {
	for _, text := range []string{"", "\r\n", "%ERROR:201: access denied\n", "<html>abuse@isp.test</html>",
		"inetnum: everything\nabuse-mailbox: abuse@isp.test\n"} {
		a := Decide(netip.MustParseAddr("62.1.2.3"), recorded(t, "whois", []byte(text)))
		if len(a.Contacts) != 0 || a.Evidence[0].Error == "" {
			t.Errorf("%q gave %v, error %q", text, a.Contacts, a.Evidence[0].Error)
		}
	}
}

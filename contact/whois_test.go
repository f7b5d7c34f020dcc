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
		"a customer at ARIN": {"NetRange: 62.0.0.0 - 62.255.255.255\n\nOrgName: Wide\n\nOrgAbuseEmail: wide@isp.test\nOrgTechEmail: abuse@isp.test\n\n" +
			"NetRange: 62.1.0.0 - 62.1.255.255\n\nCustName: Near\n", "wide@isp.test", true, "network around it"},
		"the line about the network around": {head + "% Abuse contact for '62.0.0.0 - 62.255.255.255' is 'wide@isp.test'\n\ninetnum: 62.0.0.0 - 62.255.255.255\n\n" + network, "wide@isp.test", true, "network around it"},
		"too wide a network around":         {head + "% Abuse contact for '62.0.0.0 - 63.255.255.255' is 'wide@isp.test'\n\ninetnum: 62.0.0.0 - 63.255.255.255\n\n" + network, "", false, "names no abuse mailbox"},
		"a network beside":                  {head + "% Abuse contact for '63.0.0.0 - 63.255.255.255' is 'beside@isp.test'\n\ninetnum: 63.0.0.0 - 63.255.255.255\n\n" + network, "", false, "names no abuse mailbox"},
		"brief":                             {"% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'abuse@isp.test'\n\ninetnum: 62.1.0.0 - 62.1.255.255\nabuse-mailbox: abuse@isp.test\n", "abuse@isp.test", false, ""},
		"brief without the line":            {"inetnum: 62.1.0.0 - 62.1.255.255\nabuse-mailbox: abuse@isp.test\n", "abuse@isp.test", false, "role abuse"},
		"unfiltered": {head + network + "role: R\nnic-hdl: P1-RIPE\ne-mail: r@isp.test\nnotify: abuse@isp.test\nupd-to: abuse@isp.test\nchanged: abuse@isp.test 2020\n\n" +
			"mntner: M\nmnt-nfy: abuse@isp.test\n", "", false, "names no abuse mailbox"},
		"named abuse":             {head + network + "role: R\nnic-hdl: P1-RIPE\ne-mail: noc@isp.test\ne-mail: Abuse@isp.test\n", "Abuse@isp.test", true, "named abuse"},
		"named abuse, of another": {head + network + "role: R\nnic-hdl: P2-RIPE\ne-mail: abuse@isp.test\n", "", false, "names no abuse mailbox"},
		"an empty reference":      {head + "inetnum: 62.1.0.0 - 62.1.255.255\nabuse-c:\n\norganisation: O\ne-mail: o@isp.test\n", "", false, "names no abuse mailbox"},
		"APNIC's irt":             {head + strings.Replace(network, "admin-c", "mnt-irt: IRT-X\nadmin-c", 1) + "irt: IRT-X\ne-mail: noc@isp.test\nabuse-mailbox: abuse@isp.test\nauth: # Filtered\n", "abuse@isp.test", false, "role abuse"},
		"registro.br":             {"% Copyright (c) Nic.br\n\ninetnum:     62.1.0.0/16\nabuse-c:     ABC12\nowner:       ISP\nowner-c:     DEF\n\nnic-hdl-br:  DEF\nperson:      P\ne-mail:      p@isp.test\n\nnic-hdl-br:  ABC12\nperson:      Abuse\ne-mail:      abuse@isp.test\n", "abuse@isp.test", false, "role abuse"},
		"octets that are no text": {head + strings.Replace(network, "source:", "descr: Pe\xf1a\nremarks: report spam to abuse@isp.test\nsource:", 1), "abuse@isp.test", true, "only in a remark"},
		"octets in the address":   {head + "% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'abuse\xff@isp.test'\n\n" + network, "", false, "not a mailbox"},
		"ISO-2022-JP is no ASCII": {head + strings.Replace(network, "source:", "remarks: report spam to \x1b$Babuse@isp.test\x1b(B\nsource:", 1), "", false, "names no abuse mailbox"},
		"Shift-JIS with an at":    {head + strings.Replace(network, "source:", "remarks: report spam to abuse\x83@isp.test\nsource:", 1), "", false, "not a mailbox"},
		"ARIN's resource level":   {"NetRange: 62.1.0.0 - 62.1.255.255\n\nOrgAbuseEmail: org@isp.test\n\nRAbuseEmail: net@isp.test\n", "net@isp.test", false, ""},
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

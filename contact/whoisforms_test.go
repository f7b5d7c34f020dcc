package contact

import (
	"errors"
	"strings"
	"testing"
)

// TestWHOISForms holds what is read of the national registries and of short
// answers. Each is about 62.1.2.3, in a form with made-up holders.
func TestWHOISForms(t *testing.T) {
	const jpnic = "[ JPNIC database provides information regarding IP address and ASN. Its use   ]\n[ is restricted to network administration purposes.  ]\n\nNetwork Information:\n" +
		"a. [Network Number]             62.1.2.0/24\nb. [Network Name]               NET\ng. [Organization]               ISP Inc.\nm. [Administrative Contact]     AB123JP\nn. [Technical Contact]          JP00012345\n"
	const jpnicEnd = "p. [Nameserver]                 ns.isp.test\n[Last Update]                   2020/01/01 10:00:00(JST)\n\nLess Specific Info.\n----------\nISP Inc.\n                     [Allocation]                               62.1.0.0/16\n\nMore Specific Info.\n----------\nNo match!!\n"
	const kisa = "query : 62.1.2.3\n\n\n# KOREAN(UTF8)\n\n[ 네트워크 할당 정보 ]\nIPv4주소           : 62.1.0.0 - 62.1.255.255 (/16)\n전자우편           : ko@isp.test\n\n\n# ENGLISH\n\nKRNIC is not an ISP but a National Internet Registry similar to APNIC.\n\n" +
		"[ Network Information ]\nIPv4 Address       : 62.1.0.0 - 62.1.255.255 (/16)\nOrganization Name  : ISP\nService Name       : NET\n\nName               : IP Manager\nE-Mail             : ip@isp.test\n\n"
	const kisaMore = "--------------------------------------------------------------------------------\n\nMore specific assignment information is as follows.\n\n[ Network Information ]\nIPv4 Address       : 62.1.2.0 - 62.1.2.255 (/24)\nOrganization Name  : Customer\nNetwork Type       : CUSTOMER\n"
	const krnic = "# ENGLISH\n\n[ Organization Information ]\nIPv4 Address       : 62.1.2.0-62.1.2.255\nNetwork Name       : CUSTOMER\n\n[ Admin Contact Information ]\nName               : A\nE-Mail             : a@customer.test\n\n[ Technical Contact Information ]\nE-Mail             : t@customer.test\n\n" +
		"[ ISP IP Admin Contact Information ]\nE-Mail        : ip@isp.test\n\n[ ISP Network Abuse Contact Information ]\nName          : Network Abuse\nE-Mail        : spam@isp.test\n"
	for name, c := range map[string]struct {
		text     string
		registry string
		network  string
		want     string // address, "?" behind one of low confidence
		ask      string
	}{
		"JPNIC with abuse":         {jpnic + "[Abuse]                         abuse@isp.test\n" + jpnicEnd, "jpnic", "62.1.2.0/24", "abuse@isp.test", ""},
		"JPNIC before 2022":        {jpnic + jpnicEnd, "jpnic", "62.1.2.0/24", "", "JP00012345/e"},
		"JPNIC, abuse by handle":   {jpnic + "o. [Abuse]                      JP00054321\n" + jpnicEnd, "jpnic", "62.1.2.0/24", "", "JP00054321/e"},
		"JPNIC in ISO-2022-JP":     {"a. [IP\x1b$B%M%C%H%o!<%/%\"%I%l%9\x1b(B]     62.1.2.0/24\nm. [\x1b$B4IM}<T\x1b(B]  AB123JP\nn. [\x1b$B5;=Q\x1b(B]   CD456JP\n", "jpnic", "62.1.2.0/24", "", "CD456JP/e"},
		"JPNIC in UTF-8":           {"a. [IPネットワークアドレス]     62.1.2.0/24\nn. [技術連絡担当者]             CD456JP\n[Abuse]                         abuse@isp.test\n", "jpnic", "62.1.2.0/24", "abuse@isp.test", ""},
		"JPNIC with hostile text":  {strings.Replace(jpnic, "JP00012345", "x\x00y/e abuse@isp.test", 1) + jpnicEnd, "jpnic", "62.1.2.0/24", "", "AB123JP/e"},
		"KISA":                     {kisa, "krnic", "62.1.0.0/16", "ip@isp.test?", ""},
		"KISA, a mailbox by name":  {strings.ReplaceAll(kisa, "ip@", "abuse@"), "krnic", "62.1.0.0/16", "abuse@isp.test", ""},
		"KISA, more specific":      {kisa + kisaMore + "\nName               : IP Manager\nE-Mail             : c@customer.test\n", "krnic", "62.1.2.0/24", "c@customer.test?", ""},
		"KISA, silent customer":    {kisa + kisaMore + "\nE-Mail             : \n", "krnic", "62.1.2.0/24", "ip@isp.test?", ""},
		"KISA in EUC-KR":           {strings.Replace(kisa[strings.Index(kisa, "# ENGLISH"):], "Organization Name  : ISP", "\xb1\xe2\xb0\xfc\xb8\xed : \xbe\xc6", 1), "krnic", "62.1.0.0/16", "ip@isp.test?", ""},
		"KRNIC by tasks":           {krnic, "krnic", "62.1.2.0/24", "spam@isp.test", ""},
		"KRNIC's own":              {strings.ReplaceAll(kisa, "ip@isp.test", "ip@nic.or.kr"), "krnic", "62.1.0.0/16", "", ""},
		"TWNIC":                    {"\n   Netname: NET\n   Netblock: 62.1.2.0/24\n\n   Administrator contact:\n      a@isp.test\n\n   Technical contact:\n      abuse@isp.test\n", "twnic", "62.1.2.0/24", "", ""},
		"TWNIC with abuse":         {"   Netname: WIDE\n   Netblock: 62.1.0.0/16\n\n   Netname: NET\n   Netblock: 62.1.2.0/24\n\n   Technical contact:\n      t@isp.test\n\n   Spam contact:\n      spam@isp.test\n", "twnic", "62.1.2.0/24", "spam@isp.test", ""},
		"ARIN's rows":              {"#\n# ARIN WHOIS\n#\nISP Inc. WIDE (NET-62-0-0-0-1) 62.0.0.0 - 62.255.255.255\nSome (other) ISP, Inc. NET-A (NET-62-1-0-0-1) 62.1.0.0 - 62.1.255.255\n", "arin", "62.1.0.0/16", "", "n + ! NET-62-1-0-0-1"},
		"ARIN's rows on two lines": {"ISP NET-A (NET-62-1-0-0-1) \n                                  62.1.0.0 - 62.1.255.255\n", "arin", "62.1.0.0/16", "", "n + ! NET-62-1-0-0-1"},
		"ARIN's customer row":      {"ISP NET-A (NET-62-1-0-0-1) 62.1.0.0 - 62.1.255.255\nabuse@isp.test NET-B (NET-62-1-2-0-1) 62.1.2.0 - 62.1.2.255\n", "arin", "62.1.2.0/24", "", "n + ! NET-62-1-2-0-1"},
		"LACNIC by handle":         {"% LACNIC resource: whois.lacnic.net\n\ninetnum:     62.1/16\nowner:       ISP\nabuse-c:     ABC\n\nnic-hdl:     DEF\nperson:      P\ne-mail:      p@isp.test\n", "lacnic", "62.1.0.0/16", "", "ABC"},
		"registro.br by LACNIC":    {"% Joint Whois - whois.lacnic.net\n\n% Brazilian resource: whois.registro.br\n\ninetnum:     62.1.0.0/16\nabuse-c:     ABC\nowner:       ISP\n", "nic.br", "62.1.0.0/16", "", "ABC"},
		"RIPE without recursion":   {"inetnum: 62.1.0.0 - 62.1.255.255\norg: O\nmnt-irt: IRT-X\nsource: RIPE # Filtered\n", "ripe", "62.1.0.0/16", "", "IRT-X"},
		"no handle to ask for":     {"inetnum: 62.1.0.0 - 62.1.255.255\nabuse-c: -B 0.0.0.0/0\nsource: RIPE\n", "ripe", "62.1.0.0/16", "", ""},
		"an answer that is enough": {"inetnum: 62.1.0.0 - 62.1.255.255\nmnt-irt: IRT-X\nabuse-mailbox: abuse@isp.test\nsource: RIPE\n", "ripe", "62.1.0.0/16", "abuse@isp.test", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rd, err := readWHOIS("", []byte(c.text))
			if err != nil || rd.network.Registry != c.registry || rd.network.String() != c.network || rd.ask != c.ask {
				t.Fatalf("%v: %+v", err, rd)
			}
			a := answerFrom(t, "62.1.2.3", "", c.text)
			got := addresses(a)
			if len(a.Contacts) > 0 && a.Contacts[0].Confidence == Low {
				got += "?"
			}
			if got != c.want {
				t.Errorf("took %q, want %q: %s", got, c.want, a.Reason)
			}
		})
	}
}

// TestWHOISHandle reads the answers to what a network left to ask for. Alone they
// say of nobody that he takes complaints.
func TestWHOISHandle(t *testing.T) {
	const network = "% LACNIC resource: whois.lacnic.net\n\ninetnum:     62.1/16\nowner:       ISP\nabuse-c:     ABC\n"
	for name, c := range map[string]struct{ text, own, alone string }{
		"LACNIC":         {"% LACNIC resource: whois.lacnic.net\n\nnic-hdl:     ABC\nperson:      P\ne-mail:      abuse@isp.test\n", "abuse@isp.test", ""},
		"a role":         {"role: R\nnic-hdl: ABC-RIPE\ne-mail: r@isp.test\nabuse-mailbox: abuse@isp.test\nmnt-by: M\n", "abuse@isp.test", "abuse@isp.test"},
		"a person":       {"person: P\nnic-hdl: ABC-RIPE\ne-mail: p@isp.test\nnotify: n@isp.test\nmnt-by: M\n", "", ""},
		"an irt":         {"irt: IRT-X\ne-mail: r@isp.test\nabuse-mailbox: abuse@isp.test\nmnt-by: M\n", "abuse@isp.test", "abuse@isp.test"},
		"a JPNIC group":  {"Group Contact Information:\n[Group Handle]                  JP00012345\n[Group Name]                    Network Abuse Desk\n[E-Mail]                        ip@isp.test\n[Reply Mail]                    r@isp.test\n[Notify]                        n@isp.test\n", "ip@isp.test", ""},
		"a JPNIC person": {"Contact Information:\na. [JPNIC Handle]               AB123JP\nc. [Last, First]                A, B\nd. [E-Mail]                     p@isp.test\ny. [Reply Mail]                 r@isp.test\n", "p@isp.test", ""},
	} {
		rd, err := readWHOIS("", []byte(c.text))
		if err != nil || rd.class != "entity" {
			t.Errorf("%s: %v, %+v", name, err, rd)
			continue
		}
		var own []string
		for _, m := range rd.mailboxes {
			if m.entity == "" {
				own = append(own, m.text)
			}
		}
		if strings.Join(own, " ") != c.own {
			t.Errorf("%s: %q stand for the handle, want %q", name, own, c.own)
		}
		if a := answerFrom(t, "", "", c.text); addresses(a) != c.alone {
			t.Errorf("%s: took %q alone, want %q", name, addresses(a), c.alone)
		}
		if a := answerFrom(t, "62.1.2.3", "", c.text); len(a.Contacts) != 0 {
			t.Errorf("%s: took %q for an address", name, addresses(a))
		}
		if rd, err := readWHOIS("", []byte(network+"\n"+c.text)); err != nil || rd.class != "ip network" {
			t.Errorf("%s: below a network read as %+v, %v", name, rd, err)
		}
	}
}

// TestWHOISAutnum reads answers about autonomous systems, which speak for networks
// only as the one upstream.
func TestWHOISAutnum(t *testing.T) {
	for text, want := range map[string]string{
		"% Abuse contact for 'AS64500' is 'abuse@isp.test'\n\naut-num: AS64500\nas-name: ISP\nsource: RIPE\n":                            "abuse@isp.test",
		"ASNumber: 64500\nASName: ISP\nASHandle: AS64500\n\nOrgName: ISP\n\nOrgTechEmail: t@isp.test\n\nOrgAbuseEmail: abuse@isp.test\n": "abuse@isp.test",
		"% Abuse contact for 'AS64501' is 'abuse@isp.test'\n\naut-num: AS64500\nas-name: ISP\nsource: RIPE\n":                            "",
	} {
		a := answerFrom(t, "", "", text)
		if addresses(a) != want || want != "" && (a.Contacts[0].Scope != ScopeUpstream || a.Contacts[0].Confidence != Low) {
			t.Errorf("%q gave %+v: %s", text, a.Contacts, a.Reason)
		}
	}
}

// TestWHOISReferral holds where answers about networks send on to.
func TestWHOISReferral(t *testing.T) {
	const arin = "NetRange: 62.1.0.0 - 62.1.255.255\nNetName: NET\n\nOrgName: X\n\n"
	for text, want := range map[string]string{
		arin + "ReferralServer: whois://whois.ripe.test\n":          "whois.ripe.test",
		arin + "ReferralServer:  whois://Whois.Ripe.test:43/\n":     "whois.ripe.test",
		arin + "ReferralServer: rwhois://rwhois.isp.test:4321\n":    "",
		arin + "ReferralServer: whois://whois.isp.test:4321\n":      "",
		arin + "ReferralServer: whois://10.0.0.1\n":                 "",
		arin + "ReferralServer: whois://a b.test\\r\\nQUIT\n":       "",
		arin + "Comment: ReferralServer: whois://whois.evil.test\n": "",
		"% IANA WHOIS server\n\nrefer:        whois.ripe.test\n\ninetnum:      62.0.0.0 - 62.255.255.255\norganisation: X\nwhois:        whois.ripe.test\nsource:       IANA\n": "whois.ripe.test",
		"inetnum: 62.1.0.0 - 62.1.255.255\nrefer: whois.evil.test\nsource: RIPE\n":                                                                                              "",
	} {
		rd, err := readWHOIS("whois.test", []byte(text))
		if err != nil || rd.referral != want {
			t.Errorf("%q: %+v, %v; want %q", text, rd, err, want)
		}
	}
}

// TestWHOISNoAnswer tells refusals, answers without an entry and the rest apart.
func TestWHOISNoAnswer(t *testing.T) {
	refused := []string{
		"%ERROR:201: access denied for 192.0.2.1\n%\n% Sorry, access from your host has been permanently denied.\n",
		"% This is the RIPE Database query service.\n\n%ERROR:306: connections exceeded\n",
		"% LACNIC resource: whois.lacnic.net\n\n% Query rate limit exceeded\n", "% Permission denied.\n", "Query rate limit exceeded\n",
		"WHOIS LIMIT EXCEEDED - SEE WWW.REGISTRY.TEST/WHOIS FOR DETAILS\n", "Your access is too fast,please try again later.\n",
		"Your connection limit exceeded. Please slow down and try again later.\n", "You have exceeded your quota of queries.\n",
		"% Error: 55000000002 Connection refused; access control limit exceeded.\n", "Number of allowed queries exceeded.\n",
		"Error for \"example.test\".\nthe WHOIS query quota for 192.0.2.1 has been exceeded\n", "% You exceeded the maximum allowable number of whois lookups.\n",
		"-1: Still in grace period, wait 12 seconds\n", "Queried interval is too short.\n", "Too many requests\n", "Denied\n",
		"% Query rate limit exceeded. Reduced information.\n\ninetnum: 62.1.0.0/16\nowner: ISP\n",
	}
	absent := []string{
		"%ERROR:101: no entries found\n%\n% No entries found in source RIPE.\n", "No match found for n + 62.1.2.3.\n", "No match!!\n", "No Found\n", "NOT FOUND\n",
		"No match for domain \"EXAMPLE.TEST\".\r\n>>> Last update of whois database\n", "Domain not found.\n", "The queried object does not exist: example.test\n",
		"no matching record.\n", "% No match for 62.1.2.3\n", "62.1.2.3\n\n조회하신 IPv4주소는 할당되어 있지 않습니다.\n", "The domain has not been registered.\n",
	}
	neither := []string{
		"inetnum: 62.1.0.0 - 62.1.255.255\ndescr: Query rate limit exceeded\nremarks: %ERROR:201: access denied\n         %ERROR:201: access denied\n+ Permission denied\nsource: RIPE\n",
		"Domain Name: example.test\nRegistrant Name: x\nYou have exceeded your quota\nDenied\nNo match\n",
		"Please do not exceed the query rate limit\n", "hello\n", "<html>abuse@isp.test</html>",
	}
	for want, list := range map[string][]string{"refused": refused, "absent": absent, "neither": neither} {
		for _, text := range list {
			refusal := whoisRefusal("", []byte(text))
			_, err := readWHOIS("", []byte(text))
			if (refusal != "") != (want == "refused") || errors.Is(err, errNoMatch) != (want == "absent") {
				t.Errorf("%q: refusal %q, error %v; want %s", text, refusal, err, want)
			}
		}
	}
}

// TestWHOISIsBounded: however much an answer repeats, little is kept of it.
func TestWHOISIsBounded(t *testing.T) {
	const network = "inetnum: 62.1.0.0 - 62.1.255.255\n"
	for _, c := range [][2]string{
		{network + "\n", "irt: I\nabuse-mailbox: a@isp.test\n\n"},
		{network, "mnt-by: M\ne-mail: a@isp.test\nremarks: a@isp.test a@isp.test\n"},
		{network, "% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'a@isp.test'\n"},
		{"", "NetRange: 62.1.0.0 - 62.1.255.255\n\nOrgAbuseEmail: a@isp.test\n\n"},
		{"", "IPv4 Address : 62.1.0.0 - 62.1.255.255\nE-Mail : a@isp.test\n"},
		{"", "Domain: example.test\nRegistrar:\n Abuse Contact:\n  a@isp.test\n"},
		{"Netblock: 62.1.0.0/16\n", "Spam contact: a@isp.test\n"},
	} {
		rd, err := readWHOIS("", []byte(c[0]+strings.Repeat(c[1], (1<<20)/len(c[1]))))
		if err != nil || len(rd.mailboxes) == 0 || len(rd.mailboxes) > maxObjects || len(rd.handles) > maxObjects {
			t.Errorf("%q: %d mailboxes, %d handles, %v", c[1], len(rd.mailboxes), len(rd.handles), err)
		}
	}
}

// whoisSeeds are answers to begin with when looking for what breaks the readers.
var whoisSeeds = []string{
	"a. [Network Number] 62.1.2.0/24\nn. [Technical Contact] AB1JP\n[Abuse] abuse@isp.test\n",
	"[Group Handle] JP1\n[E-Mail] a@isp.test\n",
	"# ENGLISH\nIPv4 Address : 62.1.0.0 - 62.1.255.255 (/16)\n[ Network Abuse ]\nE-Mail : abuse@isp.test\nIPv4 Address : 62.1.2.0-62.1.2.255\nE-Mail : c@isp.test\n",
	"Netblock: 62.1.2.0/24\nSpam contact:\n  spam@isp.test\n",
	"ISP NET-A (NET-62-1-0-0-1)\n  62.1.0.0 - 62.1.255.255\n",
	"NetRange: 62.0.0.0 - 62.255.255.255\n\nOrgAbuseEmail: w@isp.test\n\nNetRange: 62.1.0.0 - 62.1.255.255\n\nCustName: C\n",
	"Domain: example.test\n\nAbuse Contact:\n  abuse@isp.test\nRegistrar Abuse Contact Email: <abuse@isp.test>, b@isp.test\nWhois Server: whois.isp.test\n",
	"nic-hdl: ABC\ne-mail: a@isp.test\n\naut-num: AS1\n",
	"inetnum: 62.1.0.0 - 62.1.255.255\nremarks: send spam to \x1b$Ba@b.test\x1b(Bc@isp.test\xff\n",
}

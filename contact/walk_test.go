package contact

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
)

const ripeAnswer = "% This is the RIPE Database query service.\n\n% Abuse contact for '62.1.0.0 - 62.1.255.255' is 'abuse@whois.test'\n\n" +
	"inetnum: 62.1.0.0 - 62.1.255.255\nnetname: NET\nsource: RIPE\n"

// untyped is an answer of RIPE as it was before mailboxes had a type.
func untyped(address string) []byte {
	return []byte(answerOf(`"port43":"whois.ripe.net"`, ent(`"abuse"`, emailProperty(address), "")))
}

// sourcesOf lists who was asked and had an answer.
func sourcesOf(a Answer) string {
	var s []string
	for _, ev := range a.Evidence {
		s = append(s, ev.Source)
	}
	return strings.Join(s, " ")
}

func TestLookupGoesOnToWHOIS(t *testing.T) {
	for _, c := range []struct {
		name     string
		rdap     []byte
		failure  testnet.Failure
		contacts string
		network  string
		asked    string
	}{
		{"RDAP names nobody", []byte(answerOf(`"port43":"whois.ripe.net"`)), nil, "abuse@whois.test", "62.1.0.0/16", "rdap whois"},
		{"RDAP is down", nil, testnet.Down, "abuse@whois.test", "62.1.0.0/16", "rdap whois"},
		{"RDAP knows nothing", nil, nil, "abuse@whois.test", "62.1.0.0/16", "rdap whois"},
		{"RDAP does not mark the mailbox", untyped("noc@people.test"), nil, "abuse@whois.test", "62.1.0.0/16", "rdap whois"},
		{"RDAP is sure", testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test").Body, nil, "abuse@isp.test", "62.1.0.0/16", "rdap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			server := w.port43(t, "ripe")
			server.Answer("-b 62.1.2.3", ripeAnswer)
			if c.rdap != nil {
				w.Add(testnet.Network{Prefix: prefix("62.1.0.0/16"), Body: c.rdap})
			}
			w.Fail(c.failure)
			a := lookup(t, w.finder(t), "62.1.2.3")
			if addresses(a) != c.contacts || a.Network.String() != c.network || sourcesOf(a) != c.asked || a.Contacts[0].Confidence != High {
				t.Errorf("%+v for %s, asked %s: %s", a.Contacts, a.Network, sourcesOf(a), a.Reason)
			}
		})
	}
}

// TestLookupWithout passes by a mailbox that mail came back from, and leaves what
// others look up alone.
func TestLookupWithout(t *testing.T) {
	w := newWorld(t)
	server := w.port43(t, "ripe")
	server.Answer("-b 62.1.2.3", ripeAnswer)
	w.Add(testnet.Network{Prefix: prefix("62.1.0.0/16"), Body: testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test").Body})
	f := w.finder(t)
	addr := netip.MustParseAddr("62.1.2.3")
	a, err := f.LookupWithout(t.Context(), addr, []string{"Abuse@ISP.test", "noc@people.test"})
	if err != nil || addresses(a) != "abuse@whois.test" {
		t.Fatalf("%v: %+v, %s", err, a.Contacts, a.Reason)
	}
	if again := Decide(addr, a.Evidence); addresses(again) != addresses(a) || again.Reason != a.Reason {
		t.Errorf("its evidence leads to %+v", again.Contacts)
	}
	none, err := f.LookupWithout(t.Context(), addr, []string{"abuse@isp.test", "noc@people.test", "abuse@whois.test"})
	if err != nil || addresses(none) != "" || !strings.Contains(none.Reason, "came back") {
		t.Errorf("%v: %+v, %s", err, none.Contacts, none.Reason)
	}
	if a := lookup(t, f, "62.1.2.3"); addresses(a) != "abuse@isp.test" {
		t.Errorf("all others get %+v", a.Contacts)
	}
}

func TestWHOISThatFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		failure testnet.WHOISFailure
		text    string
		status  string
		retry   time.Duration
	}{
		{"hangs", testnet.WHOISHang, "", StatusTimeout, 15 * time.Minute},
		{"breaks off", testnet.WHOISCut, "", StatusUnreachable, 15 * time.Minute},
		{"never ends", testnet.WHOISEndless, "", StatusTooLarge, 15 * time.Minute},
		{"refuses", 0, "%ERROR:201: access denied for 192.0.2.1\n", StatusRefused, time.Hour},
		{"a page", 0, "<html>abuse@isp.test</html>\n", StatusOK, 15 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Timeout = 2 * time.Second
			if c.failure == testnet.WHOISHang {
				w.config.Timeout = 200 * time.Millisecond
			}
			server := w.port43(t, "ripe")
			server.Answer("-b 62.1.2.3", ripeAnswer)
			server.Fail(c.failure)
			if c.text != "" {
				server.Answer("-b 62.1.2.3", c.text)
			}
			w.Fail(testnet.Status(503))
			f := w.finder(t)
			a := lookup(t, f, "62.1.2.3")
			if len(a.Contacts) != 0 || a.Outcome != Unreachable || a.Evidence[1].Status != c.status || a.Retry.Sub(w.clock()) != c.retry {
				t.Errorf("%s, status %q, retry after %s: %s", a.Outcome, a.Evidence[1].Status, a.Retry.Sub(w.clock()), a.Reason)
			}
			server.Recover()
			server.Answer("-b 62.1.2.3", ripeAnswer)
			w.pass(25 * time.Hour)
			if a := lookup(t, f, "62.1.2.3"); addresses(a) != "abuse@whois.test" {
				t.Errorf("after recovery %q: %s", addresses(a), a.Reason)
			}
		})
	}
}

func TestRepeatedFailuresAreAskedForLess(t *testing.T) {
	w := newWorld(t)
	w.Fail(testnet.Down)
	f := w.finder(t)
	for _, want := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour} {
		a := lookup(t, f, "62.1.2.3")
		if got := a.Retry.Sub(w.clock()); got != want {
			t.Errorf("again after %s, want %s", got, want)
		}
		w.pass(want)
	}
}

func TestDailyNumberOfQuestions(t *testing.T) {
	now := time.Date(2026, 1, 2, 22, 0, 0, 0, time.UTC)
	c := newCourtesy(&Config{Now: func() time.Time { return now }})
	s := c.server("whois.ripe.net")
	s.daily, s.pace = 2, 0
	var ev Evidence
	for range s.daily {
		if paused, err := c.wait(t.Context(), "whois.ripe.net", &ev); err != nil || paused {
			t.Errorf("within the day's number: paused %t, %v", paused, err)
		}
	}
	paused, err := c.wait(t.Context(), "whois.ripe.net", &ev)
	if err != nil || !paused || !ev.RetryAt.Equal(now.Add(2*time.Hour)) {
		t.Errorf("paused %t until %s, %v", paused, ev.RetryAt, err)
	}
	now = now.Add(3 * time.Hour)
	if paused, err := c.wait(t.Context(), "whois.ripe.net", &ev); err != nil || paused {
		t.Errorf("the next day: paused %t, %v", paused, err)
	}
}

// TestDesksThatTakeNoMail: what DNS says of the mailbox's domain decides.
func TestDesksThatTakeNoMail(t *testing.T) {
	const other = "3.2.1.62.abuse-contacts.abusix.zone. TXT \"abuse@isp.test\"\n"
	for name, c := range map[string]struct {
		zone, want, why string
		fail            testnet.DNSFailure
	}{
		"null MX":             {"desk.test. MX 0 .\n", "abuse@isp.test", "null MX", 0},
		"no such domain":      {"", "abuse@isp.test", "does not exist", 0},
		"neither MX nor host": {"desk.test. TXT x\n", "abuse@isp.test", "neither MX nor address", 0},
		"a host":              {"desk.test. A 62.1.2.9\n", "abuse@desk.test", "", 0},
		"an IPv6 host":        {"desk.test. AAAA 2a00::1\n", "abuse@desk.test", "", 0},
		"no answer":           {"desk.test. MX 0 .\n", "abuse@desk.test", "", testnet.ServFail},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.asks(t, other+c.zone)
			if c.fail != 0 {
				d.Fail("desk.test", c.fail)
			}
			w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@desk.test"))
			a := lookup(t, w.finder(t), "62.1.2.3")
			if addresses(a) != c.want {
				t.Fatalf("%q, want %q: %s", addresses(a), c.want, a.Reason)
			}
			for _, cand := range a.Evidence[0].Candidates {
				if cand.Address == "abuse@desk.test" && (cand.Taken != (c.why == "") || !strings.Contains(cand.Reason, c.why)) {
					t.Errorf("taken %t: %s", cand.Taken, cand.Reason)
				}
			}
		})
	}
}

// TestGuesses: what is left when the registry names nobody.
func TestGuesses(t *testing.T) {
	const custom = "3.2.1.62.in-addr.arpa. PTR mail.isp.test.\n"
	const autnum = `{"objectClassName":"autnum","startAutnum":64500,"endAutnum":64500,"name":"UPSTREAM","entities":[{"roles":["abuse"],"vcardArray":["vcard",[["email",{},"text","noc@isp.test"]]]}]}`
	const origin = "3.2.1.62.origin.asn.cymru.com. TXT "
	for name, c := range map[string]struct {
		zone, want string
		scope      Scope
	}{
		"Abusix":                 {"3.2.1.62.abuse-contacts.abusix.zone. TXT \"abuse@isp.test\"\n" + custom, "abuse@isp.test", ScopeNetwork},
		"prose in Abusix":        {"3.2.1.62.abuse-contacts.abusix.zone. TXT \"this is a test entry\"\n", "", ""},
		"injection in Abusix":    {"3.2.1.62.abuse-contacts.abusix.zone. TXT \"a@isp.test> NOTIFY=NEVER,b@\"\n", "", ""},
		"the announcing network": {origin + "\"64500 | 62.1.0.0/16 | ZZ | ripencc | 2010-01-01\"\n", "noc@isp.test", ScopeUpstream},
		"the narrower one":       {origin + "\"64501 | 62.0.0.0/8 | ZZ | x | \"\n" + origin + "\"64500 | 62.1.0.0/16 | ZZ | x | \"\n", "noc@isp.test", ScopeUpstream},
		"several announce it":    {origin + "\"64500 64501 | 62.1.0.0/16 | ZZ | ripencc | \"\n", "", ""},
		"another announces it":   {origin + "\"64999 | 62.1.0.0/16 | ZZ | ripencc | \"\n", "", ""},
		"its own name":           {custom + "mail.isp.test. A 62.1.2.3\n", "abuse@isp.test", ScopeDomain},
		"a name that is not its": {custom + "mail.isp.test. A 62.1.2.4\n", "", ""},
		"a name of a pool":       {"3.2.1.62.in-addr.arpa. PTR dsl-7.isp.test.\ndsl-7.isp.test. A 62.1.2.3\n", "", ""},
		"a name of numbers":      {"3.2.1.62.in-addr.arpa. PTR n003-002.isp.test.\nn003-002.isp.test. A 62.1.2.3\n", "", ""},
		"a customer's name":      {"3.2.1.62.in-addr.arpa. PTR x.blogspot.com.\nx.blogspot.com. A 62.1.2.3\nx.blogspot.com. MX 1 x.\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asks(t, c.zone)
			w.Add(testnet.AFRINIC(prefix("62.1.0.0/16"), "NET", ""))
			w.file(t, "asn.json", `{"services":[[["64000-64998"],["`+w.URL+`"]],[["64999"],["`+w.URL+`"]]]}`)
			w.AddPath("autnum/64500", []byte(autnum))
			w.AddPath("autnum/64999", []byte(autnum))
			a := lookup(t, w.finder(t), "62.1.2.3")
			if addresses(a) != c.want || c.want == "" && a.Outcome != NoAbuseRole {
				t.Fatalf("%q by %s: %s", addresses(a), a.Outcome, a.Reason)
			}
			if c.want != "" && (a.Contacts[0].Confidence != Low || a.Contacts[0].Scope != c.scope) {
				t.Errorf("%+v", a.Contacts[0])
			}
		})
	}
}

// TestOwnNameAnswersForItsAddressAlone: a guess by name says nothing of neighbours.
func TestOwnNameAnswersForItsAddressAlone(t *testing.T) {
	w := newWorld(t)
	w.config.Cache = &shelf{}
	w.asks(t, "3.2.1.62.in-addr.arpa. PTR mail.isp.test.\nmail.isp.test. A 62.1.2.3\n")
	w.Add(testnet.AFRINIC(prefix("62.1.0.0/16"), "NET", ""))
	f := w.finder(t)
	if a := lookup(t, f, "62.1.2.3"); addresses(a) != "abuse@isp.test" {
		t.Fatalf("%q: %s", addresses(a), a.Reason)
	}
	if a := lookup(t, f, "62.1.2.4"); len(a.Contacts) != 0 || !a.Cached.IsZero() {
		t.Errorf("the neighbour: %q, cached %s", addresses(a), a.Cached)
	}
	if a := lookup(t, f, "62.1.2.3"); a.Cached.IsZero() {
		t.Error("the address itself was asked for again")
	}
}

// TestSelfServing: a spammer with a handful of addresses is not his own desk.
func TestSelfServing(t *testing.T) {
	for name, c := range map[string]struct {
		size, parent, ptr, want string
	}{
		"his own desk":           {"62.1.2.0/28", "abuse@hoster.test", "mail.isp.test.", "abuse@hoster.test"},
		"no network around":      {"62.1.2.0/28", "", "mail.isp.test.", "abuse@isp.test"},
		"another's name":         {"62.1.2.0/28", "abuse@hoster.test", "mail.other.test.", "abuse@isp.test"},
		"a provider's pool":      {"62.1.2.0/28", "abuse@hoster.test", "dsl-2-3.isp.test.", "abuse@isp.test"},
		"a network of some size": {"62.1.0.0/22", "abuse@hoster.test", "mail.isp.test.", "abuse@isp.test"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asks(t, "hoster.test. MX 1 mx.\n3.2.1.62.in-addr.arpa. PTR "+c.ptr+"\n"+c.ptr+" A 62.1.2.3\n")
			r := rangeOf(prefix(c.size))
			w.Add(testnet.Network{Prefix: prefix(c.size), Body: []byte(answerOf(
				`"startAddress":"`+r.First.String()+`","endAddress":"`+r.Last.String()+`","links":[{"rel":"up","href":"`+w.URL+`ip/62.1.0.0/16"}]`,
				ent(`"abuse"`, emailProperty("abuse@isp.test"), "")))})
			if c.parent != "" {
				w.Add(testnet.ARIN(prefix("62.1.0.0/16"), "HOSTER", c.parent))
			}
			a := lookup(t, w.finder(t), "62.1.2.3")
			if addresses(a) != c.want {
				t.Errorf("%q, want %q: %s", addresses(a), c.want, a.Reason)
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	mail := func(about, address string) Override {
		return Override{For: about, Mail: []string{address}, Note: "2026-11"}
	}
	for name, c := range map[string]struct {
		set     []Override
		want    string
		form    string
		outcome Outcome
		asked   string
	}{
		"nothing that bears on it": {[]Override{mail("62.2.0.0/16", "a@own.test")}, "abuse@isp.test", "", Found, "operator rdap mx origin"},
		"the address":              {[]Override{mail("62.1.0.0/16", "b@own.test"), mail("62.1.2.3", "a@own.test")}, "a@own.test", "", Found, "operator"},
		"the network":              {[]Override{mail("62.1.0.0/16", "b@own.test"), mail("AS64500", "c@own.test")}, "b@own.test", "", Found, "operator origin"},
		"the announcing network":   {[]Override{mail("AS64500", "c@own.test")}, "c@own.test", "", Found, "operator origin"},
		"another one":              {[]Override{mail("AS64501", "c@own.test")}, "abuse@isp.test", "", Found, "operator origin rdap mx"},
		"the desk's domain":        {[]Override{mail("isp.test", "d@own.test")}, "d@own.test", "", Found, "operator rdap"},
		"never":                    {[]Override{{For: "62.1.2.0/24", Never: true}}, "", "", Never, "operator"},
		"a form":                   {[]Override{{For: "62.1.2.0/24", Form: "https://own.test/"}}, "", "https://own.test/", Found, "operator"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asks(t, "3.2.1.62.origin.asn.cymru.com. TXT \"64500 | 62.1.0.0/16 | ZZ | ripencc | \"\n")
			w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
			w.config.Overrides = c.set
			a := lookup(t, w.finder(t), "62.1.2.3")
			if addresses(a) != c.want || a.Outcome != c.outcome || sourcesOf(a) != c.asked || c.form != "" && a.Contacts[0].Form != c.form {
				t.Errorf("%+v, %s, asked %s: %s", a.Contacts, a.Outcome, sourcesOf(a), a.Reason)
			}
		})
	}
}

func TestOverridesThatCannotWork(t *testing.T) {
	for _, o := range []Override{
		{For: "62.1.2.3"}, {For: "62.1.2.3", Mail: []string{"a@b.test"}, Never: true}, {For: "anything", Never: true},
		{For: "62.1.2.3", Mail: []string{"no mailbox"}}, {For: "62.1.2.3", Form: "http://x.test/"},
		{For: "62.1.2.3", Mail: []string{"a@b.test", "b@b.test", "c@b.test", "d@b.test"}}, {For: "ASx", Never: true},
	} {
		if _, err := New(Config{Overrides: []Override{o}}); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if _, err := New(Config{Forms: []Form{{For: "@isp.test", URL: "ftp://x"}}}); err == nil {
		t.Error("a form that is no page was taken")
	}
	if _, err := New(Config{Sources: []string{"finger"}}); err == nil {
		t.Error("an unknown source was taken")
	}
}

// TestNewRulesUndoWhatIsKept: an answer given under other rules is not used.
func TestNewRulesUndoWhatIsKept(t *testing.T) {
	w := newWorld(t)
	w.config.Cache = &shelf{}
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
	lookup(t, w.finder(t), "62.1.2.3")
	w.config.Overrides = []Override{{For: "62.1.2.0/24", Never: true}}
	f := w.finder(t)
	if a := lookup(t, f, "62.1.2.3"); a.Outcome != Never {
		t.Errorf("%s: %s", a.Outcome, a.Reason)
	}
	if a := lookup(t, f, "62.1.3.3"); a.Outcome != Found {
		t.Errorf("outside of the override: %s: %s", a.Outcome, a.Reason)
	}
	w.config.Overrides = nil
	if a := lookup(t, w.finder(t), "62.1.2.3"); addresses(a) != "abuse@isp.test" {
		t.Errorf("without the override: %q: %s", addresses(a), a.Reason)
	}
}

func TestFormsAndFreemailOfTheOperator(t *testing.T) {
	w := newWorld(t)
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
	w.config.Forms = []Form{{For: "@isp.test", URL: "https://isp.test/abuse"}}
	w.config.Freemail = []string{"isp.test"}
	a := lookup(t, w.finder(t), "62.1.2.3")
	if addresses(a) != "abuse@isp.test" || a.Contacts[0].Form != "https://isp.test/abuse" || a.Contacts[0].Confidence != Low {
		t.Errorf("%+v: %s", a.Contacts, a.Reason)
	}
	for _, f := range forms {
		if !webAddress(f.URL) || !strings.Contains(f.For, "@") {
			t.Errorf("lists/forms.txt: %+v", f)
		}
	}
}

// TestSourcesThatAreOff are never asked.
func TestSourcesThatAreOff(t *testing.T) {
	w := newWorld(t)
	d := w.asks(t, "3.2.1.62.abuse-contacts.abusix.zone. TXT \"abuse@isp.test\"\n")
	w.Add(testnet.AFRINIC(prefix("62.1.0.0/16"), "NET", ""))
	w.config.Sources = []string{"rdap"}
	if a := lookup(t, w.finder(t), "62.1.2.3"); len(a.Contacts) != 0 || sourcesOf(a) != "rdap" || len(d.Queries()) != 0 {
		t.Errorf("%q, asked %s and %v", addresses(a), sourcesOf(a), d.Queries())
	}
}

// TestGenericNames keeps names that tell of a pool from those of a host.
func TestGenericNames(t *testing.T) {
	addr := netip.MustParseAddr("62.1.205.7")
	for name, want := range map[string]bool{
		"mail.isp.test": false, "mx2.isp.test": false, "smtp-205.isp.test": false, "vps7.isp.test": false,
		"62-1-205-7.isp.test": true, "7.205.1.62.dip.isp.test": true, "dsl7.isp.test": true, "3e01cd07.isp.test": true,
		"static.isp.test": true, "c-205-007.isp.test": true,
	} {
		if got := generic(name, addr); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

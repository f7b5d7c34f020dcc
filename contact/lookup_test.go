package contact

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/resolver"
)

// world is a registry on loopback and a Finder that asks it.
type world struct {
	*testnet.RDAP
	ca     *testnet.CA
	dir    string // bootstrap
	config Config
	now    time.Time
	mu     sync.Mutex // of now
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	var err error
	if w.ca, err = testnet.NewCA(w.dir); err != nil {
		t.Fatal(err)
	}
	w.RDAP = w.registry(t)
	if err := w.WriteBootstrap(w.dir); err != nil {
		t.Fatal(err)
	}
	w.config.Bootstrap, w.config.CAFile = w.dir, w.ca.File
	w.config.Log, w.config.Now = slog.New(slog.DiscardHandler), w.clock
	return w
}

// registry starts a registry that the Finder may ask.
func (w *world) registry(t *testing.T) *testnet.RDAP {
	t.Helper()
	r, err := testnet.StartRDAP(w.ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	host, _, _ := strings.Cut(strings.TrimPrefix(r.URL, "https://"), "/")
	w.config.AllowPrivate = append(w.config.AllowPrivate, netip.MustParseAddrPort(host))
	return r
}

// asks lets the Finder ask DNS, which knows the zone besides the desks that take mail.
func (w *world) asks(t *testing.T, zone string) *testnet.DNS {
	t.Helper()
	d, err := testnet.StartDNS("isp.test. MX 10 mx.isp.test.\nwhois.test. MX 10 mx.isp.test.\n" + zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if w.config.DNS, err = resolver.New(resolver.Config{Servers: []string{d.Addr}, Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	return d
}

// port43 starts the WHOIS server of a registry, the one that RDAP is asked of; hosts
// are others that answers refer to.
func (w *world) port43(t *testing.T, registry string, hosts ...string) *testnet.WHOIS {
	t.Helper()
	s, err := testnet.StartWHOIS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.config.AllowPrivate = append(w.config.AllowPrivate, netip.MustParseAddrPort(s.Addr))
	entries := []string{fmt.Sprintf(`[[%q],["whois://%s"]]`, registry, s.Addr)}
	for _, h := range hosts {
		entries = append(entries, fmt.Sprintf(`[[%q],["whois://%s"]]`, h, s.Addr))
	}
	w.file(t, "whois.json", fmt.Sprintf(`{"services":[%s]}`, strings.Join(entries, ",")))
	if registryByName(registry).kind == rir {
		w.file(t, "nir.json", fmt.Sprintf(`{"services":[[[%q],[%q]]]}`, registry, w.URL))
	}
	return s
}

// file writes one of the bootstrap files.
func (w *world) file(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) finder(t *testing.T) *Finder {
	t.Helper()
	f, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// lookup asks and checks that the evidence alone gives the same answer.
func lookup(t *testing.T, f *Finder, addr string) Answer {
	t.Helper()
	a, err := f.Lookup(context.Background(), netip.MustParseAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	fresh := a
	fresh.Cached = time.Time{}
	want, _ := json.Marshal(fresh)
	var stored Answer
	if err := json.Unmarshal(want, &stored); err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(Decide(a.Addr, stored.Evidence)); string(got) != string(want) {
		t.Errorf("decided again:\n%s\nlooked up:\n%s", got, want)
	}
	return a
}

func addresses(a Answer) string {
	var s []string
	for _, c := range a.Contacts {
		s = append(s, c.Address)
	}
	return strings.Join(s, " ")
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestLookupInEachRegistrysShape(t *testing.T) {
	w := newWorld(t)
	w.Add(
		testnet.RIPE(prefix("62.1.0.0/16"), "RIPE-NET", "abuse@ripe-isp.test"),
		testnet.ARIN(prefix("64.1.0.0/16"), "ARIN-NET", "abuse@arin-isp.test"),
		testnet.APNIC(prefix("2400:100::/32"), "APNIC-NET", "abuse@apnic-isp.test"),
		testnet.LACNIC(prefix("200.1.0.0/16"), "LACNIC-NET", "redes@lacnic-isp.test"),
		testnet.AFRINIC(prefix("41.1.0.0/16"), "AFRINIC-NET", "abuse@afrinic-isp.test"),
		testnet.AFRINIC(prefix("41.2.0.0/16"), "AFRINIC-NONE", ""),
	)
	f := w.finder(t)
	for _, c := range []struct {
		addr, contacts, network, registry string
		outcome                           Outcome
	}{
		{"62.1.2.3", "abuse@ripe-isp.test", "62.1.0.0/16", "ripe", Found},
		{"::ffff:62.1.2.3", "abuse@ripe-isp.test", "62.1.0.0/16", "ripe", Found},
		{"64.1.2.3", "abuse@arin-isp.test", "64.1.0.0/16", "arin", Found},
		{"2400:100::25", "abuse@apnic-isp.test", "2400:100::/32", "apnic", Found},
		{"200.1.2.3", "redes@lacnic-isp.test", "200.1.0.0/16", "lacnic", Found},
		{"41.1.2.3", "abuse@afrinic-isp.test", "41.1.0.0/16", "afrinic", Found},
		{"41.2.2.3", "", "41.2.0.0/16", "afrinic", NoAbuseRole},
	} {
		a := lookup(t, f, c.addr)
		if addresses(a) != c.contacts || a.Network.String() != c.network || a.Network.Registry != c.registry || a.Outcome != c.outcome {
			t.Errorf("%s: %q for %s of %q, %s: %s", c.addr, addresses(a), a.Network, a.Network.Registry, a.Outcome, a.Reason)
		}
		wantTTL := 7 * 24 * time.Hour
		if c.outcome != Found {
			wantTTL = 24 * time.Hour
		} else if a.Contacts[0].Confidence != High {
			t.Errorf("%s: confidence %s, want high", c.addr, a.Contacts[0].Confidence)
		}
		if got := a.Expires.Sub(w.clock()); got != wantTTL {
			t.Errorf("%s: holds %s, want %s", c.addr, got, wantTTL)
		}
	}
}

// TestLookupOfSamples serves the recorded answers and looks them up.
func TestLookupOfSamples(t *testing.T) {
	w := newWorld(t)
	f := w.finder(t)
	for _, s := range samples(t) {
		if s.source != "rdap" || s.Kind != "ip network" {
			continue
		}
		addr := netip.MustParseAddr(s.Query)
		w.Add(testnet.Network{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Body: s.RDAP})
		a := lookup(t, f, s.Query)
		want := ""
		if len(s.Expect) > 0 {
			want = s.Expect[0]
		}
		if addresses(a) != want {
			t.Errorf("%s: %q, want %q: %s", s.ID, addresses(a), want, a.Reason)
		}
	}
}

func TestLookupFollowsTheAbuseEntity(t *testing.T) {
	w := newWorld(t)
	body := fmt.Sprintf(`{"objectClassName":"ip network","startAddress":"200.160.0.0","endAddress":"200.160.15.255",
		"name":"BR-NET","port43":"whois.registro.br","entities":[
		{"handle":"H1","roles":["registrant"],"links":[{"rel":"self","href":"%[1]sentity/H1"}]},
		{"handle":"H2","roles":["abuse"],"links":[{"rel":"self","href":"%[1]sentity/H2"}]}]}`, w.URL)
	w.Add(testnet.Network{Prefix: prefix("200.160.0.0/20"), Body: []byte(body)})
	w.AddPath("entity/H2", []byte(`{"objectClassName":"entity","handle":"H2",
		"vcardArray":["vcard",[["email",{},"text","seguranca@isp.test"]]],
		"entities":[{"roles":["technical"],"vcardArray":["vcard",[["email",{},"text","tech@isp.test"]]]}]}`))
	a := lookup(t, w.finder(t), "200.160.1.1")
	if addresses(a) != "seguranca@isp.test" || a.Contacts[0].Role != "abuse" || a.Network.String() != "200.160.0.0/20" {
		t.Errorf("%+v for %s: %s", a.Contacts, a.Network, a.Reason)
	}
	if got := strings.Join(w.Requests(), " "); got != "ip/200.160.1.1 entity/H2" {
		t.Errorf("asked %s", got)
	}
}

const jpnicOnly = `{"objectClassName":"ip network","startAddress":"133.1.0.0","endAddress":"133.1.255.255",
	"name":"SOME-NET","port43":"whois.apnic.net","entities":[
	{"handle":"JNIC1-AP","roles":["technical"],"vcardArray":["vcard",[["email",{},"text","hostmaster@nic.ad.jp"]]]}]}`

func TestLookupDescendsToTheNationalRegistry(t *testing.T) {
	w := newWorld(t)
	national := w.registry(t)
	w.Add(testnet.Network{Prefix: prefix("133.1.0.0/16"), Body: []byte(jpnicOnly)})
	national.Add(testnet.APNIC(prefix("133.1.2.0/24"), "MEMBER", "abuse@member.test"))
	nir := fmt.Sprintf(`{"services":[[["jpnic"],[%q]]]}`, national.URL)
	w.file(t, "nir.json", nir)
	f := w.finder(t)
	if a := lookup(t, f, "133.1.2.3"); addresses(a) != "abuse@member.test" || a.Network.String() != "133.1.2.0/24" {
		t.Errorf("%q for %s: %s", addresses(a), a.Network, a.Reason)
	}
	national.Add(testnet.AFRINIC(prefix("133.1.4.0/24"), "MUTE", ""))
	for _, addr := range []string{"133.1.3.3", "133.1.4.3"} { // the national registry knows nothing, or nobody for abuse
		if a := lookup(t, f, addr); a.Outcome != NIRDescend || len(a.Contacts) != 0 || !strings.Contains(a.Reason, "JPNIC") {
			t.Errorf("%s: %s %q: %s", addr, a.Outcome, addresses(a), a.Reason)
		}
	}
	national.Add(testnet.Network{Prefix: prefix("133.1.9.0/24"), Body: testnet.APNIC(prefix("133.0.0.0/9"), "STOCK", "abuse@stock.test").Body})
	if a := lookup(t, f, "133.1.9.3"); a.Network.String() != "133.1.0.0/16" {
		t.Errorf("network %s: a wider one must not stand for it", a.Network)
	}
	national.Fail(testnet.Status(500))
	if a := lookup(t, f, "133.1.2.4"); a.Outcome != Unreachable || a.Retry.IsZero() {
		t.Errorf("with the national registry down: %s: %s", a.Outcome, a.Reason)
	}
}

func TestLookupNeverMailsTheNationalRegistry(t *testing.T) {
	w := newWorld(t) // its bootstrap knows no national registry
	w.Add(testnet.Network{Prefix: prefix("133.1.0.0/16"), Body: []byte(jpnicOnly)})
	a := lookup(t, w.finder(t), "133.1.2.3")
	if a.Outcome != NIRDescend || len(a.Contacts) != 0 || a.Evidence[1].Status != StatusNoServer {
		t.Errorf("%s %q, %+v", a.Outcome, addresses(a), a.Evidence)
	}
}

func TestLookupFollowsRedirects(t *testing.T) {
	w := newWorld(t)
	other := w.registry(t)
	other.Add(testnet.APNIC(prefix("144.134.0.0/16"), "MOVED", "abuse@moved.test"))
	w.Add(testnet.Network{Prefix: prefix("144.134.0.0/16"), Redirect: other.URL})
	a := lookup(t, w.finder(t), "144.134.121.81")
	if addresses(a) != "abuse@moved.test" || len(a.Evidence[0].Redirects) != 1 || a.Evidence[0].Redirects[0] != other.URL+"ip/144.134.121.81" {
		t.Errorf("%q by %v", addresses(a), a.Evidence[0].Redirects)
	}
}

func TestLookupGoesToTheNetworkAround(t *testing.T) {
	w := newWorld(t)
	customer := func(addr, up string) testnet.Network {
		return testnet.Network{Prefix: prefix(addr + "/32"), Body: fmt.Appendf(nil, `{"objectClassName":"ip network","name":"CUSTOMER",
		"startAddress":%q,"endAddress":%q,"port43":"whois.arin.net","links":[{"rel":"up","type":"application/rdap+json","href":"%sip/%s"}],
		"entities":[{"handle":"C1","roles":["registrant"]}]}`, addr, addr, w.URL, up)}
	}
	w.Add(
		customer("64.1.2.3", "64.1.0.0/16"), testnet.ARIN(prefix("64.1.0.0/16"), "HOSTER", "abuse@hoster.test"),
		customer("64.2.2.3", "64.2.0.0/16"), testnet.ARIN(prefix("64.2.0.0/16"), "NET64", "hostmaster@arin.net"),
		customer("64.3.2.3", "64.3.2.3"), customer("64.5.2.3", "9.9.9.9"),
	)
	for bits := 31; bits > 15; bits-- { // each within the next, nobody with a contact
		p := netip.PrefixFrom(netip.MustParseAddr("64.4.0.0"), bits)
		w.Add(testnet.Network{Prefix: p, Body: fmt.Appendf(nil, `{"objectClassName":"ip network","startAddress":"64.4.0.0","endAddress":%q,
		"links":[{"rel":"up","href":"%sip/64.4.0.0/%d"}]}`, rangeOf(p).Last, w.URL, bits-1)})
	}
	f := w.finder(t)
	a := lookup(t, f, "64.1.2.3")
	if addresses(a) != "abuse@hoster.test" || a.Contacts[0].Confidence != Low || a.Contacts[0].Scope != ScopeUpstream || a.Network.String() != "64.1.2.3/32" {
		t.Errorf("%+v for %s: %s", a.Contacts, a.Network, a.Reason)
	}
	for _, addr := range []string{"64.2.2.3", "64.5.2.3"} { // above is the registry itself, or nothing
		if a := lookup(t, f, addr); a.Outcome != NoAbuseRole || !strings.Contains(a.Reason, "CUSTOMER") || len(a.Evidence) != 2 {
			t.Errorf("%s: %s %q: %s", addr, a.Outcome, addresses(a), a.Reason)
		}
	}
	if a := lookup(t, f, "64.4.0.0"); a.Outcome != NoAbuseRole || len(a.Evidence) != maxQuestions {
		t.Errorf("many networks around: %s after %d questions", a.Outcome, len(a.Evidence))
	}
	if a := lookup(t, f, "64.3.2.3"); a.Outcome != NoAbuseRole || len(a.Evidence) != 2 {
		t.Errorf("a network around itself: %s after %d questions", a.Outcome, len(a.Evidence))
	}
}

func TestLookupOfSpecialAddressesAsksNobody(t *testing.T) {
	w := newWorld(t)
	f := w.finder(t)
	for _, addr := range []string{"127.0.0.1", "10.1.2.3", "100.64.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "0.0.0.0",
		"::1", "::", "fe80::1%eth0", "fc00::1", "2001:db8::1", "ff02::1", "2002:0a00:1::", "64:ff9b::a00:1", "::ffff:10.0.0.1", "4000::1"} {
		if a := lookup(t, f, addr); a.Outcome != Special || a.Reason == "" || len(a.Evidence) != 0 {
			t.Errorf("%s: %s: %s", addr, a.Outcome, a.Reason)
		}
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d questions were asked", n)
	}
	if _, err := f.Lookup(context.Background(), netip.Addr{}); err == nil {
		t.Error("the zero Addr was looked up")
	}
}

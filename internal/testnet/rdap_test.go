package testnet

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startRDAP returns a registry that knows one network, and a client for it.
func startRDAP(t *testing.T) (*RDAP, *http.Client) {
	t.Helper()
	ca, err := NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := StartRDAP(ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	r.Add(RIPE(netip.MustParsePrefix("62.0.0.0/8"), "WIDE", "wide@isp.test"))
	return r, &http.Client{Transport: transport, Timeout: 5 * time.Second}
}

func get(t *testing.T, c *http.Client, url string) (int, string, error) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestRDAPLongestPrefixAnswers(t *testing.T) {
	r, c := startRDAP(t)
	r.Add(APNIC(netip.MustParsePrefix("62.1.0.0/16"), "NARROW", "narrow@isp.test"),
		Network{Prefix: netip.MustParsePrefix("62.2.0.0/16"), Redirect: r.URL + "ip/62.1.0.1?"})
	r.AddPath("entity/H-1", []byte(`{"handle":"H-1"}`))
	for path, want := range map[string]string{
		"ip/62.1.2.3": "narrow@isp.test", "ip/62.1.0.0/16": "narrow@isp.test", "ip/62.3.0.1": "wide@isp.test",
		"ip/62.0.0.0/8": "wide@isp.test", "ip/62.2.0.1": "narrow@isp.test", "entity/H-1": "H-1",
	} {
		code, body, err := get(t, c, r.URL+path)
		if err != nil || code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %v, want an answer with %s", path, code, err, want)
		}
	}
	if code, _, _ := get(t, c, r.URL+"ip/9.9.9.9"); code != 404 {
		t.Errorf("unknown network: %d, want 404", code)
	}
	if n := len(r.Requests()); n != 8 { // the redirect costs two
		t.Errorf("%d requests recorded, want 8: %q", n, r.Requests())
	}
}

func TestRDAPFailures(t *testing.T) {
	r, c := startRDAP(t)
	ask := func() (int, string, error) { return get(t, c, r.URL+"ip/62.1.2.3") }
	check := func(name string, f Failure, ok func(code int, body string, err error) bool) {
		r.Fail(f)
		if code, body, err := ask(); !ok(code, body, err) {
			t.Errorf("%s: %d, %d octets, %v", name, code, len(body), err)
		}
	}
	check("down", Down, func(_ int, _ string, err error) bool { return err != nil })
	check("404", Status(404), func(code int, _ string, _ error) bool { return code == 404 })
	check("html", HTML, func(code int, body string, _ error) bool { return code == 200 && strings.HasPrefix(body, "<!") })
	check("truncated", Truncated, func(_ int, body string, err error) bool { return err == nil && !json.Valid([]byte(body)) })
	check("megabytes", Megabytes, func(_ int, body string, err error) bool { return len(body) > 8<<20 && json.Valid([]byte(body)) })
	check("loop", RedirectLoop, func(_ int, _ string, err error) bool { return err != nil && strings.Contains(err.Error(), "redirects") })
	check("other", Other([]byte("{}")), func(_ int, body string, _ error) bool { return body == "{}" })
	r.Recover()
	if code, body, err := ask(); err != nil || code != 200 || !strings.Contains(body, "wide@isp.test") {
		t.Errorf("after recovery: %d %v", code, err)
	}
}

func TestRDAPRetryAfter(t *testing.T) {
	r, c := startRDAP(t)
	r.Fail(Status(429, "Retry-After", "120"))
	res, err := c.Get(r.URL + "ip/62.1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "120" {
		t.Errorf("%d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

func TestRDAPSlowLastsUntilTheClientLeaves(t *testing.T) {
	r, c := startRDAP(t)
	r.Fail(Slow)
	c.Timeout = 200 * time.Millisecond
	code, body, err := get(t, c, r.URL+"ip/62.1.2.3")
	if code != 200 || body != "" || !os.IsTimeout(err) {
		t.Errorf("%d %q %v, want the header and then a timeout", code, body, err)
	}
}

func TestBootstrapNamesTheRegistry(t *testing.T) {
	r, _ := startRDAP(t)
	dir := t.TempDir()
	if err := r.WriteBootstrap(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ipv4.json", "ipv6.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(b), r.URL) {
			t.Errorf("%s: %v: %s", name, err, b)
		}
	}
}

func TestBuildersSayWhatTheyAreGiven(t *testing.T) {
	builders := map[string]func(netip.Prefix, string, string) Network{
		"ripe": RIPE, "arin": ARIN, "apnic": APNIC, "lacnic": LACNIC, "afrinic": AFRINIC,
	}
	for name, build := range builders {
		n := build(netip.MustParsePrefix("2001:4:8::/48"), "NAME", "abuse@isp.test")
		var got struct{ StartAddress, EndAddress, Name, Port43 string }
		if err := json.Unmarshal(n.Body, &got); err != nil {
			t.Fatal(err)
		}
		if got.StartAddress != "2001:4:8::" || got.EndAddress != "2001:4:8:ffff:ffff:ffff:ffff:ffff" || got.Name != "NAME" ||
			!strings.Contains(got.Port43, name) || strings.Count(string(n.Body), "abuse@isp.test") != 1 {
			t.Errorf("%s: %s", name, n.Body)
		}
	}
}

package contact

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
)

// published puts the bootstrap files of a world where IANA would have them.
func (w *world) published(t *testing.T, v4 string) {
	t.Helper()
	w.AddPath("boot/ipv4.json", []byte(v4))
	w.AddPath("boot/ipv6.json", []byte(`{"services":[[["2a00::/12"],["`+w.URL+`"]]]}`))
	w.AddPath("boot/asn.json", []byte(`{"services":[[["64500"],["`+w.URL+`"]]]}`))
	w.AddPath("boot/dns.json", []byte(`{"services":[[["test"],["`+w.URL+`"]]]}`))
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
	w.config.Bootstrap, w.config.State, w.config.BootstrapURL = "", t.TempDir(), w.URL+"boot/"
	f := w.finder(t)
	server := func(f *Finder) string {
		boot, _ := f.equipment()
		return boot.server(netip.MustParseAddr("62.1.2.3"), "")
	}
	builtIn := server(f)
	for name, v4 := range map[string]string{
		"half of it": `{"services":[[["62.0.0.0/8"],["https://h`,
		"a page":     "<html>", "none": "", "empty": `{"services":[]}`, "no prefix": `{"services":[[["x"],["https://h/"]]]}`,
	} {
		w.published(t, v4)
		if err := f.refresh(t.Context()); err == nil || server(f) != builtIn {
			t.Errorf("%s: %v, now %s", name, err, server(f))
		}
	}
	w.published(t, `{"services":[[["62.0.0.0/8"],["`+w.URL+`"]]]}`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Refresh(ctx); close(done) }()
	for range 1000 {
		if server(f) == w.URL {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-done
	if a := lookup(t, f, "62.1.2.3"); addresses(a) != "abuse@isp.test" {
		t.Errorf("%q: %s", addresses(a), a.Reason)
	}
	if got := server(w.finder(t)); got != w.URL {
		t.Errorf("after a restart: %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(w.config.State, "bootstrap-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(filepath.Join(w.config.State, bootstrapDir, "ipv4.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := server(w.finder(t)); got != builtIn {
		t.Errorf("with a broken file: %s", got)
	}
}

// TestWHOISServersAreTheRegistries: each is one that its registry is known by.
func TestWHOISServersAreTheRegistries(t *testing.T) {
	boot, err := loadBootstrap(embedded())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range registries {
		if by := registryByHost(boot.whois[r.name]); by == nil || by.name != r.name {
			t.Errorf("%s has %q", r.name, boot.whois[r.name])
		}
	}
	if got := boot.holder(netip.MustParseAddr("62.1.2.3")); got != "ripe" {
		t.Errorf("62.1.2.3 is held by %q", got)
	}
	if got := boot.originServer("13335"); !strings.HasPrefix(got, "https://rdap.arin.net/") {
		t.Errorf("AS13335: %q", got)
	}
	if got := boot.domainServer("example.COM"); !strings.HasPrefix(got, "https://") {
		t.Errorf("example.COM: %q", got)
	}
	if got := boot.address("whois.isp.test"); got != "whois.isp.test:43" {
		t.Errorf("address %q", got)
	}
}

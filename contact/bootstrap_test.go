package contact

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewRefusesABadConfiguration(t *testing.T) {
	w := newWorld(t)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"no bootstrap":    {Bootstrap: t.TempDir()},
		"no CA file":      {CAFile: bad + "-not"},
		"no certificates": {CAFile: bad},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, text := range []string{`{`, `{"services":[[["x"]]]}`, `{"services":[[["10.0.0.0/99"],["https://x/"]]]}`} {
		if err := os.WriteFile(filepath.Join(w.dir, "ipv4.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := New(w.config); err == nil || !strings.Contains(err.Error(), "ipv4.json") {
			t.Errorf("bootstrap %s: %v", text, err)
		}
	}
}

func TestEmbeddedBootstrap(t *testing.T) {
	boot, err := loadBootstrap(embedded())
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"196.11.240.215": "afrinic", "8.8.8.8": "arin", "1.1.1.1": "apnic", "200.57.141.161": "lacnic", "62.239.237.1": "ripe",
		"2001:43f8:7b0::": "afrinic", "2600::1": "arin", "2001:240::1": "apnic", "2801::1": "lacnic", "2a00:2381::1": "ripe",
	} {
		base := boot.server(netip.MustParseAddr(addr), "")
		if r := registryByHost(hostOf(base)); r == nil || r.name != want || !strings.HasPrefix(base, "https://") {
			t.Errorf("%s: %q, want %s", addr, base, want)
		}
	}
	for name, base := range boot.registries {
		if r := registryByHost(hostOf(base)); r == nil || r.name != name {
			t.Errorf("the server of %s is %s, which the table of registries does not know as its", name, base)
		}
	}
	if len(boot.registries) < 10 {
		t.Errorf("servers of %d registries, want all regional and five national ones", len(boot.registries))
	}
}

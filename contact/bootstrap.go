package contact

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
)

// embedded are IANA's files as they were recorded; bootstrap/README.md says when.
//
//go:embed bootstrap/*.json
var embedded embed.FS

// bootstrap knows the RDAP server for an address (RFC 9224) and for a registry.
type bootstrap struct {
	networks   []bootstrapNetwork
	registries map[string]string // name in registries → base URL
}

type bootstrapNetwork struct {
	prefix netip.Prefix
	base   string
}

// loadBootstrap reads ipv4.json and ipv6.json, and nir.json where there is one,
// from a directory, or the embedded copies when dir is empty.
func loadBootstrap(dir string) (*bootstrap, error) {
	files, err := fs.Sub(embedded, "bootstrap")
	if err != nil {
		return nil, err
	}
	if dir != "" {
		files = os.DirFS(dir)
	}
	b := &bootstrap{registries: map[string]string{}}
	for _, name := range []string{"ipv4.json", "ipv6.json"} {
		if err := b.read(files, name, b.addNetwork); err != nil {
			return nil, err
		}
	}
	if err := b.read(files, "nir.json", b.addRegistry); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return b, nil
}

// read calls add for each entry of a file with the HTTPS server given for it.
func (b *bootstrap) read(files fs.FS, name string, add func(entry, base string) error) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("RDAP bootstrap: %w", err)
	}
	var file struct{ Services [][][]string }
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("RDAP bootstrap %s: %w", name, err)
	}
	for _, s := range file.Services {
		if len(s) != 2 {
			return fmt.Errorf("RDAP bootstrap %s: a service is a list of entries and one of URLs (RFC 9224 §3)", name)
		}
		for _, entry := range s[0] {
			if err := add(entry, secure(s[1])); err != nil {
				return fmt.Errorf("RDAP bootstrap %s: %w", name, err)
			}
		}
	}
	return nil
}

// secure returns the first HTTPS URL, with a final slash.
func secure(urls []string) string {
	for _, u := range urls {
		if strings.HasPrefix(u, "https://") {
			return strings.TrimSuffix(u, "/") + "/"
		}
	}
	return ""
}

func (b *bootstrap) addNetwork(entry, base string) error {
	p, err := netip.ParsePrefix(entry)
	if err != nil {
		return err
	}
	b.networks = append(b.networks, bootstrapNetwork{p.Masked(), base})
	if r := registryByHost(hostOf(base)); r != nil {
		b.registries[r.name] = base
	}
	return nil
}

func (b *bootstrap) addRegistry(name, base string) error {
	if registryByName(name) == nil {
		return fmt.Errorf("%q is no registry that this program knows", name)
	}
	b.registries[name] = base
	return nil
}

// server returns the base URL for a question; empty when there is none.
func (b *bootstrap) server(addr netip.Addr, registry string) string {
	if registry != "" {
		return b.registries[registry]
	}
	best := bootstrapNetwork{}
	for _, n := range b.networks {
		if n.prefix.Contains(addr) && n.prefix.Bits() >= best.prefix.Bits() {
			best = n
		}
	}
	return best.base
}

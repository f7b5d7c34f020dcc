package contact

import (
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// embedded are IANA's files as they were recorded; bootstrap/README.md says when.
//
//go:embed bootstrap/*.json
var embeddedFiles embed.FS

func embedded() fs.FS {
	files, err := fs.Sub(embeddedFiles, "bootstrap")
	if err != nil {
		panic(err) // the name is valid
	}
	return files
}

// bootstrap knows the RDAP server for an address, an AS number and a top-level
// domain (RFC 9224), and the servers of a registry.
type bootstrap struct {
	networks   []bootstrapNetwork
	origins    []bootstrapOrigins
	domains    map[string]string // top-level domain → base URL
	registries map[string]string // name in registries → base URL
	whois      map[string]string // name in registries → host of port 43
	ports      map[string]string // host of port 43 → host:port, where it is another one
}

type bootstrapNetwork struct {
	prefix netip.Prefix
	base   string
}

type bootstrapOrigins struct {
	first, last uint64
	base        string
}

// loadBootstrap reads the files of a directory. Only ipv4.json and ipv6.json must
// be there; without the others there is no server for a question that needs them.
func loadBootstrap(files fs.FS) (*bootstrap, error) {
	b := &bootstrap{domains: map[string]string{}, registries: map[string]string{}, whois: map[string]string{}, ports: map[string]string{}}
	for _, f := range bootstrapFiles {
		err := b.read(files, f.name, func(entry string, urls []string) error { return f.add(b, entry, urls) })
		if err != nil && !(f.optional && errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	return b, nil
}

// bootstrapFiles says how each file is read. IANA publishes the first four; the
// others are this project's own, in the same form.
var bootstrapFiles = []struct {
	name     string
	iana     bool
	optional bool
	add      func(b *bootstrap, entry string, urls []string) error
}{
	{"ipv4.json", true, false, (*bootstrap).addNetwork},
	{"ipv6.json", true, false, (*bootstrap).addNetwork},
	{"asn.json", true, true, (*bootstrap).addOrigins},
	{"dns.json", true, true, (*bootstrap).addDomain},
	{"nir.json", false, true, (*bootstrap).addRegistry},
	{"whois.json", false, true, (*bootstrap).addWHOIS},
}

// read calls add for each entry of a file with the servers given for it.
func (b *bootstrap) read(files fs.FS, name string, add func(entry string, urls []string) error) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("RDAP bootstrap: %w", err)
	}
	var file struct{ Services [][][]string }
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("RDAP bootstrap %s: %w", name, err)
	}
	if len(file.Services) == 0 {
		return fmt.Errorf("RDAP bootstrap %s: it names no service (RFC 9224 §3)", name)
	}
	for _, s := range file.Services {
		if len(s) != 2 {
			return fmt.Errorf("RDAP bootstrap %s: a service is a list of entries and one of URLs (RFC 9224 §3)", name)
		}
		for _, entry := range s[0] {
			if err := add(entry, s[1]); err != nil {
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

func (b *bootstrap) addNetwork(entry string, urls []string) error {
	p, err := netip.ParsePrefix(entry)
	if err != nil {
		return err
	}
	base := secure(urls)
	b.networks = append(b.networks, bootstrapNetwork{p.Masked(), base})
	if r := registryByHost(hostOf(base)); r != nil {
		b.registries[r.name] = base
	}
	return nil
}

func (b *bootstrap) addOrigins(entry string, urls []string) error {
	first, last, ok := strings.Cut(entry, "-")
	if !ok {
		last = first
	}
	from, err1 := strconv.ParseUint(first, 10, 32)
	to, err2 := strconv.ParseUint(last, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	b.origins = append(b.origins, bootstrapOrigins{from, to, secure(urls)})
	return nil
}

func (b *bootstrap) addDomain(entry string, urls []string) error {
	b.domains[strings.ToLower(entry)] = secure(urls)
	return nil
}

func (b *bootstrap) addRegistry(name string, urls []string) error {
	if registryByName(name) == nil {
		return fmt.Errorf("%q is no registry that this program knows", name)
	}
	b.registries[name] = secure(urls)
	return nil
}

// addWHOIS reads the server of a registry, "whois://whois.ripe.net", or for a
// host name where it is to be reached instead, "whois://127.0.0.1:4343".
func (b *bootstrap) addWHOIS(name string, urls []string) error {
	if len(urls) == 0 || !strings.HasPrefix(urls[0], "whois://") {
		return fmt.Errorf("%q has no whois:// address", name)
	}
	host := strings.TrimPrefix(urls[0], "whois://")
	if registryByName(name) != nil {
		b.whois[name] = host
	} else {
		b.ports[name] = host
	}
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

func (b *bootstrap) originServer(number string) string {
	n, err := strconv.ParseUint(number, 10, 32)
	for _, o := range b.origins {
		if err == nil && o.first <= n && n <= o.last {
			return o.base
		}
	}
	return ""
}

func (b *bootstrap) domainServer(domain string) string {
	return b.domains[strings.ToLower(domain[strings.LastIndexByte(domain, '.')+1:])]
}

// holder is the name of the registry that IANA gave the address to.
func (b *bootstrap) holder(addr netip.Addr) string {
	base := b.server(addr, "")
	for name, url := range b.registries {
		if url == base && base != "" && registryByName(name).kind == rir {
			return name
		}
	}
	return ""
}

// address is where a WHOIS server is to be reached.
func (b *bootstrap) address(host string) string {
	host = cmp.Or(b.ports[strings.ToLower(host)], host)
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, "43")
}

package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// The limits of resolv.conf(5).
const (
	maxSystemServers = 3
	maxPatience      = 30 * time.Second
	maxResolvConf    = 64 << 10 // octets that are read
)

// findServers takes the servers of the configuration or of the system.
func (r *Resolver) findServers(c Config) error {
	if len(c.Servers) == 0 {
		return r.system(c)
	}
	for _, s := range c.Servers {
		addr, err := serverAddr(s)
		if err != nil {
			return err
		}
		r.servers = append(r.servers, addr)
	}
	return nil
}

// serverAddr gives a server its port.
func serverAddr(s string) (string, error) {
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(addr, 53).String(), nil
	}
	if ap, err := netip.ParseAddrPort(s); err == nil && ap.Port() != 0 {
		return ap.String(), nil
	}
	return "", fmt.Errorf("DNS server %q: give an IP address, with a port where it is not 53, as 192.0.2.53 or [2001:db8::53]:5353", s)
}

// system takes servers and options from the system's resolver configuration.
func (r *Resolver) system(c Config) error {
	file := c.ResolvConf
	if file == "" {
		file = "/etc/resolv.conf"
	}
	text, err := readFile(file)
	if err != nil {
		return fmt.Errorf("find the DNS servers: %w; name them in the configuration or in this file", err)
	}
	conf, err := dns.ClientConfigFromReader(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("find the DNS servers: %s: %w", file, err)
	}
	for _, s := range conf.Servers[:min(len(conf.Servers), maxSystemServers)] {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return fmt.Errorf("%s: nameserver %q is no IP address; correct it or name the DNS servers in the configuration", file, s)
		}
		r.servers = append(r.servers, net.JoinHostPort(addr.String(), conf.Port))
	}
	if len(r.servers) == 0 {
		return fmt.Errorf("%s names no nameserver: name the DNS servers there or in the configuration", file)
	}
	if r.attempts <= 0 {
		r.attempts = conf.Attempts
	}
	r.patience = min(time.Duration(conf.Timeout)*time.Second, maxPatience)
	r.rotate = rotates(string(text))
	return nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxResolvConf+1))
	if err == nil && len(text) > maxResolvConf {
		err = &os.PathError{Op: "read", Path: name, Err: errors.New("more than 64 KiB")}
	}
	return text, err
}

// rotates looks for the option that the library leaves out.
func rotates(text string) bool {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == "options" && slices.Contains(f, "rotate") {
			return true
		}
	}
	return false
}

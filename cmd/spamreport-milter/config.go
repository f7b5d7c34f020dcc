package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"

	"spamreport-milter/contact"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/resolver"
	"spamreport-milter/trace"
)

// defaultConfig is read when it exists and no other file is named.
const defaultConfig = "/etc/spamreport-milter/config.toml"

// Config is what the packages need, built from the settings.
type Config struct {
	File     string // the file read; empty when there was none
	StateDir string
	KeyFile  string
	LogLevel string
	Listen   []string
	Database string // URL of a shared queue; empty for a file in StateDir
	Keep     queue.Retention
	Milter   milter.Config
	Socket   milter.Socket
	Trace    trace.Options
	Contact  contact.Config
	DNS      resolver.Config
	Reporter reporter.Config

	settings settings
}

// defaultSettings make a server that is safe without any file: loopback only,
// and every complaint waits for a person.
func defaultSettings() settings {
	return settings{
		LogLevel: "info",
		Queue:    queueSettings{KeepMail: 90, KeepAnswers: 180, KeepComplaints: 730, KeepEvents: 1825},
		Milter: milterSettings{
			Listen:      []string{"inet:127.0.0.1:8896"},
			SocketMode:  "0660",
			BodyLimit:   1 << 20,
			MaxSessions: 1000,
			Memory:      64 << 20,
			SealRotate:  7,
			Reports:     reportsSettings{PerHour: 60, MaxSize: 20 << 20},
		},
		Reporter: reporterSettings{Smarthost: "127.0.0.1:25", Format: reporter.ARF.Name, Language: "en", Evidence: "redacted",
			Parties: []string{"network"}, Approve: string(reporter.ApproveManual), MaxAge: 48, ContactInterval: 24, ContactCap: 10, NetworkCap: 10, HourCap: 100},
	}
}

// loadConfig reads path, or the default file where there is one. Every fault in
// the file is reported, not only the first.
func loadConfig(path string) (*Config, error) {
	s := defaultSettings()
	text, path, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	md, err := toml.Decode(text, &s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, parseFault(err))
	}
	var faults []error
	for _, k := range md.Undecoded() {
		faults = append(faults, unknownKey(text, k))
	}
	c, more := s.config()
	c.File = path
	if err := errors.Join(append(faults, more...)...); err != nil {
		return nil, &configError{path, err}
	}
	return c, nil
}

// configError carries all faults of one file, a line each.
type configError struct {
	path string
	err  error
}

func (e *configError) Error() string {
	name := e.path
	if name == "" {
		name = "settings"
	}
	return name + ": " + strings.ReplaceAll(e.err.Error(), "\n", "\n"+name+": ")
}

func (e *configError) Unwrap() error { return e.err }

// maxConfig bounds the file, in octets: a path that is no configuration must not
// fill the memory.
const maxConfig = 1 << 20

func readConfig(path string) (text, used string, err error) {
	used = path
	if path == "" {
		used = defaultConfig
	}
	f, err := os.Open(used)
	if path == "" && errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return "", "", fmt.Errorf("read the configuration: %w", err)
	}
	if len(b) > maxConfig {
		return "", "", fmt.Errorf("%s is larger than %d octets: no configuration is", used, maxConfig)
	}
	return string(b), used, nil
}

func parseFault(err error) error {
	var p toml.ParseError
	if errors.As(err, &p) {
		return fmt.Errorf("line %d: %s", p.Position.Line, p.Message)
	}
	return err
}

// config turns settings into what the packages take. It returns a Config even
// when there are faults, so that all of them can be told at once.
func (s *settings) config() (*Config, []error) {
	var f faults
	host := f.host(s.Reporter.Host)
	c := &Config{
		StateDir: f.stateDir(s.StateDir),
		KeyFile:  s.Reporter.KeyFile,
		LogLevel: s.LogLevel,
		Listen:   s.Milter.Listen,
		Database: f.database(s.Queue.Database),
		Keep:     f.retention(s.Queue),
		Milter:   f.milter(s.Milter),
		Socket:   f.socket(s.Milter),
		Trace: trace.Options{
			Networks: f.networks("trace.networks", s.Trace.Networks),
			Hosts:    f.hosts(s.Trace.Hosts),
			Relays:   f.relays(s.Trace.Relay),
		},
		Contact:  f.contact(s.Contact),
		DNS:      resolver.Config{Servers: f.nameservers(s.DNS.Servers)},
		Reporter: f.reporter(s.Reporter, host),
		settings: *s,
	}
	c.Reporter.Trace, c.Contact.State = c.Trace, c.StateDir
	for _, rule := range c.Milter.Rules { // what a filter wrote goes to nobody
		c.Reporter.Strip = append(c.Reporter.Strip, rule.Field)
	}
	c.Milter.Inside = append(milter.Nearby(), c.Trace.Networks...)
	f.logLevel(s.LogLevel)
	return c, f
}

// faults collects what is wrong with settings.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) stateDir(dir string) string {
	switch {
	case dir != "":
		if !filepath.IsAbs(dir) {
			f.add("state_dir: %q depends on where a command is called: write it with its whole path", dir)
		}
		return dir
	case os.Getenv("STATE_DIRECTORY") != "":
		// systemd joins several by colons; the first is ours (systemd.exec(5)).
		first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
		return first
	case os.Getenv("XDG_STATE_HOME") != "":
		return filepath.Join(os.Getenv("XDG_STATE_HOME"), "spamreport-milter")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		f.add("state_dir: no home directory to keep the queue in: name one")
	}
	return filepath.Join(home, ".local", "state", "spamreport-milter")
}

func (f *faults) logLevel(level string) {
	if _, ok := logLevels[level]; !ok {
		f.add("log_level: %q is none of debug, info, warn, error", level)
	}
}

func (f *faults) networks(key string, list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range list {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			a, aerr := netip.ParseAddr(n)
			if aerr != nil {
				f.add("%s: %q is neither an address nor a network like 192.0.2.0/24", key, n)
				continue
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 { // clients are compared as IPv4
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Bits() == 0 {
			f.add("%s: %q is the whole Internet: nothing would ever be reported", key, n)
			continue
		}
		out = append(out, p.Masked())
	}
	return out
}

// hosts refuses what would take in strangers.
func (f *faults) hosts(list []string) []string {
	for _, h := range list {
		if !hostName.MatchString(strings.TrimPrefix(h, ".")) {
			f.add("trace.hosts: %q is neither a host name nor a domain with a leading dot", h)
		}
	}
	return list
}

func (f *faults) relays(list []relaySettings) []trace.Relay {
	var out []trace.Relay
	for i, r := range list {
		if strings.Count(strings.Trim(r.Pattern, "."), ".") < 1 {
			f.add("trace.relay %d: pattern %q takes in too much: name a host, or a registered domain with a leading dot", i+1, r.Pattern)
			continue
		}
		out = append(out, trace.Relay{Name: r.Name, Pattern: r.Pattern, Noted: r.Noted})
	}
	return out
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

func (f *faults) host(name string) string {
	if name == "" {
		name, _ = os.Hostname()
	}
	if !hostName.MatchString(name) {
		f.add("reporter.host: %q is no host name: set the public name of this mail server", name)
	}
	return name
}

func (f *faults) reporter(s reporterSettings, host string) reporter.Config {
	if s.From == "" {
		s.From = "postmaster@" + host
	}
	s.From = f.mailbox(s.From)
	return reporter.Config{Composer: f.composer(s, host), Relay: f.relay(s), DKIM: f.dkim(s), Parties: f.parties(s.Parties), Policy: f.policy(s)}
}

// mailbox checks the address that complaints come from and encodes its name
// (RFC 2047).
func (f *faults) mailbox(from string) string {
	a, err := mail.ParseAddress(from)
	switch {
	case err != nil:
		f.add("reporter.from: %q is no mailbox: write it like `Mail Abuse <abuse@isp.example>`", from)
	case strings.ContainsFunc(a.Address, func(r rune) bool { return r > unicode.MaxASCII }):
		f.add("reporter.from: %q is not ASCII: write the domain in its xn-- form", a.Address)
	case strings.ContainsFunc(from, func(r rune) bool { return r > unicode.MaxASCII }):
		return a.String()
	}
	return from
}

// roots reads a PEM file of authorities; nil means the system's.
func (f *faults) roots(key, file string) *x509.CertPool {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		f.add("%s: %w", key, err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		f.add("%s: no certificate in %s", key, file)
	}
	return pool
}

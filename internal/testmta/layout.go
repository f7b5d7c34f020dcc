package testmta

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// masterCF is the process table; @ADDR@ stands for the SMTP server's address.
//
//go:embed master.cf
var masterCF string

func (p *Postfix) logFile() string { return filepath.Join(p.base, "log", "maillog") }

// layOut writes everything that Postfix wants to find when it starts.
func (p *Postfix) layOut(o Options) error {
	// Postfix leaves root behind and must still reach its directories.
	if err := os.Chmod(p.base, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"etc", "queue", "data", "log"} {
		if err := os.Mkdir(filepath.Join(p.base, dir), 0o755); err != nil {
			return err
		}
	}
	if err := chown(filepath.Join(p.base, "data"), "postfix"); err != nil {
		return err
	}
	if o.TLS {
		if err := writeCertificate(p.path("etc/cert.pem"), p.path("etc/key.pem")); err != nil {
			return err
		}
	}
	if err := p.write("master.cf", p.masterCF(o)); err != nil {
		return err
	}
	return p.write("main.cf", p.mainCF(o))
}

func (p *Postfix) masterCF(o Options) string {
	text := strings.ReplaceAll(masterCF, "@ADDR@", p.Addr)
	if _, port, err := net.SplitHostPort(p.Addr); o.IPv6 && err == nil {
		text += "[::1]:" + port + "  inet  n       -      n      -      100     smtpd\n"
	}
	return text
}

func (p *Postfix) path(name string) string { return filepath.Join(p.base, name) }

func (p *Postfix) write(name, text string) error {
	return os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o644)
}

func (p *Postfix) mainCF(o Options) string {
	transport := "discard:"
	if o.Relay != "" {
		host, port, err := net.SplitHostPort(o.Relay)
		if err == nil {
			transport = "smtp:[" + host + "]:" + port
		}
	}
	s := map[string]string{
		"compatibility_level":   "3.6",
		"queue_directory":       p.path("queue"),
		"data_directory":        p.path("data"),
		"maillog_file":          p.logFile(),
		"maillog_file_prefixes": p.path("log"),
		"myhostname":            "mx.example.org",
		"mydestination":         "",
		"relay_domains":         "example.org",
		"mynetworks":            "127.0.0.0/8",
		"inet_interfaces":       "127.0.0.1",
		"inet_protocols":        "ipv4",
		"default_transport":     transport,
		"relay_transport":       transport,
		"local_transport":       transport,
		"alias_maps":            "",
		"alias_database":        "",
		"biff":                  "no",

		// Bytes as the client sent them: nothing added for local clients.
		"local_header_rewrite_clients": "",

		// A test is any client it likes, as often as it likes.
		"smtpd_authorized_xclient_hosts":      "static:all",
		"smtpd_client_connection_count_limit": "0",
		"smtpd_recipient_restrictions":        "check_recipient_access inline:{{refused@example.org = REJECT no such user}}",
	}
	if len(o.Milters) > 0 {
		s["smtpd_milters"] = strings.Join(o.Milters, ", ")
		s["milter_default_action"] = "accept"
		s["milter_protocol"] = "6"
	}
	if o.IPv6 {
		s["inet_protocols"], s["inet_interfaces"] = "all", "127.0.0.1, [::1]"
	}
	if o.TLS {
		s["smtpd_tls_security_level"] = "may"
		s["smtpd_tls_cert_file"] = p.path("etc/cert.pem")
		s["smtpd_tls_key_file"] = p.path("etc/key.pem")
	}
	maps.Copy(s, o.MainCF)

	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s = %s\n", name, s[name])
	}
	return b.String()
}

func chown(path, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// writeCertificate makes a self-signed certificate for 127.0.0.1 that lives
// for a day.
func writeCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "mx.example.org"},
		DNSNames:     []string{"mx.example.org"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(certFile, "CERTIFICATE", cert); err != nil {
		return err
	}
	return writePEM(keyFile, "PRIVATE KEY", keyDER)
}

func writePEM(name, kind string, der []byte) error {
	var b bytes.Buffer
	if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

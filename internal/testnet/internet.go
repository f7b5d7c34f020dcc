package testnet

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Internet is what a mail server of a test sees of the world: one registry, DNS,
// and an abuse desk that takes all mail.
type Internet struct {
	Registry *RDAP
	DNS      *DNS
	Desk     *SMTP

	dir string
}

// Start starts all of it on loopback. The files that a client needs go to dir;
// zone is as for StartDNS.
func Start(dir, zone string) (*Internet, error) {
	n := &Internet{dir: dir}
	if err := n.start(zone); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Internet) start(zone string) error {
	ca, err := NewCA(n.dir)
	if err != nil {
		return err
	}
	if n.Registry, err = StartRDAP(ca); err != nil {
		return err
	}
	if n.DNS, err = StartDNS(zone); err != nil {
		return err
	}
	if n.Desk, err = StartSMTP(nil); err != nil {
		return err
	}
	return n.Registry.WriteBootstrap(n.dir)
}

// Close ends all of it.
func (n *Internet) Close() error {
	var errs []error
	if n.Registry != nil {
		errs = append(errs, n.Registry.Close())
	}
	if n.DNS != nil {
		errs = append(errs, n.DNS.Close())
	}
	if n.Desk != nil {
		errs = append(errs, n.Desk.Close())
	}
	return errors.Join(errs...)
}

// Settings are the sections of the configuration that join a daemon to it.
func (n *Internet) Settings() string {
	return fmt.Sprintf(`[dns]
servers = [%q]

[contact]
bootstrap = %q
ca_file = %q
private_registries = [%q]
`, n.DNS.Addr, n.dir, filepath.Join(n.dir, "ca.pem"), n.Registry.Addr)
}

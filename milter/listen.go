package milter

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// Listen opens what an MTA is told to connect to, in Postfix's own spelling:
// inet:HOST:PORT, inet6:[ADDRESS]:PORT or unix:PATH. A socket in the file
// system gets mode 0660, so the MTA's user must be in its group. A socket that
// nobody answers any more is replaced; one that is in use is an error.
func Listen(spec string) (net.Listener, error) {
	network, address, err := ParseSpec(spec)
	switch {
	case err != nil:
		return nil, fmt.Errorf("listen on %q: %w", spec, err)
	case network == "unix":
		return listenUnix(address)
	}
	return net.Listen(network, address)
}

// ParseSpec reads what Listen takes into what net.Listen takes: "tcp4", "tcp6" or
// "unix", and an address. It opens nothing and looks no name up, so a good spec
// can still be one that this host cannot listen on.
func ParseSpec(spec string) (network, address string, err error) {
	kind, address, ok := strings.Cut(spec, ":")
	if !ok || address == "" {
		return "", "", errors.New("want inet:HOST:PORT, inet6:[ADDRESS]:PORT or unix:PATH")
	}
	switch kind {
	case "inet":
		return "tcp4", address, checkInet(address, netip.Addr.Is4)
	case "inet6":
		return "tcp6", address, checkInet(address, netip.Addr.Is6)
	case "unix":
		if len(address) > maxSocketPath {
			return "", "", fmt.Errorf("the path has more than %d octets", maxSocketPath)
		}
		return "unix", address, nil
	}
	return "", "", fmt.Errorf("unknown kind %q, want inet, inet6 or unix", kind)
}

// maxSocketPath is what sun_path of Linux holds beside its final NUL (unix(7)).
const maxSocketPath = 107

// checkInet refuses ports that are none, and literal addresses of the other family.
func checkInet(address string, family func(netip.Addr) bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is no port", port)
	}
	if a, err := netip.ParseAddr(host); err == nil && !family(a) {
		return fmt.Errorf("%s is an address of the other family: inet is IPv4, inet6 is IPv6", host)
	}
	return nil
}

func listenUnix(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("file is there and is no socket, remove it or choose another path")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return errors.Join(errors.New("socket is in use, stop the other server first"), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

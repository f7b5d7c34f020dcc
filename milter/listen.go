package milter

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
)

// Socket says how sockets are opened. The zero value is good for inet.
type Socket struct {
	// Mode is that of a socket in the file system; 0660, so that the MTA's user must
	// be in its group.
	Mode fs.FileMode
	// User and Group own such a socket, names or numbers; empty for our own.
	User, Group string
	// TLS is for the kinds that end in "+tls".
	TLS *tls.Config
}

// ErrNotPassed means that systemd has passed no socket of that name.
var ErrNotPassed = errors.New("no such socket was passed: start by the .socket unit, and give the name of its FileDescriptorName")

// Listen opens what an MTA is told to connect to, in Postfix's own spelling:
// inet:HOST:PORT, inet6:[ADDRESS]:PORT or unix:PATH. inet+tls and inet6+tls speak
// TLS, for MTAs elsewhere that have a tunnel; systemd:NAME are sockets that the
// service manager has opened, one or more of that name. A socket in the file
// system that nobody answers any more is replaced; one that is in use is an error.
func (o Socket) Listen(spec string) ([]net.Listener, error) {
	all, err := o.listen(spec)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", spec, err)
	}
	return all, nil
}

func (o Socket) listen(spec string) ([]net.Listener, error) {
	network, address, err := ParseSpec(spec)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	switch network {
	case "systemd":
		return passed(address)
	case "unix":
		l, err = o.listenUnix(address)
	default:
		l, err = net.Listen(network, address)
	}
	if err != nil {
		return nil, err
	}
	if NeedsTLS(spec) {
		if o.TLS == nil {
			return nil, errors.Join(errors.New("no certificate given for TLS"), l.Close())
		}
		l = tls.NewListener(l, o.TLS)
	}
	return []net.Listener{l}, nil
}

// fromSystemd are the sockets that came with the process; they can be asked for once.
var fromSystemd = sync.OnceValues(activation.ListenersWithNames)

func passed(name string) ([]net.Listener, error) {
	all, err := fromSystemd()
	if err != nil {
		return nil, err
	}
	if len(all[name]) == 0 {
		return nil, ErrNotPassed
	}
	return all[name], nil
}

// NeedsTLS reports whether what Listen takes speaks TLS.
func NeedsTLS(spec string) bool {
	kind, _, _ := strings.Cut(spec, ":")
	return strings.HasSuffix(kind, "+tls")
}

// ParseSpec reads what Listen takes into what net.Listen takes: "tcp4", "tcp6" or
// "unix", and an address; or "systemd" and a name. It opens nothing and looks no
// name up, so a good spec can still be one that this host cannot listen on.
func ParseSpec(spec string) (network, address string, err error) {
	kind, address, ok := strings.Cut(spec, ":")
	if !ok || address == "" {
		return "", "", errors.New("want inet:HOST:PORT, inet6:[ADDRESS]:PORT, unix:PATH or systemd:NAME")
	}
	switch kind {
	case "inet", "inet+tls":
		return "tcp4", address, checkInet(address, netip.Addr.Is4)
	case "inet6", "inet6+tls":
		return "tcp6", address, checkInet(address, netip.Addr.Is6)
	case "unix":
		if len(address) > maxSocketPath {
			return "", "", fmt.Errorf("the path has more than %d octets", maxSocketPath)
		}
		return "unix", address, nil
	case "systemd":
		return "systemd", address, nil
	}
	return "", "", fmt.Errorf("unknown kind %q, want inet, inet6, either with +tls, unix or systemd", kind)
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

// listenUnix makes the socket. Until it has its mode, the umask keeps others out.
func (o Socket) listenUnix(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	uid, gid, err := o.owner()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	mode := o.Mode
	if mode == 0 {
		mode = 0o660
	}
	if err := os.Lchown(path, uid, gid); err != nil {
		return nil, errors.Join(fmt.Errorf("give the socket its owner: %w; that needs root, or a group that our user is in", err), l.Close())
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// owner returns the numbers for a socket's owner; -1 leaves what is there.
func (o Socket) owner() (uid, gid int, err error) {
	uid, gid = -1, -1
	if o.User != "" {
		if uid, err = strconv.Atoi(o.User); err != nil {
			u, err := user.Lookup(o.User)
			if err != nil {
				return 0, 0, err
			}
			uid, _ = strconv.Atoi(u.Uid) // numeric on all systems that have unix sockets
		}
	}
	if o.Group != "" {
		if gid, err = strconv.Atoi(o.Group); err != nil {
			g, err := user.LookupGroup(o.Group)
			if err != nil {
				return 0, 0, err
			}
			gid, _ = strconv.Atoi(g.Gid)
		}
	}
	return uid, gid, nil
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

package milter_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"spamreport-milter/milter"
)

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.sock")
	l, err := listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v; want 0660", info.Mode(), err)
	}
	if _, err := listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second listener: %v", err)
	}

	// As after SIGKILL: the socket stays, nobody listens.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = listen("unix:" + path)
	if err != nil {
		t.Fatalf("stale socket: %v", err)
	}
	l.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("socket left behind")
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("file in the way: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("file is now %q", b)
	}
}

func TestListenInet(t *testing.T) {
	l, err := listen("inet:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := listen("inet:" + l.Addr().String()); err == nil {
		t.Error("port taken twice")
	}
	if l6, err := listen("inet6:[::1]:0"); err == nil {
		l6.Close()
	} else if c, probe := net.Listen("tcp6", "[::1]:0"); probe == nil {
		c.Close()
		t.Errorf("inet6: %v", err)
	}
}

func TestListenBadSpec(t *testing.T) {
	for _, spec := range []string{"", "inet", "inet:", "8896", "tcp:127.0.0.1:1", "inet:127.0.0.1", "unix:/nonexistent/dir/s"} {
		if l, err := listen(spec); err == nil {
			l.Close()
			t.Errorf("%q was accepted", spec)
		}
	}
}

// What is refused before anything is opened is what a configuration check tells.
func TestParseSpec(t *testing.T) {
	for _, tt := range []struct{ spec, network, fault string }{
		{"inet:127.0.0.1:8896", "tcp4", ""},
		{"inet:localhost:smtp", "tcp4", ""},
		{"inet6:[::1]:8896", "tcp6", ""},
		{"unix:/run/milter.sock", "unix", ""},
		{"carrier-pigeon", "", "want inet:HOST:PORT"},
		{"unix:", "", "want inet:HOST:PORT"},
		{"local:/run/milter.sock", "", `unknown kind "local"`},
		{"inet:8896", "", "missing port"},
		{"inet:127.0.0.1:99999", "", `"99999" is no port`},
		{"inet:[::1]:8896", "", "other family"},
		{"inet6:127.0.0.1:8896", "", "other family"},
		{"unix:/" + strings.Repeat("x", 107), "", "more than 107 octets"},
	} {
		network, _, err := milter.ParseSpec(tt.spec)
		if tt.fault == "" && (err != nil || network != tt.network) || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
			t.Errorf("%s: %s, %v; want %s %s", tt.spec, network, err, tt.network, tt.fault)
		}
	}
}

func TestSocketOwnerAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.sock")
	o := milter.Socket{Mode: 0o600, User: strconv.Itoa(os.Geteuid()), Group: strconv.Itoa(os.Getegid())}
	if os.Geteuid() == 0 {
		o.Group = "mail" // of Debian's own groups, which every system has
	}
	all, err := o.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer all[0].Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if g, err := user.LookupGroup("mail"); os.Geteuid() == 0 && (err != nil || strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid)) != g.Gid) {
		t.Errorf("group %d, %v", info.Sys().(*syscall.Stat_t).Gid, err)
	}
	for _, o := range []milter.Socket{{User: "nobody-of-that-name"}, {Group: "no-such-group"}} {
		path := filepath.Join(t.TempDir(), "s")
		if _, err := o.Listen("unix:" + path); err == nil {
			t.Errorf("%+v was taken", o)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%+v left a socket", o)
		}
	}
}

// TestSystemdSocket runs this test binary as systemd would, with a socket in place
// of file 3, and speaks through it.
func TestSystemdSocket(t *testing.T) {
	if os.Getenv("LISTEN_FDS") != "" {
		servePassedSocket(t)
		return
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The shell's process becomes the test's, so its number is right.
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run='^TestSystemdSocket$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=milter")
	cmd.ExtraFiles = []*os.File{f}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m := greet(t, l.Addr().String(), offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.deliver(spam, "ID")
	m.send('Q', nil)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func servePassedSocket(t *testing.T) {
	if _, err := (milter.Socket{}).Listen("systemd:other"); !errors.Is(err, milter.ErrNotPassed) {
		t.Errorf("a name that was not passed: %v", err)
	}
	s := serve(t, milter.Config{})
	l, err := listen("systemd:milter")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	eventually(t, "a report", func() bool { return len(s.all()) == 1 })
}

func TestTLS(t *testing.T) {
	if _, err := listen("inet+tls:127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("TLS without a certificate: %v", err)
	}
	server := httptest.NewUnstartedServer(nil) // for its certificate
	server.StartTLS()
	defer server.Close()
	all, err := milter.Socket{TLS: &tls.Config{Certificates: server.TLS.Certificates}}.Listen("inet+tls:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, milter.Config{})
	go s.Serve(all[0])
	dial(t, all[0].Addr().String()) // a peer that never begins must not hold up others
	plain := dial(t, all[0].Addr().String())
	plain.send('O', optneg(offerAll))
	conn, err := tls.Dial("tcp", all[0].Addr().String(), &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := &mta{t: t, conn: conn, in: bufio.NewReader(conn)}
	m.negotiate(offerAll)
	m.connect("mail.example.com", "192.0.2.1", 4321)
	m.deliver(spam, "ID")
	s.only(t)
	// Shutdown wakes a session that waits for its MTA under TLS too.
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

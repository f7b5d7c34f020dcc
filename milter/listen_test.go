package milter_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spamreport-milter/milter"
)

func TestListenUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.sock")
	l, err := milter.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v; want 0660", info.Mode(), err)
	}
	if _, err := milter.Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second listener: %v", err)
	}

	// As after SIGKILL: the socket stays, nobody listens.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = milter.Listen("unix:" + path)
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
	if _, err := milter.Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("file in the way: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("file is now %q", b)
	}
}

func TestListenInet(t *testing.T) {
	l, err := milter.Listen("inet:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := milter.Listen("inet:" + l.Addr().String()); err == nil {
		t.Error("port taken twice")
	}
	if l6, err := milter.Listen("inet6:[::1]:0"); err == nil {
		l6.Close()
	} else if c, probe := net.Listen("tcp6", "[::1]:0"); probe == nil {
		c.Close()
		t.Errorf("inet6: %v", err)
	}
}

func TestListenBadSpec(t *testing.T) {
	for _, spec := range []string{"", "inet", "inet:", "8896", "tcp:127.0.0.1:1", "inet:127.0.0.1", "unix:/nonexistent/dir/s"} {
		if l, err := milter.Listen(spec); err == nil {
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

package milter_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/milter"
)

// filters are Debian's content filters, each as a milter that stands before ours,
// with a body that it calls spam. Senders' own tags are in the message too.
var filters = []struct {
	name  string
	start func(t *testing.T, dir string) (milter string)
	spam  string
	tag   string // the field that it tags with
}{
	// The pattern that rspamd answers with "add header".
	{"rspamd", startRspamd, "YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X", "X-Spam"},
	{"spamass-milter", startSpamass, "buy this very thing now", "X-Spam-Flag"},
}

func TestContentFilters(t *testing.T) {
	t.Parallel()
	for _, f := range filters {
		t.Run(f.name, func(t *testing.T) {
			before := f.start(t, publicDir(t))
			for _, name := range []string{"postfix", "sendmail"} {
				t.Run(name, func(t *testing.T) {
					s := serve(t, milter.Config{})
					m := mtas[name](t, setup{milters: []string{before, s.addr}})
					send := func(message string) {
						c := dialSMTP(t, m.addr)
						c.cmd(250, "EHLO client.example.com")
						if code, text := c.data("a@example.com", "user@example.org", []byte(message)); code != 250 {
							t.Fatalf("%d %s", code, text)
						}
					}
					head := "From: a@example.com\r\nTo: user@example.org\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nSubject: x\r\n"
					send(head + f.tag + ": YES\r\n\r\nat noon?\r\n")
					if got := s.all(); len(got) != 0 {
						t.Errorf("the sender's own tag was believed: %s\n%s", got[0].Reason, got[0].Message.Header)
					}
					s.take()
					send(head + "\r\n" + f.spam + "\r\n")
					if got := s.only(t); got.Reporter != f.tag || string(got.Message.Body) != f.spam+"\r\n" {
						t.Errorf("tagged by %s, body %q", got.Reporter, got.Message.Body)
					}
				})
			}
		})
	}
}

// publicDir is a directory that all users can go through.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "filter-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// needProgram ends the test where a program is missing, as testmta.Need does.
func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil || os.Geteuid() != 0 {
		testmta.Missing(t, fmt.Sprintf("%s as root is needed, run .ci/deps: %v", name, err))
	}
}

// background runs a daemon in the foreground until the test ends, and waits for
// its socket.
func background(t *testing.T, network, address, name string, args ...string) {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	t.Cleanup(func() {
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-done
		}
	})
	for deadline := time.Now().Add(50 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial(network, address); err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen", name)
		}
	}
}

func startRspamd(t *testing.T, dir string) string {
	needProgram(t, "rspamd")
	giveTo(t, dir, "_rspamd")
	at := freePort(t)
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("local.d/worker-proxy.inc", fmt.Sprintf("bind_socket = %q;\nmilter = yes;\ntimeout = 20s;\ncount = 1;\nupstream \"local\" { default = yes; self_scan = yes; }\n", at))
	write("local.d/worker-normal.inc", "enabled = false;\n")
	write("local.d/worker-controller.inc", "enabled = false;\n")
	write("local.d/logging.inc", "type = \"console\";\nlevel = \"error\";\n")
	// A short list of suffixes, for it compiles them at each start; nobody is asked.
	write("tld.dat", "com\norg\nexample\n")
	write("local.d/options.inc", fmt.Sprintf("enable_test_patterns = true;\nfilters = \"\";\nurl_tld = %q;\ndns { nameserver = [\"127.0.0.1:1\"]; timeout = 0.05s; retransmits = 1; }\n", filepath.Join(dir, "tld.dat")))
	background(t, "tcp", at, "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd",
		"--var=LOCAL_CONFDIR="+dir, "--var=RUNDIR="+dir, "--var=DBDIR="+dir, "--var=LOGDIR="+dir)
	return at
}

// startSpamass runs spamass-milter before a spamd with one rule and no network.
func startSpamass(t *testing.T, dir string) string {
	needProgram(t, "spamass-milter")
	needProgram(t, "spamd")
	rules := filepath.Join(dir, "rules")
	if err := os.Mkdir(rules, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"local.pre": "loadplugin Mail::SpamAssassin::Plugin::Check\n",
		"local.cf": "body BUY /buy this very thing now/\nscore BUY 10\nreport_safe 0\nuse_bayes 0\n" + // the fields as they are by default:
			"add_header spam Flag _YESNOCAPS_\nadd_header all Status _YESNO_, score=_SCORE_ required=_REQD_\n",
	} {
		if err := os.WriteFile(filepath.Join(rules, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := freePort(t)
	_, port, _ := net.SplitHostPort(at)
	background(t, "tcp", at, "spamd", "--local", "--nouser-config", "--username=nobody", "--helper-home-dir="+dir,
		"--configpath="+rules, "--siteconfigpath="+rules, "--listen=127.0.0.1", "--port="+port, "--max-children=2", "--syslog=stderr")
	socket := filepath.Join(dir, "spamass.sock")
	background(t, "unix", socket, "spamass-milter", "-p", socket, "--", "-d", "127.0.0.1", "-p", port)
	giveTo(t, socket, "postfix")
	return socket
}

func giveTo(t *testing.T, path, name string) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, -1); err != nil {
		t.Fatal(err)
	}
}

// mtaSocket writes where a milter listens as an MTA wants it.
func mtaSocket(at string, sendmail bool) string {
	host, port, err := net.SplitHostPort(at)
	switch {
	case err != nil && sendmail:
		return "local:" + at
	case err != nil:
		return "unix:" + at
	case sendmail:
		return "inet:" + port + "@" + host
	}
	return "inet:" + strings.Join([]string{host, port}, ":")
}

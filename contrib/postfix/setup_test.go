// Package postfix_test runs the setup script against configurations of Postfix
// and against a running one.
package postfix_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

const ours = "inet:127.0.0.1:8896"

// config writes a configuration directory with this main.cf.
func config(t *testing.T, mainCF string) (dir string) {
	t.Helper()
	testmta.Need(t)
	dir = t.TempDir()
	const masterCF = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n  -o smtpd_milters=\n"
	for name, text := range map[string]string{"main.cf": mainCF, "master.cf": masterCF} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// setup runs the script and returns what it says and its exit code.
func setup(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	if i := slices.Index(args, "-c"); i >= 0 {
		age(t, args[i+1])
	}
	cmd := exec.Command("./setup", args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// age makes main.cf look old: Postfix waits to read one until it was left alone
// for two seconds.
func age(t *testing.T, dir string) {
	t.Helper()
	past := time.Now().Add(-time.Minute)
	if err := os.Chtimes(filepath.Join(dir, "main.cf"), past, past); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func ok(t *testing.T, args ...string) string {
	t.Helper()
	out, code := setup(t, args...)
	if code != 0 {
		t.Fatalf("setup %v: exit %d: %s", args, code, out)
	}
	return out
}

func mainCF(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "main.cf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func conf(t *testing.T, dir, name string) string {
	t.Helper()
	age(t, dir)
	out, err := exec.Command("postconf", "-c", dir, "-h", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

const braces = "{ " + ours + ", default_action=accept, protocol=6 }"

var configs = []struct {
	name, mainCF                    string
	milters, defaultAction, version string // after install
}{
	{"nothing set", "# mine\nmyhostname = mx.example.org\n", ours, "accept", "6"},
	{"empty list", "smtpd_milters =\n", ours, "accept", "6"},
	{"action set", "milter_default_action = quarantine\nmilter_protocol = 6\n", braces, "quarantine", "6"},
	{"another milter", "smtpd_milters = inet:127.0.0.1:11332\nmilter_default_action = tempfail\n",
		"inet:127.0.0.1:11332, " + braces, "tempfail", "6"},
	{"another milter, no action", "smtpd_milters = inet:127.0.0.1:11332\n", "inet:127.0.0.1:11332, " + braces, "tempfail", "6"},
	{"two, folded, with a name", "rspamd = inet:127.0.0.1:11332\nsmtpd_milters = $rspamd,\n    unix:/spamass/spamass.sock\n# end\n",
		"$rspamd, unix:/spamass/spamass.sock, " + braces, "tempfail", "6"},
	{"only for sendmail(1)", "non_smtpd_milters = inet:127.0.0.1:11332\n", braces, "tempfail", "6"},
}

func TestInstallAndUndo(t *testing.T) {
	for _, tt := range configs {
		t.Run(tt.name, func(t *testing.T) {
			dir := config(t, tt.mainCF)
			ok(t, "-c", dir, "install")
			for name, want := range map[string]string{
				"smtpd_milters": tt.milters, "milter_default_action": tt.defaultAction, "milter_protocol": tt.version,
			} {
				if got := strings.Join(strings.Fields(conf(t, dir, name)), " "); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			installed, names := mainCF(t, dir), files(t, dir)
			if out := ok(t, "-c", dir, "install"); !strings.Contains(out, "nothing to do") {
				t.Errorf("second install: %s", out)
			}
			if mainCF(t, dir) != installed || files(t, dir) != names {
				t.Errorf("second install changed something: %s\n%s", files(t, dir), mainCF(t, dir))
			}
			ok(t, "-c", dir, "undo")
			if got := mainCF(t, dir); got != tt.mainCF {
				t.Errorf("after undo\n%s, want\n%s", got, tt.mainCF)
			}
			if info, err := os.Stat(filepath.Join(dir, "main.cf")); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if got := files(t, dir); got != "main.cf master.cf" {
				t.Errorf("left behind: %s", got)
			}
			if out := ok(t, "-c", dir, "undo"); !strings.Contains(out, "nothing to do") {
				t.Errorf("second undo: %s", out)
			}
		})
	}
}

// Between install and undo the admin works on main.cf; his work stays.
func TestUndoAfterEdit(t *testing.T) {
	tests := []struct {
		name, before string
		edit         [2]string // smtpd_milters: replace this by that
		want         string    // main.cf in the end, comments aside
	}{
		{"milter added behind", "a = b\n", [2]string{ours, ours + ", inet:127.0.0.1:1"}, "a = b\nsmtpd_milters = inet:127.0.0.1:1\n"},
		{"milter added before", "a = b\n", [2]string{ours, "inet:127.0.0.1:1, " + ours}, "a = b\nsmtpd_milters = inet:127.0.0.1:1\n"},
		{"both", "a = b\n", [2]string{ours, "inet:127.0.0.1:1, " + ours + ", inet:127.0.0.1:2"}, "a = b\nsmtpd_milters = inet:127.0.0.1:1, inet:127.0.0.1:2\n"},
		{"other line", "a = b\n", [2]string{"a = b", "a = c"}, "a = c\n"},
		{"other milter gone", "smtpd_milters = inet:127.0.0.1:1\n", [2]string{"inet:127.0.0.1:1, ", ""}, "smtpd_milters =\n"},
		{"action changed", "a = b\n", [2]string{"milter_default_action = accept", "milter_default_action = tempfail"}, "a = b\nmilter_default_action = tempfail\n"},
		{"ours taken out by hand", "a = b\n", [2]string{ours, ""}, "a = b\nsmtpd_milters = \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := config(t, tt.before)
			ok(t, "-c", dir, "install")
			edited := "# by hand\n" + strings.Replace(mainCF(t, dir), tt.edit[0], tt.edit[1], 1)
			if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte(edited), 0o640); err != nil {
				t.Fatal(err)
			}
			ok(t, "-c", dir, "undo")
			if got, want := strings.TrimSpace(mainCF(t, dir)), strings.TrimSpace("# by hand\n"+tt.want); got != want {
				t.Errorf("after undo\n%s\nwant\n%s", got, want)
			}
			if got := files(t, dir); got != "main.cf master.cf" {
				t.Errorf("left behind: %s", got)
			}
		})
	}
}

func TestUndoThatCannot(t *testing.T) {
	dir := config(t, "")
	ok(t, "-c", dir, "install")
	edited := strings.Replace(mainCF(t, dir), ours, "{"+ours+", connect_timeout=10s}", 1)
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte(edited), 0o640); err != nil {
		t.Fatal(err)
	}
	if out, code := setup(t, "-c", dir, "undo"); code != 1 || !strings.Contains(out, "edit "+dir+"/main.cf") {
		t.Errorf("exit %d: %s", code, out)
	}
	if mainCF(t, dir) != edited {
		t.Error("main.cf was changed all the same")
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	const text = "smtpd_milters = inet:127.0.0.1:11332\n"
	dir := config(t, text)
	out := ok(t, "-n", "-c", dir, "install")
	if !strings.Contains(out, "would run: postconf -c "+dir+" -e smtpd_milters = inet:127.0.0.1:11332, "+braces) {
		t.Errorf("install says: %s", out)
	}
	if mainCF(t, dir) != text || files(t, dir) != "main.cf master.cf" {
		t.Error("install -n changed something")
	}
	ok(t, "-c", dir, "install")
	installed := mainCF(t, dir)
	ok(t, "-n", "-c", dir, "undo")
	if mainCF(t, dir) != installed {
		t.Error("undo -n changed something")
	}
}

func TestShow(t *testing.T) {
	dir := config(t, "smtpd_milters = inet:127.0.0.1:11332\n")
	if out := ok(t, "-c", dir, "show"); !strings.Contains(out, ours+" is not in smtpd_milters") || !strings.Contains(out, "submission/inet/smtpd_milters") {
		t.Errorf("show: %s", out)
	}
	ok(t, "-c", dir, "install")
	if out := ok(t, "-c", dir, "show"); !strings.Contains(out, ours+" is in smtpd_milters") {
		t.Errorf("show: %s", out)
	}
}

func TestContentFilterIsPointedOut(t *testing.T) {
	dir := config(t, "content_filter = smtp-amavis:[127.0.0.1]:10024\n")
	for _, command := range []string{"install", "show"} {
		if out := ok(t, "-c", dir, command); !strings.Contains(out, "content_filter is set") {
			t.Errorf("%s: %s", command, out)
		}
	}
}

func TestAnotherSocket(t *testing.T) {
	dir := config(t, "")
	ok(t, "-c", dir, "-s", "unix:/run/spamreport.sock", "install")
	if out, code := setup(t, "-c", dir, "install"); code != 1 || !strings.Contains(out, "run undo first") {
		t.Errorf("exit %d: %s", code, out)
	}
	ok(t, "-c", dir, "-s", "unix:/run/spamreport.sock", "undo")
	ok(t, "-c", dir, "-s", "inet:[::1]:8896", "install")
	if got := conf(t, dir, "smtpd_milters"); got != "inet:[::1]:8896" {
		t.Errorf("smtpd_milters = %s", got)
	}
}

func TestBadArguments(t *testing.T) {
	dir := config(t, "")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 64, "usage:"},
		{[]string{"-c", dir}, 64, "usage:"},
		{[]string{"-c", dir, "remove"}, 64, "usage:"},
		{[]string{"-x", "show"}, 64, "usage:"},
		{[]string{"-c", dir, "install", "undo"}, 64, "usage:"},
		{[]string{"-c", "relative", "show"}, 1, "not an absolute path"},
		{[]string{"-c", dir + "/none", "show"}, 1, "no main.cf"},
		{[]string{"-c", dir, "-s", "8896", "install"}, 1, "neither inet:"},
		{[]string{"-c", dir, "-s", "inet:8896", "install"}, 1, "neither inet:"},
		{[]string{"-c", dir, "-s", "unix:relative", "install"}, 1, "neither inet:"},
		{[]string{"-c", dir, "-s", "inet:a:1, inet:b:2", "install"}, 1, "characters"},
		{[]string{"-c", dir, "-s", "inet:$x:1", "install"}, 1, "characters"},
	} {
		if out, code := setup(t, tt.args...); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("setup %q: exit %d, want %d with %q: %s", tt.args, code, tt.code, tt.want, out)
		}
	}
	if mainCF(t, dir) != "" {
		t.Errorf("main.cf is now %q", mainCF(t, dir))
	}
}

// tagger is a filter before us that tags all mail, as rspamd does spam.
type tagger struct{ gomilter.NoOpMilter }

func (tagger) Body(m *gomilter.Modifier) (gomilter.Response, error) {
	return gomilter.RespContinue, m.AddHeader("X-Spam", "Yes")
}

func startTagger(t *testing.T) (socket string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &gomilter.Server{NewMilter: func() gomilter.Milter { return tagger{} }, Actions: gomilter.OptAddHeader}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return "inet:" + l.Addr().String()
}

type reports chan queue.Report

func (r reports) Submit(_ context.Context, report queue.Report) (int64, error) {
	r <- report
	return 1, nil
}

// TestRunningPostfix installs behind a tagging filter of a Postfix that refuses
// mail when a milter is away.
func TestRunningPostfix(t *testing.T) {
	testmta.Need(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	filter := startTagger(t)
	p := startPostfix(t, testmta.Options{
		Milters: []string{filter},
		MainCF:  map[string]string{"milter_default_action": "tempfail"},
	})
	srv, got, socket := startMilter(t)
	ok(t, "-c", p.Dir, "-s", socket, "install")
	if err := p.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := send(p.Addr, plain); err != nil {
		t.Errorf("installed: %v", err)
	}
	select {
	case r := <-got:
		if r.Reporter != "X-Spam" || string(r.Message.Header) != "Subject: x\r\nX-Spam: Yes\r\n" {
			t.Errorf("report by %s of %q", r.Reporter, r.Message.Header)
		}
	default:
		t.Errorf("no report; log:\n%s", p.Log())
	}

	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := send(p.Addr, plain); err != nil {
		t.Errorf("milter away: %v", err)
	}

	ok(t, "-c", p.Dir, "-s", socket, "undo")
	if err := p.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := send(p.Addr, plain); err != nil {
		t.Errorf("undone: %v", err)
	}
	if got := conf(t, p.Dir, "smtpd_milters"); got != filter {
		t.Errorf("smtpd_milters = %s after undo, want %s", got, filter)
	}
}

// TestStripTags shows that with strip_tags a sender's tag is none, a filter's
// tag is one, and a message within the message stays as it is.
func TestStripTags(t *testing.T) {
	testmta.Need(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, got, socket := startMilter(t)
	table, err := os.ReadFile("strip_tags")
	if err != nil {
		t.Fatal(err)
	}
	p := startPostfix(t, testmta.Options{Milters: []string{socket}})
	if err := os.WriteFile(filepath.Join(p.Dir, "strip_tags"), table, 0o644); err != nil {
		t.Fatal(err)
	}
	const forged = "X-Spam-Flag: YES\r\nx-spam: Yes\r\nX-Spam-Status: Yes,\r\n\tscore=9\r\n" +
		"Content-Type: message/rfc822\r\n\r\nX-Spam-Flag: YES\r\nSubject: inner\r\n\r\nbody\r\n"
	if err := send(p.Addr, forged); err != nil {
		t.Fatal(err)
	}
	if n := len(got); n != 1 {
		t.Fatalf("%d reports without strip_tags, want 1", n)
	}
	<-got

	set := map[string]string{"header_checks": "regexp:" + filepath.Join(p.Dir, "strip_tags"), "nested_header_checks": ""}
	if err := p.Set(ctx, set); err != nil {
		t.Fatal(err)
	}
	if err := send(p.Addr, forged); err != nil {
		t.Fatal(err)
	}
	if n := len(got); n != 0 {
		t.Errorf("%d reports of a forged tag", n)
	}

	set["smtpd_milters"] = startTagger(t) + ", " + socket
	if err := p.Set(ctx, set); err != nil {
		t.Fatal(err)
	}
	if err := send(p.Addr, forged); err != nil {
		t.Fatal(err)
	}
	if n := len(got); n != 1 {
		t.Fatalf("%d reports of a filter's tag, want 1; log:\n%s", n, p.Log())
	}
	r := <-got
	if want := "Content-Type: message/rfc822\r\nX-Spam: Yes\r\n"; string(r.Message.Header) != want {
		t.Errorf("header %q, want %q", r.Message.Header, want)
	}
	if want := "X-Spam-Flag: YES\r\nSubject: inner\r\n\r\nbody\r\n"; string(r.Message.Body) != want {
		t.Errorf("body %q, want %q", r.Message.Body, want)
	}
}

func startPostfix(t *testing.T, o testmta.Options) *testmta.Postfix {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := testmta.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// startMilter serves ours with the default rules.
func startMilter(t *testing.T) (srv *milter.Server, got reports, socket string) {
	t.Helper()
	got = make(reports, 10)
	srv, err := milter.New(milter.Config{Submitter: got, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return srv, got, "inet:" + l.Addr().String()
}

const plain = "Subject: x\r\n\r\nbody\r\n"

func send(addr, message string) error {
	err := smtp.SendMail(addr, nil, "a@example.com", []string{"user@example.org"}, []byte(message))
	if err != nil {
		return fmt.Errorf("mail was not taken: %w", err)
	}
	return nil
}

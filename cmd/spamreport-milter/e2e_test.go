package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "modernc.org/sqlite"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/internal/testnet"
)

// host is one mail server with everything around it: a real Postfix in front of
// a real daemon, a registry and an abuse desk.
type host struct {
	t        *testing.T
	config   string
	registry *testnet.RDAP
	dns      *testnet.DNS
	desk     *testnet.SMTP
	postfix  *testmta.Postfix
	daemon   *exec.Cmd
	milter   string // where the daemon listens, as in main.cf
	log      bytes.Buffer
}

func newHost(t *testing.T) *host {
	t.Helper()
	testmta.Need(t)
	h := &host{t: t}
	dir := t.TempDir()
	world, err := newInternet(dir)
	h.must(err)
	t.Cleanup(func() { world.Close() })
	h.registry, h.dns, h.desk = world.Registry, world.DNS, world.Desk
	h.config = filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("state_dir = %q\n\n", filepath.Join(dir, "state")) + testConfig(world)
	h.must(os.WriteFile(h.config, []byte(text), 0o600))
	h.postfix, err = testmta.Start(t.Context(), testmta.Options{})
	h.must(err)
	t.Cleanup(func() { h.postfix.Stop() })
	t.Cleanup(h.showLog)
	return h
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) showLog() {
	if h.t.Failed() {
		h.t.Logf("daemon:\n%s\nPostfix:\n%s", h.log.String(), h.postfix.Log())
	}
}

// serve starts the daemon and tells Postfix where it listens.
func (h *host) serve() {
	h.t.Helper()
	h.daemon = exec.Command("spamreport-milter", "--config", h.config, "serve")
	out, err := h.daemon.StdoutPipe()
	h.must(err)
	h.daemon.Stderr = &h.log
	h.must(h.daemon.Start())
	daemon := h.daemon
	h.t.Cleanup(func() { daemon.Process.Kill(); daemon.Wait() })
	var at string
	for lines := bufio.NewScanner(out); at == "" && lines.Scan(); {
		at, _ = strings.CutPrefix(strings.TrimSpace(lines.Text()), "smtpd_milters = ")
		if !strings.HasPrefix(at, "inet:") {
			at = ""
		}
	}
	go io.Copy(io.Discard, out)
	if at == "" {
		h.t.Fatal("the daemon did not say where it listens")
	}
	h.milter = at
	h.must(h.postfix.Set(h.t.Context(), map[string]string{"smtpd_milters": at, "milter_default_action": "accept"}))
}

// stop ends the daemon by a signal and checks how it ended.
func (h *host) stop(sig syscall.Signal) {
	h.t.Helper()
	h.must(h.daemon.Process.Signal(sig))
	err := h.daemon.Wait()
	if sig == syscall.SIGTERM && err != nil {
		h.t.Errorf("after SIGTERM: %v, want status 0", err)
	}
}

// run runs a command of the program and returns what it printed.
func (h *host) run(args ...string) string {
	h.t.Helper()
	out, err := exec.Command("spamreport-milter", append([]string{"--config", h.config}, args...)...).Output()
	if err != nil {
		var ee *exec.ExitError
		errors.As(err, &ee)
		h.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, ee.Stderr)
	}
	return string(out)
}

// complaints returns the queue as `queue list --json` prints it, newest first.
func (h *host) complaints() []complaintJSON {
	h.t.Helper()
	var list []complaintJSON
	for line := range strings.Lines(h.run("queue", "list", "--json")) {
		var c complaintJSON
		h.must(json.Unmarshal([]byte(line), &c))
		list = append(list, c)
	}
	return list
}

func (h *host) waitFor(n int) []complaintJSON {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list := h.complaints()
		if len(list) >= n {
			return list
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d complaints, want %d", len(list), n)
		}
	}
}

func (h *host) show(id int64) caseJSON {
	h.t.Helper()
	var k caseJSON
	h.must(json.Unmarshal([]byte(h.run("queue", "show", "--json", fmt.Sprint(id))), &k))
	return k
}

// smtp is one SMTP connection as a client of any address.
type smtp struct {
	*textproto.Conn
	t *testing.T
}

func (h *host) connect(xclient, helo string) *smtp {
	h.t.Helper()
	conn, err := textproto.Dial("tcp", h.postfix.Addr)
	h.must(err)
	s := &smtp{conn, h.t}
	h.t.Cleanup(func() { conn.Close() })
	_, _, err = s.ReadResponse(220)
	h.must(err)
	s.say(250, "EHLO tester")
	s.say(220, "XCLIENT "+xclient)
	s.say(250, "EHLO "+helo)
	return s
}

func (s *smtp) say(want int, line string) string {
	s.t.Helper()
	if _, err := s.Cmd("%s", line); err != nil {
		s.t.Fatal(err)
	}
	_, text, err := s.ReadResponse(want)
	if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	return text
}

// mail sends one message and returns Postfix's queue id for it.
func (s *smtp) mail(from string, msg []byte) (queueID string) {
	s.t.Helper()
	s.data(from, msg)
	_, text, err := s.ReadResponse(250)
	if err != nil {
		s.t.Fatal(err)
	}
	_, queueID, _ = strings.Cut(text, "queued as ")
	return strings.TrimSpace(queueID)
}

// try sends one message and returns the code that Postfix answers.
func (s *smtp) try(from string, msg []byte) int {
	s.t.Helper()
	s.data(from, msg)
	code, _, err := s.ReadResponse(0)
	if err != nil {
		s.t.Fatal(err)
	}
	return code
}

func (s *smtp) data(from string, msg []byte) {
	s.t.Helper()
	s.say(250, "MAIL FROM:<"+from+">")
	s.say(250, "RCPT TO:<user@example.org>")
	s.say(354, "DATA")
	w := s.DotWriter()
	_, err := w.Write(msg)
	if err = errors.Join(err, w.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// The header has what naive handling changes: odd spacing, folds, 8-bit octets,
// an empty field; the body has dots and octets that are no text.
const (
	tagged = "X-Spam-Flag: YES\r\nFrom:Pills <p@evil.example>\r\nSubject:  cheap\r\n\tpills \xe4 \r\nX-Empty:\r\n" +
		"Received: from nobody (nobody [198.51.100.1]) by forged.example with SMTP id 1;\r\n Mon, 23 Nov 2026 09:00:00 +0000\r\n"
	body = "Buy.\r\n.\r\n..\r\nraw \xff\xfe\x80\r\n\r\n"
	ham  = "From: anna@friend.example\r\nSubject: Sunday\r\n\r\nA walk?\r\n"
)

// TestFirstComplaint is the whole way of one message, through a real Postfix.
func TestFirstComplaint(t *testing.T) {
	h := newHost(t)
	h.serve()
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	first := c.mail("one@evil.example", []byte(tagged+"\r\n"+body))
	c.mail("anna@friend.example", []byte(ham))
	second := c.mail("two@evil.example", []byte(tagged+"X-Second: yes\r\n\r\n"+body))
	c.say(221, "QUIT")
	list := h.waitFor(2)
	if len(list) != 2 {
		t.Fatalf("%d complaints for two tagged messages and one ham", len(list))
	}

	if closed := h.run("queue", "list", "--closed"); !strings.Contains(closed, "no report was closed") {
		t.Errorf("the ham left a report: %s", closed)
	}

	// Two messages of one connection are told apart and share its facts.
	for i, want := range []struct{ from, id string }{{"two@evil.example", second}, {"one@evil.example", first}} {
		k := h.show(list[i].ID)
		if k.State != "held" || k.Source != "45.66.77.88" || len(k.To) != 1 || k.To[0] != "abuse@net.test" {
			t.Errorf("complaint %d: %s, source %s, to %v", k.ID, k.State, k.Source, k.To)
		}
		in := k.Incidents[0]
		s := in.Session
		if s == nil || s.Client != netip.MustParseAddrPort("45.66.77.88:40123") || s.PTR != "host.evil.test" ||
			!s.PTRVerified || s.HELO != "evil.example" || s.QueueID != want.id || in.MailFrom != want.from {
			t.Errorf("incident of %s: from <%s>, session %+v, want queue id %s", want.from, in.MailFrom, s, want.id)
		}
		if hop := in.Chain.Source(); hop == nil || hop.Grade != "session" {
			t.Errorf("the source %+v is not the session: a forged Received line was believed", hop)
		}
	}

	h.run("queue", "approve", fmt.Sprint(list[1].ID))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := h.desk.Wait(ctx, 1)
	h.must(err)
	sent := strings.TrimPrefix(tagged, "X-Spam-Flag: YES\r\n") + "\r\n" + body // what a filter of ours wrote stays here
	if original := originalOf(t, got[0].Data); string(original) != sent {
		t.Errorf("the original is not what was sent:\n%q\n%q", original, sent)
	}
	for _, want := range []string{"\r\nSource-IP: 45.66.77.88\r\n", "\r\nSource-Port: 40123\r\n"} {
		if !bytes.Contains(got[0].Data, []byte(want)) {
			t.Errorf("complaint lacks %q", want)
		}
	}
	h.stop(syscall.SIGTERM)
}

// originalOf takes the third part out of a complaint.
func originalOf(t *testing.T, complaint []byte) []byte {
	t.Helper()
	e, err := message.Read(bytes.NewReader(complaint))
	if err != nil {
		t.Fatal(err)
	}
	mr := e.MultipartReader()
	var p *message.Entity
	for range 3 {
		if p, err = mr.NextPart(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(p.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKilledBetweenAcceptanceAndTracing kills the daemon while the registry
// keeps it waiting: the report must be all that it needs after the restart.
func TestKilledBetweenAcceptanceAndTracing(t *testing.T) {
	h := newHost(t)
	h.registry.Fail(testnet.Slow)
	h.serve()
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	c.mail("one@evil.example", []byte(tagged+"\r\n"+body))
	h.stop(syscall.SIGKILL)
	if list := h.complaints(); len(list) != 0 {
		t.Fatalf("%d complaints before the restart: the test came too late", len(list))
	}
	h.registry.Recover()
	h.serve()
	list := h.waitFor(1)
	if len(list) != 1 || list[0].Source != "45.66.77.88" || len(list[0].To) != 1 {
		t.Errorf("after the restart: %+v", list)
	}
	h.stop(syscall.SIGTERM)
}

// TestStoreAway locks the store against the daemon: tagged mail is asked to come
// again and then makes its complaint; ham never meets the store.
func TestStoreAway(t *testing.T) {
	h := newHost(t)
	h.serve()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(filepath.Dir(h.config), "state", queueFile)+"?_txlock=exclusive")
	h.must(err)
	defer db.Close()
	lock, err := db.Begin()
	h.must(err)
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	c.mail("anna@friend.example", []byte(ham))
	asked := time.Now()
	if code := c.try("one@evil.example", []byte(tagged+"\r\n"+body)); code != 451 {
		t.Errorf("tagged mail that could not be recorded: %d, want 451", code)
	}
	if d := time.Since(asked); d > 30*time.Second { // SQLite waits 10 for the lock, and so does the group before
		t.Errorf("the MTA had to wait %v for that", d)
	}
	h.must(lock.Rollback())
	c.mail("one@evil.example", []byte(tagged+"\r\n"+body))
	if list := h.waitFor(1); len(list) != 1 {
		t.Errorf("%d complaints after the second try", len(list))
	}
	h.stop(syscall.SIGTERM)
}

// TestMilterGone holds us to mail never suffering: without the daemon everything
// passes.
func TestMilterGone(t *testing.T) {
	h := newHost(t)
	h.serve()
	h.stop(syscall.SIGTERM)
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	c.mail("anna@friend.example", []byte(ham))
	c.mail("one@evil.example", []byte(tagged+"\r\n"+body))
	if list := h.complaints(); len(list) != 0 {
		t.Errorf("%d complaints without a milter", len(list))
	}
}

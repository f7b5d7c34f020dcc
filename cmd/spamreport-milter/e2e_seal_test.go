package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
)

// TestSealedReport is the way of spam that no filter found: in from outside, to
// the mailbox, and as an attachment to report@. The configuration comes by SIGHUP
// while a session is open, which goes on.
func TestSealedReport(t *testing.T) {
	h := newHost(t)
	mailbox, err := testnet.StartSMTP(nil)
	h.must(err)
	t.Cleanup(func() { mailbox.Close() })
	at, port, err := net.SplitHostPort(mailbox.Addr)
	h.must(err)
	h.must(h.postfix.Set(t.Context(), map[string]string{
		"relay_transport": "smtp:[" + at + "]:" + port, "smtpd_sasl_auth_enable": "yes", "smtpd_delay_reject": "yes",
	}))
	h.serve()
	open := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	text, err := os.ReadFile(h.config)
	h.must(err)
	text = bytes.Replace(text, []byte("[milter]\n"), []byte("[milter]\nseal = true\nreports = {addresses = [\"report@example.org\"]}\n"), 1)
	h.must(os.WriteFile(h.config, text, 0o600))
	h.must(h.daemon.Process.Signal(syscall.SIGHUP))
	h.waitRefusal()
	open.mail("one@evil.example", []byte(tagged+"\r\n"+body)) // still recorded
	h.waitFor(1)

	c := h.connect("ADDR=45.66.77.88 PORT=40999 NAME=host.evil.test", "evil.example")
	spam := "From: Pills <p@evil.example>\r\nSubject: not found by the filter\r\n" +
		"Received: from victim (victim [198.51.100.1]) by mx.example.org with ESMTP id 1;\r\n Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\nBuy.\r\n"
	id := c.mail("two@evil.example", []byte(spam))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	delivered, err := mailbox.Wait(ctx, 2)
	h.must(err)
	var arrived []byte
	for _, m := range delivered {
		if bytes.Contains(m.Data, []byte("not found by the filter")) {
			arrived = m.Data
		}
	}
	if !bytes.Contains(arrived, []byte("\r\nSpamreport-Seal: v=1;\r\n")) {
		t.Fatalf("no seal on what arrived:\n%s", arrived)
	}

	user := h.connect("ADDR=192.0.2.44 PORT=5000 NAME=home.test LOGIN=fred", "laptop")
	forward := func(original []byte) {
		msg := "From: fred@example.org\r\nTo: report@example.org\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
			"--b\r\nContent-Type: message/rfc822\r\n\r\n" + string(original) + "\r\n--b--\r\n"
		user.say(250, "MAIL FROM:<fred@example.org>")
		user.say(250, "RCPT TO:<report@example.org>")
		user.say(354, "DATA")
		w := user.DotWriter()
		_, err := w.Write([]byte(msg))
		h.must(err)
		h.must(w.Close())
		if code, text, err := user.ReadResponse(250); err != nil {
			t.Fatal(code, text)
		}
	}
	forward(arrived)
	k := h.show(h.waitFor(2)[0].ID)
	in := k.Incidents[0]
	if k.Source != "45.66.77.88" || in.Reporter != "fred" || in.Session == nil || in.Session.Client != netip.MustParseAddrPort("45.66.77.88:40999") || in.Session.QueueID != id {
		t.Errorf("source %s, reporter %s, session %+v", k.Source, in.Reporter, in.Session)
	}
	if hop := in.Chain.Source(); hop == nil || hop.Grade != "session" || !strings.HasSuffix(in.Reason, "the seal is valid") {
		t.Errorf("source %+v, reason %q", hop, in.Reason)
	}

	// Somebody has the victim blamed: nobody is.
	forward(bytes.Replace(arrived, []byte("198.51.100.1"), []byte("45.66.77.99"), 1))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if closed := h.run("queue", "list", "--closed"); !strings.Contains(closed, "no report was closed") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("closed reports: %s", closed)
		}
	}
	if n := len(h.complaints()); n != 2 {
		t.Errorf("%d complaints, want 2", n)
	}
	for _, m := range delivered {
		if strings.Contains(fmt.Sprint(m.To), "report@") {
			t.Errorf("delivered to report@: %v", m.To)
		}
	}
	h.stop(syscall.SIGTERM)
}

// waitRefusal waits until strangers are refused at report@.
func (h *host) waitRefusal() {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c := h.connect("ADDR=45.66.77.88 PORT=40999 NAME=host.evil.test", "evil.example")
		c.say(250, "MAIL FROM:<x@evil.example>")
		_, err := c.Cmd("RCPT TO:<report@example.org>")
		h.must(err)
		code, text, _ := c.ReadResponse(550)
		c.Close()
		if code == 550 && strings.Contains(text, "log in") {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("report@ as a stranger: %d %s", code, text)
		}
	}
}

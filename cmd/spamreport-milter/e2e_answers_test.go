package main

import (
	"bytes"
	"context"
	"net"
	"net/mail"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"spamreport-milter/internal/testmta"
)

// throughPostfix has complaints go out and answers come in through the host's own
// Postfix, as on a real one.
func (h *host) throughPostfix() {
	h.t.Helper()
	at, port, err := net.SplitHostPort(h.desk.Addr)
	h.must(err)
	h.must(h.postfix.Stop())
	h.postfix, err = testmta.Start(h.t.Context(), testmta.Options{MainCF: map[string]string{
		"transport_maps": "inline:{{net.test = smtp:[" + at + "]:" + port + "}}", "internal_mail_filter_classes": "bounce",
	}})
	h.must(err)
	text, err := os.ReadFile(h.config)
	h.must(err)
	text = bytes.Replace(text, []byte(`smarthost = "`+h.desk.Addr+`"`), []byte(`smarthost = "`+h.postfix.Addr+"\"\nanswers = \"answers+*@example.org\""), 1)
	h.must(os.WriteFile(h.config, text, 0o600))
	h.serve()
	h.must(h.postfix.Set(h.t.Context(), map[string]string{"non_smtpd_milters": h.milter}))
}

// waitAction waits until something was done to a complaint.
func (h *host) waitAction(id int64, action string) caseJSON {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		k := h.show(id)
		for _, ev := range k.Events {
			if ev.Action == action {
				return k
			}
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("complaint %d was not %s: %+v", id, action, k.Events)
		}
	}
}

func (h *host) waitState(id int64, state string) caseJSON {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		k := h.show(id)
		if string(k.State) == state {
			return k
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("complaint %d is %s, want %s", id, k.State, state)
		}
	}
}

// TestAnswersTeach is the way back: the desk's server refuses a complaint, and the
// bounce that our own Postfix makes of it shuts the address and has the contact asked
// for again; later the desk writes
// that it has acted.
func TestAnswersTeach(t *testing.T) {
	h := newHost(t)
	h.throughPostfix()
	h.desk.RefuseTo("abuse@net.test", 550, "5.1.1 no such user here")
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	c.mail("one@evil.example", []byte(tagged+"\r\n"+body))
	h.waitFor(1)
	h.run("queue", "approve", "1")
	k := h.waitAction(1, "contact") // asked again, and nobody else is there
	var actions []string
	for _, ev := range k.Events[len(k.Events)-3:] {
		actions = append(actions, ev.Action)
	}
	if got := strings.Join(actions, " "); got != "bounced reopened contact" || !strings.Contains(k.Events[len(k.Events)-3].Reason, "no such user here") {
		t.Errorf("last events: %+v", k.Events)
	}
	if k.State != "held" || len(k.To) != 0 || !strings.Contains(k.Hold, "came back from abuse@net.test; no contact") {
		t.Errorf("%s to %v: %s", k.State, k.To, k.Hold)
	}
	if list := h.run("queue", "suppress", "list"); !strings.Contains(list, "abuse@net.test") {
		t.Errorf("suppressed:\n%s", list)
	}

	h.run("queue", "suppress", "remove", "abuse@net.test")
	h.desk.Recover()
	c.mail("two@evil.example", []byte(tagged+"X-Second: yes\r\n\r\n"+body))
	h.waitFor(2)
	h.run("queue", "approve", "2")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := h.desk.Wait(ctx, 1)
	h.must(err)
	m, err := mail.ReadMessage(bytes.NewReader(got[0].Data))
	h.must(err)
	to, err := mail.ParseAddress(m.Header.Get("Reply-To"))
	h.must(err)
	h.waitState(2, "sent")
	desk := h.connect("ADDR=192.0.2.80 PORT=40124 NAME=mail.net.test", "mail.net.test")
	desk.say(250, "MAIL FROM:<abuse@net.test>")
	desk.say(250, "RCPT TO:<"+to.Address+">")
	desk.say(354, "DATA")
	w := desk.DotWriter()
	_, err = w.Write([]byte("From: abuse@net.test\r\nTo: " + to.Address + "\r\nSubject: Re: " + m.Header.Get("Subject") +
		"\r\n\r\nDear all,\r\n\r\nthe account has been suspended.\r\n"))
	h.must(err)
	h.must(w.Close())
	if code, text, err := desk.ReadResponse(250); err != nil {
		t.Fatal(code, text)
	}
	k = h.waitState(2, "resolved")
	if last := k.Events[len(k.Events)-1]; last.Action != "resolved" || strings.HasPrefix(last.Actor, "user:") {
		t.Errorf("last event: %+v", last)
	}
	if n := len(h.complaints()); n != 2 {
		t.Errorf("%d complaints: an answer was reported", n)
	}
	h.stop(syscall.SIGTERM)
}

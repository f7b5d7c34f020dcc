package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
)

// TestKilledInDelivery kills the daemon while the relay reads a complaint, and again when
// it has said that it took it: the next daemon sends it, and the desk can tell a repeat.
func TestKilledInDelivery(t *testing.T) {
	h := newHost(t)
	h.serve()
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	c.mail("one@evil.example", []byte(tagged+"\r\n"+body))
	id := fmt.Sprint(h.waitFor(1)[0].ID)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	h.desk.Fail(testnet.Content, testnet.Fault{Hang: true, Cut: true}) // and it does not take what it has so far
	h.run("queue", "approve", id)
	h.must(h.desk.Reached(ctx, testnet.Content))
	h.stop(syscall.SIGKILL)
	h.desk.Recover()

	h.desk.Hang(testnet.Quit)
	h.serve()
	h.must(h.desk.Reached(ctx, testnet.Quit))
	h.stop(syscall.SIGKILL)
	h.desk.Recover()
	if k := h.complaints()[0]; k.State != "sending" {
		t.Errorf("the daemon was killed too late: %s", k.State)
	}

	h.serve()
	for deadline := time.Now().Add(time.Minute); h.complaints()[0].State != "sent"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("complaint %s is %s", id, h.complaints()[0].State)
		}
	}
	h.stop(syscall.SIGTERM)
	if got := h.desk.Messages(); len(got) != 2 || !bytes.Equal(got[0].Data, got[1].Data) {
		t.Errorf("the desk has %d messages, want one and its repeat", len(got))
	}
	if said := h.run("queue", "verify"); strings.Contains(said, "altered") {
		t.Error(said)
	}
}

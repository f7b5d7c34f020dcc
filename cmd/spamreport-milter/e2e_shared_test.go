package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"spamreport-milter/internal/testpg"
)

// share gives the host's queue to a PostgreSQL of its own.
func (h *host) share() *testpg.Server {
	h.t.Helper()
	server, err := testpg.Start(h.t.Context(), true)
	h.must(err)
	h.t.Cleanup(func() { server.Stop() })
	url, err := server.Schema(h.t.Context())
	h.must(err)
	f, err := os.OpenFile(h.config, os.O_APPEND|os.O_WRONLY, 0)
	h.must(err)
	_, err = fmt.Fprintf(f, "\n[queue]\ndatabase = %q\n", url)
	h.must(err)
	h.must(f.Close())
	return server
}

// TestDatabaseAway starts the daemon while its database is away, and takes it away
// again later: tagged mail is asked to come again, ham passes, and everything goes
// on by itself when the database is back.
func TestDatabaseAway(t *testing.T) {
	h := newHost(t)
	db := h.share()
	db.Down()
	h.serve()
	c := h.connect("ADDR=45.66.77.88 PORT=40123 NAME=host.evil.test", "evil.example")
	for round, name := range []string{"one", "two"} {
		c.mail("anna@friend.example", []byte(ham))
		if code := c.try(name+"@evil.example", []byte(tagged+"\r\n"+body)); code != 451 {
			t.Errorf("round %d: tagged mail that could not be recorded: %d, want 451", round, code)
		}
		h.must(db.Up(t.Context(), true))
		c.mail(name+"@evil.example", []byte(tagged+"\r\n"+body))
		list := h.waitFor(round + 1)
		if in := h.show(list[0].ID).Incidents[0]; len(list) != round+1 || in.MailFrom != name+"@evil.example" {
			t.Errorf("round %d: %d complaints, the newest about mail from %s", round, len(list), in.MailFrom)
		}
		if round == 0 {
			db.Down()
		}
	}
	h.run("queue", "approve", "1")
	if _, err := h.desk.Wait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	h.stop(syscall.SIGTERM) // and with it who writes the log
	if log := h.log.String(); strings.Count(log, "report could not be stored") != 2 || !strings.Contains(log, "queue does not answer, reports are refused for now") {
		t.Errorf("the log does not say what happened:\n%s", log)
	}
}

package reporter_test

import (
	"bytes"
	"io"
	"net/mail"
	"strings"
	"testing"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/reporter"
)

// TestAnswer sends a letter to a user: nothing may answer it, and nothing that it
// quotes may add to its header.
func TestAnswer(t *testing.T) {
	relay, err := testnet.StartSMTP(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	r := reporter.New(reporter.Config{Composer: reporter.Composer{Sender: us}, Relay: reporter.Relay{Addr: relay.Addr, TLS: "none"}}, nil, nil)
	if err := r.Answer(t.Context(), "anna@isp.test", "Ihr Bericht für\r\nBcc: bert@isp.test", "Thank you.\nMöbel\n"); err != nil {
		t.Fatal(err)
	}
	got, err := relay.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].From != "" || len(got[0].To) != 1 || got[0].To[0] != "anna@isp.test" {
		t.Errorf("envelope: from <%s> to %v", got[0].From, got[0].To)
	}
	m, err := mail.ReadMessage(bytes.NewReader(got[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Auto-Submitted") != "auto-replied" || m.Header.Get("Bcc") != "" || m.Header.Get("To") != "<anna@isp.test>" || m.Header.Get("From") != us.From {
		t.Errorf("header: %v", m.Header)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil || !strings.HasPrefix(string(body), "Thank you.\r\nMöbel\r\n") {
		t.Errorf("body %q, %v", body, err)
	}
}

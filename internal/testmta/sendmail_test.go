package testmta_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spamreport-milter/internal/testmta"
)

func TestSendmail(t *testing.T) {
	testmta.NeedSendmail(t)
	t.Setenv("TMPDIR", t.TempDir())
	if err := os.Chmod(filepath.Dir(os.TempDir()), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	addr, got := startSink(t)
	m, err := testmta.StartSendmail(ctx, testmta.Options{Relay: addr})
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("From: a@example.com\r\nSubject: hello\r\n\r\nworld\r\n")
	for range 2 {
		if err := sendPlain(m.Addr, "user@example.org", message); err != nil {
			t.Fatal(err)
		}
		select {
		case b := <-got:
			if !strings.HasPrefix(b, "Received: from ") || !strings.HasSuffix(b, "\r\n\r\nworld\r\n") {
				t.Errorf("relayed message:\n%s", b)
			}
		case <-ctx.Done():
			t.Fatalf("nothing relayed; log:\n%s", m.Log())
		}
		if err := m.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stops(t, m, m.Addr)
}

func TestSendmailFailedStart(t *testing.T) {
	testmta.NeedSendmail(t)
	t.Setenv("TMPDIR", t.TempDir())
	_, err := testmta.StartSendmail(context.Background(), testmta.Options{MC: "FEATURE(`no_such_feature')dnl\n"})
	if err == nil || !strings.Contains(err.Error(), "no_such_feature") {
		t.Errorf("StartSendmail: %v, want m4's own words", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := testmta.StartSendmail(ctx, testmta.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("StartSendmail: %v", err)
	}
	nothingLeft(t)
}

package seal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spamreport-milter/seal"
)

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	rotate := func(at time.Time) {
		t.Helper()
		if err := seal.Rotate(path, 24*time.Hour, at); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "#") {
				n++
			}
		}
		return n
	}
	rotate(now)
	rotate(now.Add(time.Hour))
	if n := count(); n != 1 {
		t.Fatalf("%d keys after an hour, want 1", n)
	}
	k, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	first := sealed(t, k, session("203.0.113.9:4321"), sample)
	rotate(now.Add(25 * time.Hour))
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	second := sealed(t, k, session("203.0.113.9:4321"), sample)
	if keyOf(first) == keyOf(second) {
		t.Error("the same key seals after a day")
	}
	for name, text := range map[string]string{"before": first, "after": second} {
		if v := k.Verify(message(t, text), now.Add(26*time.Hour)); v.Result != seal.Valid {
			t.Errorf("sealed %s the turn: %s", name, v.Text)
		}
	}
	// A key goes when no seal made with it can be valid any more.
	for day := 2; day < 200; day++ {
		rotate(now.Add(time.Duration(day) * 25 * time.Hour))
	}
	if n := count(); n < 55 || n > 65 {
		t.Errorf("%d keys after 200 days, want those of %v", n, seal.MaxAge)
	}
	if err := k.Reload(); err != nil {
		t.Fatal(err)
	}
	if v := k.Verify(message(t, first), now); v.Result != seal.Unknown {
		t.Errorf("seal of a dropped key: %s", v.Text)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func keyOf(text string) string {
	_, rest, _ := strings.Cut(text, " k=")
	id, _, _ := strings.Cut(rest, ";")
	return id
}

func TestBadKeyFiles(t *testing.T) {
	if _, err := seal.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	const good = "2026-11-20T12:00:00Z AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for name, tt := range map[string]struct {
		text, fault string
		mode        os.FileMode
	}{
		"open to all":  {good, "chmod 0640", 0o644},
		"short key":    {"2026-11-20T12:00:00Z AAAA\n", "line 1 is no key", 0o600},
		"no time":      {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "line 1 is no key", 0o600},
		"second wrong": {good + "rubbish\n", "line 2 is no key", 0o600},
		"too many":     {strings.Repeat(good, 101), "line 101", 0o600},
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(path); err == nil || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %v, want %q", name, err, tt.fault)
		} else if strings.Contains(err.Error(), "AAAAAAAA") {
			t.Errorf("%s: a key in the error: %v", name, err)
		}
	}
	// A file without keys is what an admin may have emptied: it seals nothing.
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := seal.BindHeader(nil)
	if _, err := k.Seal(seal.Statement{Session: session("203.0.113.9:1")}, h, seal.NewBody()); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("seal without a key: %v", err)
	}
}

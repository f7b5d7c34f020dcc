package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestKey: a secret is made once, is nobody else's to read, and stays.
func TestKey(t *testing.T) {
	c := &Config{StateDir: filepath.Join(t.TempDir(), "new")}
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			err := c.makeKey()
			if err != nil {
				t.Error(err)
			}
			if keys[i], err = c.key(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if len(k) < minKey || !bytes.Equal(k, keys[0]) {
			t.Fatalf("keys of programs that start together differ: %q, %q", k, keys[0])
		}
	}
	info, err := os.Stat(c.keyFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(c.StateDir); len(files) != 1 {
		t.Errorf("files left: %v", files)
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.KeyFile = short
	if _, err := c.key(); err == nil || !strings.Contains(err.Error(), "shorter than 32") {
		t.Errorf("a short key: %v", err)
	}
	c.KeyFile = short + ".missing"
	if err := c.makeKey(); err != nil {
		t.Error(err)
	}
	if _, err := c.key(); err == nil {
		t.Error("a named key that is missing was made")
	}
}

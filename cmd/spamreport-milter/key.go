package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// minKey is how long the secret must be, in octets.
const minKey = 32

// keyFile is where the secret is that tokens are made with.
func (c *Config) keyFile() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.StateDir, "key")
}

// key reads the secret. Who changes it makes new tokens for old mailboxes, and
// answers to complaints that are out already are not recognised any more.
func (c *Config) key() ([]byte, error) {
	key, err := os.ReadFile(c.keyFile())
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	if key = bytes.TrimSpace(key); len(key) < minKey {
		return nil, fmt.Errorf("the key in %s is shorter than %d octets: make one with  openssl rand -hex 32", c.keyFile(), minKey)
	}
	return key, nil
}

// makeKey writes a secret at the first start. It is whole before it has its name,
// and of two daemons that start together the first one's stays.
func (c *Config) makeKey() error {
	if c.KeyFile != "" {
		return nil
	}
	if _, err := os.Stat(c.keyFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil { // with a shared queue nothing else is there
		return fmt.Errorf("make the key: %w", err)
	}
	f, err := os.CreateTemp(c.StateDir, "key.*")
	if err != nil {
		return fmt.Errorf("make the key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(rand.Text() + rand.Text() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), c.keyFile())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the key: %w", err)
	}
	return nil
}

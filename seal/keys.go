package seal

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Keys is a file of secret keys. The newest one seals, all of them verify. The
// file has a line for each key: when it was made (RFC 3339) and the key in
// base64; empty lines and those that begin with # say nothing. Several hosts that
// share the file know each other's seals.
//
// Its methods may be called from several goroutines.
type Keys struct {
	path string

	mu   sync.RWMutex
	list []key // newest last
}

type key struct {
	id     string
	made   time.Time
	secret []byte
}

const (
	keySize = 32 // that of the hash; more does not help (RFC 2104 §3)
	// maxKeys bounds the file: a key a day for as long as seals prove something.
	maxKeys = 100
)

// ErrNoKey means that the file holds no key to seal with.
var ErrNoKey = errors.New("seal: no key; the daemon makes one when it starts, or run it once with milter.seal = true")

// Open reads the file. One that others can read is refused: whoever has the keys
// can have us complain about anybody.
func Open(path string) (*Keys, error) {
	k := &Keys{path: path}
	return k, k.Reload()
}

// Reload reads the file again, for another host may have turned the keys.
func (k *Keys) Reload() error {
	list, err := readKeys(k.path)
	if err != nil {
		return fmt.Errorf("keys of the seal: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = list
	return nil
}

// Rotate sees to it that the newest key is younger than every, makes the file
// where there is none, and drops keys that no valid seal can need any more. Only
// the host that looks after the file calls it; zero every makes the first key and
// no other.
func Rotate(path string, every time.Duration, now time.Time) error {
	list, err := readKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keys of the seal: %w", err)
	}
	if n := len(list); n > 0 && (every == 0 || now.Sub(list[n-1].made) < every) {
		return nil
	}
	fresh := key{made: now.UTC().Truncate(time.Second), secret: make([]byte, keySize)}
	rand.Read(fresh.secret)
	list = append(list, fresh)
	// A key seals until the next one is made.
	for len(list) > 1 && now.Sub(list[1].made) > MaxAge+skew || len(list) > maxKeys {
		list = list[1:]
	}
	if err := writeKeys(path, list); err != nil {
		return fmt.Errorf("keys of the seal: %w", err)
	}
	return nil
}

func (k *Keys) current() (*key, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.list) == 0 {
		return nil, ErrNoKey
	}
	return &k.list[len(k.list)-1], nil
}

func (k *Keys) find(id string) *key {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for i := range k.list {
		if k.list[i].id == id {
			return &k.list[i]
		}
	}
	return nil
}

func readKeys(path string) ([]key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s can be read by everybody: chmod 0640 it, and make new keys", path)
	}
	var list []key
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := parseKey(line)
		if err != nil || len(list) == maxKeys {
			return nil, fmt.Errorf("%s line %d is no key: want its time, a space, and %d octets in base64; at most %d keys", path, n, keySize, maxKeys)
		}
		list = append(list, k)
	}
	slices.SortStableFunc(list, func(a, b key) int { return a.made.Compare(b.made) })
	return list, lines.Err()
}

func parseKey(line string) (key, error) {
	made, secret, _ := strings.Cut(line, " ")
	k := key{}
	var err error
	if k.made, err = time.Parse(time.RFC3339, made); err != nil {
		return k, err
	}
	if k.secret, err = base64.StdEncoding.DecodeString(strings.TrimSpace(secret)); err != nil {
		return k, err
	}
	if len(k.secret) != keySize {
		return k, errors.New("wrong size")
	}
	// The name follows from the key, so that two can't have the same by mistake.
	sum := sha256.Sum256(append([]byte("name of a key of "+Field), k.secret...))
	k.id = hex.EncodeToString(sum[:6])
	return k, nil
}

// writeKeys replaces the file as a whole, so that no reader finds half of it.
func writeKeys(path string, list []key) error {
	var b strings.Builder
	b.WriteString("# Secret keys of the seal; the newest one seals, all of them verify.\n")
	for _, k := range list {
		fmt.Fprintf(&b, "%s %s\n", k.made.Format(time.RFC3339), encode(k.secret))
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(b.String())
	err = errors.Join(err, f.Sync(), f.Close())
	if info, statErr := os.Stat(path); err == nil && statErr == nil {
		// What the admin chose for the file stays.
		err = os.Chmod(f.Name(), info.Mode().Perm())
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func sortedNames(m map[string]binding) []string { return slices.Sorted(maps.Keys(m)) }

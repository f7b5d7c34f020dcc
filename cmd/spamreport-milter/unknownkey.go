package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

// unknownKey names a key that no package obeys, its line, and the key that was
// probably meant.
func unknownKey(text string, k toml.Key) error {
	at := ""
	if n := lineOf(text, k); n > 0 {
		at = fmt.Sprintf("line %d: ", n)
	}
	err := fmt.Errorf("%sunknown key %q", at, k.String())
	if near := nearest(k.String(), knownKeys(reflect.TypeFor[settings](), "")); near != "" {
		err = fmt.Errorf("%w: did you mean %q?", err, near)
	}
	return err
}

// lineOf finds the line that sets a key, or 0: the decoder does not tell. It
// follows table headers and plain `key = value` lines, which is all that an
// admin writes.
func lineOf(text string, k toml.Key) int {
	table, want := "", k.String()
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			name, _, _ := strings.Cut(strings.TrimLeft(line, "["), "]")
			table = strings.TrimSpace(name)
			if table == want {
				return i + 1
			}
			continue
		}
		name, _, found := strings.Cut(line, "=")
		if found && strings.TrimPrefix(table+"."+strings.TrimSpace(name), ".") == want {
			return i + 1
		}
	}
	return 0
}

// knownKeys lists the dotted names of all keys of a settings type.
func knownKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for f := range fieldsOf(t) {
		name := prefix + keyName(f)
		keys = append(keys, name)
		ft := f.Type
		if ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			keys = append(keys, knownKeys(ft, name+".")...)
		}
	}
	return keys
}

func nearest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

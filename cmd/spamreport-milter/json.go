package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// newJSON writes JSON for programs, a value a line. "<" and "&" stay as they are:
// they are what addresses and headers are made of, and no browser reads this.
func newJSON(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// writeJSONLines writes an object a line.
func writeJSONLines[T any](e *Env, list []T, view func(*T) any) error {
	enc := newJSON(e.Stdout)
	for i := range list {
		if err := enc.Encode(view(&list[i])); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

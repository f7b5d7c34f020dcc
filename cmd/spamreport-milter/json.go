package main

import (
	"encoding/json"
	"io"
)

// newJSON writes JSON for programs, a value a line. "<" and "&" stay as they are:
// they are what addresses and headers are made of, and no browser reads this.
func newJSON(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

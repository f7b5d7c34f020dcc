package reporter

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"spamreport-milter/queue"
)

// A Format writes one kind of complaint. The same complaint and sender give the
// same octets every time, so a repeated delivery is the same message.
type Format struct {
	Name    string
	Compose func(w io.Writer, c *queue.Complaint, s queue.Sender) error
}

// formats by name. A new one is a file with its Format and a line here.
var formats = map[string]Format{
	ARF.Name: ARF,
}

// Compose writes the complaint exactly as it goes to the relay, with CRLF line
// ends. The complaint needs its incidents with their reports. One that is not
// approved yet is shown in the name of preview.
func Compose(w io.Writer, c *queue.Complaint, preview queue.Sender) error {
	f, ok := formats[c.Format]
	if !ok {
		return fmt.Errorf("complaint %d asks for the format %q: known are %s",
			c.ID, c.Format, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	}
	if len(c.Incidents) == 0 {
		return fmt.Errorf("complaint %d has no incident: nothing to report", c.ID)
	}
	if err := f.Compose(w, c, senderOf(c, preview)); err != nil {
		return fmt.Errorf("compose complaint %d as %s: %w", c.ID, f.Name, err)
	}
	return nil
}

// senderOf returns in whose name a complaint goes out: as it was approved.
func senderOf(c *queue.Complaint, preview queue.Sender) queue.Sender {
	if c.Sender == (queue.Sender{}) {
		return preview
	}
	return c.Sender
}

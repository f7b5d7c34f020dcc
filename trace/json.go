package trace

import (
	"encoding/json"
	"time"
)

// UnmarshalJSON reads what encoding/json wrote of a Hop. The date keeps the zone
// as written, whatever the zone of the machine.
func (h *Hop) UnmarshalJSON(b []byte) error {
	type plain Hop
	if err := json.Unmarshal(b, (*plain)(h)); err != nil {
		return err
	}
	if h.Date.IsZero() {
		return nil
	}
	if _, offset := h.Date.Zone(); offset != 0 {
		h.Date = h.Date.In(time.FixedZone("", offset))
	} else {
		h.Date = h.Date.UTC()
	}
	return nil
}

package trace

import (
	"fmt"
	"strings"
	"time"
)

// The signs, by name. Those that prove a forgery grade the field and all below it.
const (
	SignTemplateFault      = "template-fault"      // forged: a date stands where the peer belongs
	SignImpossibleProtocol = "impossible-protocol" // forged: a protocol that no server writes there
	SignReplayed           = "replayed"            // forged: much older than the unrelated field above it
	SignMissingLink        = "missing-link"        // the source's first field names another host
	SignHELOIsReceiver     = "helo-is-receiver"    // the peer greeted with the receiver's own name
	SignBadAddress         = "bad-address"         // four numbers in the peer's place that are no address
	SignClock              = "clock"               // minutes ahead of the field above it
	SignBadSeal            = "bad-seal"            // nothing is believed: the seal was forged, altered, copied or is too old
	SignResent             = "resent"              // nothing is believed: this copy came in after the one that was sealed
)

// A field much older than the one above it is the mark of a copied header, where
// the two don't belong together. Servers retry for days (RFC 5321 §4.5.4.1), so
// age alone proves nothing.
const (
	maxQueue = 24 * time.Hour     // between names that have nothing to do with each other
	maxRetry = 5 * 24 * time.Hour // where the names can't be compared
)

// distrust grades what stands below the believed hops: claimed, and forged from
// the first field on that contradicts itself or its neighbours, because whoever
// wrote that one wrote all below it.
func (w *walk) distrust() {
	grade := GradeClaimed
	for i := w.believed; i < len(w.Hops); i++ {
		h := &w.Hops[i]
		if h.Reason == "" {
			h.Reason = "below the last host that can be believed"
		}
		if fault, ok := w.fault(i); ok && grade != GradeForged {
			grade = GradeForged
			w.Signs = append(w.Signs, fault)
			h.Reason = fault.Text
		} else if grade == GradeForged {
			h.Reason = "below a forged field"
		}
		h.Grade = grade
	}
}

func (w *walk) sign(i int, name, format string, args ...any) {
	w.Signs = append(w.Signs, Sign{Hop: i, Name: name, Text: fmt.Sprintf(format, args...)})
}

// fault finds what proves hop i a forgery.
func (w *walk) fault(i int) (Sign, bool) {
	h := &w.Hops[i]
	switch {
	case dateAsPeer(h):
		return Sign{i, SignTemplateFault, "a date stands where the peer belongs"}, true
	case neverSpoken(h.With):
		return Sign{i, SignImpossibleProtocol, fmt.Sprintf("no mail server writes the protocol %q", h.With)}, true
	case h.With == "local" && h.IP.IsValid() && !local(h.IP):
		return Sign{i, SignImpossibleProtocol, "handed in locally, yet from a remote address"}, true
	}
	if i == 0 || w.Hops[i-1].Date.IsZero() || h.Date.IsZero() {
		return Sign{}, false
	}
	gap := w.Hops[i-1].Date.Sub(h.Date)
	above := &w.Hops[i-1]
	if gap > maxQueue && unlinked(above, h) || gap > maxRetry && h.By != "" && !meets(above, h) {
		return Sign{i, SignReplayed, fmt.Sprintf("%s older than the field above it, which another host wrote", days(gap))}, true
	}
	return Sign{}, false
}

// unlinked reports whether two fields name hosts that have nothing to do with each
// other. Where one of them names none that can be compared, that can't be said.
func unlinked(h, next *Hop) bool {
	return qualified(next.By) && (qualified(h.HELO) || qualified(h.RDNS)) && !meets(h, next)
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// dateAsPeer finds the fault of a spam program that filled in its template wrongly.
func dateAsPeer(h *Hop) bool {
	if h.IP.IsValid() {
		return false
	}
	for _, c := range h.Comments {
		c = strings.TrimLeft(c, "[")
		if startsDate(firstWord(c)) {
			if _, ok := parseDate(c); ok {
				return true
			}
		}
	}
	return false
}

// neverSpoken reports whether the protocol is one that only forged fields name.
// NNFMP was a private protocol between Yahoo's own hosts.
func neverSpoken(with string) bool { return strings.EqualFold(with, "NNFMP") }

// marks names what is worth a look on any hop, without changing what is believed.
func (w *walk) marks() {
	for i := range w.Hops {
		h := &w.Hops[i]
		if w.notes[i].faulty {
			w.sign(i, SignBadAddress, "it states an address that is none")
		}
		if i == w.Border.Hop && h.RDNS == "" && (sameHost(h.HELO, h.By) || sameOrganisation(h.HELO, h.By)) && relayOf(w.providers, h) == nil {
			w.sign(i, SignHELOIsReceiver, "the peer greeted as %s, a name of the receiver's", h.HELO)
		}
		if i == 0 {
			continue
		}
		above := &w.Hops[i-1]
		if i == w.believed && w.Border.Hop == i-1 && unlinked(above, h) {
			w.sign(i, SignMissingLink, "written by %s, which the peer above is not known as", h.By)
		}
		if ahead := h.Date.Sub(above.Date); ahead > maxSkew && !h.Date.IsZero() && !above.Date.IsZero() {
			w.sign(i, SignClock, "%s ahead of the hop above it", ahead.Round(time.Second))
		}
	}
}

// maxSkew is as far as the clocks of honest servers are apart.
const maxSkew = 5 * time.Minute

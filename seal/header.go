package seal

import (
	"crypto/sha256"
	"strings"

	"spamreport-milter/trace"
)

// Header is what a seal binds of a header section: which fields, and their hash.
type Header struct {
	names string // as in the h tag of DKIM: a name for each field, from the bottom
	sum   [sha256.Size]byte
}

// binding says how the fields of one name are bound.
type binding uint8

const (
	// whole binds those that are there and that there are no others.
	whole binding = iota
	// present does so only where there is one: MTAs add the field to a message
	// that lacks it, after milters have seen it.
	present
	// below binds those that are there; our own servers put more on top.
	below
)

// bound are the fields that stay as they are from the session to the user: what
// the message says of itself, and what tracing reads. Fields that filters and
// mailboxes write are not among them.
var bound = func() map[string]binding {
	m := map[string]binding{
		"from": present, "to": present, "date": present, "message-id": present,
		"sender": whole, "reply-to": whole, "cc": whole, "subject": whole, "auto-submitted": whole,
		"mime-version": whole, "content-type": whole, "content-transfer-encoding": whole,
		"received": below,
	}
	for _, name := range trace.ClientFields() {
		m[strings.ToLower(name)] = whole
	}
	return m
}()

// order of the names in the h tag; any fixed one would do.
var boundNames = sortedNames(bound)

const maxReceived = 100

// BindHeader hashes what a seal binds of a header section. It returns
// ErrManyFields for one that no honest message has.
func BindHeader(header []byte) (Header, error) {
	fields := collect(header, func(name string) bool { _, ok := bound[name]; return ok })
	if len(fields["received"]) > maxReceived {
		return Header{}, ErrManyFields
	}
	var names []string
	for _, name := range boundNames {
		n := len(fields[name])
		if how := bound[name]; how == whole || how == present && n > 0 {
			n++ // one more than there are: none may be added
		}
		for range n {
			names = append(names, name)
		}
	}
	h := Header{names: strings.Join(names, ":")}
	h.sum = hashFields(names, fields)
	return h, nil
}

// rebind hashes the same fields of a message that came back.
func rebind(names string, fields map[string][]string) [sha256.Size]byte {
	return hashFields(strings.Split(names, ":"), fields)
}

// hashFields takes for each name the next field of that name from the bottom, and
// nothing where there is none left (RFC 6376 §5.4.2). Each is written with its
// name, so nothing can move from one field to another.
func hashFields(names []string, fields map[string][]string) (sum [sha256.Size]byte) {
	h := sha256.New()
	taken := make(map[string]int)
	for _, name := range names {
		all := fields[name]
		if i := len(all) - 1 - taken[name]; i >= 0 {
			h.Write([]byte(name + ":" + all[i] + "\r\n"))
		}
		taken[name]++
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// collect returns the values of the fields that are wanted, by their names in
// lower case, topmost first, in the relaxed form of RFC 6376 §3.4.2.
func collect(header []byte, wanted func(name string) bool) map[string][]string {
	fields := make(map[string][]string)
	for f := range trace.HeaderFields(header) {
		name := strings.ToLower(f.Name)
		if wanted(name) {
			fields[name] = append(fields[name], strings.Join(strings.Fields(f.Value), " "))
		}
	}
	return fields
}

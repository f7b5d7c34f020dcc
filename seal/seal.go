// Package seal writes into a message what our SMTP session knew of its sender,
// under a key that only we hold, and reads it again when a user hands the message
// in later. Who connected, from which port, as whom is then as certain as it was
// in the session, whatever has been done to the message in between; a statement
// that was altered, or put on another message, proves nothing and is named.
//
// The statement is one header field, in the form of a DKIM-Signature's tag list
// (RFC 6376 §3.2) but with a secret key: it is for its writer alone. Everybody
// can read it, and it tells little more than the Received field does.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"spamreport-milter/trace"
)

// Field is the name of the header field.
const Field = "Spamreport-Seal"

// version is the form of the field; its name stands in what is signed too.
const version = "1"

// Statement is what a seal says.
type Statement struct {
	Session  *trace.Session `json:"session"`
	MailFrom string         `json:"mail_from"` // empty for the null reverse-path
}

// ErrManyFields means that the header has more Received fields than any honest
// way through the Internet (RFC 5321 §6.3); such a message gets no seal.
var ErrManyFields = errors.New("too many Received fields to seal")

// Seal returns the value of the field that binds the statement to a message,
// folded by LF as milters hand it on, with the space behind the colon. The body's
// hash can have been built while the header was long gone.
func (k *Keys) Seal(s Statement, header Header, body *Body) (string, error) {
	key, err := k.current()
	if err != nil {
		return "", err
	}
	said, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	t := tags{
		"v": version, "k": key.id, "h": header.names,
		"s": encode(said), "hh": encode(header.sum[:]), "bh": encode(body.sum()),
	}
	t["b"] = encode(key.sign(t))
	return t.fold(), nil
}

// tags are the field's parts without white space.
type tags map[string]string

// order is that of the tags in the field and in what is signed; b comes last and
// is not signed itself.
var order = []string{"v", "k", "h", "s", "hh", "bh", "b"}

// sign returns the code over all tags but b. Each tag is ended by a semicolon,
// which no value can hold, so no two fields give the same octets.
func (k *key) sign(t tags) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(Field + "\n"))
	for _, name := range order[:len(order)-1] {
		mac.Write([]byte(name + "=" + t[name] + ";"))
	}
	return mac.Sum(nil)
}

// fold writes the tags on lines of at most 76 octets.
func (t tags) fold() string {
	var b strings.Builder
	for i, name := range order {
		if i > 0 {
			b.WriteString(";\n")
		}
		b.WriteString(" " + name + "=")
		value := t[name]
		for len(value) > 70 {
			b.WriteString(value[:70] + "\n ")
			value = value[70:]
		}
		b.WriteString(value)
	}
	return b.String()
}

// parse reads the field's value. Every tag must be there once, and no other.
func parse(value string) (tags, error) {
	if len(value) > maxField {
		return nil, fmt.Errorf("it has %d octets", len(value))
	}
	t := make(tags, len(order))
	for part := range strings.SplitSeq(strings.Join(strings.Fields(value), ""), ";") {
		name, v, ok := strings.Cut(part, "=")
		if _, twice := t[name]; !ok || twice {
			return nil, errors.New("it is no list of tags")
		}
		t[name] = v
	}
	for _, name := range order {
		if _, ok := t[name]; !ok {
			return nil, fmt.Errorf("tag %s is missing", name)
		}
	}
	if len(t) != len(order) || t["v"] != version {
		return nil, errors.New("it is of a form not known here")
	}
	return t, nil
}

// maxField is far more than a session's facts come to, each cut to 512 octets.
const maxField = 32 << 10

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

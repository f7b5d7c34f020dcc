package redaction

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"spamreport-milter/trace"
)

// maxRecipients bounds how many mailboxes besides those of the envelope, of which our own
// server bounds the number, are hidden: a sender can write any number into fields.
const maxRecipients = 200

// maxMailbox is how long a mailbox may be (RFC 5321 §4.5.3.1), in octets.
const maxMailbox = 64 + 1 + 255

// fieldsOf are the names, in lower case, of fields that say whose mail it is, and of
// those that may.
var fieldsOf = map[string]role{
	"received": atReceipt,
	"to":       addressed, "cc": addressed, "bcc": addressed, "resent-to": addressed, "resent-cc": addressed, "apparently-to": addressed,
	"delivered-to": atDelivery, "x-original-to": atDelivery, "envelope-to": atDelivery, "x-envelope-to": atDelivery,
	"x-delivered-to": atDelivery, "x-rcpt-to": atDelivery, "x-forwarded-to": atDelivery, "x-forwarded-for": atDelivery,
	"x-apparently-to": atDelivery, "x-real-to": atDelivery, "x-resolved-to": atDelivery, "x-envelope-recipient": atDelivery,
	"x-recipient": atDelivery, "original-recipient": atDelivery,
}

type role byte

const (
	atDelivery role = iota + 1
	atReceipt
	addressed
)

var (
	addressIn = regexp.MustCompile(`[^\s<>()\[\]:;,"@]+@[^\s<>()\[\]:;,"@]+`)
	forClause = regexp.MustCompile(`^\s+<?([^\s<>()\[\]:;,"@]+@[^\s<>()\[\]:;,"@]+)`)
)

// Recipients lists the mailboxes that a message came to: those of the envelope, of
// the fields that servers write at delivery and forwarding, and of To and Cc those
// in the same domains. A saved message that says none of these has all of To and Cc.
func Recipients(m *trace.Message) []string {
	all := slices.Clone(m.RcptTo)
	var named []string
	for f := range trace.HeaderFields(m.Header) {
		switch v := clip(f.Value); fieldsOf[strings.ToLower(f.Name)] {
		case atDelivery:
			all = append(all, addressIn.FindAllString(v, -1)...)
		case atReceipt:
			all = append(all, receivedFor(v)...)
		case addressed:
			named = append(named, addressIn.FindAllString(v, -1)...)
		}
	}
	known := domains(all)
	for _, a := range named {
		if len(known) == 0 || known[domainOf(a)] {
			all = append(all, a)
		}
	}
	all = slices.DeleteFunc(all, func(a string) bool { return len(a) > maxMailbox })
	return all[:min(len(all), len(m.RcptTo)+maxRecipients)]
}

// receivedFor returns what stands behind each "for" of a Received field.
func receivedFor(v string) (all []string) {
	for at := 0; at+3 < len(v); at++ {
		if v[at]|0x20 != 'f' || !strings.EqualFold(v[at:at+3], "for") || at > 0 && isLetter(v[at-1]) {
			continue
		}
		if found := forClause.FindStringSubmatch(v[at+3:]); found != nil {
			all = append(all, found[1])
		}
	}
	return all
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// clip bounds the work that one field can make.
func clip(v string) string { return v[:min(len(v), 64<<10)] }

func domains(all []string) map[string]bool {
	known := map[string]bool{}
	for _, a := range all {
		known[domainOf(a)] = true
	}
	return known
}

func domainOf(a string) string { return strings.ToLower(a[strings.LastIndexByte(a, '@')+1:]) }

// Strip takes fields out of a header section: names in any case, a name with "*" at
// its end all that begin so. A filter's marks say nothing of how the message came,
// and tell its sender how to pass.
func Strip(header []byte, names []string) []byte {
	var out []byte
	for at := 0; at < len(header); {
		end := fieldEnd(header, at)
		field := header[at:end]
		switch drop := named(field, names); {
		case drop && out == nil:
			out = append(make([]byte, 0, len(header)), header[:at]...)
		case !drop && out != nil:
			out = append(out, field...)
		}
		at = end
	}
	if out == nil {
		return header
	}
	return out
}

// fieldEnd returns where the field at a place ends, with its folded lines.
func fieldEnd(header []byte, at int) int {
	for {
		n := bytes.IndexByte(header[at:], '\n')
		if n < 0 {
			return len(header)
		}
		if at += n + 1; at == len(header) || header[at] != ' ' && header[at] != '\t' {
			return at
		}
	}
}

func named(field []byte, names []string) bool {
	colon := bytes.IndexByte(field, ':')
	if colon < 0 {
		return false
	}
	name := string(bytes.TrimRight(field[:colon], " \t"))
	return slices.ContainsFunc(names, func(n string) bool {
		begin, glob := strings.CutSuffix(n, "*")
		if glob {
			return len(name) >= len(begin) && strings.EqualFold(name[:len(begin)], begin)
		}
		return strings.EqualFold(name, n)
	})
}

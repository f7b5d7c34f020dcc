package resolver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// types are what this program asks for. For each of them the text of a record
// is known to read back as the same record.
var types = []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeMX, dns.TypeNS, dns.TypePTR, dns.TypeSOA, dns.TypeTXT}

const (
	maxName  = 253 // without the final dot, which is 255 octets on the wire (RFC 1035 §2.3.4)
	maxLabel = 63
)

// question is what is asked, in its one spelling: lower case, A-labels, final dot.
type question struct {
	name  string
	qtype uint16
}

func newQuestion(name string, qtype uint16) (question, error) {
	if !slices.Contains(types, qtype) {
		return question{}, fmt.Errorf("type %s is not one that this program asks for", dns.Type(qtype))
	}
	name, err := absolute(name)
	return question{name, qtype}, err
}

// toASCII is UTS 46 for look-ups; which ASCII characters a label may have is
// decided by checkName, as underscores are common here.
var toASCII = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

// absolute returns the one spelling of a name.
func absolute(name string) (string, error) {
	if len(name) > maxName*utf8.UTFMax {
		return "", errors.New("the name is longer than 253 octets")
	}
	if strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		if !utf8.ValidString(name) { // which UTS 46 has no word on, so anything may come out
			return "", errors.New("the name is not UTF-8")
		}
		var err error
		if name, err = toASCII.ToASCII(name); err != nil {
			return "", fmt.Errorf("the name is no internationalised domain name: %w", err)
		}
	}
	name = strings.ToLower(name)
	if err := checkName(strings.TrimSuffix(name, ".")); err != nil {
		return "", err
	}
	return dns.Fqdn(name), nil
}

// checkName holds names to letters, digits, hyphens and underscores: a
// host's name (RFC 1123 §2.1) or a service's (RFC 8552).
func checkName(name string) error {
	if name == "" {
		return errors.New("the name is empty")
	}
	if len(name) > maxName {
		return errors.New("the name is longer than 253 octets")
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return errors.New("the name has an empty label")
		case len(label) > maxLabel:
			return errors.New("a label of the name is longer than 63 octets")
		case label[0] == '-' || label[len(label)-1] == '-':
			return errors.New("a label of the name begins or ends with a hyphen")
		case strings.IndexFunc(label, notNameRune) >= 0:
			return errors.New("the name has characters other than letters, digits, hyphens, underscores and dots")
		}
	}
	return nil
}

func notNameRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

package contact

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

const (
	maxMailbox = 254 // RFC 5321 §4.5.3.1.3, without the angle brackets
	maxLocal   = 64  // RFC 5321 §4.5.3.1.1
)

// localPart holds what abuse mailboxes are made of. RFC 5321 allows more, but
// %, ! and / route through gateways, | ' ` and $ hurt in shells, and quotes hide
// all else: an address from a registry is input from strangers.
const localPart = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_=&#~"

// Mailbox checks the text of an address and returns it as SMTP takes it, with
// the domain in A-labels (RFC 5890). Case is left as it stands.
func Mailbox(text string) (string, error) {
	s := strings.TrimSpace(text)
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") { // vCard values of type URI
		s = s[7:]
	}
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case !ok:
		return "", errors.New("no @ in it")
	case local == "" || len(local) > maxLocal:
		return "", fmt.Errorf("local part of %d octets", len(local))
	case strings.ContainsFunc(local, func(c rune) bool { return !strings.ContainsRune(localPart, c) }):
		return "", errors.New("local part with characters that no abuse mailbox needs")
	case local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, ".."):
		return "", errors.New("local part with a dot out of place")
	}
	domain, err := mailDomain(domain)
	if err != nil {
		return "", err
	}
	if s = local + "@" + domain; len(s) > maxMailbox {
		return "", fmt.Errorf("%d octets long, more than %d", len(s), maxMailbox)
	}
	return s, nil
}

// mailDomain returns a domain in A-labels. Address literals are no domains.
func mailDomain(domain string) (string, error) {
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return "", errors.New("domain without a dot")
	}
	ascii, err := idna.Lookup.ToASCII(domain) // hyphens, lengths of labels, Punycode
	if err != nil {
		return "", errors.New("not a domain name")
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", errors.New("an IP address in place of a domain")
	}
	for _, label := range strings.Split(ascii, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notLDH) {
			return "", errors.New("not a domain name")
		}
	}
	if strings.EqualFold(ascii, domain) {
		return domain, nil
	}
	return mailDomain(ascii) // what the conversion lets through need not pass the same check
}

func notLDH(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
}

//go:embed lists/freemail.txt
var freemailText string

//go:embed lists/placeholders.txt
var placeholderText string

var (
	freemail     = readList(freemailText)
	placeholders = readList(placeholderText)
)

// readList reads a list of domains and local parts, a line each.
func readList(text string) map[string]bool {
	list := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list[line] = true
		}
	}
	return list
}

// isFreemail reports whether anybody can have a mailbox at domain.
func isFreemail(domain string) bool {
	domain = strings.ToLower(domain)
	name, _, _ := strings.Cut(domain, ".")
	return freemail[domain] || freemail[name+".*"]
}

// isPlaceholder reports whether nobody reads mail to the address.
func isPlaceholder(address string) bool {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	if placeholders[local+"@"] {
		return true
	}
	for ok := true; ok; {
		name, rest, more := strings.Cut(domain, ".")
		if placeholders["@"+domain] || more && placeholders["@"+name+".*"] {
			return true
		}
		domain, ok = rest, more
	}
	return false
}

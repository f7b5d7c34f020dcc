package redaction

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// planted lists what senders write into links and fields in place of a mailbox, to
// know it again: base64 wherever it begins in a longer text, of the mailbox, of its
// escaped form and of its base64; hexadecimal digits; and the common hashes, as such
// digits and in base64. A token that stands for the mailbox in the sender's own list
// alone looks like any other number, and stays.
func planted(mailbox, written string) []pattern {
	all := patterns{make([]pattern, 0, 96)}
	for _, m := range casings(mailbox, written) {
		all.encoded(m)
		if m != mailbox && m != written && m != strings.ToUpper(m) {
			continue // nobody makes hashes of it
		}
		all.add(hex.EncodeToString([]byte(m)), true)
		for _, sum := range sums(m) {
			all.add(hex.EncodeToString(sum), true)
			all.add(middle(string(sum), 0), false)
		}
	}
	all.encoded(url.QueryEscape(mailbox))
	all.encoded(base64.StdEncoding.EncodeToString([]byte(mailbox)))
	return all.list
}

// encoded adds the base64 of a text wherever it begins.
func (p *patterns) encoded(text string) {
	for shift := range 3 {
		p.add(middle(text, shift), false)
	}
}

// sums are the hashes that mailing systems make of a mailbox.
func sums(m string) [][]byte {
	sum1, sum2, sum3, sum4 := md5.Sum([]byte(m)), sha1.Sum([]byte(m)), sha256.Sum256([]byte(m)), sha512.Sum512([]byte(m))
	return [][]byte{sum1[:], sum2[:], sum3[:], sum4[:]}
}

// patterns collects planted forms.
type patterns struct{ list []pattern }

func (p *patterns) add(text string, fold bool) {
	if len(text) <= 5 {
		return
	}
	p.list = append(p.list, pattern{text: text, fold: fold})
	if !fold && strings.ContainsAny(text, "+/") {
		p.list = append(p.list, pattern{text: urlCode.Replace(text)})
	}
}

// urlCode makes the base64 of links of the usual one (RFC 4648 §5).
var urlCode = strings.NewReplacer("+", "-", "/", "_")

// middle is the base64 of a text behind shift octets, without the characters that
// those and what follows have a share in.
func middle(text string, shift int) string {
	s := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00\x00"[:shift] + text))
	first := (shift*8 + 5) / 6
	last := (shift + len(text)) * 8 / 6
	return s[first:last]
}

// casings are the ways in which a mailbox is written that base64 and hashes tell apart:
// small, large, with large initials, and as it was found.
func casings(mailbox, written string) []string {
	local, domain, _ := split(mailbox)
	words := []byte(mailbox)
	for i := range words {
		if letter := words[i]; 'a' <= letter && letter <= 'z' && (i == 0 || strings.IndexByte(".@-_", words[i-1]) >= 0) {
			words[i] -= 'a' - 'A'
		}
	}
	all := []string{mailbox, strings.ToUpper(mailbox), string(words), string(words[:len(local)]) + "@" + domain, string(words[:1]) + mailbox[1:], written}
	slices.Sort(all)
	return slices.Compact(all)
}

// spellings are a domain's A-label and U-label forms (RFC 5890 §2.3.2.1), and what
// people write in place of dots.
func spellings(domain string) []string {
	all := []string{domain}
	if s, err := idna.ToUnicode(domain); err == nil && s != domain {
		all = append(all, strings.ToLower(s))
	}
	if s, err := idna.ToASCII(domain); err == nil && s != domain {
		all = append(all, s)
	}
	for _, d := range slices.Clone(all) {
		for _, dot := range []string{" dot ", "(dot)", "[dot]", " (dot) ", " [dot] ", "[.]", "(.)"} {
			all = append(all, strings.ReplaceAll(d, ".", dot))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

package redaction

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"golang.org/x/net/idna"
)

// planted lists what senders write into links and fields in place of a mailbox, to
// know it again: base64 wherever it begins in a longer text, hexadecimal digits,
// and the common hashes. A token that stands for the mailbox in the sender's own
// list alone looks like any other number, and stays.
func planted(mailbox, written string) []pattern {
	var all []pattern
	for _, m := range variants(mailbox, written) {
		for shift := range 3 {
			for _, code := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				if text := middle(code, m, shift); len(text) > 5 {
					all = append(all, pattern{text: text})
				}
			}
		}
		all = append(all, pattern{text: hex.EncodeToString([]byte(m)), fold: true})
		sum1, sum2, sum3 := md5.Sum([]byte(m)), sha1.Sum([]byte(m)), sha256.Sum256([]byte(m))
		for _, sum := range [][]byte{sum1[:], sum2[:], sum3[:]} {
			all = append(all, pattern{text: hex.EncodeToString(sum), fold: true})
		}
	}
	return all
}

// middle is the base64 of a text behind shift octets, without the characters that
// those and what follows have a share in.
func middle(code *base64.Encoding, text string, shift int) string {
	s := code.EncodeToString([]byte("\x00\x00\x00"[:shift] + text))
	first := (shift*8 + 5) / 6
	last := (shift + len(text)) * 8 / 6
	return s[first:last]
}

func variants(mailbox, written string) []string {
	if mailbox == written {
		return []string{mailbox}
	}
	return []string{mailbox, written}
}

// spellings are a domain's A-label and U-label forms (RFC 5890 §2.3.2.1).
func spellings(domain string) []string {
	all := []string{domain}
	if s, err := idna.ToUnicode(domain); err == nil && s != domain {
		all = append(all, strings.ToLower(s))
	}
	if s, err := idna.ToASCII(domain); err == nil && s != domain {
		all = append(all, s)
	}
	return all
}

package reporter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
)

// Answers is the address that bounces and answers come back to, with a "*" where the
// tag goes that says to which complaint they belong: "abuse+*@isp.example". Empty:
// they come to the sender's mailbox, and nothing is learned from them.
type Answers string

// Verb is what an address of ours is for. Each has a tag of its own, so that who
// knows one cannot make another.
type Verb string

// The verbs. The last three are for the desk to say by a mail without words.
const (
	VerbBounce   Verb = "b" // return path
	VerbReply    Verb = "r" // Reply-To
	VerbResolved Verb = "resolved"
	VerbNotOurs  Verb = "notours"
	VerbStop     Verb = "stop"
)

// command reports whether a mail to the address says something without words.
func (v Verb) command() bool { return v != VerbBounce && v != VerbReply }

var verbs = []Verb{VerbBounce, VerbReply, VerbResolved, VerbNotOurs, VerbStop}

// maxLocal is how long a local part may be (RFC 5321 §4.5.3.1.1).
const maxLocal = 64

// Check says what is wrong with the address.
func (a Answers) Check() error {
	local, domain, ok := strings.Cut(string(a), "@")
	switch {
	case a == "":
		return nil
	case !ok || strings.Count(local, "*") != 1 || !addrSpec.MatchString(strings.Replace(string(a), "*", "x", 1)) || strings.Contains(domain, "*"):
		return fmt.Errorf("%q is no address with one * before the @, such as abuse+*@isp.example", a)
	case len(local)-1+longestTag > maxLocal:
		return fmt.Errorf("%q leaves no room for a tag of %d characters: its local part may have %d", a, longestTag, maxLocal)
	}
	return nil
}

// longestTag is a tag with the longest verb and a number of 12 digits.
const longestTag = 12 + len("-resolved-") + macLength

// macLength is how many characters of the keyed hash a tag has: 80 bits.
const macLength = 16

// address is where the desk writes to for a verb; empty where there is none.
func (w *Composer) address(complaint int64, v Verb) string {
	if w.Answers == "" {
		return ""
	}
	return strings.Replace(string(w.Answers), "*", fmt.Sprintf("%d-%s-%s", complaint, v, w.mac(complaint, v)), 1)
}

// Addressed reads the tag of an address: which complaint, and what for. Tags that
// we did not make are no tags. Case does not matter, servers on the way change it.
func (w *Composer) Addressed(address string) (complaint int64, v Verb, ok bool) {
	before, after, found := strings.Cut(strings.ToLower(string(w.Answers)), "*")
	tag, fits := strings.CutPrefix(strings.ToLower(address), before)
	tag, ends := strings.CutSuffix(tag, after)
	part := strings.Split(tag, "-")
	if !found || !fits || !ends || len(part) != 3 {
		return 0, "", false
	}
	id, err := strconv.ParseInt(part[0], 10, 64)
	if err != nil || id < 1 || strconv.FormatInt(id, 10) != part[0] {
		return 0, "", false
	}
	for _, v := range verbs {
		if string(v) == part[1] && hmac.Equal([]byte(w.mac(id, v)), []byte(part[2])) {
			return id, v, true
		}
	}
	return 0, "", false
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (w *Composer) mac(complaint int64, v Verb) string {
	h := hmac.New(sha256.New, w.Key)
	fmt.Fprintf(h, "answer %d %s", complaint, v)
	return base32Lower.EncodeToString(h.Sum(nil))[:macLength]
}

package reporter

import (
	"encoding/binary"
	"hash/fnv"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"spamreport-milter/queue"
	"spamreport-milter/redaction"
	"spamreport-milter/trace"
)

// Campaign is what the messages of one mailing have in common: the shape of their
// subject and a sketch of their text. It is pure, and small enough to be kept: no
// word can be read from it.
type Campaign struct {
	// Subject is a hash of the words of the subject without what changes from mail to
	// mail; 0 for one that is too short to mean something.
	Subject uint64
	// Text holds the smallest hashes of its runs of three words, ascending
	// (a bottom-k sketch): how many two texts share tells how alike they are.
	Text []uint64
}

// What a sketch keeps, and from where on likeness says something.
const (
	sketchSize  = 128
	enoughWords = 12  // runs of words that a text needs to be compared by itself
	alike       = 0.5 // share of runs that two mails of one campaign have at least
	akin        = 0.4 // share below which the same subject means nothing
	longSubject = 3   // words that a subject needs to mean something
)

// CampaignOf looks at a message.
func CampaignOf(m *trace.Message) Campaign {
	own := map[string]bool{} // the recipient's names, which a mailing writes into each mail
	for _, r := range redaction.Recipients(m) {
		local, _, _ := strings.Cut(strings.ToLower(r), "@")
		for _, w := range strings.FieldsFunc(local, notWord) {
			own[w] = true
		}
	}
	var c Campaign
	if words := plainWords(replyMarks.ReplaceAllString(decodedSubject(m), ""), own); len(words) >= longSubject {
		c.Subject = hashOf(words)
	}
	words := plainWords(html.UnescapeString(readText(m)), own)
	for i := range max(0, len(words)-2) {
		c.Text = append(c.Text, hashOf(words[i:i+3]))
	}
	slices.Sort(c.Text)
	c.Text = slices.Compact(c.Text)
	c.Text = slices.Clip(c.Text[:min(len(c.Text), sketchSize)])
	return c
}

func hashOf(words []string) uint64 {
	h := fnv.New64a()
	for _, w := range words {
		h.Write([]byte(w))
		h.Write([]byte{0})
	}
	return h.Sum64()
}

// comparable reports whether the message may be of one mailing with any other.
func (c Campaign) comparable() bool { return c.Subject != 0 || len(c.Text) >= enoughWords }

// sketch is a campaign as it is stored: big endian, the subject first.
func (c Campaign) sketch() []byte {
	b := binary.BigEndian.AppendUint64(nil, c.Subject)
	for _, h := range c.Text {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

func campaignFrom(sketch []byte) (c Campaign) {
	if len(sketch) < 8 {
		return c
	}
	c.Subject = binary.BigEndian.Uint64(sketch)
	for sketch = sketch[8:]; len(sketch) >= 8; sketch = sketch[8:] {
		c.Text = append(c.Text, binary.BigEndian.Uint64(sketch))
	}
	return c
}

var (
	replyMarks = regexp.MustCompile(`(?i)^\s*((re|fwd?|aw|wg|sv|antw)\s*:\s*)+`)
)

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// plainWords are the words of a text in lower case. Links and addresses, numbers and
// the recipient's names differ within a mailing: they are left out, but for a mark
// in the place of links.
func plainWords(text string, own map[string]bool) []string {
	words := strings.FieldsFunc(withoutLinks(strings.ToLower(text)), notWord)
	return slices.DeleteFunc(words, func(w string) bool {
		return own[w] || strings.ContainsFunc(w, unicode.IsDigit)
	})
}

// withoutLinks puts a mark in the place of each link and address, in lower case. A
// scanner: it sees each octet of each mail, and regular expressions are slow at that.
func withoutLinks(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for len(text) > 0 {
		n := strings.IndexAny(text, " \t\r\n\f\v<>\"'")
		if n < 0 {
			n = len(text)
		}
		part := text[:n]
		if at := strings.IndexByte(part, '@'); at > 0 && at < n-1 {
			b.WriteString(" link ")
		} else if at := linkIn(part); at >= 0 {
			b.WriteString(part[:at] + " link ")
		} else {
			b.WriteString(part)
		}
		if n < len(text) {
			b.WriteByte(' ')
			n++
		}
		text = text[n:]
	}
	return b.String()
}

// linkIn returns where a link begins in text without spaces; -1 for nowhere.
func linkIn(text string) int {
	for _, mark := range []string{"http://", "https://", "www."} {
		at := strings.Index(text, mark)
		if at == 0 {
			return 0
		}
		if at > 0 {
			if before, _ := utf8.DecodeLastRuneInString(text[:at]); notWord(before) {
				return at
			}
		}
	}
	return -1
}

// Same reports whether two messages that came from one network are of one mailing.
// What looks alike but is not is worse than what is and does not: each complaint
// must be about one thing.
func (c Campaign) Same(other Campaign) bool {
	likeness := c.likeness(other)
	subject := c.Subject != 0 && c.Subject == other.Subject
	switch {
	case len(c.Text) >= enoughWords && len(other.Text) >= enoughWords:
		return likeness >= alike || subject && likeness >= akin
	case len(c.Text) == 0 && len(other.Text) == 0: // pictures alone
		return subject
	}
	return subject && likeness >= alike
}

// likeness estimates the share of runs of words that two texts have in common, of
// all that they have (Jaccard): from the smallest of both, which are a fair sample.
func (c Campaign) likeness(other Campaign) float64 {
	all, both := 0, 0
	for i, j := 0, 0; all < sketchSize && (i < len(c.Text) || j < len(other.Text)); all++ {
		switch {
		case j == len(other.Text) || i < len(c.Text) && c.Text[i] < other.Text[j]:
			i++
		case i == len(c.Text) || other.Text[j] < c.Text[i]:
			j++
		default:
			i, j, both = i+1, j+1, both+1
		}
	}
	if all == 0 {
		return 0
	}
	return float64(both) / float64(all)
}

// Joins returns the complaint that a message of the campaign belongs to, of those about
// the same network to the same desk that may still take one: the first whose sample is
// of the same mailing.
func (c Campaign) Joins(open []queue.Candidate) (id int64, ok bool) {
	for _, k := range open {
		if c.Same(campaignFrom(k.Sketch)) {
			return k.ID, true
		}
	}
	return 0, false
}

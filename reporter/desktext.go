package reporter

import (
	"hash/maphash"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// passedBy are elements of HTML that show nothing of the writer's.
var passedBy = map[atom.Atom]bool{atom.Style: true, atom.Script: true, atom.Title: true, atom.Blockquote: true}

// lineElements begin and end a line.
var lineElements = map[atom.Atom]bool{atom.Br: true, atom.P: true, atom.Div: true, atom.Tr: true, atom.Li: true, atom.Hr: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.Table: true}

// quoteElement knows the containers in which mail programs put what they answer.
var quoteElement = regexp.MustCompile(`(?i)gmail_quote|yahoo_quoted|divRplyFwdMsg|moz-cite-prefix|protonmail_quote|zmail_extra|OLK_SRC_BODY|reply-intro`)

// shownText is the text of HTML without quotations.
func shownText(markup string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(markup))
	z.SetMaxBuf(maxReplyText)
	for hidden := 0; ; {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if hidden == 0 {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			a := atom.Lookup(name)
			if lineElements[a] {
				b.WriteString("\n")
			}
			if passedBy[a] {
				hidden++
			}
			for more {
				var value []byte
				_, value, more = z.TagAttr()
				if a == atom.Div && quoteElement.Match(value) {
					return b.String() // nothing of the writer's is expected behind it
				}
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			if passedBy[a] && hidden > 0 {
				hidden--
			}
			if lineElements[a] {
				b.WriteString("\n")
			}
		}
	}
}

// quoteBegins is where an answer goes over to what it answers: a rule with the word for
// a message in it, the line that says who wrote when, the fields of a quoted header,
// and how our own letters begin.
var quoteBegins = phrase(`(?im)^[>\s]*(` +
	`-{2,} ?.{0,30}\b(original|urspr\S*|forwarded|weitergeleitete|origine|messaggio|mensaje|mensagem|oorspronkelijk|bericht|message|nachricht|meddelande|wiadomosc|сообщени[ея]|原始邮件|邮件原件|元のメッセージ)\b?.{0,20}-{2,}.*` +
	`|(on|am|le|el|il|em|op|dnia|w dniu|den|pe|на|dne) .{5,200}?\b(wrote|schrieb|a ecrit|escribio|ha scritto|escreveu|schreef|napisal\S*|skrev|kirjoitti|a scris|napsal\S*)\b.{0,80}:\s*` +
	`|.{5,200}(пишет|писал\S*|написал\S*|写道|寫道|さんは書きました|のメール)\s*[:：]\s*` +
	`|\*?(from|von|de|da|van|od|fra|от|от кого|发件人|寄件者|差出人)\*?\s?[:：].*` +
	`|_{10,}\s*|this is an email abuse report for .*|full header:\s*)$`)

// unquoted drops what stands behind such a line, quoted lines, and what stands under
// the sign of a signature.
func unquoted(text string) string {
	text = cutFolded(text, quoteBegins)
	var b strings.Builder
	for line := range strings.Lines(text) {
		t := strings.TrimSpace(line)
		if strings.TrimRight(line, "\r\n") == "-- " || t == "--" {
			break
		}
		if !strings.HasPrefix(t, ">") && !strings.HasPrefix(t, "|") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// cutFolded cuts a text before the line in which an expression for folded texts is
// found. Lines stay lines when they are folded.
func cutFolded(text string, at *expression) string {
	plain := folded(text)
	place := at.FindStringIndex(plain)
	if place == nil {
		return text
	}
	line := strings.Count(plain[:place[0]], "\n")
	for i := range len(text) {
		if line == 0 {
			return text[:i]
		}
		if text[i] == '\n' {
			line--
		}
	}
	return text
}

// Sent knows the words of what was sent to a desk, by runs of some. The zero Sent knows
// none.
type Sent map[uint64]struct{}

// runLength is how many words a run has: fewer, and people use them by themselves.
const runLength = 5

var runSeed = maphash.MakeSeed()

// SentWords learns the words of texts.
func SentWords(texts ...string) Sent {
	s := Sent{}
	for _, text := range texts {
		for _, run := range runs(text) {
			s[run.hash] = struct{}{}
		}
	}
	return s
}

type wordRun struct {
	from, to int
	hash     uint64
}

// runs are all runs of words of a text.
func runs(text string) (all []wordRun) {
	var words []wordRun
	begin := -1
	for i, r := range text + " " {
		inWord := unicode.IsLetter(r) || unicode.IsDigit(r)
		if inWord && begin < 0 {
			begin = i
		}
		if !inWord && begin >= 0 {
			words = append(words, wordRun{begin, i, maphash.String(runSeed, folded(text[begin:i]))})
			begin = -1
		}
	}
	for i := range max(0, len(words)-runLength+1) {
		h := uint64(0)
		for _, w := range words[i : i+runLength] {
			h = h*0x9E3779B97F4A7C15 + w.hash
		}
		all = append(all, wordRun{words[i].from, words[i+runLength-1].to, h})
	}
	return all
}

// without takes all runs that were sent out of a text.
func (s Sent) without(text string) string {
	if len(s) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, run := range runs(text) {
		if _, ours := s[run.hash]; !ours {
			continue
		}
		if run.from > at {
			b.WriteString(text[at:run.from])
			b.WriteString("\n\n") // what stood before and behind is no sentence
		}
		at = max(at, run.to)
	}
	return b.String() + text[at:]
}

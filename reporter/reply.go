package reporter

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message/mail"

	"spamreport-milter/trace"
)

// ReplyKind is what came back about a complaint, in one word.
type ReplyKind string

// The kinds. What fits none, or two that exclude each other, is unknown.
const (
	ReplyBounced  ReplyKind = "bounced"      // it did not reach the mailbox and won't
	ReplyDelayed  ReplyKind = "delayed"      // it has not reached it yet
	ReplyAuto     ReplyKind = "automatic"    // a machine says that nobody is there now
	ReplyTicket   ReplyKind = "ticket"       // the desk has it, under a number
	ReplyUseForm  ReplyKind = "use our form" // the desk reads no mail
	ReplyNotOurs  ReplyKind = "not ours"     // the desk is not responsible for the source
	ReplyResolved ReplyKind = "resolved"     // the desk has dealt with it
	ReplyUnknown  ReplyKind = "to be read"   // a person must look
)

// Reply is what was understood of an answer.
type Reply struct {
	Kind ReplyKind
	// Gone are the mailboxes that the server says do not exist or take no mail.
	Gone   []string
	Ticket string // the desk's own number, where it names one
	Page   string // the desk's page, where it names one
	Text   string // the sentence that decided, or how the answer begins; one line
}

// ReadReply says what an answer means. It is pure, and knows nothing of who wrote:
// anybody can write anything, so the caller has checked the address that it came to.
func ReadReply(m *trace.Message) Reply {
	text := readText(m)
	if r, ok := readDSN(m, text); ok {
		return r
	}
	if r, ok := readFreeBounce(m, text); ok {
		return r
	}
	own := unquoted(text)
	r := Reply{Kind: ReplyUnknown, Ticket: ticket(m, own), Text: excerpt(own)}
	switch found := verdicts(own); {
	case len(found) == 1:
		r.Kind, r.Text = found[0].kind, oneLine(found[0].sentence)
		if r.Kind == ReplyUseForm {
			r.Page = page.FindString(own)
		}
	case len(found) > 1:
	case away(m):
		r.Kind = ReplyAuto
	case r.Ticket != "" && automaticReply(m):
		r.Kind = ReplyTicket
	case automaticReply(m):
		r.Kind = ReplyAuto
	}
	return r
}

// automaticReply reports whether a machine wrote it (RFC 3834 §5, and what was used
// before that).
func automaticReply(m *trace.Message) bool {
	for _, v := range m.Fields("Auto-Submitted") {
		if t := firstToken(v); t != "" && !strings.EqualFold(t, "no") {
			return true
		}
	}
	for _, name := range []string{"X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-AutoReply-From"} {
		if len(m.Fields(name)) > 0 {
			return true
		}
	}
	for _, v := range m.Fields("Precedence") {
		if slices.Contains([]string{"auto_reply", "auto-reply", "bulk", "junk"}, strings.ToLower(firstToken(v))) {
			return true
		}
	}
	return nullSender(m)
}

func nullSender(m *trace.Message) bool {
	return m.Session != nil && m.MailFrom == "" || slices.Contains(m.Fields("Return-Path"), "<>")
}

var awaySubject = regexp.MustCompile(`(?i)^\W*(out of (the )?office|automatic reply|auto(matic)?[ -]?(reply|response)|abwesen|away from|on vacation|automatische antwort|réponse automatique|respuesta automática)`)

// away reports whether the answer's subject is that of a person who is not there.
func away(m *trace.Message) bool { return awaySubject.MatchString(decodedSubject(m)) }

func decodedSubject(m *trace.Message) string {
	fields := m.Fields("Subject")
	if len(fields) == 0 {
		return ""
	}
	s, err := words.DecodeHeader(fields[0])
	if err != nil {
		s = fields[0]
	}
	return oneLine(strings.TrimSpace(s))
}

// What of an answer is read.
const (
	maxReplyText  = 16 << 10 // octets of text
	maxReplyParts = 20
)

// readText returns the text of an answer: its plain parts, or else its HTML without
// markup.
func readText(m *trace.Message) string {
	plain, html := textsOf(m)
	if plain != "" {
		return plain
	}
	return tag.ReplaceAllString(lineTag.ReplaceAllString(html, "\n"), " ")
}

// textsOf returns the parts that a message shows, plain ones and HTML with its
// markup. What is no MIME is plain as it stands.
func textsOf(m *trace.Message) (string, string) {
	raw := slices.Concat(m.Header, []byte("\r\n"), m.Body)
	r, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return string(m.Body[:min(len(m.Body), maxReplyText)]), ""
	}
	var plain, html strings.Builder
	for range maxReplyParts {
		p, err := r.NextPart()
		if err != nil {
			break
		}
		h, ok := p.Header.(*mail.InlineHeader)
		if !ok {
			continue
		}
		into := &plain
		switch kind, _, _ := h.ContentType(); kind {
		case "text/html":
			into = &html
		case "text/plain", "":
		default:
			continue
		}
		copyText(into, p.Body)
	}
	return plain.String(), html.String()
}

var (
	tag     = regexp.MustCompile(`<[^>]*>`)
	lineTag = regexp.MustCompile(`(?i)<(br|/p|/div|/tr|/li)\b[^>]*>`)
)

// quoteBegins is where an answer goes over to what it answers.
var quoteBegins = regexp.MustCompile(`(?im)^(\s*-{2,} ?(original|ursprüngliche|forwarded) .*|on .{5,200} wrote:\s*|am .{5,200} schrieb.*:\s*|from: .*|von: .*|_{10,}\s*|this is an email abuse report for .*|full header:\s*)$`)

// unquoted is what the desk itself wrote: our own words that it quotes must not
// count as its.
func unquoted(text string) string {
	if at := quoteBegins.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); !strings.HasPrefix(t, ">") && !strings.HasPrefix(t, "|") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// excerpt is how an answer begins.
func excerpt(text string) string { return oneLine(strings.Join(strings.Fields(clip(text, 2000)), " ")) }

var page = regexp.MustCompile(`https://[^\s<>"')\]]{4,300}`)

// tickets are the ways in which desks number what they get.
var tickets = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\[(?:ticket|case|incident|abuse|report|request|ref)[ #:_-]*(?:id)?[ #:_-]*([a-z0-9][a-z0-9._-]{2,40})\]`),
	regexp.MustCompile(`(?i)\[#?([a-z]{0,10}-?[0-9]{4,20})\]`),
	regexp.MustCompile(`(?i)\[[a-z0-9 ._-]{1,40}#([0-9]{3,20})\]`),
	regexp.MustCompile(`##([0-9]{4,20})##`),
	regexp.MustCompile(`(?i)\b(?:ticket|case|incident|reference)(?: (?:number|id|no\.?))?(?: is)?[ :#]+([a-z]{0,10}-?[0-9]{3,20})\b`),
}

// ticket returns the desk's number, which is not the one of our complaint.
func ticket(m *trace.Message, text string) string {
	for _, where := range []string{decodedSubject(m), clip(text, 4000)} {
		for _, form := range tickets {
			if found := form.FindStringSubmatch(where); found != nil {
				return found[1]
			}
		}
	}
	return ""
}

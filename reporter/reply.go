package reporter

import (
	"bytes"
	"io"
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
	ReplyAuto     ReplyKind = "automatic"    // a machine answers, and says nothing of the matter
	ReplyTicket   ReplyKind = "ticket"       // the desk has it, under a number
	ReplyUseForm  ReplyKind = "use our form" // the desk reads no mail
	ReplyNotOurs  ReplyKind = "not ours"     // the desk is not responsible for the source
	ReplyResolved ReplyKind = "resolved"     // the desk has dealt with it
	ReplyUnknown  ReplyKind = "to be read"   // a person must look
)

// Reply is what was understood of an answer.
type Reply struct {
	Kind ReplyKind
	// Failed are the mailboxes that a bounce is about, Gone those of them that the
	// server says do not exist or take no mail.
	Failed, Gone []string
	// About is the Message-ID of what a bounce returns, where it returns it.
	About  string
	Ticket string // the desk's own number, where it names one
	Page   string // the desk's page, where it names one
	Text   string // the sentence that decided, or how the answer begins; one line
}

// ReadReply says what an answer means. It is pure, and knows nothing of who wrote:
// anybody can write anything, so the caller has checked the address that it came to.
// What was sent to the desk says which words are not its own.
func ReadReply(m *trace.Message, sent Sent) Reply {
	text, markup := textsOf(m)
	shown := text
	if strings.TrimSpace(text) == "" {
		shown = shownText(markup)
	}
	if r, ok := readDSN(m, shown); ok {
		return r
	}
	if r, ok := readFreeBounce(m, shown); ok {
		return r
	}
	return readLetter(m, sent.without(unquoted(shown)))
}

// readLetter reads what a person or a desk's program wrote.
func readLetter(m *trace.Message, own string) Reply {
	r := Reply{Kind: ReplyUnknown, Ticket: ticket(m, own), Text: excerpt(own)}
	automatic, said := automaticReply(m), folded(clip(own, 4000))
	found := verdicts(own)
	if away(m) || absent.MatchString(said) && formOrNone(found) {
		r.Kind = ReplyAuto // of one person; the desk has said nothing
		return r
	}
	if len(found) == 1 && found[0].kind == ReplyUseForm && r.Ticket != "" && received.MatchString(said) {
		found = nil // it has the report, and would have liked it in the form
	}
	switch {
	case len(found) == 1:
		r.Kind, r.Text = found[0].kind, oneLine(found[0].sentence)
		if r.Kind == ReplyUseForm {
			r.Page = strings.TrimRight(page.FindString(own), ".,;:")
		}
	case len(found) > 1:
	case r.Ticket != "" && (automatic || received.MatchString(said)):
		r.Kind = ReplyTicket
	case automatic:
		r.Kind = ReplyAuto
	}
	return r
}

// formOrNone reports whether nothing was said, or only where to write otherwise.
func formOrNone(found []said) bool {
	return len(found) == 0 || len(found) == 1 && found[0].kind == ReplyUseForm
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
	return nullSender(m) || automaticSubject.MatchString(folded(decodedSubject(m)))
}

var automaticSubject = phrase(`^\W*(?:\[.{0,40}\]\W*)?(?:automatic (?:reply|response)|auto-?(?:reply|response|responder)|automated (?:reply|response)|automatische (?:antwort|eingangsbestatigung)|reponse automatique|respuesta automatica|risposta automatica|resposta automatica|automatisch antwoord|autoodpowiedz|автоответ|自動応答|自动回复|自動回覆)`)

func nullSender(m *trace.Message) bool {
	return m.Session != nil && m.MailFrom == "" || slices.Contains(m.Fields("Return-Path"), "<>")
}

// awaySubject, absent and received are for folded texts: that somebody is not there, by
// the subject and by what he writes, and that a desk has the report.
var (
	awaySubject = phrase(`^\W*(?:(?:re|aw|auto|automatic reply|automatische antwort|reponse automatique|respuesta automatica|risposta automatica|resposta automatica|autoreply|auto-?reply)\W+)*(?:out of (?:the |my )?office|ooo\b|abwesen|away from|on (?:vacation|leave|holiday)|vacation|absent|absence|fuera de|ausen|fuori|assen|assenza|afwezig|poza biurem|nieobecn|franvar|poissa|отсутств|в отпуске|不在|休暇|休假|外出)`)
	absent      = phrase(`\b(?:i am|i'm|i will be|i'll be|we are|is) (?:currently |presently )?(?:out of (?:the |my )?office|on (?:\w+ )?(?:leave|vacation|holidays?)|away|travell?ing|absent)\b|\bim urlaub\b|\bnicht im (?:buro|hause?)\b|\b(?:bin|ist) (?:\S+ ){0,6}?(?:abwesend|ausser haus)|\b(?:absente?|en conges?)\b.{0,30}\b(?:du bureau|jusqu|du)\b|\bfuera de (?:la|mi) oficina|\bestoy de vacaciones|\b(?:sono|saro) (?:\S+ ){0,4}?(?:assente|in ferie|fuori)|\bfora do escritorio|\bestou (?:\S+ ){0,4}?(?:ausente|de ferias)|\bniet op kantoor|\bben (?:\S+ ){0,4}?(?:afwezig|met vakantie)|\bpoza biurem|\bna urlopie|в отпуске|отсутствую|休暇|不在にして|休假|不在办公室`)
	received    = phrase(`\b(?:received|got|registered|logged|opened|created|assigned|acknowledge\w*|accepted|recorded)\b.{0,60}\b(?:your|ticket|case|report|request|complaint|inquiry|incident)\b|\b(?:report|request|complaint|e-?mail|message|ticket|case|inquiry|incident)\b.{0,60}\b(?:received|registered|logged|opened|created|assigned|accepted|recorded|generated)\b|\bthank(?:s| you) for (?:your (?:report|e-?mail|message|request|complaint|notification|inquiry)|contacting|reporting|writing|submitting|getting in touch|bringing|the (?:report|notification))|\b(?:erhalten|eingegangen|aufgenommen|vielen dank fur ihre?)\b|\b(?:bien recu|bien ete recu\w*|ete (?:enregistre|cree)\w*|merci (?:de|pour) (?:nous|votre))|\b(?:hemos recibido|sido (?:recibid|registrad|cread)\w*|gracias por)\b|\b(?:abbiamo ricevuto|ricevuta|stat[oa] (?:apert|registrat|ricevut)\w*|grazie per)\b|\b(?:recebemos|recebid[oa]|foi (?:abert|registrad|criad)\w*|obrigado por)\b|\b(?:ontvangen|in goede orde|bedankt voor)\b|\b(?:otrzymalismy|zarejestrowan\w*|przyjet\w*|dziekujemy za)\b|получен|зарегистрирован|принят|создан|спасибо за|受け付け|受付|承りました|已收到|收到您|已受理`)
)

// away reports whether the answer's subject is that of a person who is not there.
func away(m *trace.Message) bool { return awaySubject.MatchString(folded(decodedSubject(m))) }

// maxSubject is how much of a Subject is read, in octets.
const maxSubject = 2000

func decodedSubject(m *trace.Message) string {
	subject := clip(field(m, "Subject"), maxSubject)
	s, err := words.DecodeHeader(subject)
	if err != nil {
		s = subject
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

// octets reads a message whole, as it was sent.
func octets(m *trace.Message) io.Reader {
	return io.MultiReader(bytes.NewReader(m.Header), strings.NewReader("\r\n"), bytes.NewReader(m.Body))
}

// textsOf returns the parts that a message shows, plain ones and HTML with its
// markup. What is no MIME is plain as it stands.
func textsOf(m *trace.Message) (string, string) {
	r, err := mail.CreateReader(octets(m))
	if err != nil {
		return string(m.Body[:min(len(m.Body), maxReplyText)]), ""
	}
	var plain, html bytes.Buffer
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

func copyText(into *bytes.Buffer, from io.Reader) {
	_, _ = into.ReadFrom(io.LimitReader(from, int64(maxReplyText-min(into.Len(), maxReplyText)))) // a broken part ends where it breaks
}

var (
	tag     = regexp.MustCompile(`<[^>]*>`)
	lineTag = regexp.MustCompile(`(?i)<(br|/p|/div|/tr|/li)\b[^>]*>`)
)

// excerpt is how an answer begins.
func excerpt(text string) string { return oneLine(strings.Join(strings.Fields(clip(text, 2000)), " ")) }

var page = regexp.MustCompile(`https://[^\s<>"')\]]{4,300}`)

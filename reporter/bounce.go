package reporter

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"spamreport-milter/trace"
)

// readDSN reads a delivery status notification (RFC 3464).
func readDSN(m *trace.Message, text string) (r Reply, ok bool) {
	status := statusPart(m)
	if status == nil {
		return r, false
	}
	r = Reply{Kind: ReplyUnknown, Text: excerpt(text)}
	for _, group := range bytes.Split(bytes.ReplaceAll(status, []byte("\r\n"), []byte("\n")), []byte("\n\n")) {
		g := trace.Message{Header: append(bytes.TrimLeft(group, "\n"), '\n')}
		action := strings.ToLower(firstToken(field(&g, "Action")))
		switch code := firstToken(field(&g, "Status")); {
		case action == "failed" && strings.HasPrefix(code, "5"):
			r.failed(&g, code)
		case (action == "delayed" || action == "failed") && r.Kind != ReplyBounced:
			r.Kind, r.Text = ReplyDelayed, status1(&g, code)
		}
	}
	return r, true
}

// failed takes note of one recipient that failed for good.
func (r *Reply) failed(g *trace.Message, code string) {
	r.Kind, r.Text = ReplyBounced, status1(g, code)
	if !gone(code, field(g, "Diagnostic-Code")) {
		return
	}
	for _, name := range []string{"Original-Recipient", "Final-Recipient"} {
		_, address, _ := strings.Cut(field(g, name), ";")
		if address = strings.Trim(strings.TrimSpace(address), "<>"); address != "" && !slices.Contains(r.Gone, address) {
			r.Gone = append(r.Gone, address)
		}
	}
}

func status1(g *trace.Message, code string) string {
	return oneLine(strings.TrimSpace(code + " " + field(g, "Diagnostic-Code")))
}

// goneCodes say that there is no such mailbox, now and later (RFC 3463 §3.2, §3.3,
// RFC 7505 for 5.1.10). Full mailboxes, refused content and policies are not of them.
var goneCodes = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}

// gone decides by the code, and where that is as vague as can be by the words.
func gone(code, diagnostic string) bool {
	return slices.Contains(goneCodes, code) || code == "5.0.0" && goneWords.MatchString(diagnostic)
}

var goneWords = regexp.MustCompile(`(?i)\b(user|recipient|mailbox|address|account)\b.{0,40}\b(unknown|not found|does ?n[o']t exist|disabled|unavailable|invalid|rejected: user)|no such (user|mailbox|recipient|address|person)|unknown (user|recipient|mailbox|address|local)|5\.1\.1|5\.1\.10|5\.2\.1`)

func field(m *trace.Message, name string) string {
	if v := m.Fields(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// maxStatus bounds the status part, in octets.
const maxStatus = 64 << 10

// statusPart returns the part that states the status, nil when there is none.
func statusPart(m *trace.Message) (status []byte) {
	if !strings.Contains(strings.ToLower(field(m, "Content-Type")), "delivery-status") {
		return nil
	}
	e, err := message.Read(bytes.NewReader(slices.Concat(m.Header, []byte("\r\n"), m.Body)))
	if e == nil || err != nil && !message.IsUnknownCharset(err) {
		return nil
	}
	mr := e.MultipartReader()
	for i := 0; mr != nil && i < maxReplyParts; i++ {
		p, err := mr.NextPart()
		if err != nil {
			return nil
		}
		if kind, _, _ := p.Header.ContentType(); kind == "message/delivery-status" || kind == "message/global-delivery-status" {
			status, _ = io.ReadAll(io.LimitReader(p.Body, maxStatus))
			return status
		}
	}
	return nil
}

// bouncers are how mail servers introduce a bounce in words of their own.
var bouncers = regexp.MustCompile(`(?i)this is the qmail-send program|this (message|mail) was created automatically by mail delivery software|this is the mail system at host|delivery (to the following recipients? |status notification.{0,12})?(has )?failed|could not be delivered|undeliverable|undelivered mail|returned to (the )?sender|wasn't able to deliver|unable to deliver`)

// forGood are words that a mailbox is gone, in a bounce.
var forGood = regexp.MustCompile(`(?i)permanent (error|failure)|no mailbox here by that name|\b550[ -]|\b5\.1\.1\b`)

// readFreeBounce reads a bounce in words. It counts only with the null reverse-path
// or a server's own mailbox as sender: people quote bounces, too.
func readFreeBounce(m *trace.Message, text string) (r Reply, ok bool) {
	if !nullSender(m) && !serverSender(m) || !bouncers.MatchString(text) && !bouncers.MatchString(decodedSubject(m)) {
		return r, false
	}
	own := unquotedBounce(text)
	r = Reply{Kind: ReplyUnknown, Text: excerpt(own)}
	switch {
	case forGood.MatchString(own) || goneWords.MatchString(own):
		r.Kind = ReplyBounced
		if goneWords.MatchString(own) || strings.Contains(own, "no mailbox here by that name") {
			r.Gone = append(addressIn.FindAllString(clip(own, 4000), 20), addressIn.FindAllString(field(m, "X-Failed-Recipients"), 20)...)
		}
	case regexp.MustCompile(`(?i)\b(warning|delayed|will (be retried|keep trying|continue)|temporar)`).MatchString(own):
		r.Kind = ReplyDelayed
	}
	return r, true
}

var addressIn = regexp.MustCompile(`[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}`)

func serverSender(m *trace.Message) bool {
	from := strings.ToLower(field(m, "From"))
	return strings.Contains(from, "mailer-daemon@") || strings.Contains(from, "postmaster@")
}

// unquotedBounce cuts a bounce before the copy of our message that it encloses.
func unquotedBounce(text string) string {
	for _, mark := range []string{"--- Below this line is a copy", "------ This is a copy of", "This is a copy of the message", "----- Original message", "-----Original Message", "This is an email abuse report for"} {
		if i := strings.Index(text, mark); i >= 0 {
			text = text[:i]
		}
	}
	return text
}

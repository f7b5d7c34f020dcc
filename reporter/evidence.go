package reporter

import (
	"bytes"
	"encoding/json"
	"slices"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/redaction"
)

// Evidence says how much of a reported message goes to whom.
type Evidence struct {
	// Key makes the tokens that stand for recipients; who has it can tell whether a
	// token is a mailbox that he knows.
	Key []byte
	// Full gives the operator of the source's network the message as it came. All
	// others never get it so.
	Full bool
	// Strip names the header fields that our own filters write, "X-Spam-*" for all
	// that begin so. They go to nobody.
	Strip []string
}

// FilterFields are fields of the filters that stand before us, and our own.
var FilterFields = []string{"X-Spam", "X-Spam-*", "X-Spamd-*", "X-Rspamd-*", "X-Rspam-*", "X-Virus-*", "X-Amavis-*", "Spamreport-Seal"}

// shown is a message as an addressee gets to see it.
type shown struct {
	original          []byte // as SMTP carries it
	header            int    // how much of that is its header section
	mailFrom          string
	rcptTo            string // a token, whatever else is shown; empty where no mailbox is known
	altered, redacted bool
	redactor          *redaction.Redactor // nil where all is shown
}

func (e *Evidence) show(c *queue.Complaint) (s shown) {
	m := &c.Incidents[0].Report.Message
	header, body := redaction.Strip(m.Header, e.Strip), m.Body
	recipients := redaction.Recipients(m)
	redactor := redaction.New(e.Key, recipients)
	s.rcptTo = firstHidden(redactor, recipients)
	if !e.full(c) {
		s.redactor = redactor
		h, b := s.redactor.Message(header, body)
		s.redacted = !bytes.Equal(h, header) || !bytes.Equal(b, body)
		header, body = h, b
	}
	s.mailFrom = s.text(m.MailFrom)
	s.original, s.header, s.altered = carried(header, body)
	return s
}

// firstHidden is the first recipient's token. Readers of feedback reports in wide use
// drop one that names no recipient, and the envelope's need not stand in the message.
func firstHidden(r *redaction.Redactor, recipients []string) string {
	for _, mailbox := range recipients {
		if token, hides := r.Mailbox(mailbox); hides {
			return token
		}
	}
	return ""
}

// text returns a text out of the message as it may be shown.
func (s *shown) text(t string) string {
	if s.redactor == nil {
		return t
	}
	return s.redactor.Text(t)
}

// full reports whether all addressees of a complaint answer for the source's network
// themselves, by the word of a registry. A trap is shown to nobody: known, it is none.
func (e *Evidence) full(c *queue.Complaint) bool {
	var answer contact.Answer
	if c.Incidents[0].Report.Cause == queue.CauseTrap {
		return false
	}
	if !e.Full || len(c.To) == 0 || c.Party != sourceNetwork || json.Unmarshal(c.Contact, &answer) != nil {
		return false
	}
	for _, to := range c.To {
		if !slices.ContainsFunc(answer.Contacts, func(k contact.Contact) bool {
			return k.Address == to && k.Scope == contact.ScopeNetwork
		}) {
			return false
		}
	}
	return true
}

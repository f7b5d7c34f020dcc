package milter

import (
	"fmt"
	"strings"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// envelopeLimit bounds what is kept of the recipients' addresses, in octets.
const envelopeLimit = 256 << 10

// message is one SMTP transaction as far as it has come.
type message struct {
	srv     *Server
	spaced  bool // values come with the space after the colon
	macros  macros
	queueID string

	from    string
	rcpt    []string
	rcptLen int

	header    []byte
	headerCut bool // fields were left out
	tags      tags

	judged    bool
	tag, said string // field that is the tag, and its value

	body     []byte
	bodySize int64
}

func newMessage(s *session, from string, m map[string]string) *message {
	msg := &message{
		srv:    s.srv,
		spaced: s.protocol&gomilter.OptHeaderLeadingSpace != 0,
		macros: m,
		from:   from,
	}
	msg.setQueueID(m)
	return msg
}

// setQueueID takes the queue id where the MTA gives it.
func (m *message) setQueueID(from map[string]string) {
	if id := macros(from).get("i"); id != "" {
		m.queueID = id
	}
}

func (m *message) addRecipient(to string) {
	if m.rcptLen+len(to) > envelopeLimit {
		return
	}
	m.rcptLen += len(to)
	m.rcpt = append(m.rcpt, to)
}

// addField appends a header field as it came over the wire. MTAs give folds as
// LF. Over the limit whole fields are left out, but tags are still seen: milters
// append theirs at the end.
func (m *message) addField(name, value string) {
	m.tags.see(&m.srv.rules, name, value)
	if m.headerCut || len(m.header)+len(name)+len(value) > m.srv.cfg.HeaderLimit {
		m.headerCut = true
		return
	}
	m.header = append(m.header, name...)
	m.header = append(m.header, ':')
	if !m.spaced && value != "" && value[0] != '\t' && value[0] != '\n' {
		m.header = append(m.header, ' ')
	}
	m.header = appendCRLF(m.header, value)
	m.header = append(m.header, '\r', '\n')
}

func appendCRLF(b []byte, value string) []byte {
	for {
		line, rest, more := strings.Cut(value, "\n")
		b = append(b, line...)
		if !more {
			return b
		}
		if !strings.HasSuffix(line, "\r") {
			b = append(b, '\r')
		}
		b = append(b, '\n')
		value = rest
	}
}

// judge reports whether the header calls the message spam. The first call
// decides: at end of header, or at end of message where an MTA left that out.
func (m *message) judge() bool {
	if m.judged {
		return m.tag != ""
	}
	m.judged = true
	stats := &m.srv.stats
	stats.messages.Add(1)
	var ambiguous bool
	m.tag, m.said, ambiguous = m.tags.verdict()
	if ambiguous {
		stats.ambiguous.Add(1)
		m.srv.cfg.Log.Warn("tag fields contradict each other, a filter lets foreign tags through", "queue_id", m.queueID)
	}
	if m.tag == "" {
		return false
	}
	stats.tagged.Add(1)
	return true
}

// addBody keeps what the limit allows and reports whether more than that came.
// After a header that was cut no body is kept: it would stand in the wrong place.
func (m *message) addBody(chunk []byte) (full bool) {
	room := m.srv.cfg.BodyLimit - int64(len(m.body))
	if m.headerCut {
		room = 0
	}
	m.bodySize += int64(len(chunk))
	m.body = append(m.body, chunk[:min(int64(len(chunk)), room)]...)
	return m.bodySize > int64(len(m.body))
}

// report makes the report of a tagged message.
func (m *message) report(c *connection) queue.Report {
	session := c.session(m.macros, m.queueID)
	reason := m.tag + ": " + tagText(m.said)
	if m.headerCut {
		reason += fmt.Sprintf("; header cut at %d octets", len(m.header))
	}
	return queue.Report{
		Received: session.Time,
		Cause:    queue.CauseFilter,
		Reporter: m.tag,
		Reason:   reason,
		Message: trace.Message{
			Session:  session,
			MailFrom: m.from,
			RcptTo:   m.rcpt,
			Header:   m.header, HeaderCut: m.headerCut,
			Body:     m.body,
			BodySize: m.bodySize,
		},
	}
}

// tagText is a tag's value on one line, cut to what a list can show.
func tagText(value string) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(value[:min(len(value), 1000)], "?")), " ")
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

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

// freeHeader is how much of a header is kept without asking for memory: sessions
// are counted already, and most headers are smaller.
const freeHeader = 16 << 10

// message is one SMTP transaction as far as it has come.
type message struct {
	srv     *Server
	set     *settings
	spaced  bool // values come with the space after the colon
	macros  macros
	queueID string

	from    string
	rcpt    []string
	rcptLen int
	rcptCut bool
	// reports and replies are those recipients that are addresses of ours.
	reports, replies []string

	header    []byte
	held      int64 // octets of the server's memory that the header has
	headerCut bool  // fields were left out
	starved   bool  // there was no memory for the header
	tags      tags

	judged    bool
	tag, said string // field that is the tag, and its value

	body    spool
	sealing sealing
}

func newMessage(s *session, from string, m map[string]string) *message {
	msg := &message{
		srv:    s.srv,
		set:    s.set,
		spaced: s.protocol&gomilter.OptHeaderLeadingSpace != 0,
		macros: m,
		from:   from,
	}
	msg.body = spool{srv: s.srv, dir: s.set.SpoolDir, limit: s.set.BodyLimit}
	msg.sealing.outside = s.set.Seal != nil && s.outside(msg.macros)
	msg.setQueueID(m)
	return msg
}

// close gives back what the message holds.
func (m *message) close() {
	m.body.close()
	m.srv.memory.Release(m.held)
	m.held, m.header = 0, nil
}

// setQueueID takes the queue id where the MTA gives it.
func (m *message) setQueueID(from map[string]string) {
	if id := macros(from).get("i"); id != "" {
		m.queueID = id
	}
}

func (m *message) addRecipient(to string) {
	if m.rcptLen+len(to) > envelopeLimit {
		m.rcptCut = true
		return
	}
	m.rcptLen += len(to)
	m.rcpt = append(m.rcpt, to)
	switch {
	case m.set.Reports.takes(to):
		m.reports = append(m.reports, to)
		m.body.limit = m.set.Reports.MaxSize
	case m.set.Replies != nil && m.set.Replies.IsReply(to):
		m.replies = append(m.replies, to)
	}
}

// addField appends a header field as it came over the wire. MTAs give folds as
// LF. Over the limit whole fields are left out, but tags are still seen: milters
// append theirs at the end.
func (m *message) addField(name, value string) {
	m.tags.see(&m.set.rules, name, value)
	m.sealing.see(name)
	size := len(m.header) + len(name) + len(value)
	if m.headerCut || size > m.set.HeaderLimit {
		m.headerCut = true
		return
	}
	if m.starved = m.starved || !m.reserve(size); m.starved {
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

// reserve sees to room for a header of that size, with some to spare for folds
// and for what a slice has over when it grows.
func (m *message) reserve(size int) bool {
	const step = 16 << 10
	for int64(size)+int64(size)/4 > freeHeader+m.held {
		if !m.srv.memory.TryAcquire(step) {
			return false
		}
		m.held += step
	}
	return true
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

// judge asks the tag rules. What comes to one of our own addresses is not for a
// filter to call spam: users hand in spam, and answers quote it.
func (m *message) judge() {
	m.judged = true
	m.srv.stats.messages.Add(1)
	if len(m.reports) > 0 || len(m.replies) > 0 {
		return
	}
	var ambiguous bool
	m.tag, m.said, ambiguous = m.tags.verdict()
	if ambiguous {
		m.srv.stats.ambiguous.Add(1)
		m.set.Log.Warn("tag fields contradict each other, a filter lets foreign tags through", "queue_id", m.queueID)
	}
	if m.tag != "" {
		m.srv.stats.tagged.Add(1)
	}
}

// kept reports whether the message is to be recorded, so that all of it is needed.
func (m *message) kept() bool { return m.tag != "" || len(m.reports) > 0 || len(m.replies) > 0 }

// endHeader decides once what becomes of the message, at the end of its header, or
// at its own end where an MTA left that out. It reports whether the body is of any
// interest.
func (m *message) endHeader() bool {
	if m.judged {
		return m.kept() || m.sealing.open()
	}
	m.judge()
	m.sealing.bind(m)
	if m.starved {
		m.srv.stats.unexamined.Add(1)
		m.set.Log.Warn("no memory left for a header, message not examined", "queue_id", m.queueID, "put_off", m.kept(), "memory", m.set.Memory)
	}
	if !m.kept() {
		m.srv.memory.Release(m.held)
		m.held, m.header = 0, nil
	}
	return m.kept() || m.sealing.open()
}

// addBody keeps what the limit allows and reports whether no more is wanted.
// After a header that was cut no body is kept: it would stand in the wrong place.
func (m *message) addBody(chunk []byte) (full bool) {
	full = true
	if m.kept() {
		if m.headerCut {
			m.body.limit = 0
		}
		full = m.body.write(chunk)
	}
	return m.sealing.write(chunk) && full
}

// message returns what the MTA was given, with the body's octets as kept.
func (m *message) message(session *trace.Session, body []byte) trace.Message {
	return trace.Message{
		Session:  session,
		MailFrom: m.from,
		RcptTo:   m.rcpt,
		Header:   m.header, HeaderCut: m.headerCut,
		Body:     body,
		BodySize: m.body.seen,
	}
}

// report makes the report of a tagged message.
func (m *message) report(c *connection, body []byte) queue.Report {
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
		Message:  m.message(session, body),
	}
}

// tagText is a tag's value on one line, cut to what a list can show.
func tagText(value string) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(value[:min(len(value), 1000)], "?")), " ")
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

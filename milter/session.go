package milter

import (
	"net"
	"net/textproto"
	"runtime/debug"
	"sync/atomic"

	gomilter "github.com/emersion/go-milter"
)

// respSkip ends the body early and keeps the end of the message to come.
var respSkip = gomilter.NewResponse(byte(gomilter.ActSkip), nil)

// session follows one MTA connection, which is one SMTP session, through the
// callbacks of the library, in the order of the protocol. One goroutine calls
// them.
type session struct {
	srv      *Server
	set      *settings
	conn     *conn
	protocol gomilter.OptProtocol
	actions  gomilter.OptAction
	client   connection

	// msg is the message under way; nil between messages, and for the rest of
	// one that is of no more interest.
	msg  *message
	busy atomic.Bool // msg is not nil, for Shutdown
}

func newSession(srv *Server, c *conn, protocol gomilter.OptProtocol, actions gomilter.OptAction) *session {
	s := &session{srv: srv, set: c.set, conn: c, protocol: protocol, actions: actions}
	c.busy = s.busy.Load
	c.gone = s.forget
	return s
}

// Connect takes down who the client is. Postfix opens a new milter session
// when XCLIENT changes that; a second CONNECT replaces the first all the same.
func (s *session) Connect(host, _ string, port uint16, addr net.IP, _ *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = s.proceed(gomilter.OptNoConnReply)
	defer s.rescue()
	s.forget()
	s.client = connectionFrom(host, port, addr)
	return resp, nil
}

// Helo comes again after STARTTLS and whenever the client says so.
func (s *session) Helo(name string, _ *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = s.proceed(gomilter.OptNoHeloReply)
	defer s.rescue()
	s.client.helo = clip(name)
	return resp, nil
}

// MailFrom begins a message. Sendmail sends no ABORT after the one before.
func (s *session) MailFrom(from string, m *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = s.proceed(gomilter.OptNoMailReply)
	defer s.rescue()
	s.forget()
	s.msg = newMessage(s, from, m.Macros)
	s.busy.Store(true)
	return resp, nil
}

// RcptTo sees the recipients that the MTA accepts. One it can refuse: the address
// for reports, to those who are not let use it.
func (s *session) RcptTo(to string, _ *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = s.proceed(gomilter.OptNoRcptReply)
	defer s.rescue()
	if s.msg == nil {
		return resp, nil
	}
	if s.set.Reports.takes(to) && !s.mayReport() && s.protocol&gomilter.OptNoRcptReply == 0 {
		return s.refuse("a stranger", respStranger), nil
	}
	s.msg.addRecipient(to)
	return resp, nil
}

// Header takes one field. The library's own copy, which it keeps for later and
// clears on ABORT only, is thrown away.
func (s *session) Header(name, value string, m *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = s.proceed(gomilter.OptNoHeaderReply)
	defer s.rescue()
	clear(m.Headers)
	if s.msg != nil {
		s.msg.addField(name, value)
	}
	return resp, nil
}

// Headers is the end of the header, where ordinary mail is let go.
func (s *session) Headers(_ textproto.MIMEHeader, m *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = gomilter.RespAccept
	defer s.rescue()
	if s.msg == nil {
		return resp, nil
	}
	s.msg.setQueueID(m.Macros)
	if s.msg.endHeader() {
		return gomilter.RespContinue, nil
	}
	s.forget()
	return resp, nil
}

// BodyChunk takes the body of a message that is recorded or sealed, up to the limit.
func (s *session) BodyChunk(chunk []byte, _ *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = gomilter.RespContinue
	defer s.rescue()
	if s.msg == nil {
		return resp, nil
	}
	if full := s.msg.addBody(chunk); full && s.protocol&gomilter.OptSkip != 0 {
		resp = respSkip
	}
	return resp, nil
}

// Body is the end of the message. Only here can a message that is recorded make
// the MTA wait, and only one that can't be stored makes it refuse, for now.
func (s *session) Body(m *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = gomilter.RespAccept
	defer s.rescue()
	if s.msg == nil {
		return resp, nil
	}
	defer s.forget()
	s.msg.setQueueID(m.Macros)
	s.msg.endHeader()
	s.msg.addBody(s.conn.tail)
	return s.finish(m), nil
}

// Abort ends the message, not the SMTP session.
func (s *session) Abort(*gomilter.Modifier) error {
	defer s.rescue()
	s.forget()
	return nil
}

// proceed is the answer at a stage where it is always the same: none, if the
// MTA was told that there will be none.
func (s *session) proceed(silent gomilter.OptProtocol) gomilter.Response {
	if s.protocol&silent != 0 {
		return nil
	}
	return gomilter.RespContinue
}

// rescue keeps a fault of ours from hurting mail: it drops the message under
// way and leaves the answer that lets it pass. A temporary failure would bring
// back the message that met the fault until it bounces.
func (s *session) rescue() {
	v := recover()
	if v == nil {
		return
	}
	s.forget()
	s.srv.stats.panics.Add(1)
	s.set.Log.Error("fault in the milter, message passes unexamined", "panic", v, "stack", string(debug.Stack()))
}

func (s *session) forget() {
	if s.msg != nil {
		s.msg.close()
	}
	s.msg = nil
	s.busy.Store(false)
}

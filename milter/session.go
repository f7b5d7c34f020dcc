package milter

import (
	"context"
	"log/slog"
	"net"
	"net/textproto"
	"runtime/debug"
	"sync/atomic"

	gomilter "github.com/emersion/go-milter"
)

// respSkip ends the body early and keeps the end of the message to come.
var respSkip = gomilter.NewResponse(byte(gomilter.ActSkip), nil)

// respLater is for a tagged message that could not be recorded (RFC 3463 §3.4).
var respLater = gomilter.NewResponseStr(byte(gomilter.ActReplyCode),
	"451 4.3.0 message could not be recorded, try again later")

// session follows one MTA connection, which is one SMTP session, through the
// callbacks of the library, in the order of the protocol. One goroutine calls
// them.
type session struct {
	srv      *Server
	conn     *conn
	protocol gomilter.OptProtocol
	client   connection

	// msg is the message under way; nil between messages, and for the rest of
	// one that is of no more interest.
	msg  *message
	busy atomic.Bool // msg is not nil, for Shutdown
}

func newSession(srv *Server, c *conn, protocol gomilter.OptProtocol) *session {
	s := &session{srv: srv, conn: c, protocol: protocol}
	c.busy = s.busy.Load
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
	s.msg = newMessage(s, from, m.Macros)
	s.busy.Store(true)
	return resp, nil
}

// RcptTo sees the recipients that the MTA accepts.
func (s *session) RcptTo(to string, _ *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = s.proceed(gomilter.OptNoRcptReply)
	defer s.rescue()
	if s.msg != nil {
		s.msg.addRecipient(to)
	}
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
	if !s.msg.judge() {
		s.forget()
		return resp, nil
	}
	return gomilter.RespContinue, nil
}

// BodyChunk collects the body of a tagged message up to the limit.
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

// Body is the end of the message. Only here can a report make the MTA wait, and
// only a report that can't be stored makes it refuse, for now.
func (s *session) Body(m *gomilter.Modifier) (resp gomilter.Response, err error) {
	resp = gomilter.RespAccept
	defer s.rescue()
	if s.msg == nil {
		return resp, nil
	}
	defer s.forget()
	s.msg.setQueueID(m.Macros)
	s.msg.addBody(s.conn.tail)
	if s.msg.judge() && !s.submit() {
		resp = respLater
	}
	return resp, nil
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
	s.srv.cfg.Log.Error("fault in the milter, message passes unexamined", "panic", v, "stack", string(debug.Stack()))
}

func (s *session) forget() {
	s.msg = nil
	s.busy.Store(false)
}

// submit hands the report over and reports whether it is safe.
func (s *session) submit() bool {
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.cfg.SubmitTimeout)
	defer cancel()
	r := s.msg.report(&s.client)
	log := s.srv.cfg.Log.With(slog.String("queue_id", r.Message.Session.QueueID),
		slog.String("client", r.Message.Session.Client.String()), slog.String("tag", r.Reporter))
	id, err := s.srv.cfg.Submitter.Submit(ctx, r)
	if err != nil {
		s.srv.stats.submitFailed.Add(1)
		log.Error("report could not be stored, message deferred", "err", err)
		return false
	}
	s.srv.stats.submitted.Add(1)
	cut := s.msg.headerCut || r.Message.Truncated()
	if cut {
		s.srv.stats.cut.Add(1)
	}
	log.Info("report taken", "report", id, "header_octets", len(r.Message.Header),
		"body_octets", len(r.Message.Body), "cut", cut)
	return true
}

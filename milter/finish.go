package milter

import (
	"context"
	"log/slog"
	"slices"

	gomilter "github.com/emersion/go-milter"
)

// reply is an answer to the client in SMTP's own form (RFC 5321 §4.2, RFC 3463).
func reply(text string) gomilter.Response {
	return gomilter.NewResponseStr(byte(gomilter.ActReplyCode), text)
}

// respLater is for a message that could not be recorded (RFC 3463 §3.4).
var respLater = reply("451 4.3.0 message could not be recorded, try again later")

// finish is the end of a message that was followed to its end. What must not be
// lost comes first, and is safe before anything is answered.
func (s *session) finish(mod *gomilter.Modifier) gomilter.Response {
	m := s.msg
	if m.kept() {
		ctx, cancel := context.WithTimeout(s.srv.ctx, s.set.SubmitTimeout)
		defer cancel()
		if resp := s.record(ctx); resp != nil {
			return resp
		}
	}
	if s.consume(mod) {
		return gomilter.RespDiscard
	}
	s.finishSeal(mod)
	return gomilter.RespAccept
}

// record takes the message into safe keeping, as what it is. It returns the answer
// that keeps the MTA from going on, or nil.
func (s *session) record(ctx context.Context) gomilter.Response {
	m := s.msg
	times := int64(1)
	if len(m.reports) > 0 {
		times = 3 // it has to be taken out of the message, and is read once more
	}
	body, err := m.body.octets(ctx, times)
	if m.starved || err != nil {
		s.srv.stats.submitFailed.Add(1)
		s.log().Error("message could not be kept, deferred", "err", err)
		return respLater
	}
	if m.tag != "" && !s.submit(ctx, body) {
		return respLater
	}
	for _, to := range m.replies {
		if !s.takeReply(ctx, to, body) {
			return respLater
		}
	}
	if len(m.reports) > 0 {
		return s.takeReports(ctx, body)
	}
	return nil
}

// submit hands over the report of a tagged message and tells whether it is safe.
func (s *session) submit(ctx context.Context, body []byte) bool {
	r := s.msg.report(&s.client, body)
	log := s.log().With(slog.String("tag", r.Reporter))
	id, err := s.set.Submitter.Submit(ctx, r)
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

// consume takes our own addresses off the message, which has done its work there.
// It reports whether nobody is left: DISCARD would drop it for all others as well.
func (s *session) consume(mod *gomilter.Modifier) bool {
	m := s.msg
	ours := slices.Clone(m.replies)
	if s.set.Reports != nil && !s.set.Reports.Deliver {
		ours = append(ours, m.reports...)
	}
	if len(ours) == 0 {
		return false
	}
	if len(ours) == len(m.rcpt) && !m.rcptCut {
		return true
	}
	if s.actions&gomilter.OptRemoveRcpt == 0 {
		return false // then it is delivered there as well
	}
	for _, to := range ours {
		if mod.DeleteRecipient(to) != nil {
			return false // the connection is gone
		}
	}
	return false
}

// log is for lines about the message under way.
func (s *session) log() *slog.Logger {
	return s.set.Log.With(slog.String("queue_id", s.msg.queueID),
		slog.String("client", s.client.client(s.msg.macros).String()))
}

package milter

import (
	"context"

	"spamreport-milter/trace"
)

// Replies takes what comes back to the addresses that complaints were sent from:
// bounces, automatic answers, and what people write.
type Replies interface {
	// IsReply reports whether a recipient is such an address. It is asked at RCPT,
	// of every recipient, so it must not wait for anything.
	IsReply(recipient string) bool
	// Reply takes a message to such an address into safe keeping; an error makes
	// the client bring it again. Anybody can write to the address: m is a claim by
	// whoever sent it. It returns when ctx ends at the latest.
	Reply(ctx context.Context, recipient string, m trace.Message) error
}

func (s *session) takeReply(ctx context.Context, to string, body []byte) bool {
	m := s.msg
	err := s.set.Replies.Reply(ctx, to, m.message(s.client.session(m.macros, m.queueID), body))
	if err != nil {
		s.srv.stats.submitFailed.Add(1)
		s.log().Error("answer to a complaint could not be stored, message deferred", "err", err)
		return false
	}
	s.srv.stats.replies.Add(1)
	s.log().Info("answer to a complaint taken")
	return true
}

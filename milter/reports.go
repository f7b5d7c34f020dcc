package milter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/forward"
	"spamreport-milter/queue"
	"spamreport-milter/seal"
	"spamreport-milter/trace"
)

// Reports is the way in for users: addresses to which they forward spam that no
// filter found. Only who has logged in may use it, and clients that are listed.
type Reports struct {
	// Addresses take reports, "report@example.org"; case does not matter. The MTA
	// must know them, or it refuses them before we are asked.
	Addresses []string
	// Networks are clients whose users need not log in: a webmail host, mailboxes'
	// sieve scripts, a feedback loop. What comes from there is believed to come from
	// its envelope sender, so loopback is none of them by itself.
	Networks []netip.Prefix
	// PerHour is how many messages one user may report in an hour; 60.
	PerHour int
	// MaxSize is how large a message to these addresses may be, in octets; 20 MiB. Three times
	// that must fit in Memory.
	MaxSize int64
	// Deliver lets the MTA deliver the message as well. Otherwise it has done its
	// work, and only its other recipients get it.
	Deliver bool
	// Answer writes to users; nil for nobody.
	Answer Answerer
	// Confirm has Answer thank for reports, at most once an hour.
	Confirm bool
	// Seal verifies what our own milters have sealed, whether or not this one seals;
	// nil for none.
	Seal *seal.Keys
}

func (r *Reports) setDefaults() {
	if r.PerHour == 0 {
		r.PerHour = 60
	}
	if r.MaxSize == 0 {
		r.MaxSize = 20 << 20
	}
}

// takes reports whether a recipient is an address for reports.
func (r *Reports) takes(to string) bool {
	if r == nil {
		return false
	}
	for _, a := range r.Addresses {
		if strings.EqualFold(a, to) {
			return true
		}
	}
	return false
}

// The answers that keep a message to the address from being taken. Mail programs
// show them to their user, so they say what to do.
var (
	respStranger = reply("550 5.7.1 This address takes reports of spam from users of this server only: log in with your mail program, then forward the message to here as an attachment")
	respNothing  = reply("550 5.6.0 No message is attached: forward the spam to here as an attachment, for its text alone does not tell where it came from")
	respTooLarge = reply("552 5.3.4 Too large a message for this address: forward fewer messages at once")
	respTooMany  = reply("451 4.7.1 So many reports from you within the hour: send the rest later")
)

// mayReport decides whether the client may use the addresses for reports.
func (s *session) mayReport() bool {
	return s.msg.macros.get("auth_authen") != "" || within(s.set.Reports.Networks, s.client.client(s.msg.macros).Addr())
}

// refuse counts and logs a refusal.
func (s *session) refuse(why string, resp gomilter.Response) gomilter.Response {
	s.srv.stats.refused.Add(1)
	s.log().Info("report address refused", "why", why)
	return resp
}

// reporter is who hands a message in.
func (s *session) reporter() string {
	m := s.msg
	if user := m.macros.get("auth_authen"); user != "" {
		return user
	}
	if m.from != "" {
		return clip(m.from)
	}
	return s.client.client(m.macros).Addr().String()
}

// takeReports takes what a user has handed in. It returns an answer that keeps the
// message from its address, or nil. A refusal is for a message to us alone: other
// recipients get theirs whatever we think of it.
func (s *session) takeReports(ctx context.Context, body []byte) gomilter.Response {
	m := s.msg
	if !s.mayReport() {
		// The MTA did not wait for an answer to RCPT: nothing is taken, all else stands.
		m.reports = nil
		return nil
	}
	who := s.reporter()
	resp := s.handIn(ctx, who, body)
	if resp == nil || resp == respLater || len(m.reports) == len(m.rcpt) && !m.rcptCut {
		return resp
	}
	return nil
}

func (s *session) handIn(ctx context.Context, who string, body []byte) gomilter.Response {
	m := s.msg
	if m.headerCut || m.body.seen > m.body.size {
		return s.refuse("too large", respTooLarge)
	}
	found, err := forward.Originals(m.header, body, s.hand())
	if errors.Is(err, forward.ErrTooMany) {
		return s.refuse(err.Error(), respTooLarge)
	}
	if len(found) == 0 {
		return s.explain(who)
	}
	if !s.srv.people.mayReport(who, len(found), s.set.Reports.PerHour, time.Now()) {
		return s.refuse("too many reports by "+who, respTooMany)
	}
	for _, o := range found {
		if err := s.submitOriginal(ctx, who, o); err != nil {
			s.srv.stats.submitFailed.Add(1)
			s.log().Error("user's report could not be stored, message deferred", "err", err)
			return respLater
		}
	}
	s.thank(who, len(found))
	return nil
}

// hand is what tells a message that is sent on from one that the user wrote.
func (s *session) hand() forward.Hand {
	h := forward.Hand{To: s.set.Reports.Addresses}
	if user := s.msg.macros.get("auth_authen"); user != "" {
		h.User = []string{s.msg.from}
		if strings.Contains(user, "@") {
			h.User = append(h.User, user)
		}
	}
	return h
}

// submitOriginal takes one message, with what its seal proves.
func (s *session) submitOriginal(ctx context.Context, who string, o forward.Original) error {
	original, err := trace.Read(bytes.NewReader(o.Octets), int64(len(o.Octets)))
	if err != nil {
		return fmt.Errorf("read again: %w", err) // it was read once already
	}
	if o.HeaderOnly {
		original.BodySize++ // there was one, of a size not known
	}
	reason := fmt.Sprintf("%s to %s", o.How, s.msg.reports[0])
	if keys := s.set.Reports.Seal; keys != nil {
		if said := keys.Prove(original, time.Now()); said != "" {
			reason += "; " + said
		}
	}
	if int64(len(original.Body)) > s.set.BodyLimit {
		original.Body = original.Body[:s.set.BodyLimit]
	}
	id, err := s.set.Submitter.Submit(ctx, queue.Report{
		Received: time.Now(), Cause: queue.CauseUser, Reporter: who, Reason: reason, Message: *original,
	})
	if err != nil {
		return err
	}
	s.srv.stats.userReports.Add(1)
	s.log().Info("user's report taken", "report", id, "user", who, "how", reason)
	return nil
}

package milter

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	gomilter "github.com/emersion/go-milter"
	ratelimit "golang.org/x/time/rate"

	"spamreport-milter/trace"
)

// Answerer writes a letter to one of our own users. It must send it as an
// automatic answer (RFC 3834): Auto-Submitted, and a null reverse-path.
type Answerer interface {
	Answer(ctx context.Context, to, subject, text string) error
}

// people remembers how much each user has reported, and what he was told.
type people struct {
	mu  sync.Mutex
	all map[string]*person
}

type person struct {
	reports           *ratelimit.Limiter
	explained, thanks time.Time
}

// maxPeople bounds the memory. They have all logged in, or come from listed
// networks; beyond that many all begin anew.
const maxPeople = 20_000

func (p *people) of(who string) *person {
	if p.all == nil || len(p.all) >= maxPeople {
		p.all = make(map[string]*person)
	}
	one := p.all[who]
	if one == nil {
		one = &person{}
		p.all[who] = one
	}
	return one
}

// mayReport counts n reports of a user, all or none.
func (p *people) mayReport(who string, n, perHour int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.of(who)
	if one.reports == nil || one.reports.Burst() != perHour {
		one.reports = ratelimit.NewLimiter(ratelimit.Every(time.Hour/time.Duration(perHour)), perHour)
	}
	return one.reports.AllowN(now, n)
}

// due reports whether a time that is kept for a user is longer ago than that, and
// then sets it to now.
func (p *people) due(who string, which func(*person) *time.Time, ago time.Duration, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := which(p.of(who))
	if !t.IsZero() && now.Sub(*t) < ago {
		return false
	}
	*t = now
	return true
}

const (
	explainEvery = 7 * 24 * time.Hour
	thankEvery   = time.Hour
)

const howToSubject = "Your report of spam could not be used"

const howToText = `You have forwarded a message to %s. It holds the text of the
spam, but not its full header, which alone tells where the spam came from. So
nothing could be done about it.

Please forward it once more as an attachment:

  Thunderbird   Message > Forward As > Attachment
  Outlook       More > Forward as Attachment (Ctrl+Alt+F)
  Apple Mail    Message > Forward as Attachment
  Gmail         the three dots > Forward as attachment
  Roundcube     Forward > Forward as attachment
  K-9 Mail      the three dots > Forward as attachment
  mutt          bounce it (b)

Several messages can be attached to one. This is sent once a week at most.
`

// explain answers a user who has forwarded the text alone: by a letter with
// directions the first time, else by refusing the message, which his mail program
// shows. A program's mail is not answered by a letter.
func (s *session) explain(who string) gomilter.Response {
	m := s.msg
	to := s.answerTo()
	if s.set.Reports.Answer == nil || to == "" || automatic(m) ||
		!s.srv.people.due(who, func(p *person) *time.Time { return &p.explained }, explainEvery, time.Now()) {
		return s.refuse("nothing attached", respNothing)
	}
	s.refuse("nothing attached, explained by a letter", nil)
	s.write(to, howToSubject, fmt.Sprintf(howToText, m.reports[0]))
	return nil
}

// thank confirms reports where the operator wants that.
func (s *session) thank(who string, n int) {
	to := s.answerTo()
	if !s.set.Reports.Confirm || s.set.Reports.Answer == nil || to == "" || automatic(s.msg) ||
		!s.srv.people.due(who, func(p *person) *time.Time { return &p.thanks }, thankEvery, time.Now()) {
		return
	}
	what := "a message"
	if n > 1 {
		what = fmt.Sprintf("%d messages", n)
	}
	s.write(to, "Your report of spam was taken", fmt.Sprintf(
		"Thank you: %s that you have reported to %s will be traced to the sender,\nand those who answer for his network may hear of it.\n", what, s.msg.reports[0]))
}

// answerTo returns an address that is certainly the user's own, or "". The
// envelope sender is what the client says, so it must bear the name that the user
// has logged in by.
func (s *session) answerTo() string {
	user := s.msg.macros.get("auth_authen")
	if strings.Contains(user, "@") {
		return user
	}
	local, _, ok := strings.Cut(s.msg.from, "@")
	if ok && user != "" && strings.EqualFold(local, user) {
		return s.msg.from
	}
	return ""
}

// automatic reports whether a program wrote the message (RFC 3834 §5).
func automatic(m *message) bool {
	if m.from == "" {
		return true
	}
	for f := range trace.HeaderFields(m.header) {
		if strings.EqualFold(f.Name, "Auto-Submitted") && !strings.EqualFold(strings.TrimSpace(f.Value), "no") {
			return true
		}
	}
	return false
}

const (
	maxLetters    = 8 // under way at once
	letterTimeout = 30 * time.Second
)

// write sends a letter in the background: the MTA that waits for our answer may be
// the one that has to take it.
func (s *session) write(to, subject, text string) {
	log, answer := s.log(), s.set.Reports.Answer
	if s.srv.letters.Add(1) > maxLetters {
		s.srv.letters.Add(-1)
		log.Warn("too many letters to users under way, one is left out")
		return
	}
	s.srv.answers.Go(func() {
		defer s.srv.letters.Add(-1)
		ctx, cancel := context.WithTimeout(s.srv.ctx, letterTimeout)
		defer cancel()
		if err := answer.Answer(ctx, to, subject, text); err != nil {
			log.Warn("letter to a user could not be sent", "to", to, "err", err)
			return
		}
		s.srv.stats.answered.Add(1)
	})
}

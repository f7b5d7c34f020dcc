package reporter_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// replies are the recorded answers: message and what is to be understood, by name.
func replies(t testing.TB) map[string][2]string {
	t.Helper()
	a, err := txtar.ParseFile("testdata/replies.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][2]string{}
	for _, f := range a.Files {
		name, kind, _ := strings.Cut(f.Name, ".")
		one := all[name]
		if kind == "eml" {
			one[0] = string(f.Data)
		} else {
			one[1] = strings.TrimSpace(string(f.Data))
		}
		all[name] = one
	}
	return all
}

func answer(t testing.TB, text string) trace.Message {
	t.Helper()
	m, err := trace.Read(strings.NewReader(text), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

func TestReplies(t *testing.T) {
	for name, c := range replies(t) {
		t.Run(name, func(t *testing.T) {
			m := answer(t, c[0])
			r := reporter.ReadReply(&m, nil)
			got := strings.TrimSpace(fmt.Sprintf("%s; %s; %s; %s", r.Kind, strings.Join(r.Gone, " "), r.Ticket, r.Page))
			if got != c[1] {
				t.Errorf("understood %q, want %q (%s)", got, c[1], r.Text)
			}
		})
	}
}

// FuzzReadReply: whatever comes back, no answer says that mailboxes are gone unless
// it is a bounce, and all that goes into the trail is one printable line.
func FuzzReadReply(f *testing.F) {
	for _, c := range replies(f) {
		f.Add(c[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := trace.Read(strings.NewReader(text), 1<<16)
		if err != nil {
			return
		}
		r := reporter.ReadReply(m, nil)
		if r.Kind == "" || len(r.Gone) > 0 && r.Kind != reporter.ReplyBounced {
			t.Errorf("%+v", r)
		}
		for _, s := range []string{r.Text, r.Ticket, r.Page} {
			if strings.ContainsAny(s, "\r\n\x00\x1b") || len(s) > 600 {
				t.Errorf("not for a line: %q", s)
			}
		}
	})
}

// TestHostileReplies: an answer made to be slow is not.
func TestHostileReplies(t *testing.T) {
	for _, unit := range []string{"please use ", "on ", "ticket ", "[ticket ", "user ", "a@", "On a b wrote ", "<p", "?", ". ", "is not in ", "--B\n\n", "Final-Recipient: x;y\nAction: failed\nStatus: 5.1.1\n\n"} {
		text := "From: MAILER-DAEMON@x.test\nContent-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\n\nundeliverable\n--B\nContent-Type: message/delivery-status\n\n"
		for _, begin := range []string{"From: a@b.test\nSubject: " + strings.Repeat(unit, 1000) + "\n\n", text} {
			m := answer(t, begin+strings.Repeat(unit, 1<<17/len(unit)))
			took := time.Hour
			for try := 0; try < 3 && took > 3*time.Second; try++ { // another process may have had the machine
				start := time.Now()
				reporter.ReadReply(&m, nil)
				took = min(took, time.Since(start))
			}
			if took > 3*time.Second {
				t.Errorf("%q took %v", unit, took)
			}
		}
	}
}

// learned is a complaint that was sent, and who learns from its answers.
type learned struct {
	*desk
	id      int64
	w       *reporter.Composer
	learner *reporter.Learner
	message testMail
}

type testMail struct{ from, replyTo, text string }

func sentComplaint(t *testing.T) *learned {
	t.Helper()
	w := reporter.Composer{Sender: us, Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: []byte("secret")}}
	d := start(t, registry(found), func(c *reporter.Config) { c.Composer = w })
	d.approved()
	id := d.event(queue.ActionSent).ComplaintID
	got := d.relay.Messages()
	h, text := readText(t, got[0].Data)
	return &learned{d, id, &w, &reporter.Learner{Composer: &w, Memory: d.Store, Log: slog.New(slog.DiscardHandler)},
		testMail{got[0].From, h.Get("Reply-To"), text}}
}

// command is the address that a complaint's letter names for a verb.
func (l *learned) command(v reporter.Verb) string {
	l.t.Helper()
	for _, word := range strings.Fields(l.message.text) {
		if _, got, ok := l.w.Addressed(strings.Trim(word, "<>.,")); ok && got == v {
			return strings.Trim(word, "<>.,")
		}
	}
	l.t.Fatalf("the letter names no address for %s:\n%s", v, l.message.text)
	return ""
}

func TestLearning(t *testing.T) {
	all := replies(t)
	mail := func(text string) func(*learned) (string, string) {
		return func(l *learned) (string, string) { return l.message.replyTo, text }
	}
	command := func(v reporter.Verb) func(*learned) (string, string) {
		return func(l *learned) (string, string) { return l.command(v), "From: abuse@net.test\n\n" }
	}
	for _, c := range []struct {
		name  string
		mail  func(*learned) (to, text string)
		state queue.State
		shut  bool
		says  string
	}{
		{"bounce", func(l *learned) (string, string) { return l.message.from, all["01-dsn-postfix"][0] }, queue.Held, true, "5.1.1"},
		{"full", mail(all["02-dsn-full"][0]), queue.Bounced, false, "mailbox is full"},
		{"delayed", mail(all["04-dsn-delayed"][0]), queue.Sent, false, "4.4.1"},
		{"somebody else's bounce", mail(strings.ReplaceAll(all["01-dsn-postfix"][0], "abuse@net.test", "abuse@other.test")), queue.Bounced, false, "5.1.1"},
		{"ticket", mail(all["11-ticket"][0]), queue.Answered, false, "ticket 2026112300042"},
		{"vacation", mail(all["09-vacation"][0]), queue.Sent, false, "automatic"},
		{"form", mail(all["13-form"][0]), queue.Answered, false, "https://net.test/report-abuse"},
		{"not ours", mail(all["14-not-ours"][0]), queue.Answered, false, "not ours"},
		{"resolved", mail(all["15-resolved"][0]), queue.Resolved, false, "account has been suspended"},
		{"unknown", mail(all["18-question"][0]), queue.Answered, false, "full headers"},
		{"command resolved", command(reporter.VerbResolved), queue.Resolved, false, "resolved"},
		{"command not ours", command(reporter.VerbNotOurs), queue.Answered, false, "not ours"},
		{"command stop", command(reporter.VerbStop), queue.Answered, true, "no more complaints"},
		{"a machine answers a command", func(l *learned) (string, string) {
			return l.command(reporter.VerbStop), "From: a@net.test\nAuto-Submitted: auto-replied\n\n"
		}, queue.Sent, false, "nothing done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := sentComplaint(t)
			to, text := c.mail(l)
			if !l.learner.IsReply(to) {
				t.Fatalf("%s is no address of ours", to)
			}
			if err := l.learner.Reply(t.Context(), to, answer(t, text)); err != nil {
				t.Fatal(err)
			}
			k, err := l.Case(t.Context(), l.id)
			if err != nil {
				t.Fatal(err)
			}
			var last queue.Event // but for the new look-up
			for _, e := range k.Events {
				if e.ID > last.ID && e.Action != queue.ActionReopened && e.Action != queue.ActionContact {
					last = e
				}
			}
			if k.Complaint.State != c.state || !strings.Contains(last.Reason, c.says) {
				t.Errorf("%s: %s; want %s: %s", k.Complaint.State, last.Reason, c.state, c.says)
			}
			shut, err := l.Suppressed(t.Context(), "abuse@net.test")
			if err != nil || (len(shut) == 1) != c.shut {
				t.Errorf("suppressed: %v, %v", shut, err)
			}
			if n := len(l.relay.Messages()); n != 1 {
				t.Errorf("an answer made %d mails", n-1)
			}
		})
	}
}

// TestStrangersTeachNothing: without a tag of ours nothing is learned.
func TestStrangersTeachNothing(t *testing.T) {
	l := sentComplaint(t)
	forged := strings.Replace(l.command(reporter.VerbStop), "-stop-", "-resolved-", 1)
	for _, to := range []string{"abuse@isp.test", "abuse+1-stop-aaaaaaaaaaaaaaaa@isp.test", forged} {
		if l.learner.IsReply(to) {
			t.Errorf("%s passes", to)
		}
		if err := l.learner.Reply(t.Context(), to, answer(t, "Subject: x\n\nresolved\n")); !errors.Is(err, reporter.ErrNoReply) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if c := l.complaint(l.id); c.State != queue.Sent {
		t.Errorf("state %s", c.State)
	}
}

// TestSuppressedContact: who bounced or asked for it gets no new complaint.
func TestSuppressedContact(t *testing.T) {
	l := sentComplaint(t)
	if err := l.learner.Reply(t.Context(), l.command(reporter.VerbStop), answer(t, "From: a@net.test\n\n")); err != nil {
		t.Fatal(err)
	}
	m := fromSender()
	m.Body = bytes.Repeat([]byte("another\r\n"), 3)
	l.submit(m)
	for {
		list, err := l.List(t.Context(), queue.Filter{States: []queue.State{queue.Held}})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			continue
		}
		if c := list[0]; len(c.To) != 0 || !strings.Contains(c.Hold, "no more complaints") {
			t.Errorf("to %v, hold %q", c.To, c.Hold)
		}
		return
	}
}

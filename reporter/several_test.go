package reporter_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// sentTo is a complaint that went to several addresses.
func sentTo(t *testing.T, addresses ...string) *learned {
	t.Helper()
	w := reporter.Composer{Sender: us, Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: []byte("secret")}}
	d := start(t, registry(func(a netip.Addr) (contact.Answer, error) {
		answer, err := found(a)
		answer.Contacts = nil
		for _, address := range addresses {
			answer.Contacts = append(answer.Contacts, contact.Contact{Address: address, Source: "rdap", Role: "abuse"})
		}
		return answer, err
	}), func(c *reporter.Config) { c.Composer = w })
	m := fromSender()
	m.Body = []byte("Dear customer, as we told you in our last letter of November: your web hosting account has been suspended by our team.\r\n")
	d.submit(m)
	if err := d.Approve(t.Context(), d.event(queue.ActionFiled).ComplaintID, us, "user:admin", ""); err != nil {
		t.Fatal(err)
	}
	id := d.event(queue.ActionSent).ComplaintID
	got := d.relay.Messages()
	h, text := readText(t, got[0].Data)
	return &learned{d, id, &w, &reporter.Learner{Composer: &w, Memory: d.Store, Log: slog.New(slog.DiscardHandler)},
		testMail{got[0].From, h.Get("Reply-To"), text}}
}

func (l *learned) reply(to, text string) {
	l.t.Helper()
	if err := l.learner.Reply(l.t.Context(), to, answer(l.t, text)); err != nil {
		l.t.Fatal(err)
	}
}

// bounceFor is a notification that an address failed.
func bounceFor(address, status, about string) string {
	return "From: MAILER-DAEMON@mx.isp.test\nContent-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\n" +
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.isp.test\n\nFinal-Recipient: rfc822; " + address +
		"\nAction: failed\nStatus: " + status + "\n--B\nContent-Type: text/rfc822-headers\n\nMessage-ID: " + about + "\n--B--\n"
}

// shut lists the suppressed ones of addresses.
func (l *learned) shut(addresses ...string) string {
	l.t.Helper()
	all, err := l.Suppressed(l.t.Context(), addresses...)
	if err != nil {
		l.t.Fatal(err)
	}
	var got []string
	for _, a := range addresses {
		if _, ok := all[a]; ok {
			got = append(got, a)
		}
	}
	return strings.Join(got, " ")
}

// TestBouncesOfSeveral: a complaint has bounced when it came back from all, and a bounce
// that comes twice or is about another message changes nothing.
func TestBouncesOfSeveral(t *testing.T) {
	t.Parallel()
	l := sentTo(t, "abuse@net.test", "noc@net.test")
	id := l.complaint(l.id).MessageID
	for _, c := range []struct {
		address, status, about string
		state                  queue.State
		shut                   string
	}{
		{"noc@net.test", "5.1.1", "<another@isp.test>", queue.Sent, ""},
		{"abuse@net.test", "5.1.1", id, queue.Sent, "abuse@net.test"},
		{"abuse@net.test", "5.1.1", id, queue.Sent, "abuse@net.test"},
		{"noc@net.test", "5.7.1", id, queue.Bounced, "abuse@net.test"},
	} {
		l.reply(l.message.from, bounceFor(c.address, c.status, c.about))
		if got := l.complaint(l.id).State; got != c.state || l.shut("abuse@net.test", "noc@net.test") != c.shut {
			t.Errorf("%s %s: %s, shut %q; want %s, %q", c.address, c.status, got, l.shut("abuse@net.test", "noc@net.test"), c.state, c.shut)
		}
	}
}

// TestStopOfSeveral: one desk can't ask for no more in the name of another.
func TestStopOfSeveral(t *testing.T) {
	for from, want := range map[string]string{
		"abuse@net.test": "abuse@net.test", "anna@mail.other.test": "security@other.test", "a@third.test": "",
	} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			l := sentTo(t, "abuse@net.test", "security@other.test")
			l.reply(l.command(reporter.VerbStop), "From: "+from+"\n\n")
			if got := l.shut("abuse@net.test", "security@other.test"); got != want {
				t.Errorf("suppressed %q, want %q", got, want)
			}
		})
	}
}

// TestQuotedWithoutMarks: a desk's program puts our letter and the spam under its own
// words, with no sign of quotation and in lines of its own.
func TestQuotedWithoutMarks(t *testing.T) {
	t.Parallel()
	l := sentTo(t, "abuse@net.test")
	sample := l.complaint(l.id).Incidents[0].Report.Message
	var quoted strings.Builder
	for i, w := range strings.Fields("Description: " + l.message.text + " The hosting account has been suspended by our team. " + string(sample.Body)) {
		quoted.WriteString(w + []string{" ", "\n"}[i%7/6])
	}
	letter := "From: abuse@net.test\nSubject: Re: [Ticket#4711001] Abuse report\n\nWe have received your report.\n\n" + quoted.String()
	m := answer(t, letter)
	if r := reporter.ReadReply(&m, nil); r.Kind != reporter.ReplyResolved {
		t.Fatalf("without knowing what was sent it is %s: the letter tries nothing", r.Kind)
	}
	l.reply(l.message.replyTo, letter)
	if ev := l.event(queue.ActionAnswered); !strings.HasPrefix(ev.Reason, "ticket, ticket 4711001") {
		t.Errorf("understood as %q", ev.Reason)
	}
}

// TestFlood: what a complaint's trail takes of answers is bounded, and a command is heard
// after that, once.
func TestFlood(t *testing.T) {
	t.Parallel()
	l := sentTo(t, "abuse@net.test")
	for i := range 150 {
		l.reply(l.message.replyTo, fmt.Sprintf("From: abuse@net.test\nAuto-Submitted: auto-replied\n\nHello %d\n", i))
	}
	for range 3 {
		l.reply(l.command(reporter.VerbResolved), "From: abuse@net.test\n\n")
	}
	k, err := l.Case(t.Context(), l.id)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, e := range k.Events {
		n[e.Action]++
	}
	if n[queue.ActionNoted] != 100 || n[queue.ActionResolved] != 1 || k.Complaint.State != queue.Resolved {
		t.Errorf("events %v, state %s", n, k.Complaint.State)
	}
}

// TestForgedCommands: of a command's address no letter can be changed but its case, and
// none leads to another complaint or another command.
func TestForgedCommands(t *testing.T) {
	t.Parallel()
	l := sentTo(t, "abuse@net.test")
	address := l.command(reporter.VerbStop)
	if local, _, _ := strings.Cut(address, "@"); len(local) > 64 {
		t.Errorf("the local part of %s is longer than servers take", address)
	}
	for _, same := range []string{strings.ToUpper(address), strings.ToLower(address)} {
		if !l.learner.IsReply(same) {
			t.Errorf("%s does not pass", same)
		}
	}
	other := reporter.Composer{Sender: us, Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: []byte("other")}}
	if _, _, ok := other.Addressed(address); ok {
		t.Error("passes under another key")
	}
	for i := range address {
		for _, c := range []byte("a2-z") {
			if forged := address[:i] + string(c) + address[i+1:]; !strings.EqualFold(forged, address) && l.learner.IsReply(forged) {
				t.Errorf("%s passes", forged)
			}
		}
		if short := address[:i] + address[i+1:]; l.learner.IsReply(short) {
			t.Errorf("%s passes", short)
		}
	}
}

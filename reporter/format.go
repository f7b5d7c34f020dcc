package reporter

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// A Format writes one kind of complaint. The same draft gives the same octets
// every time, so a repeated delivery is the same message.
type Format struct {
	Name   string
	letter string // the template of what it says to people
	write  func(w io.Writer, d *draft) error
}

// formats by name. A new one is a file with its Format and a line here.
var formats = map[string]Format{
	ARF.Name:   ARF,
	XARF.Name:  XARF,
	Plain.Name: Plain,

	Withdrawal.Name: Withdrawal,
}

// Formats lists the names of the formats that can be chosen.
func Formats() []string {
	names := slices.Sorted(maps.Keys(formats))
	return slices.DeleteFunc(names, func(n string) bool { return n == Withdrawal.Name })
}

// Composer writes complaints. The zero value writes in English, unsigned, with the
// evidence redacted.
type Composer struct {
	// Sender is in whose name a complaint is shown that is not approved yet; an
	// approved one keeps the sender that it was approved under.
	Sender queue.Sender
	// Letters are the texts; nil for those built in.
	Letters *Letters
	// Format and Language are for desks that wish no other; empty for ARF, English.
	Format, Language string
	// Signature ends every letter, in one line or several.
	Signature string
	// Desks are wishes of single addressees, the narrowest first.
	Desks []Desk
	// Answers is where bounces and answers go.
	Answers Answers
	// Unseen says that filters' verdicts go out without a person's word: letters must
	// not claim that one has looked.
	Unseen bool
	Evidence
}

// Desk is how one addressee wants his complaints.
type Desk struct {
	For      string // a mailbox, or "@domain" for all at and below it
	Format   string // empty: as usual
	Language string // empty: as usual
}

// names reports whether the wish is that of a mailbox.
func (d *Desk) names(mailbox string) bool {
	domain, whole := strings.CutPrefix(d.For, "@")
	if !whole {
		return strings.EqualFold(d.For, mailbox)
	}
	at := strings.LastIndexByte(mailbox, '@')
	host := mailbox[at+1:]
	return strings.EqualFold(host, domain) ||
		len(host) > len(domain) && strings.EqualFold(host[len(host)-len(domain)-1:], "."+domain)
}

// desk returns the wishes that hold for a complaint: those of its first addressee
// who has any. One message cannot please two.
func (w *Composer) desk(to []string) Desk {
	for _, mailbox := range to {
		for _, d := range w.Desks {
			if d.names(mailbox) {
				return d
			}
		}
	}
	return Desk{}
}

// format returns in which format a complaint goes to its addressees: as the
// operator says of them, as they ask for, as usual.
func (w *Composer) format(to []string, answer *contact.Answer) string {
	if f := w.desk(to).Format; f != "" {
		return f
	}
	for _, k := range answer.Contacts {
		if slices.Contains(Formats(), k.Report) && slices.Contains(to, k.Address) {
			return k.Report
		}
	}
	return cmp.Or(w.Format, ARF.Name)
}

// Compose writes the complaint exactly as it goes to the relay, with CRLF line
// ends. The complaint needs its incidents with their reports.
func (w *Composer) Compose(out io.Writer, c *queue.Complaint) error {
	f, ok := formats[c.Format]
	if !ok {
		return fmt.Errorf("complaint %d asks for the format %q: known are %s",
			c.ID, c.Format, strings.Join(Formats(), ", "))
	}
	if len(c.Incidents) == 0 {
		return fmt.Errorf("complaint %d has no incident: nothing to report", c.ID)
	}
	d := w.draft(c)
	if err := f.write(out, d); err != nil {
		return fmt.Errorf("compose complaint %d as %s: %w", c.ID, f.Name, err)
	}
	return nil
}

// Text returns the usual words of a complaint to people, whatever a person has
// written in their place, with LF as line ends. The complaint needs its incidents
// with their reports.
func (w *Composer) Text(c *queue.Complaint) (string, error) {
	f, ok := formats[c.Format]
	if !ok || len(c.Incidents) == 0 {
		return "", fmt.Errorf("complaint %d in the format %q has nothing to say", c.ID, c.Format)
	}
	usual := *c
	usual.Letter = ""
	text, err := w.draft(&usual).text(f.letter)
	if err != nil {
		return "", fmt.Errorf("text of complaint %d: %w", c.ID, err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n"), nil
}

// senderOf returns in whose name a complaint goes out: as it was approved.
func (w *Composer) senderOf(c *queue.Complaint) queue.Sender {
	if c.Sender == (queue.Sender{}) {
		return w.Sender
	}
	return c.Sender
}

// draft is what every format is made of.
type draft struct {
	*queue.Complaint
	sender   queue.Sender
	letters  *Letters
	letter   Letter
	replyTo  string // empty: From
	mailFrom string // of the sample, as it may be shown
	rcptTo   string // of the sample: a token; empty where none is known
	original []byte // the sample, as SMTP carries it
	header   int    // how much of original is its header section
}

func (w *Composer) draft(c *queue.Complaint) *draft {
	d := &draft{Complaint: c, sender: w.senderOf(c), letters: w.Letters, replyTo: w.address(c.ID, VerbReply)}
	if d.letters == nil {
		d.letters = builtin
	}
	shown := w.show(c)
	d.original, d.header, d.mailFrom, d.rcptTo = shown.original, shown.header, shown.mailFrom, shown.rcptTo
	d.letter = letterOf(d, cmp.Or(w.desk(c.To).Language, w.Language))
	d.letter.Seen = !w.Unseen
	d.letter.Altered, d.letter.Redacted = shown.altered, shown.redacted
	for _, s := range []*string{&d.letter.Subject, &d.letter.HELO, &d.letter.RDNS, &d.letter.Customer, &d.letter.Account} {
		*s = shown.text(*s)
	}
	d.letter.Resolved, d.letter.NotOurs, d.letter.Stop =
		w.address(c.ID, VerbResolved), w.address(c.ID, VerbNotOurs), w.address(c.ID, VerbStop)
	d.letter.Signature = w.Signature
	if c.Withdraws != 0 {
		d.letter.Withdraws = fmt.Sprint(c.Withdraws)
	}
	return d
}

// sample is the incident that stands for all of a complaint.
func (d *draft) sample() *queue.Incident { return &d.Incidents[0] }

// hop is where the address complained about stands in the sample's chain: at the
// border, or behind a relay. It is nil for a chain without a source.
func (d *draft) hop() *trace.Hop {
	c := &d.sample().Chain
	for _, p := range senders(c) {
		if p.Addr == d.Source {
			return &c.Hops[p.Hop]
		}
	}
	return c.Source()
}

// text writes the letter of a name, or what a person has written in its place.
func (d *draft) text(name string) ([]byte, error) {
	if d.Letter == "" {
		return d.letters.write(name, &d.letter)
	}
	text := strings.ReplaceAll(d.Letter, "\r\n", "\n")
	return []byte(strings.ReplaceAll(strings.TrimRight(text, "\n")+"\n", "\n", "\r\n")), nil
}

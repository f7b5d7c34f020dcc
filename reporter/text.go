package reporter

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
)

// letterTemplate is the part that people read. It must be enough on its own and
// must say how to get no more of these (RFC 6650 §5).
//
//go:embed text.tmpl
var templates embed.FS

var letterTemplate = template.Must(template.New("text.tmpl").
	Funcs(template.FuncMap{"line": oneLine}).ParseFS(templates, "text.tmpl"))

// letter is what the template may speak of. All strings may come from the
// sender of spam; the template passes each through line.
type letter struct {
	Source, Port, HELO, RDNS string
	Arrival, MTA, QueueID    string
	MailFrom, Subject        string
	Cause                    string
	To                       []letterTo
	Network, NetworkName     string
	Kept                     int // octets of the body
	BodyCut, HeaderCut       bool
	Altered                  bool // SMTP could not carry it as it was
	From, Reference          string
}

// letterTo is an addressee and where the registry names him.
type letterTo struct{ Address, Source, Role string }

// Text returns what a complaint says to people, with LF as line ends: the words that
// a person wrote in place of the usual ones, or these. The complaint needs its
// incidents with their reports.
func Text(c *queue.Complaint, preview queue.Sender) string {
	_, altered := carried(&c.Incidents[0].Report.Message)
	return strings.ReplaceAll(string(text(c, senderOf(c, preview), altered)), "\r\n", "\n")
}

func text(c *queue.Complaint, s queue.Sender, altered bool) []byte {
	if c.Letter != "" {
		return []byte(strings.ReplaceAll(strings.ReplaceAll(c.Letter, "\r\n", "\n"), "\n", "\r\n"))
	}
	var b bytes.Buffer
	l := letterOf(c, s)
	l.Altered = altered
	if err := letterTemplate.Execute(&b, l); err != nil {
		panic(fmt.Sprintf("embedded template: %v", err)) // our own file, our own fields
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
}

func letterOf(c *queue.Complaint, s queue.Sender) letter {
	in := &c.Incidents[0]
	m := &in.Report.Message
	l := letter{
		Source:  c.Source.String(),
		Arrival: date(arrival(in)), MTA: reportingMTA(in, s),
		MailFrom: m.MailFrom, Subject: c.Subject, Cause: cause(&in.Report),
		Kept: len(m.Body), BodyCut: m.Truncated(), HeaderCut: m.HeaderCut,
		From: s.From, Reference: reference(c),
	}
	if m.Session != nil {
		l.QueueID = m.Session.QueueID
	}
	if hop := in.Chain.Source(); hop != nil {
		l.HELO, l.RDNS = hop.HELO, hop.RDNS
		if hop.Port != 0 {
			l.Port = fmt.Sprint(hop.Port)
		}
	}
	l.addressed(c)
	return l
}

// addressed says of the network and of each address why it was chosen.
func (l *letter) addressed(c *queue.Complaint) {
	var answer contact.Answer
	_ = json.Unmarshal(c.Contact, &answer) // an edited complaint may have none
	l.Network, l.NetworkName = c.Network, answer.Network.Name
	for _, a := range c.To {
		to := letterTo{Address: a}
		for _, k := range answer.Contacts {
			if k.Address == a {
				to.Source, to.Role = strings.ToUpper(k.Source), k.Role
			}
		}
		l.To = append(l.To, to)
	}
}

func cause(r *queue.Report) string {
	switch r.Cause {
	case queue.CauseFilter:
		return "a content filter, and by a person who looked at it"
	case queue.CauseUser:
		return "the user who received it"
	default:
		return "a person who received it"
	}
}

package reporter

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"spamreport-milter/trace"
)

// readDSN reads a delivery status notification (RFC 3464). What it says of each
// recipient counts, and its words only where it says nothing.
func readDSN(m *trace.Message, text string) (r Reply, ok bool) {
	report := deliveryReport(m)
	if report.status == nil {
		return r, false
	}
	r = Reply{Kind: ReplyAuto, Text: excerpt(text), About: report.about} // it got on: no answer of anybody
	groups := statusGroups(report.status)
	for _, g := range groups {
		code, said := g.code(), g.said()
		if said == "" && len(groups) == 1 && (code == "" || strings.HasSuffix(code, ".0.0")) {
			said = unquotedBounce(text)
		}
		switch g.action() {
		case "failed":
			r.failed(g.recipients(), code, said)
		case "delayed":
			if r.Kind != ReplyBounced {
				r.Kind, r.Text = ReplyDelayed, stated(code, said)
			}
		}
	}
	return r, len(groups) > 0
}

// failed takes note of a recipient that the mail will not reach.
func (r *Reply) failed(addresses []string, code, said string) {
	r.Kind, r.Text = ReplyBounced, stated(code, said)
	r.Failed = appendNew(r.Failed, addresses)
	if causeOf(code, said) == causeGone {
		r.Gone = appendNew(r.Gone, addresses)
	}
}

func appendNew(all, more []string) []string {
	for _, a := range more {
		if !slices.ContainsFunc(all, func(b string) bool { return strings.EqualFold(a, b) }) {
			all = append(all, a)
		}
	}
	return all
}

func stated(code, said string) string {
	return oneLine(strings.Join(strings.Fields(clip(code+" "+said, 600)), " "))
}

// statusGroup is what a notification says of one recipient (RFC 3464 §2.3).
type statusGroup struct{ trace.Message }

// blankLine parts groups; some servers leave white space in it.
var blankLine = regexp.MustCompile(`\n[ \t]*\n`)

// statusGroups returns those that name a recipient; the first group is about the message.
func statusGroups(status []byte) (all []statusGroup) {
	text := strings.ReplaceAll(string(status), "\r\n", "\n")
	for _, group := range blankLine.Split(text, 1+2*maxMailboxes) {
		if len(all) == maxMailboxes {
			break
		}
		g := statusGroup{trace.Message{Header: []byte(strings.TrimLeft(group, "\n") + "\n")}}
		if g.field("Final-Recipient") != "" || g.field("Original-Recipient") != "" || g.field("Action") != "" {
			all = append(all, g)
		}
	}
	return all
}

func (g *statusGroup) field(name string) string { return field(&g.Message, name) }

func (g *statusGroup) said() string {
	_, said, typed := strings.Cut(g.field("Diagnostic-Code"), ";")
	if !typed {
		said = g.field("Diagnostic-Code")
	}
	if _, comment, ok := strings.Cut(g.field("Status"), "("); ok && said == "" {
		said = strings.TrimSuffix(comment, ")")
	}
	return strings.TrimSpace(said)
}

var (
	statusCode = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	replyCode  = regexp.MustCompile(`^\W*([245])\d\d\b`)
)

// code is the status code (RFC 3463). One that says nothing gives way to what the
// server said itself.
func (g *statusGroup) code() string {
	code, said := statusCode.FindString(g.field("Status")), g.said()
	if code == "" || strings.HasSuffix(code, ".0.0") {
		if better := statusCode.FindString(said); better != "" && (code == "" || better[0] == code[0]) {
			return better
		}
	}
	for _, where := range []string{said, g.field("Status")} {
		if class := replyCode.FindStringSubmatch(where); code == "" && class != nil {
			code = class[1] + ".0.0"
		}
	}
	return code
}

// actions are those of §2.3.3 and what some servers write for failed.
var actions = map[string]string{"failed": "failed", "failure": "failed", "error": "failed", "delayed": "delayed",
	"delivered": "delivered", "relayed": "relayed", "expanded": "expanded"}

// action says what became of the recipient. Where the field says nothing the code tells.
func (g *statusGroup) action() string {
	if action := actions[strings.ToLower(strings.Trim(firstToken(g.field("Action")), "();,."))]; action != "" {
		return action
	}
	switch code := g.code(); {
	case strings.HasPrefix(code, "5"):
		return "failed"
	case strings.HasPrefix(code, "4"):
		return "delayed"
	}
	return ""
}

func (g *statusGroup) recipients() (all []string) {
	for _, name := range []string{"Original-Recipient", "Final-Recipient"} {
		value := g.field(name)
		if address := strings.Trim(value[strings.LastIndexByte(value, ';')+1:], " \t<>"); address != "" {
			all = appendNew(all, []string{address})
		}
	}
	return all
}

func field(m *trace.Message, name string) string {
	if v := m.Fields(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// What of a notification is read, in octets.
const (
	maxStatus   = 64 << 10
	maxReturned = 64 << 10
)

// report is what a notification encloses: the status, nil when there is none, and the
// Message-ID of what it returns.
type report struct {
	status []byte
	about  string
}

// deliveryReport looks for the parts wherever they stand: gateways and forwarders wrap
// notifications.
func deliveryReport(m *trace.Message) report {
	r := enclosed(m)
	if r.status == nil {
		r.status = lostStatus(m)
	}
	return r
}

func enclosed(m *trace.Message) (r report) {
	e, err := message.Read(octets(m))
	if e == nil || err != nil && !message.IsUnknownCharset(err) {
		return r
	}
	parts := 0
	_ = e.Walk(func(_ []int, p *message.Entity, err error) error { // a broken part ends where it breaks
		if parts++; err != nil || p == nil || parts > maxReplyParts {
			return io.EOF
		}
		switch kind, _, _ := p.Header.ContentType(); kind {
		case "message/delivery-status", "message/global-delivery-status":
			if r.status == nil {
				r.status, _ = io.ReadAll(io.LimitReader(p.Body, maxStatus))
			}
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers":
			returned, _ := io.ReadAll(io.LimitReader(p.Body, maxReturned))
			header, _, _ := bytes.Cut(bytes.ReplaceAll(returned, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
			r.about = strings.TrimSpace(field(&trace.Message{Header: append(header, '\n')}, "Message-ID"))
		}
		return nil
	})
	return r
}

// lostStatus finds the status in a notification whose boundaries are broken.
func lostStatus(m *trace.Message) []byte {
	if !strings.Contains(strings.ToLower(field(m, "Content-Type")), "delivery-status") {
		return nil
	}
	at := statusField.FindIndex(m.Body)
	if at == nil {
		return nil
	}
	status, _, _ := bytes.Cut(m.Body[at[0]:min(len(m.Body), at[0]+maxStatus)], []byte("\n--"))
	return status
}

var statusField = regexp.MustCompile(`(?im)^(reporting-mta|final-recipient|original-recipient):`)

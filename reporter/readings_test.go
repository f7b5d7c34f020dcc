package reporter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// A shelf holds complaints in a directory for each kind, "arf", "xarf" and "text", and
// what a reader is to find in each.
type shelf struct {
	*testing.T
	dir  string
	want map[string]map[string]reading
}

// complaintsToRead fills a shelf with every kind of complaint about every real message,
// and about hard ones.
func complaintsToRead(t *testing.T, dir string) map[string]map[string]reading {
	s := shelf{t, dir, map[string]map[string]reading{"arf": {}, "xarf": {}, "text": {}}}
	all := reporter.Composer{Sender: us, Evidence: reporter.Evidence{Full: true}}
	german := reporter.Composer{Sender: us, Language: "de"}
	for name, m := range corpus(t) {
		c := complaint(m)
		c.Subject = subject(&m)
		for _, format := range reporter.Formats() {
			s.put(name, format, &composer, c)
		}
		s.put(name+"-german", "arf", &german, c)
		c.Party = "source network"
		c.Contact, _ = json.Marshal(contact.Answer{Contacts: []contact.Contact{network}})
		s.put(name+"-full", "arf", &all, c)
	}
	for name, c := range hardComplaints() {
		for _, format := range reporter.Formats() {
			s.put(name, format, &composer, c)
		}
	}
	back := complaint(spam())
	back.Withdraws = 12
	s.put("withdrawal", queue.FormatWithdrawal, &composer, back)
	for kind, least := range map[string]int{"arf": 600, "xarf": 200, "text": 200} {
		if len(s.want[kind]) < least {
			t.Errorf("%d complaints of kind %s are to be read, want %d or more", len(s.want[kind]), kind, least)
		}
	}
	return s.want
}

// subject is a message's Subject as people read it.
func subject(m *trace.Message) string {
	raw := m.Fields("Subject")
	if len(raw) == 0 {
		return ""
	}
	text, err := new(mime.WordDecoder).DecodeHeader(raw[0])
	if err != nil {
		text = raw[0]
	}
	return strings.ToValidUTF8(text, "?")
}

// hardComplaints are about what senders of spam make, by accident or for a reader's
// harm, and of all shapes that a complaint has.
func hardComplaints() map[string]*queue.Complaint {
	all := map[string]*queue.Complaint{}
	for name, change := range map[string]func(*trace.Message){
		"null sender":       func(m *trace.Message) { m.MailFrom = "" },
		"sender not ASCII":  func(m *trace.Message) { m.MailFrom = "grüße@sender.test" },
		"sender has fields": func(m *trace.Message) { m.MailFrom = "a>\r\nSource-IP: 198.51.100.1\r\nX: <b@sender.test" },
		"HELO has fields":   func(m *trace.Message) { m.Session.HELO = "h\r\nFeedback-Type: fraud" },
		"no port":           func(m *trace.Message) { m.Session.Client = netip.AddrPortFrom(client.Addr(), 0) },
		"empty":             func(m *trace.Message) { m.Header, m.Body = nil, nil },
		"no Message-ID":     func(m *trace.Message) { m.Header = []byte("From: a@sender.test\r\n") },
		"long Message-ID": func(m *trace.Message) {
			m.Header = []byte("Message-ID: <" + strings.Repeat("x", 300) + "@sender.test>\r\n")
		},
		"header in 8 bits": func(m *trace.Message) { m.Header = append(m.Header, "X-Name: Gr\xfc\xdfe \x80\xff\r\n"...) },
		"header is broken": func(m *trace.Message) { m.Header = append(m.Header, "no field at all\r\n : none\r\nX\r\n"...) },
		"header is cut":    func(m *trace.Message) { m.HeaderCut, m.Body, m.BodySize = true, nil, 100 },
		"body is cut":      func(m *trace.Message) { m.BodySize += 100 },
		"no last line end": func(m *trace.Message) { m.Body = []byte("the end") },
		"NUL":              func(m *trace.Message) { m.Body = []byte("a\x00b\r\n\x00\x00") },
		"CR alone":         func(m *trace.Message) { m.Body = []byte("a\rb\r\r\n\r") },
		"LF alone": func(m *trace.Message) {
			m.Header, m.Body = []byte("Message-ID: <1@a.test>\nTo: b@a.test\n"), []byte("a\nb\n")
		},
		"long lines":      func(m *trace.Message) { m.Body = bytes.Repeat([]byte("x"), 5000) },
		"a dot":           func(m *trace.Message) { m.Body = []byte(".\r\n..\r\nFrom me\r\n.") },
		"like a boundary": func(m *trace.Message) { m.Body = []byte("--\r\n--=_\r\n----\r\n--=_0--\r\n") },
		"parts without end": func(m *trace.Message) {
			mixed(m, strings.Repeat("--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", 50))
		},
		"1000 parts": func(m *trace.Message) {
			mixed(m, strings.Repeat("--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n", 1000)+"--b--\r\n")
		},
		"4 MB": func(m *trace.Message) { m.Body = bytes.Repeat([]byte(strings.Repeat("text", 200)+"\r\n"), 4<<20/802) },
		"message in message": func(m *trace.Message) {
			mixed(m, "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nb\r\n--b--\r\n")
		},
	} {
		m := spam()
		change(&m)
		m.BodySize = max(m.BodySize, int64(len(m.Body)))
		all[name] = complaint(m)
	}
	six := complaint(spam())
	six.Source = netip.MustParseAddr("2001:db8::77")
	six.Incidents[0].Report.Message.Session.Client = netip.AddrPortFrom(six.Source, 40123)
	six.Incidents[0].Chain = trace.Follow(&six.Incidents[0].Report.Message, trace.Options{})
	own := complaint(spam())
	own.Letter = "Hello,\nthis is yours: 192.0.2.77. Grüße\n"
	many := complaint(spam())
	for range 150 {
		many.Incidents = append(many.Incidents, many.Incidents[0])
	}
	trap := complaint(spam())
	trap.Incidents[0].Report.Cause = queue.CauseTrap
	user := complaint(spam())
	user.Incidents[0].Report.Cause = queue.CauseUser
	for name, c := range map[string]*queue.Complaint{"IPv6": six, "own letter": own, "many": many, "trap": trap, "user": user} {
		all[name] = c
	}
	return all
}

func mixed(m *trace.Message, body string) {
	m.Header = append(m.Header, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"...)
	m.Body = []byte(body)
}

// put composes a complaint and saves it, and notes what is to be read in it.
func (s *shelf) put(name, format string, w *reporter.Composer, c *queue.Complaint) {
	s.Helper()
	c.Format = format
	var b bytes.Buffer
	if err := w.Compose(&b, c); err != nil {
		s.Fatal(err)
	}
	kind, want := s.expect(b.Bytes(), w, c)
	want.File = strings.ReplaceAll(name, " ", "-") + "." + format
	s.want[kind][want.File] = want
	save(s.T, filepath.Join(s.dir, kind), want.File, b.Bytes())
}

func (s *shelf) expect(raw []byte, w *reporter.Composer, c *queue.Complaint) (kind string, want reading) {
	if !bytes.Contains(raw, []byte("Content-Type: multipart/report;")) {
		_, text := readText(s.T, raw)
		return "text", reading{Kinds: []string{"text/plain"}, Text: digest(bytes.TrimRightFunc([]byte(text), unicode.IsSpace))}
	}
	_, bodies, heads := parts(s.T, raw)
	want = reading{Text: digest(bytes.TrimRightFunc(bodies[0], unicode.IsSpace)), Agent: us.Agent, Version: "1", Source: c.Source.String(), Arrival: noon.Unix(), Incidents: len(c.Incidents)}
	for _, h := range heads {
		kind, _, _ := h.ContentType()
		want.Kinds = append(want.Kinds, kind)
	}
	if bytes.HasPrefix(bodies[1], []byte("Feedback-Type: xarf\r\n")) {
		return "xarf", s.expectXARF(want, w, c)
	}
	want.Type, want.Original = "abuse", digest(bodies[2])
	want.MailFrom, want.RcptTo = field(bodies[1], "Original-Mail-From"), field(bodies[1], "Original-Rcpt-To")
	return "arf", want
}

// maxPayload is how much of an original is evidence in XARF.
const maxPayload = 5 << 20 / 4 * 3

// expectXARF takes from the ARF of a complaint what its XARF is to say.
func (s *shelf) expectXARF(want reading, w *reporter.Composer, c *queue.Complaint) reading {
	arf := *c
	arf.Format = "arf"
	var b bytes.Buffer
	if err := w.Compose(&b, &arf); err != nil {
		s.Fatal(err)
	}
	_, bodies, _ := parts(s.T, b.Bytes())
	want.Type, want.Original = "spam", digest(bodies[2][:min(len(bodies[2]), maxPayload)])
	want.MailFrom, want.RcptTo = field(bodies[1], "Original-Mail-From"), field(bodies[1], "Original-Rcpt-To")
	return want
}

func field(report []byte, name string) string {
	found := regexp.MustCompile(`(?m)^` + name + `: <(.*)>\r$`).FindSubmatch(report)
	if found == nil {
		return ""
	}
	return string(found[1])
}

func digest(octets []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(bytes.ReplaceAll(octets, []byte("\r\n"), []byte("\n"))))
}

func save(t *testing.T, dir, name string, octets []byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), octets, 0o644); err != nil {
		t.Fatal(err)
	}
}

// breakages spoil a complaint, by kind: in what way, and which programs must see it.
var breakages = map[string][]breakage{
	"arf": {
		{"another report", swap("report-type=feedback-report", "report-type=delivery-status"), "emailmime.pl arfparser.cjs"},
		{"no type", swap("Feedback-Type: abuse\r\n", ""), "sisimai.pl emailmime.pl mailparse.php arfparser.cjs stdlib.py"},
		{"another type", swap("Feedback-Type: abuse", "Feedback-Type: fraud"), "sisimai.pl emailmime.pl mailparse.php arfparser.cjs"},
		{"type is there twice", swap("Feedback-Type: abuse\r\n", "Feedback-Type: abuse\r\nFeedback-Type: fraud\r\n"), "emailmime.pl mailparse.php stdlib.py"},
		{"folded", swap("Source-IP: ", "Source-IP:\r\n "), "mailparse.php"},
		{"no date", swap("Arrival-Date: ", "X-Date: "), "mailparse.php arfparser.cjs"},
		{"another source", swap("Source-IP: 192.0.2.77", "Source-IP: 198.51.100.1"), "sisimai.pl emailmime.pl mailparse.php arfparser.cjs"},
		{"header alone", swap("message/rfc822", "text/rfc822-headers"), "mailparse.php stdlib.py mime.cjs"},
		{"no attachment", swap("Content-Disposition: inline\r\n", ""), "mailparse.php"},
		{"without end", func(raw []byte) []byte { return raw[:len(raw)-50] }, "stdlib.py"},
		{"original is another", swap("Buy now", "Buy not"), "emailmime.pl mime.cjs"},
	},
	"xarf": {
		{"no version", report(without("xarf_version")), "xarf.cjs"},
		{"version", report(with("xarf_version", "5.0.0")), "xarf.cjs"},
		{"ID", report(with("report_id", "complaint 17")), "xarf.cjs"},
		{"time without zone", report(with("timestamp", "2026-11-23T12:00:00")), "xarf.cjs"},
		{"no sender", report(without("sender")), "xarf.cjs"},
		{"contact", report(with("reporter", map[string]any{"org": "a", "domain": "isp.test", "contact": "nobody"})), "xarf.cjs"},
		{"domain", report(with("reporter", map[string]any{"org": "a", "domain": "no host", "contact": "a@isp.test"})), "xarf.cjs"},
		{"a party knows more", report(with("sender", map[string]any{"org": "a", "domain": "isp.test", "contact": "a@isp.test", "type": "automated"})), "xarf.cjs"},
		{"port", report(with("source_port", 0)), "xarf.cjs"},
		{"no port", report(without("source_port")), "xarf.cjs"},
		{"category", report(with("category", "mail")), "xarf.cjs"},
		{"type", report(with("type", "phishing")), "xarf.cjs"},
		{"protocol", report(with("protocol", "mail")), "xarf.cjs"},
		{"evidence source", report(with("evidence_source", "user_report")), "xarf.cjs"},
		{"no envelope sender", report(without("smtp_from")), "xarf.cjs"},
		{"envelope sender", report(with("smtp_from", "nobody")), "xarf.cjs"},
		{"no recipient", report(without("smtp_to")), "xarf.cjs"},
		{"no Message-ID", report(without("message_id")), "xarf.cjs"},
		{"no subject", report(with("subject", "")), "xarf.cjs"},
		{"long subject", report(with("subject", strings.Repeat("ü", 501))), "xarf.cjs"},
		{"long description", report(with("description", strings.Repeat("a", 1001))), "xarf.cjs"},
		{"confidence", report(with("confidence", 2)), "xarf.cjs"},
		{"tag", report(with("tags", []string{"Spam"})), "xarf.cjs"},
		{"unknown field", report(with("helo", "pc")), "xarf.cjs"},
		{"ours alone", report(with("_internal", map[string]any{})), "xarf.cjs"},
		{"no evidence", report(without("evidence")), "xarf.cjs"},
		{"51 pieces", evidence(func(e []any) []any { return slices.Repeat(e, 51) }), "xarf.cjs"},
		{"evidence knows more", piece(with("name", "mail.eml")), "xarf.cjs"},
		{"no hash", piece(without("hash")), "xarf.cjs"},
		{"hash", piece(with("hash", "sha256:00")), "xarf.cjs"},
		{"form of the hash", piece(with("hash", "00")), "xarf.cjs"},
		{"size", piece(with("size", 1)), "xarf.cjs"},
		{"too large", piece(with("size", 5<<20+1)), "xarf.cjs"},
		{"no base64", piece(with("payload", "a line\nof text")), "xarf.cjs"},
		{"payload", piece(with("payload", "b3RoZXI=")), "xarf.cjs"},
	},
}

type breakage struct {
	name string
	in   func(raw []byte) []byte
	seen string
}

func swap(old, new string) func([]byte) []byte {
	return func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte(old), []byte(new)) }
}

// A change spoils an object of JSON.
type change func(map[string]any)

func without(key string) change         { return func(x map[string]any) { delete(x, key) } }
func with(key string, value any) change { return func(x map[string]any) { x[key] = value } }
func piece(c change) func(raw []byte) []byte {
	return evidence(func(e []any) []any { c(e[0].(map[string]any)); return e })
}
func evidence(c func([]any) []any) func(raw []byte) []byte {
	return report(func(x map[string]any) { x["evidence"] = c(x["evidence"].([]any)) })
}

var inJSON = regexp.MustCompile(`(?s)(application/json.*?\r\n\r\n)(.*?)(\r\n--)`)

// report changes the JSON in a mail.
func report(c change) func(raw []byte) []byte {
	return func(raw []byte) []byte {
		at := inJSON.FindSubmatchIndex(raw)
		text, err := base64.StdEncoding.DecodeString(string(raw[at[4]:at[5]]))
		var x map[string]any
		if err != nil || json.Unmarshal(text, &x) != nil {
			panic("our own JSON")
		}
		c(x)
		text, err = json.Marshal(x)
		if err != nil {
			panic(err)
		}
		return slices.Concat(raw[:at[4]], []byte(base64.StdEncoding.EncodeToString(text)), raw[at[5]:])
	}
}

package reporter_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

var (
	us     = queue.Sender{From: "Mail Abuse <abuse@isp.test>", Host: "mx.isp.test", Agent: "spamreport-milter/test"}
	client = netip.MustParseAddrPort("192.0.2.77:40123")
	noon   = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

var composer = reporter.Composer{Sender: us}

// spam is a message as the session of our own MTA carried it.
func spam() trace.Message {
	body := "Buy now\r\n.\r\n\xff\xfe raw octets\r\n"
	return trace.Message{
		Session: &trace.Session{Client: client, PTR: "host.sender.test", HELO: "sender.test",
			QueueID: "4Xyz12", Host: "mx.isp.test", Time: noon},
		MailFrom: "offers@sender.test", RcptTo: []string{"user@isp.test"},
		Header:   []byte("From: Offers <offers@sender.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@sender.test>\r\nX-Odd:\tkept \r\n"),
		Body:     []byte(body),
		BodySize: int64(len(body)),
	}
}

// complaint is what filing makes of a message.
func complaint(m trace.Message) *queue.Complaint {
	return &queue.Complaint{
		ID: 17, State: queue.Ready, To: []string{"abuse@net.test"}, Source: client.Addr(),
		Network: "192.0.2.0 - 192.0.2.255", Format: "arf", Subject: "Grüße", ReadyAt: noon.Add(time.Hour),
		MessageID: "<17.abcdef@mx.isp.test>",
		Incidents: []queue.Incident{{ReportID: 3,
			Report: queue.Report{ID: 3, Cause: queue.CauseFilter, Message: m},
			Chain:  trace.Follow(&m, trace.Options{}),
		}},
	}
}

// parts splits a complaint as its reader would.
func parts(t *testing.T, raw []byte) (h message.Header, bodies [][]byte, heads []message.Header) {
	t.Helper()
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("complaint does not parse: %v", err)
	}
	mr := e.MultipartReader()
	if mr == nil {
		t.Fatal("complaint is not multipart")
	}
	for {
		p, err := mr.NextPart()
		if err == io.EOF {
			return e.Header, bodies, heads
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		bodies, heads = append(bodies, b), append(heads, p.Header)
	}
}

func compose(t *testing.T, c *queue.Complaint) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := composer.Compose(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestARF(t *testing.T) {
	m := spam()
	h, bodies, heads := parts(t, compose(t, complaint(m)))
	kind, params, _ := h.ContentType()
	if kind != "multipart/report" || params["report-type"] != "feedback-report" {
		t.Errorf("content type %s %v", kind, params)
	}
	for name, want := range map[string]string{
		"From": us.From, "To": "abuse@net.test", "Auto-Submitted": "auto-generated",
		"Message-Id": "<17.abcdef@mx.isp.test>", "Date": "Mon, 23 Nov 2026 13:00:00 +0000",
		"Subject": "Abuse report: spam from 192.0.2.77 [complaint 17]",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(bodies) != 3 {
		t.Fatalf("%d parts, want text, report and original", len(bodies))
	}
	if got, want := bodies[2], join(m); !bytes.Equal(got, want) {
		t.Errorf("original differs:\n%q\n%q", got, want)
	}
	if kind, _, _ := heads[2].ContentType(); kind != "message/rfc822" {
		t.Errorf("third part is %s", kind)
	}
	checkFeedback(t, bodies[1])
	checkText(t, string(bodies[0]))
}

func join(m trace.Message) []byte {
	return append(append(append([]byte{}, m.Header...), "\r\n"...), m.Body...)
}

func checkFeedback(t *testing.T, b []byte) {
	t.Helper()
	for line := range strings.Lines(string(b)) {
		if name, _, ok := strings.Cut(line, ": "); !ok || strings.ContainsAny(name, " \t") {
			t.Errorf("a line of the feedback report is no field: %q", line)
		}
	}
	for _, want := range []string{
		"Feedback-Type: abuse\r\n", "User-Agent: spamreport-milter/test\r\n", "Version: 1\r\n",
		"Original-Mail-From: <offers@sender.test>\r\n", "Arrival-Date: Mon, 23 Nov 2026 12:00:00 +0000\r\n",
		"Reporting-MTA: dns; mx.isp.test\r\n", "Source-IP: 192.0.2.77\r\n", "Source-Port: 40123\r\n",
	} {
		if strings.Count(string(b), want) != 1 {
			t.Errorf("feedback report has %q %d times, want once:\n%s", want, strings.Count(string(b), want), b)
		}
	}
}

// checkText holds the text part to being enough on its own (RFC 6650 §5): what
// came from where and when, why this addressee, and how to stop us.
func checkText(t *testing.T, s string) {
	t.Helper()
	if !strings.HasPrefix(s, "This is an email abuse report for an email message received from IP 192.0.2.77 on ") {
		t.Errorf("first line is not the one that readers know: %.120q", s)
	}
	for _, want := range []string{"192.0.2.77, port 40123", "host.sender.test", "4Xyz12", "Grüße",
		"abuse@net.test", "192.0.2.0 - 192.0.2.255", us.From, "complaint 17", "complete and unaltered"} {
		if !strings.Contains(s, want) {
			t.Errorf("text does not say %q:\n%s", want, s)
		}
	}
}

// TestComposeIsStable composes complaints again, as a repeated delivery does.
func TestComposeIsStable(t *testing.T) {
	for name, m := range corpus(t) {
		first := compose(t, complaint(m))
		for range 3 {
			if !bytes.Equal(first, compose(t, complaint(m))) {
				t.Errorf("%s: two compositions differ", name)
			}
		}
	}
}

func TestCutBodyIsSaid(t *testing.T) {
	m := spam()
	m.BodySize += 1 << 20
	_, bodies, _ := parts(t, compose(t, complaint(m)))
	if s := string(bodies[0]); strings.Contains(s, "complete") || !strings.Contains(s, fmt.Sprintf("first %d octets", len(m.Body))) {
		t.Errorf("text hides that the body was cut:\n%s", s)
	}
}

func TestUnknownFormat(t *testing.T) {
	c := complaint(spam())
	c.Format = "carrier-pigeon"
	err := composer.Compose(io.Discard, c)
	if err == nil || !strings.Contains(err.Error(), "known are arf") {
		t.Errorf("error %v does not name the known formats", err)
	}
}

// TestCarried pins what becomes of octets that SMTP does not carry.
func TestCarried(t *testing.T) {
	long := strings.Repeat("x", 2500)
	for _, c := range []struct {
		name, header, body string
		want               string
		altered            bool
	}{
		{"as received", "A: b\r\n", "c\r\n.\r\n\xff\r\n", "A: b\r\n\r\nc\r\n.\r\n\xff\r\n", false},
		{"saved file", "A: b\n", "c\n", "A: b\r\n\r\nc\r\n", false},
		{"NUL and bare CR", "A: b\rc\r\n", "\x00\r\r\n", "A: b c\r\n\r\n? \r\n", true},
		{"long field", "A: " + long + "\r\n", "", "A: " + long[:995] + "\r\n " + long[:997] + "\r\n " + long[:508] + "\r\n\r\n", true},
		{"longest line", "A: b\r\n", long[:998] + "\r\n", "A: b\r\n\r\n" + long[:998] + "\r\n", false},
		{"no last line end", "A: b\r\n", "c", "A: b\r\n\r\nc", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := spam()
			m.Header, m.Body, m.BodySize = []byte(c.header), []byte(c.body), int64(len(c.body))
			_, bodies, _ := parts(t, compose(t, complaint(m)))
			if string(bodies[2]) != c.want {
				t.Errorf("original %q\nwant     %q", bodies[2], c.want)
			}
			if said := !strings.Contains(string(bodies[0]), "complete and unaltered"); said != c.altered {
				t.Errorf("altered %v, but the text says:\n%s", c.altered, bodies[0])
			}
		})
	}
}

func TestCutHeaderIsSaid(t *testing.T) {
	m := spam()
	m.HeaderCut, m.Body, m.BodySize = true, nil, 0
	_, bodies, _ := parts(t, compose(t, complaint(m)))
	if s := string(bodies[0]); strings.Contains(s, "complete") || !strings.Contains(s, "Its header was very long") {
		t.Errorf("text hides that the header was cut:\n%s", s)
	}
}

// TestSenderIsFixedByApproval composes after the configuration has changed.
func TestSenderIsFixedByApproval(t *testing.T) {
	c := complaint(spam())
	c.Sender = us
	var b bytes.Buffer
	changed := reporter.Composer{Sender: queue.Sender{From: "other@isp.test", Host: "other.test", Agent: "x/2"}}
	if err := changed.Compose(&b, c); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), compose(t, complaint(spam()))) {
		t.Error("a changed configuration changes what was approved")
	}
}

// FuzzARF lets the sender of spam choose all that he can choose. Whatever it is,
// the complaint keeps three parts, one line a field, and the exact original.
func FuzzARF(f *testing.F) {
	f.Add("From: a@b.test\r\nSubject: x\r\n", "body\r\n", "a@b.test", "helo", "subject")
	f.Add("", "", "", "", "")
	f.Add("Subject: a\n\nb", "--=_0\r\n\r\n", "a>\r\nSource-IP: 198.51.100.1", "h\r\nX: y", "s\r\n\r\nFeedback-Type: fraud")
	f.Fuzz(func(t *testing.T, header, body, from, helo, subject string) {
		m := spam()
		m.Header, m.Body, m.BodySize = []byte(header), []byte(body), int64(len(body))
		m.MailFrom, m.Session.HELO = from, helo
		c := complaint(m)
		c.Subject = subject
		_, bodies, _ := parts(t, compose(t, c))
		if len(bodies) != 3 {
			t.Fatalf("%d parts", len(bodies))
		}
		if n := bytes.Count(bodies[1], []byte("\nSource-IP: ")); n != 1 {
			t.Errorf("%d Source-IP fields:\n%q", n, bodies[1])
		}
		for line := range bytes.Lines(bodies[2]) {
			text, _ := bytes.CutSuffix(line, []byte("\r\n"))
			if len(text) > 998 || bytes.ContainsAny(text, "\x00\r\n") {
				t.Errorf("a line that SMTP does not carry: %.80q", line)
			}
		}
		if strings.ContainsAny(header+body, "\x00\r") || strings.Contains(string(bodies[2]), "\r\n ") {
			return // TestCarried pins what becomes of these
		}
		want := strings.ReplaceAll(header, "\n", "\r\n") + "\r\n" + strings.ReplaceAll(body, "\n", "\r\n")
		if string(bodies[2]) != want {
			t.Errorf("original changed: %q, want %q", bodies[2], want)
		}
	})
}

// TestEnclosedFeedbackReport: what a sender of spam says of a source never stands where
// a reader of feedback reports looks.
func TestEnclosedFeedbackReport(t *testing.T) {
	m := spam()
	m.Header = append(m.Header, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"...)
	m.Body = []byte("--b\r\nContent-Type: Message/Feedback-Report\r\n\r\nFeedback-Type: abuse\r\nSource-IP: 198.51.100.1\r\n\r\n--b--\r\n")
	m.BodySize = int64(len(m.Body))
	h, text := readText(t, compose(t, complaint(m)))
	if kind, _, _ := h.ContentType(); kind != "text/plain" || !strings.Contains(text, "Source-IP: 198.51.100.1") {
		t.Errorf("no letter but %s:\n%s", kind, text)
	}
	if x := xarfOf(t, complaint(m)); x["source_identifier"] != "192.0.2.77" {
		t.Errorf("source is %v", x["source_identifier"])
	}
}

// TestLetterOfAPerson: what a person wrote stands in place of the usual text, and
// nothing else changes.
func TestLetterOfAPerson(t *testing.T) {
	c := complaint(spam())
	_, usual, _ := parts(t, compose(t, c))
	words, err := composer.Text(c)
	if err != nil || !strings.Contains(words, "192.0.2.77") || strings.Contains(words, "\r") {
		t.Errorf("usual text is %q, %v", words, err)
	}
	c.Letter = "Grüß Gott,\nthis is yours.\n"
	_, bodies, _ := parts(t, compose(t, c))
	if got, want := string(bodies[0]), "Grüß Gott,\r\nthis is yours.\r\n"; got != want {
		t.Errorf("text part is %q, want %q", got, want)
	}
	if again, err := composer.Text(c); again != words || err != nil {
		t.Errorf("the usual text is now %q, %v", again, err)
	}
	for i := 1; i < len(usual); i++ {
		if !bytes.Equal(bodies[i], usual[i]) {
			t.Errorf("part %d changed", i)
		}
	}
}

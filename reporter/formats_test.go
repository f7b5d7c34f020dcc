package reporter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// TestEveryFormat holds all formats to what a complaint is, whatever its form: our
// header, the source, the way to answer, the evidence, the same octets each time.
// The documentation names each.
func TestEveryFormat(t *testing.T) {
	doc, err := os.ReadFile("../docs/flow.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range reporter.Formats() {
		t.Run(name, func(t *testing.T) {
			c := complaint(spam())
			c.Format = name
			raw := compose(t, c)
			if !bytes.Equal(raw, compose(t, c)) {
				t.Error("two compositions differ")
			}
			h, text := readText(t, raw)
			for field, want := range map[string]string{"From": us.From, "To": "abuse@net.test", "Auto-Submitted": "auto-generated",
				"Message-Id": c.MessageID, "Date": "Mon, 23 Nov 2026 13:00:00 +0000"} {
				if h.Get(field) != want {
					t.Errorf("%s: %q, want %q", field, h.Get(field), want)
				}
			}
			for _, want := range []string{"192.0.2.77", "port 40123", us.From, "complaint 17", "Mon, 23 Nov 2026 12:00:00 +0000"} {
				if !strings.Contains(text, want) {
					t.Errorf("text does not say %q:\n%s", want, text)
				}
			}
			if !bytes.Contains(doc, []byte("`"+name+"`")) {
				t.Errorf("docs/flow.md does not name the format `%s`", name)
			}
		})
	}
}

// readText returns the header of a complaint and what a person reads of it.
func readText(t *testing.T, raw []byte) (message.Header, string) {
	t.Helper()
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	body := e.Body
	if mr := e.MultipartReader(); mr != nil {
		p, err := mr.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body = p.Body
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return e.Header, string(text)
}

// xarfOf returns the JSON of a XARF complaint, decoded.
func xarfOf(t *testing.T, c *queue.Complaint) map[string]any {
	t.Helper()
	c.Format = "xarf"
	_, bodies, heads := parts(t, compose(t, c))
	if kind, _, _ := heads[2].ContentType(); kind != "application/json" || !bytes.HasPrefix(bodies[1], []byte("Feedback-Type: xarf\r\n")) {
		t.Fatalf("third part is %s, the second begins %.40q", kind, bodies[1])
	}
	var x map[string]any
	if err := json.Unmarshal(bodies[2], &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestXARFWithoutItsFacts: what the schema wants, or recommends, and nobody knows is not
// invented.
func TestXARFWithoutItsFacts(t *testing.T) {
	for name, change := range map[string]func(*trace.Message){
		"null sender":  func(m *trace.Message) { m.MailFrom = "" },
		"no mailbox":   func(m *trace.Message) { m.MailFrom = "root@localhost" },
		"not ASCII":    func(m *trace.Message) { m.MailFrom = "grüße@sender.test" },
		"unknown port": func(m *trace.Message) { m.Session.Client = netip.AddrPortFrom(client.Addr(), 0) },
		"no recipient": func(m *trace.Message) { m.RcptTo = nil },
		"no ID":        func(m *trace.Message) { m.Header = []byte("From: a@sender.test\r\n") },
		"long ID": func(m *trace.Message) {
			m.Header = []byte("Message-ID: <" + strings.Repeat("x", 200) + "@sender.test>\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := spam()
			change(&m)
			becomesARF(t, complaint(m))
		})
	}
	untitled, local := complaint(spam()), complaint(spam())
	untitled.Subject = " "
	becomesARF(t, untitled)
	local.Sender = queue.Sender{From: "root@localhost", Host: us.Host, Agent: us.Agent}
	becomesARF(t, local)
}

func becomesARF(t *testing.T, c *queue.Complaint) {
	t.Helper()
	c.Format = "xarf"
	_, bodies, _ := parts(t, compose(t, c))
	if !bytes.HasPrefix(bodies[1], []byte("Feedback-Type: abuse\r\n")) || !bytes.Equal(bodies[2], join(c.Incidents[0].Report.Message)) {
		t.Errorf("no ARF instead: %q", bodies[1])
	}
}

func TestPlainLetter(t *testing.T) {
	m := spam()
	m.Body = append(m.Body, strings.Repeat("line after line\r\n", 10000)...)
	m.BodySize = int64(len(m.Body))
	c := complaint(m)
	c.Format = "plain"
	_, text := readText(t, compose(t, c))
	i, j := strings.Index(text, "\r\nFull header:\r\n"), strings.Index(text, "\r\nEmail message:\r\n")
	if i < 0 || j < i {
		t.Fatalf("no header and message in:\n%.2000s", text)
	}
	if !strings.Contains(text[i:j], string(m.Header)) {
		t.Errorf("the header is not whole: %q", text[i:j])
	}
	// octets that are no text in any charset we could name are shown as "?"
	if !strings.Contains(text[j:], "Buy now\r\n.\r\n? raw octets\r\n") {
		t.Errorf("the body begins %.200q", text[j:])
	}
	if !strings.Contains(text[j:], " octets more]\r\n") || len(text) > 80<<10 {
		t.Errorf("%d octets of text, and no word on what is left out", len(text))
	}
}

// TestSeveralIncidents: one complaint speaks of all, and encloses one.
func TestSeveralIncidents(t *testing.T) {
	for _, format := range reporter.Formats() {
		t.Run(format, func(t *testing.T) {
			c := complaint(spam())
			c.Format = format
			for i := range 150 {
				in := complaint(spam()).Incidents[0]
				in.Report.Message.Session.Time = noon.Add(time.Duration(i+1) * time.Second)
				in.Report.Message.Session.QueueID = fmt.Sprintf("Q%d", i)
				c.Incidents = append(c.Incidents, in)
			}
			raw := compose(t, c)
			_, text := readText(t, raw)
			for _, want := range []string{"151", "Mon, 23 Nov 2026 12:01:00 +0000  from 192.0.2.77  queue id Q59", "and 51 more"} {
				if !strings.Contains(text, want) {
					t.Errorf("text does not say %q:\n%.3000s", want, text)
				}
			}
			if format == "arf" && !bytes.Contains(raw, []byte("\r\nIncidents: 151\r\n")) {
				t.Error("no field Incidents")
			}
		})
	}
}

// TestDeskWishes: the operator's word on a desk goes first, then the desk's own.
func TestDeskWishes(t *testing.T) {
	asks := func(a netip.Addr) (contact.Answer, error) {
		answer, err := found(a)
		answer.Contacts[0].Report = "xarf"
		return answer, err
	}
	for _, c := range []struct {
		name   string
		change func(*reporter.Config)
		want   string
	}{
		{"the desk asks", func(*reporter.Config) {}, "xarf"},
		{"usual", func(c *reporter.Config) { c.Format = "plain" }, "xarf"},
		{"operator", func(c *reporter.Config) { c.Desks = []reporter.Desk{{For: "@net.test", Format: "plain"}} }, "plain"},
		{"another's", func(c *reporter.Config) { c.Desks = []reporter.Desk{{For: "@et.test", Format: "plain"}} }, "xarf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := start(t, registry(asks), c.change)
			d.submit(fromSender())
			if got := d.complaint(d.event(queue.ActionFiled).ComplaintID).Format; got != c.want {
				t.Errorf("format %s, want %s", got, c.want)
			}
		})
	}
}

func TestLanguageAndSignature(t *testing.T) {
	w := reporter.Composer{Sender: us, Language: "de", Signature: "ISP Test\nAbuse-Team"}
	for _, format := range reporter.Formats() {
		c := complaint(spam())
		c.Format = format
		var b bytes.Buffer
		if err := w.Compose(&b, c); err != nil {
			t.Fatal(err)
		}
		_, text := readText(t, b.Bytes())
		for _, want := range []string{"Bitte gehen Sie dem nach", "\r\nISP Test\r\nAbuse-Team\r\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", format, want, text)
			}
		}
	}
	w.Desks = []reporter.Desk{{For: "abuse@net.test", Language: "en"}}
	var b bytes.Buffer
	if err := w.Compose(&b, complaint(spam())); err != nil || !strings.Contains(b.String(), "Please look into it") {
		t.Errorf("%v: a desk's own language was not used", err)
	}
}

// TestTemplates pins what is said of templates that would fail later.
func TestTemplates(t *testing.T) {
	good := "{{line .Source}} {{.Arrival}} {{.From}} {{.ID}} my own words"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // of the error; empty when they are good
	}{
		{"own words", map[string]string{"en/text": good}, ""},
		{"own language", map[string]string{"fr/text": good, "fr/letter": good, "fr/withdrawal": good, "fr/subject": "Plainte: {{.Source}}"}, ""},
		{"own subject", map[string]string{"en/subject": "Spam! {{.Source}}", "en/text": good}, ""},
		{"subject of two lines", map[string]string{"en/subject": "{{.Source}}\nBcc: x@isp.test"}, "one line"},
		{"subject about nobody", map[string]string{"en/subject": "Spam"}, "names the source"},
		{"half a language", map[string]string{"fr/text": good}, "fr has no letter.tmpl"},
		{"no such field", map[string]string{"en/text": good + "{{.Nobody}}"}, "Nobody"},
		{"does not parse", map[string]string{"en/text": "{{if"}, "en/text.tmpl"},
		{"fails on some", map[string]string{"en/text": good + `{{index .To 0}}`}, "out of range"},
		{"says too little", map[string]string{"en/letter": "spam!"}, "does not say"},
		{"unknown name", map[string]string{"en/txt": good}, "no letter has that name"},
		{"none", nil, "no template there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				path := dir + "/" + name + ".tmpl"
				if err := os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			letters, err := reporter.ReadLetters(dir)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w := reporter.Composer{Sender: us, Letters: letters, Language: slices.Sorted(maps.Keys(c.files))[0][:2]}
			var b bytes.Buffer
			if err := w.Compose(&b, complaint(spam())); err != nil || !strings.Contains(b.String(), "my own words") {
				t.Errorf("%v: not in my own words:\n%s", err, b.String())
			}
		})
	}
}

// TestOwnLetter: what a person wrote stands in place of the usual text.
func TestOwnLetter(t *testing.T) {
	for _, format := range reporter.Formats() {
		c := complaint(spam())
		c.Format, c.Letter = format, "Hello,\nthis is about 192.0.2.77.\r\n\n"
		_, text := readText(t, compose(t, c))
		if !strings.HasPrefix(text, "Hello,\r\nthis is about 192.0.2.77.\r\n") || strings.Contains(text, "Please look into it") {
			t.Errorf("%s: %.200q", format, text)
		}
	}
}

// TestRetractedComplaint takes a complaint back that was sent: who has it gets word,
// without evidence.
func TestRetractedComplaint(t *testing.T) {
	d := start(t, registry(found), nil)
	d.approved()
	id := d.event(queue.ActionSent).ComplaintID
	out, err := d.Decide(t.Context(), queue.Decision{Action: queue.ActionRetracted, Actor: "user:admin", Reason: "our own test", Sender: us}, id)
	if err != nil || len(out.Done) != 1 {
		t.Fatal(out, err)
	}
	got, err := d.relay.Wait(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	h, text := readText(t, got[1].Data)
	if want := fmt.Sprintf("complaint %d", id); !strings.Contains(h.Get("Subject"), want) || !strings.Contains(text, want+": it was a\r\nmistake") {
		t.Errorf("subject %q, text %q", h.Get("Subject"), text)
	}
	if !slices.Equal(got[1].To, got[0].To) || bytes.Contains(got[1].Data, []byte("Buy now")) {
		t.Errorf("to %v:\n%s", got[1].To, got[1].Data)
	}
}

// TestPaste: the task for a page is text alone, and done is done.
func TestPaste(t *testing.T) {
	var b bytes.Buffer
	if err := composer.Paste(&b, complaint(spam())); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"192.0.2.77", "\nFull header:\n", "\nEmail message:\n", "Buy now\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not there: %q", want)
		}
	}
	if strings.Contains(b.String(), "\r") || strings.Contains(b.String(), "17.abcdef") {
		t.Errorf("not to be pasted:\n%q", b.String())
	}
}

// TestMonsters composes what is large and broken: it takes a moment, and the result
// is a message.
func TestMonsters(t *testing.T) {
	parts1000 := strings.Repeat("--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\ndXNlckBpc3AudGVzdA==\r\n", 1000)
	for name, body := range map[string]string{
		"4 MB":       strings.Repeat("user@isp.test and a long line of text that says nothing\r\n", 4<<20/57),
		"1000 parts": parts1000,
		"one line":   strings.Repeat("\x00\xff=user=40isp.test", 1<<16),
	} {
		for _, format := range reporter.Formats() {
			t.Run(name+" "+format, func(t *testing.T) {
				m := spam()
				m.Header = append(m.Header, "Content-Type: multipart/mixed; boundary=b\r\n"...)
				m.Body, m.BodySize = []byte(body), int64(len(body))
				c := complaint(m)
				c.Format = format
				begin := time.Now()
				raw := compose(t, c)
				if d := time.Since(begin); d > 30*time.Second {
					t.Errorf("it took %v", d)
				}
				if _, text := readText(t, raw); !strings.Contains(text, "192.0.2.77") {
					t.Errorf("no letter: %.200q", text)
				}
				if format != "xarf" && bytes.Contains(raw, []byte("user@isp.test")) {
					t.Error("the recipient is there")
				}
			})
		}
	}
}

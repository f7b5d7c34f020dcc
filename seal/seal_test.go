package seal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"spamreport-milter/seal"
	"spamreport-milter/trace"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const sample = "Received: from a.example (a.example [198.51.100.4]) by b.example with ESMTP id 7; Fri, 20 Nov 2026 11:00:00 +0000\r\n" +
	"X-Originating-IP: [198.51.100.5]\r\nFrom: Winner <w@a.example>\r\nTo: you@example.org\r\nSubject: =?utf-8?q?a?=\r\n\tprize\r\n" +
	"Date: Fri, 20 Nov 2026 11:00:00 +0000\r\nMessage-ID: <1@a.example>\r\nContent-Type: text/plain\r\nX-Mailer: x\r\n" +
	"\r\nclick  here\r\n\r\nor not \r\n"

func newKeys(t testing.TB) *seal.Keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := seal.Rotate(path, 0, now); err != nil {
		t.Fatal(err)
	}
	k, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func session(client string) *trace.Session {
	return &trace.Session{
		Client: netip.MustParseAddrPort(client), PTR: "dsl.isp.example", HELO: "mail.bank.example", ESMTP: true,
		TLSVersion: "TLSv1.3", QueueID: "4XYZ", Host: "mx.example.org", Time: now,
	}
}

// received is what our own MTA writes on top for that session.
func received(s *trace.Session) string {
	return fmt.Sprintf("Received: from %s (unknown [%s])\r\n\tby %s (Postfix) with ESMTPS id %s\r\n\tfor <you@example.org>; %s\r\n",
		s.HELO, s.Client.Addr(), s.Host, s.QueueID, s.Time.Format(time.RFC1123Z))
}

func split(text string) (header, body string) {
	header, body, _ = strings.Cut(text, "\r\n\r\n")
	return header + "\r\n", body
}

// sealed is a message as it lies in the mailbox.
func sealed(t testing.TB, k *seal.Keys, s *trace.Session, text string) string {
	t.Helper()
	header, body := split(text)
	h, err := seal.BindHeader([]byte(header))
	if err != nil {
		t.Fatal(err)
	}
	b := seal.NewBody()
	for p := []byte(body); len(p) > 0; { // as it may come over the wire
		n := min(len(p), 1+len(p)/3)
		b.Write(p[:n])
		p = p[n:]
	}
	value, err := k.Seal(seal.Statement{Session: s, MailFrom: "bounce@a.example"}, h, b)
	if err != nil {
		t.Fatal(err)
	}
	return received(s) + header + seal.Field + ":" + strings.ReplaceAll(value, "\n", "\r\n") + "\r\n\r\n" + body
}

func message(t testing.TB, text string) *trace.Message {
	t.Helper()
	m, err := trace.Read(strings.NewReader(text), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatMailDoesToAMessage(t *testing.T) {
	k := newKeys(t)
	s := session("203.0.113.9:4321")
	text := sealed(t, k, s, sample)
	bare, _, _ := strings.Cut(sample, "Date:")
	noDate := sealed(t, k, s, bare+"X: y\r\n\r\nbody\r\n")
	for name, changed := range map[string]string{
		"nothing":             text,
		"LF line ends":        strings.ReplaceAll(text, "\r\n", "\n"),
		"folded anew":         strings.Replace(text, "\r\n\tprize", " prize", 1),
		"seal folded anew":    regexp.MustCompile(`(?s)(Spamreport-Seal:.*?)\r\n  `).ReplaceAllString(text, "$1"),
		"case of field names": strings.Replace(text, "Subject:", "SUBJECT:", 1),
		"mailbox fields":      "Return-Path: <bounce@a.example>\r\nDelivered-To: you@example.org\r\nX-Spam-Flag: YES\r\n" + text,
		"one more hop":        "Received: from mx.example.org by store.example.org with LMTP id 1; Fri, 20 Nov 2026 12:00:01 +0000\r\n" + text,
		"empty lines at end":  text + "\r\n\r\n",
		"no line end at end":  strings.TrimRight(text, "\r\n"),
		"blanks at line ends": strings.Replace(text, "here\r\n", "here \t\r\n", 1),
		"Date added by MTA":   strings.Replace(noDate, "X: y\r\n", "X: y\r\nDate: x\r\nMessage-ID: <y@mx>\r\n", 1),
	} {
		v := k.Verify(message(t, changed), now.Add(time.Hour))
		if v.Result != seal.Valid {
			t.Errorf("%s: the seal is %s", name, v.Text)
			continue
		}
		if v.Session.Client != s.Client || v.Session.HELO != s.HELO || v.Session.QueueID != s.QueueID || !v.Session.Time.Equal(now) || v.MailFrom != "bounce@a.example" {
			t.Errorf("%s: %+v", name, v.Statement)
		}
		if want := strings.Count(changed, "Received:") - strings.Count(sample, "Received:"); name != "Date added by MTA" && v.Session.Later != want {
			t.Errorf("%s: %d fields later, want %d", name, v.Session.Later, want)
		}
	}
}

// tampering is what somebody may do who wants the wrong party blamed.
var tampering = []struct {
	name string
	want seal.Result
	do   func(text string) string
}{
	{"body altered", seal.Altered, func(s string) string { return strings.Replace(s, "or not", "or so", 1) }},
	{"body continued", seal.Altered, func(s string) string { return s + "more\r\n" }},
	{"body cut off", seal.Altered, func(s string) string { return strings.Replace(s, "or not", "", 1) }},
	{"words run together", seal.Altered, func(s string) string { return strings.Replace(s, "click  here", "clickhere", 1) }},
	{"From altered", seal.Altered, func(s string) string { return strings.Replace(s, "w@a.example", "w@b.example", 1) }},
	{"second From", seal.Altered, func(s string) string { return "From: <other@c.example>\r\n" + s }},
	{"second From below", seal.Altered, func(s string) string { return strings.Replace(s, "\r\nX-Mailer", "\r\nFrom: o\r\nX-Mailer", 1) }},
	{"Subject removed", seal.Altered, func(s string) string { return strings.Replace(s, "Subject", "X-Subject", 1) }},
	{"Reply-To added", seal.Altered, func(s string) string { return "Reply-To: v@c.example\r\n" + s }},
	{"client field altered", seal.Altered, func(s string) string { return strings.Replace(s, "198.51.100.5", "198.51.100.99", 1) }},
	{"client field added", seal.Altered, func(s string) string { return "X-Client-IP: 198.51.100.99\r\n" + s }},
	{"Received altered", seal.Altered, func(s string) string { return strings.Replace(s, "198.51.100.4", "198.51.100.99", 1) }},
	{"Received added below", seal.Altered, func(s string) string {
		return strings.Replace(s, "X-Originating", "Received: from v (v [198.51.100.99]) by a.example; Fri, 20 Nov 2026 11:00:00 +0000\r\nX-Originating", 1)
	}},
	{"Received removed below", seal.Altered, func(s string) string { return strings.Replace(s, "Received: from a.example", "X: ", 1) }},
	{"statement altered", seal.Forged, func(s string) string { return retag(s, "s", func(v string) string { return "A" + v[1:] }) }},
	{"names altered", seal.Forged, func(s string) string {
		return retag(s, "h", func(v string) string { return strings.Replace(v, ":received", "", 1) })
	}},
	{"hash altered", seal.Forged, func(s string) string { return retag(s, "bh", func(string) string { return "AAAA" }) }},
	{"code altered", seal.Forged, func(s string) string {
		return retag(s, "b", func(v string) string { return "A" + v[1:len(v)-3] + "AA=" })
	}},
	{"code empty", seal.Forged, func(s string) string { return retag(s, "b", func(string) string { return "" }) }},
	{"another key", seal.Unknown, func(s string) string { return retag(s, "k", func(string) string { return "0123" }) }},
	{"another version", seal.Broken, func(s string) string { return retag(s, "v", func(string) string { return "2" }) }},
	{"a tag more", seal.Broken, func(s string) string { return retag(s, "b", func(v string) string { return v + "; x=1" }) }},
	{"a tag twice", seal.Broken, func(s string) string { return retag(s, "b", func(v string) string { return v + "; v=1" }) }},
	{"two seals", seal.Broken, func(s string) string { return seal.Field + ": v=1\r\n" + s }},
	{"no tags", seal.Broken, func(s string) string { return retag(s, "v", func(string) string { return "1;;" }) }},
	{"seal removed", seal.None, func(s string) string { return strings.Replace(s, seal.Field, "X-Nothing", 1) }},
}

// retag changes the value of one tag of the seal.
func retag(text, tag string, change func(string) string) string {
	re := regexp.MustCompile(`(?s)(Spamreport-Seal:.*? ` + tag + `=)([^;]*?)(;|\r\n[^ ])`)
	m := re.FindStringSubmatch(text)
	return strings.Replace(text, m[0], m[1]+change(strings.Join(strings.Fields(m[2]), ""))+m[3], 1)
}

func TestTampering(t *testing.T) {
	k := newKeys(t)
	text := sealed(t, k, session("203.0.113.9:4321"), sample)
	for _, tt := range tampering {
		changed := tt.do(text)
		if changed == text {
			t.Fatalf("%s: changes nothing", tt.name)
		}
		m := message(t, changed)
		v := k.Verify(m, now)
		if v.Result != tt.want || v.Text == "" || v.Session != nil {
			t.Errorf("%s: %s (%s), session %v; want %s", tt.name, v.Result, v.Text, v.Session, tt.want)
		}
		k.Prove(m, now)
		chain := trace.Follow(m, trace.Options{})
		switch tt.want {
		case seal.None, seal.Unknown: // as if there were no seal
		default:
			if chain.Source() != nil || chain.Origin.Hop != -1 || !signed(chain, trace.SignBadSeal, v.Text) {
				t.Errorf("%s: source %v, signs %v", tt.name, chain.Source(), chain.Signs)
			}
		}
	}
}

func signed(c trace.Chain, name, text string) bool {
	for _, s := range c.Signs {
		if s.Name == name && strings.Contains(s.Text, text) {
			return true
		}
	}
	return false
}

func TestCopiedSeal(t *testing.T) {
	k := newKeys(t)
	text := sealed(t, k, session("203.0.113.9:4321"), sample)
	field := regexp.MustCompile(`(?s)Spamreport-Seal:.*?\r\n\r\n`).FindString(text)
	other := "From: boss@victim.example\r\nSubject: minutes\r\n" + field + "of the meeting\r\n"
	if v := k.Verify(message(t, other), now); v.Result != seal.Copied || v.Session != nil {
		t.Errorf("%s (%s)", v.Result, v.Text)
	}
}

func TestAge(t *testing.T) {
	k := newKeys(t)
	m := message(t, sealed(t, k, session("203.0.113.9:4321"), sample))
	for after, want := range map[time.Duration]seal.Result{
		-time.Minute: seal.Valid, -time.Hour: seal.Expired, seal.MaxAge - time.Hour: seal.Valid, seal.MaxAge + time.Hour: seal.Expired,
	} {
		if v := k.Verify(m, now.Add(after)); v.Result != want {
			t.Errorf("after %v: %s (%s), want %s", after, v.Result, v.Text, want)
		}
	}
}

func TestCutMessage(t *testing.T) {
	k := newKeys(t)
	long := sample + strings.Repeat("0123456789 0123456789 0123456789\r\n", 30_000)
	text := sealed(t, k, session("203.0.113.9:4321"), long)
	cut := func(limit int64) *trace.Message {
		m, err := trace.Read(strings.NewReader(text), limit)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if v := k.Verify(cut(1000), now); v.Result != seal.Cut {
		t.Errorf("cut short: %s", v.Text)
	}
	// What is bound is less than what is kept as evidence.
	if m := cut(1 << 20); !m.Truncated() && len(m.Body) <= seal.BodyLimit {
		t.Fatal("the sample is too short")
	} else if v := k.Verify(m, now); v.Result != seal.Valid {
		t.Errorf("long: %s", v.Text)
	}
	m := cut(1 << 20)
	m.Body[seal.BodyLimit/2] ^= 1
	if v := k.Verify(m, now); v.Result != seal.Altered {
		t.Errorf("long and altered: %s", v.Text)
	}
}

// TestForgedReceived puts a thousand made-up ways under real spam. What the seal
// names is always the client of the session, whatever the sender wrote below, our
// own servers wrote above, and a user's mail program did on the way back.
func TestForgedReceived(t *testing.T) {
	files, err := filepath.Glob("../trace/testdata/*/*.eml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	k := newKeys(t)
	random := rand.New(rand.NewPCG(1, 2))
	options := trace.Options{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Hosts: []string{".example.org"}}
	wrong, checked := 0, 0
	for n := 0; checked < 1200; n++ {
		raw, err := os.ReadFile(files[n%len(files)])
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		if bytes.HasPrefix(raw, []byte("From ")) {
			raw = raw[bytes.IndexByte(raw, '\n')+1:]
		}
		s := session(fmt.Sprintf("203.0.113.%d:%d", 1+random.IntN(250), 1024+random.IntN(60000)))
		text := sealed(t, k, s, forge(random, s)+string(raw))
		text = delivery[n%len(delivery)] + text
		m := message(t, text)
		if said := k.Prove(m, now.Add(time.Hour)); said != "the seal is valid" {
			t.Fatalf("%s: %s", files[n%len(files)], said)
		}
		checked++
		c := trace.Follow(m, options)
		if source := c.Source(); source == nil || source.IP != s.Client.Addr() || source.Port != s.Client.Port() || c.Border.Hop != 0 || source.Grade != trace.GradeSession {
			t.Errorf("%s, variant %d: source %+v, want %v\n%s", files[n%len(files)], n, source, s.Client, text[:min(len(text), 1500)])
			if wrong++; wrong > 3 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d wrong sources in %d", wrong, checked)
}

// delivery is what our own servers write above the session's field.
var delivery = []string{
	"",
	"Return-Path: <x@y.example>\r\nDelivered-To: you@example.org\r\n",
	"Received: from mx.example.org ([192.0.2.1])\r\n\tby store.example.org with LMTP id aa; Fri, 20 Nov 2026 12:00:02 +0000\r\n",
	"Received: from localhost (localhost [127.0.0.1])\r\n\tby mx.example.org (Postfix) with ESMTP id 5ABC; Fri, 20 Nov 2026 12:00:02 +0000\r\n",
}

// forge makes up fields that a sender would have us believe.
func forge(random *rand.Rand, s *trace.Session) string {
	victim := fmt.Sprintf("198.51.100.%d", 1+random.IntN(250))
	lines := []string{
		"Received: from victim.example (victim.example [%s]) by mx.example.org (Postfix) with ESMTP id 4XYZ; Fri, 20 Nov 2026 11:59:00 +0000\r\n",
		"Received: from %[1]s ([%[1]s]) by mail.bank.example with SMTP; Fri, 20 Nov 2026 11:58:00 +0000\r\n",
		"Received: from x (unknown [%s])\r\n\tby dsl.isp.example with ESMTPA id 1; Fri, 20 Nov 2026 11:58:00 +0000\r\n",
		"X-Originating-IP: [%s]\r\n",
		"X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp: TenantId=x;Ip=[%s];Helo=[a]\r\n",
		"Received-SPF: pass client-ip=%s;\r\n",
		"Received: from localhost (localhost [127.0.0.1]) by mx.example.org (amavisd-new) with LMTP\r\nReceived: from v ([%s]) by mx.example.org; Fri, 20 Nov 2026 11:59:59 +0000\r\n",
	}
	var b strings.Builder
	for range 1 + random.IntN(4) {
		fmt.Fprintf(&b, lines[random.IntN(len(lines))], victim)
	}
	if random.IntN(3) == 0 { // a copy of our own field, for another client
		other := *s
		other.Client = netip.MustParseAddrPort(victim + ":25")
		b.WriteString(received(&other))
	}
	return b.String()
}

// A sealed message that somebody sends us once more is not its first sender's.
func TestReplayedFromOutside(t *testing.T) {
	k := newKeys(t)
	s := session("203.0.113.9:4321")
	text := "Received: from evil.example (unknown [198.51.100.66])\r\n\tby mx.example.org (Postfix) with ESMTP id 9ZZZ;\r\n\tFri, 20 Nov 2026 13:00:00 +0000\r\n" +
		sealed(t, k, s, sample)
	m := message(t, text)
	k.Prove(m, now)
	c := trace.Follow(m, trace.Options{})
	if c.Source() != nil || !signed(c, trace.SignResent, "198.51.100.66") {
		t.Errorf("source %+v, signs %+v", c.Source(), c.Signs)
	}
}

func TestTooManyReceived(t *testing.T) {
	header := strings.Repeat("Received: by a\r\n", 101)
	if _, err := seal.BindHeader([]byte(header)); err != seal.ErrManyFields {
		t.Errorf("%v", err)
	}
}

// FuzzVerify: no change to what is bound is taken for valid, whatever it is, and
// a session comes from a valid seal only.
func FuzzVerify(f *testing.F) {
	k := newKeys(f)
	s := session("203.0.113.9:4321")
	text := sealed(f, k, s, sample)
	f.Add(text)
	for _, tt := range tampering {
		f.Add(tt.do(text))
	}
	sum := func(text string) string { // what a seal is to protect, written out in another way
		header, body := split(text)
		var b strings.Builder
		for f := range trace.HeaderFields([]byte(header)) {
			switch strings.ToLower(f.Name) {
			case "from", "subject", "reply-to", "content-type", "x-originating-ip":
				fmt.Fprintf(&b, "%s:%q\n", strings.ToLower(f.Name), strings.Fields(f.Value))
			}
		}
		for line := range strings.Lines(strings.TrimRight(body, " \t\r\n")) {
			fmt.Fprintf(&b, "%q", strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }))
		}
		return b.String()
	}
	f.Fuzz(func(t *testing.T, changed string) {
		m, err := trace.Read(strings.NewReader(changed), 1<<20)
		if err != nil {
			return
		}
		v := k.Verify(m, now)
		if (v.Result == seal.Valid) != (v.Session != nil) || v.Text == "" {
			t.Fatalf("%s with session %v", v.Result, v.Session)
		}
		if v.Result != seal.Valid {
			return
		}
		if v.Session.Client != s.Client || v.Session.Later < 0 {
			t.Fatalf("session %+v", v.Session)
		}
		if strings.Contains(changed, "\r\n\r\n") && !strings.Contains(strings.ReplaceAll(changed, "\r\n", ""), "\n") && sum(changed) != sum(text) {
			t.Fatalf("valid on an altered message:\n%s\nwant\n%s", sum(changed), sum(text))
		}
	})
}

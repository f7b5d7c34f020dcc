package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func readMessage(t testing.TB, file string) *Message {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Read(f, 1<<20)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return m
}

// outline writes what a reader of a chain goes by, a line each.
func outline(c Chain) string {
	var b strings.Builder
	for i, h := range c.Hops {
		fmt.Fprintf(&b, "%d %s %s %v\n", i, h.Grade, h.Kind, h.IP)
	}
	fmt.Fprintf(&b, "border %v %d\n", c.Border.IP, c.Border.Hop)
	fmt.Fprintf(&b, "origin %v %d %s account=%s host=%s\n", c.Origin.IP, c.Origin.Hop, c.Origin.Grade, c.Origin.Account, c.Origin.Host)
	for _, s := range c.Signs {
		fmt.Fprintf(&b, "sign %d %s\n", s.Hop, s.Name)
	}
	return b.String()
}

// TestBehaviours follows the messages of testdata/behaviours, which are numbered
// by what real mail was seen to do.
func TestBehaviours(t *testing.T) {
	files, err := filepath.Glob("testdata/behaviours/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			got := outline(Follow(readMessage(t, file), Options{}))
			wantFile := strings.TrimSuffix(file, ".eml") + ".want"
			if *update {
				if err := os.WriteFile(wantFile, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var statementFields = regexp.MustCompile(`(?im)^(Authentication-Results|Received-SPF|ARC-Authentication-Results|X-Sender-IP|X-MS-Exchange-CrossTenant-[A-Za-z]*IP):.*\n([ \t].*\n)*`)

// TestRealMail finds the border of real messages, with the receiver's own
// statements about it and without them.
func TestRealMail(t *testing.T) {
	var truth []struct {
		File   string
		Border netip.Addr
		Hop    int
	}
	b, err := os.ReadFile("testdata/corpus/truth.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	for _, want := range truth {
		m := readMessage(t, filepath.Join("testdata", "corpus", want.File))
		bare := *m
		bare.Header = statementFields.ReplaceAll(m.Header, nil)
		for _, m := range []*Message{m, &bare} {
			if got := Follow(m, Options{}).Border; got.IP != want.Border || got.Hop != want.Hop {
				t.Errorf("%s: border %v at %d, want %v at %d", want.File, got.IP, got.Hop, want.Border, want.Hop)
			}
		}
	}
}

func session(client, host string) *Session {
	return &Session{Client: netip.MustParseAddrPort(client), HELO: "pc", ESMTP: true, Host: host, QueueID: "4ABC", Time: time.Date(2026, 6, 9, 10, 30, 0, 0, time.UTC)}
}

func message(s *Session, received ...string) *Message {
	m := &Message{Session: s}
	for _, r := range received {
		m.Header = fmt.Appendf(m.Header, "Received: %s\r\n", r)
	}
	return m
}

func TestSession(t *testing.T) {
	lower := "from a.example ([198.51.100.7]) by mx.bad.example with ESMTP id 1; Tue, 09 Jun 2026 10:29:00 +0000"
	own := "from pc (unknown [203.0.113.9]) by mx.our.example (Postfix) with ESMTP id 4ABC for <u@our.example>; Tue, 09 Jun 2026 10:30:00 +0000"
	ours := Options{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/28")}, Hosts: []string{"pc"}}
	for _, c := range []struct {
		name    string
		m       *Message
		o       Options
		outline string
	}{
		{"the session is hop 0", message(session("203.0.113.9:4711", "mx.our.example"), lower), Options{},
			"0 session smtp 203.0.113.9\n1 claimed smtp 198.51.100.7\nborder 203.0.113.9 0\norigin 203.0.113.9 0 session account= host=\n"},
		{"a mapped address is IPv4", message(session("[::ffff:203.0.113.9]:4711", "mx.our.example")), Options{},
			"0 session smtp 203.0.113.9\nborder 203.0.113.9 0\norigin 203.0.113.9 0 session account= host=\n"},
		{"its own field is not doubled", message(session("203.0.113.9:4711", "mx.our.example"), own, lower), Options{},
			"0 session smtp 203.0.113.9\n1 claimed smtp 198.51.100.7\nborder 203.0.113.9 0\norigin 203.0.113.9 0 session account= host=\n"},
		{"our gateway is no source", message(session("203.0.113.9:4711", "mx.our.example"),
			"from evil.example ([198.51.100.7]) by pc with ESMTP id 1; Tue, 09 Jun 2026 10:29:00 +0000"), ours,
			"0 session smtp 203.0.113.9\n1 trusted smtp 198.51.100.7\nborder 198.51.100.7 1\norigin 198.51.100.7 1 trusted account= host=\n"},
		{"our gateway's name must be in the next field", message(session("203.0.113.9:4711", "mx.our.example"), lower), ours,
			"0 session smtp 203.0.113.9\n1 claimed smtp 198.51.100.7\nborder invalid IP -1\norigin invalid IP -1  account= host=\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.outline, outline(Follow(c.m, c.o))); diff != "" {
				t.Error(diff)
			}
		})
	}
	merged := Follow(message(session("203.0.113.9:4711", "mx.our.example"), own), Options{}).Hops[0]
	if merged.Port != 4711 || len(merged.For) != 1 || merged.Raw == "" {
		t.Errorf("the field's facts are lost: %+v", merged)
	}
}

// TestSessionFramesNobody has clients inside our network, which may be infected
// PCs, write a Received field below their own that blames a bystander. The field
// is signed as well as a sender can sign it.
func TestSessionFramesNobody(t *testing.T) {
	const host = "mx.our.example"
	lan := Options{Networks: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("10.0.0.0/8")}}
	for _, client := range []string{"10.1.2.3:4711", "100.64.1.1:4711", "192.168.1.9:25", "198.18.0.7:99", "[fd00::7]:25", "127.0.0.1:25", "[::1]:25", ""} {
		for _, by := range []string{"pc", "foo", "localhost", "other.our.example", "gw.example", "[10.1.2.3]", host} {
			s := &Session{Host: host, HELO: "pc", PTR: by, PTRVerified: by != host}
			if client != "" {
				s.Client = netip.MustParseAddrPort(client)
			}
			if by == host && (s.Client.Addr().IsLoopback()) {
				continue // a filter on our own host hands mail back like that
			}
			for _, o := range []Options{{}, lan} {
				c := Follow(message(s, "from victim.test (victim.test [9.9.9.9]) by "+by+" (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:29:00 +0000"), o)
				if c.Border.IP == netip.MustParseAddr("9.9.9.9") || c.Origin.IP == netip.MustParseAddr("9.9.9.9") {
					t.Errorf("client %s, forged field by %s: border %v, origin %v", client, by, c.Border.IP, c.Origin.IP)
				}
			}
		}
	}
}

// TestSessionBelievesNoNeighbour has strangers, whose verified names are in our own
// domain or in that of a known provider, blame a bystander: an access provider's
// infected customer, a neighbour at the same hosting company.
func TestSessionBelievesNoNeighbour(t *testing.T) {
	for _, c := range []struct{ host, client string }{
		{"mx.isp.example", "bob.isp.example"},
		{"vps-a.vps.ovh.net", "vps-b.vps.ovh.net"},
		{"mx.google.com", "mail-qk1-f1.google.com"},
	} {
		s := &Session{Client: netip.MustParseAddrPort("9.8.7.6:4711"), PTR: c.client, PTRVerified: true, HELO: c.client, Host: c.host}
		for _, by := range []string{c.client, c.host} {
			m := message(s, "from victim.test (victim.test [9.9.9.9]) by "+by+" (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:29:00 +0000")
			m.Header = append([]byte("Received-SPF: pass client-ip=9.9.9.9; x\r\nAuthentication-Results: "+c.host+"; iprev=pass policy.iprev=9.9.9.9\r\n"), m.Header...)
			if chain := Follow(m, Options{}); chain.Border.Hop > 0 || strings.Contains(chain.Hops[0].Reason, "Received-SPF") {
				t.Errorf("%s at %s, forged field by %s: border %v (%s)", c.client, c.host, by, chain.Border, chain.Hops[0].Reason)
			}
		}
	}
}

// TestSessionBehindOwnServer goes on behind a mail server that the operator named,
// known by its verified name or by its network.
func TestSessionBehindOwnServer(t *testing.T) {
	hosts := []string{"gw.our.example"}
	for _, c := range []struct {
		ptr     string
		options Options
	}{
		{"gw.our.example", Options{Networks: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15")}, Hosts: hosts}},
		{"", Options{Networks: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15")}, Hosts: hosts}},
		{"gw.our.example", Options{Hosts: hosts}},
	} {
		s := &Session{Client: netip.MustParseAddrPort("198.18.0.7:4711"), PTR: c.ptr, PTRVerified: c.ptr != "", HELO: "gw.our.example", Host: "mx.our.example"}
		m := message(s, "from evil.test (evil.test [9.9.9.9]) by gw.our.example (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:29:00 +0000")
		if b := Follow(m, c.options).Border; b.IP != netip.MustParseAddr("9.9.9.9") || b.Hop != 1 {
			t.Errorf("PTR %q, %v: border %v", c.ptr, c.options, b)
		}
	}
}

// TestForgedOwnField has a stranger write our own field about himself, as if the
// server had connected to itself, and a bystander below it.
func TestForgedOwnField(t *testing.T) {
	s := &Session{Client: netip.MustParseAddrPort("9.8.7.6:4711"), HELO: "x", Host: "mx.our.example"}
	c := Follow(message(s,
		"from x ([9.8.7.6]) by mx.our.example ([9.8.7.6]) with ESMTP id 1; Tue, 09 Jun 2026 10:30:00 +0000",
		"from victim.test (victim.test [9.9.9.9]) by mx.our.example (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:29:00 +0000"), Options{})
	if want := s.Client.Addr(); c.Border.IP != want || c.Border.Hop != 0 {
		t.Errorf("border %v, want %v at 0", c.Border, want)
	}
}

// TestStatementOfInfectedPC: what a sender check of the receiver would say can be
// written by a PC on our network as well.
func TestStatementOfInfectedPC(t *testing.T) {
	s := &Session{Client: netip.MustParseAddrPort("10.1.2.3:4711"), HELO: "pc", Host: "mx.our.example"}
	m := message(s, "from victim.test (victim.test [9.9.9.9]) by pc (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:29:00 +0000")
	m.Header = append([]byte("Received-SPF: pass client-ip=9.9.9.9; x\r\n"), m.Header...)
	if c := Follow(m, Options{}); c.Border.IP.IsValid() {
		t.Errorf("border %v on the word of the sender", c.Border)
	}
}

// TestBelowSubmissionNothingIsAttested: mail handed in over a provider's API brings
// its own fields, and one of them may look like the provider's.
func TestBelowSubmissionNothingIsAttested(t *testing.T) {
	c := Follow(message(nil,
		"from mail-sor-f41.google.com (mail-sor-f41.google.com. [209.85.220.41]) by mx.our.example (Postfix) with ESMTPS id 4ABC; Tue, 09 Jun 2026 10:30:00 +0000",
		"from 429412751972 named unknown by gmailapi.google.com with HTTPREST; Tue, 09 Jun 2026 10:29:58 +0000",
		"from victim.test ([9.9.9.9]) by smtp.gmail.com with ESMTPSA id q5-2sm23qtp.40; Tue, 09 Jun 2026 10:29:00 +0000"), Options{})
	if c.Origin.IP.IsValid() || c.Origin.Account != "429412751972" || c.Hops[2].Grade != GradeClaimed {
		t.Errorf("origin %+v, last hop %s", c.Origin, c.Hops[2].Grade)
	}
}

// TestSessionBehindFilter is mail that a content filter on our own host hands
// back: the source stands in our own field below the filter's.
func TestSessionBehindFilter(t *testing.T) {
	s := &Session{Client: netip.MustParseAddrPort("127.0.0.1:4711"), Host: "mx.our.example", HELO: "localhost"}
	c := Follow(message(s,
		"from mx.our.example ([127.0.0.1]) by localhost (mx.our.example [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id x; Tue, 09 Jun 2026 10:30:01 +0000",
		"from evil.example (evil.example [203.0.113.9]) by mx.our.example (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:30:00 +0000",
		"from victim.test (victim.test [9.9.9.9]) by evil.example with SMTP id 1; Tue, 09 Jun 2026 10:29:00 +0000"), Options{})
	if want := netip.MustParseAddr("203.0.113.9"); c.Border.IP != want || c.Border.Hop != 2 {
		t.Errorf("border %v at hop %d, want %v at 2", c.Border.IP, c.Border.Hop, want)
	}
}

// TestRelayOption believes a further provider below the border.
func TestRelayOption(t *testing.T) {
	m := message(nil,
		"from out.relay.example (out.relay.example [203.0.113.9]) by mx.our.example (Postfix) with ESMTP id 4ABC; Tue, 09 Jun 2026 10:30:00 +0000",
		"from pc ([198.51.100.7]) by in.relay.example with ESMTPA id 1; Tue, 09 Jun 2026 10:29:00 +0000",
		"from x ([198.51.100.8]) by y.example with ESMTP id 1; Tue, 09 Jun 2026 10:29:00 +0000")
	without, with := Follow(m, Options{}), Follow(m, Options{Relays: []Relay{{Name: "Relay", Pattern: ".relay.example"}}})
	if without.Origin.Hop != 0 || with.Origin.Hop != 1 || with.Origin.IP != netip.MustParseAddr("198.51.100.7") {
		t.Errorf("origin without the relay %+v, with it %+v", without.Origin, with.Origin)
	}
	if with.Border != without.Border || with.Hops[2].Grade != GradeClaimed {
		t.Errorf("border %+v, last hop %s", with.Border, with.Hops[2].Grade)
	}
}

func everyMessage(t testing.TB) []*Message {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages:", err)
	}
	var all []*Message
	for _, f := range files {
		all = append(all, readMessage(t, f))
	}
	return all
}

// TestChainJSON holds the chain to what the queue needs: written and read back it
// is the same, and what is not known is left out.
func TestChainJSON(t *testing.T) {
	for _, m := range everyMessage(t) {
		want := Follow(m, Options{})
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Chain
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(want, got) {
			t.Error(cmp.Diff(outline(want), outline(got)), string(b))
		}
		for _, absent := range []string{`"0001-01-01`, `"ip":""`, `:null`} {
			if bytes.Contains(b, []byte(absent)) {
				t.Errorf("%s in %s", absent, b)
			}
		}
	}
}

// TestBeliefFalls holds every chain to its order: grades never rise going down.
func TestBeliefFalls(t *testing.T) {
	rank := map[Grade]int{GradeSession: 0, GradeTrusted: 1, GradeAttested: 2, GradeClaimed: 3, GradeForged: 4}
	for _, m := range everyMessage(t) {
		c := Follow(m, Options{})
		for i := range c.Hops {
			if r, ok := rank[c.Hops[i].Grade]; !ok || i > 0 && r < rank[c.Hops[i-1].Grade] || c.Hops[i].Reason == "" {
				t.Errorf("hop %d: %s, %q\n%s", i, c.Hops[i].Grade, c.Hops[i].Reason, outline(c))
			}
		}
	}
}

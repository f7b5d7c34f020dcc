package trace

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// proven is a message out of a mailbox, with a session that a seal has proven: two
// fields of ours on top, and what the sender wrote below.
func proven(top string) *Message {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	header := top +
		"Received: from helo.example (unknown [203.0.113.9]) by mx.example.org with ESMTP id 4XYZ; Fri, 20 Nov 2026 12:00:00 +0000\r\n" +
		"Received: from victim (victim [198.51.100.1]) by helo.example; Fri, 20 Nov 2026 11:59:00 +0000\r\nFrom: a@example.com\r\n"
	return &Message{Header: []byte(header), Session: &Session{
		Client: netip.MustParseAddrPort("203.0.113.9:4321"), HELO: "helo.example", Host: "mx.example.org", QueueID: "4XYZ", Time: at,
		Later: strings.Count(top, "Received:") + 1,
	}}
}

func TestProvenSession(t *testing.T) {
	const lmtp = "Received: from mx.example.org (localhost [127.0.0.1]) by mx.example.org with LMTP id 9; Fri, 20 Nov 2026 12:00:01 +0000\r\n"
	for name, top := range map[string]string{"at the top": "", "delivered on": lmtp} {
		c := Follow(proven(top), Options{})
		if s := c.Source(); s == nil || s.Grade != GradeSession || s.Port != 4321 || c.Border.Hop != 0 || s.Raw == "" {
			t.Errorf("%s: source %+v", name, s)
		}
		if len(c.Hops) != 2 || c.Hops[1].IP.String() != "198.51.100.1" || c.Hops[1].Grade == GradeTrusted {
			t.Errorf("%s: hops %+v", name, c.Hops)
		}
	}
}

func TestSessionOfAnotherCopy(t *testing.T) {
	c := Follow(proven("Received: from evil (unknown [198.51.100.66]) by mx.example.org with ESMTP id 5; Fri, 20 Nov 2026 13:00:00 +0000\r\n"), Options{})
	if c.Source() != nil || c.Origin.Hop != -1 || len(c.Signs) == 0 || c.Signs[len(c.Signs)-1].Name != SignResent {
		t.Errorf("border %+v, origin %+v, signs %+v", c.Border, c.Origin, c.Signs)
	}
	// An own mail server that is known may stand above.
	c = Follow(proven("Received: from gw.example.org (gw.example.org [192.0.2.5]) by store.example.org with ESMTP id 5; Fri, 20 Nov 2026 12:00:03 +0000\r\n"),
		Options{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Hosts: []string{".example.org"}})
	if s := c.Source(); s == nil || s.IP.String() != "203.0.113.9" {
		t.Errorf("source %+v, signs %+v", s, c.Signs)
	}
}

func TestDisprovedSession(t *testing.T) {
	m := proven("")
	m.Session = &Session{Disproved: "forged"}
	c := Follow(m, Options{})
	if c.Source() != nil || c.Origin.Hop != -1 || len(c.Hops) != 2 || c.Hops[0].Reason != "the seal is forged" {
		t.Errorf("border %+v, hops %+v", c.Border, c.Hops)
	}
	for _, h := range c.Hops {
		if h.Grade != GradeClaimed && h.Grade != GradeForged {
			t.Errorf("%s is believed: %s", h.IP, h.Grade)
		}
	}
	if len(c.Signs) != 1 || c.Signs[0].Name != SignBadSeal {
		t.Errorf("signs %+v", c.Signs)
	}
}

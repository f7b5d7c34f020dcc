package main

import (
	"bytes"
	"embed"
	"fmt"
	"net/netip"

	"spamreport-milter/internal/testnet"
)

//go:embed testdata/*.eml
var files embed.FS

// delivery is one mail that the scratch Postfix gets.
type delivery struct {
	what string // for people
	file string // real spam; empty for the ordinary mail below
	// begins is the first header field that the sender's side wrote. What
	// stands above it was added by the server that received it then; the
	// scratch Postfix now takes that server's place.
	begins string
	client string // address that connected then
	name   string // its name
	helo   string
	from   string
	tagged bool // the filter before us recognises it
}

// deliveries: the first three become reports, the others must not.
var deliveries = []delivery{
	{what: "spam through somebody's open relay", file: "fd69cf4b5fb6.eml", begins: "From:",
		client: "212.79.186.62", name: "www.meltingpoint.test", helo: "nt1meltingpoint", from: "shop@angel.test", tagged: true},
	{what: "spam with forged Received lines", file: "1cb036b54e96.eml", begins: "Received: from 42.74.232.86",
		client: "61.241.243.72", name: "[UNAVAILABLE]", helo: "chello.at", from: "adrian@chello.test", tagged: true},
	{what: "spam sent through a large provider", file: "e3160de362a8.eml", begins: "X-Google-DKIM-Signature:",
		client: "209.85.220.41", name: "mail-sor-f41.google.com", helo: "mail-sor-f41.google.com", from: "dearest@gmail.test", tagged: true},
	{what: "spam that the filter let through", file: "e39985a0c2e1.eml", begins: "Received: from babot.co.jp",
		client: "61.142.80.201", name: "[UNAVAILABLE]", helo: "photo-diy.com.cn", from: "photo@diy.test"},
	{what: "ordinary mail", client: "45.66.77.88", name: "mail.friend.test", helo: "mail.friend.test", from: "anna@friend.test"},
}

// networks is what the demonstration's registry knows.
func networks() []testnet.Network {
	p := netip.MustParsePrefix
	return []testnet.Network{
		testnet.RIPE(p("212.79.186.0/24"), "DEMO-HOSTING", "abuse@hosting.test"),
		testnet.APNIC(p("61.241.240.0/20"), "DEMO-TELECOM", "abuse@telecom.test"),
		testnet.ARIN(p("209.85.128.0/17"), "DEMO-PROVIDER", "network-abuse@provider.test"),
	}
}

// zone is what its DNS knows: desks take mail.
const zone = `hosting.test. IN MX 10 mx.hosting.test.
telecom.test. IN MX 10 mx.telecom.test.
provider.test. IN MX 10 mx.provider.test.
`

const ordinary = "From: Anna <anna@friend.test>\r\nTo: user@example.org\r\nSubject: Sunday\r\n" +
	"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@friend.test>\r\n\r\nShall we go for a walk?\r\n"

// message is what the client sends after DATA. The tag stands where a filter
// before us would have put it.
func (d *delivery) message() ([]byte, error) {
	if d.file == "" {
		return []byte(ordinary), nil
	}
	raw, err := files.ReadFile("testdata/" + d.file)
	if err != nil {
		return nil, err
	}
	i := bytes.Index(raw, []byte("\n"+d.begins))
	if i < 0 {
		return nil, fmt.Errorf("%s has no field that begins with %q", d.file, d.begins)
	}
	raw = raw[i+1:]
	if d.tagged {
		raw = append([]byte("X-Spam-Flag: YES\n"), raw...)
	}
	return raw, nil
}

package trace_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"spamreport-milter/trace"
)

const saved = `Received: from mail.shop.example (mail.shop.example. [203.0.113.5])
        by mx.google.com with ESMTPS id 5b1f17b1804b1-43d43f37792si100227255e9.25;
        Tue, 09 Jun 2026 10:30:05 +0000
Received: from pc ([198.51.100.7]) by mail.shop.example (Postfix) with ESMTPA id 1;
        Tue, 09 Jun 2026 10:30:00 +0000
From: a@shop.example

Buy now.
`

func ExampleFollow() {
	m, err := trace.Read(strings.NewReader(saved), 1<<20)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	chain := trace.Follow(m, trace.Options{})
	for _, h := range chain.Hops {
		fmt.Println(h.Grade, h.IP, h.Reason)
	}
	fmt.Println("source:", chain.Border.IP)
	// Output:
	// trusted 203.0.113.5 the topmost field, written where the mail was received
	// claimed 198.51.100.7 below the last host that can be believed
	// source: 203.0.113.5
}

func ExampleParseReceived() {
	h := trace.ParseReceived("from unknown (HELO mail.bank.example) (203.0.113.222) by mx.example with SMTP; 9 Jun 2026 08:11:12 -0000")
	fmt.Println(h.IP, h.HELO, h.By, h.Date)
	// Output: 203.0.113.222 mail.bank.example mx.example 2026-06-09 08:11:12 +0000 UTC
}

func ExampleReportable() {
	for _, a := range []string{"8.8.8.8", "::ffff:192.168.1.1"} {
		if ok, why := trace.Reportable(netip.MustParseAddr(a)); ok {
			fmt.Println(a, "is somebody's")
		} else {
			fmt.Println(a, "is", why)
		}
	}
	// Output:
	// 8.8.8.8 is somebody's
	// ::ffff:192.168.1.1 is private (RFC 1918)
}

package trace

import (
	"net/netip"
	"testing"
)

func TestParseAddr(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:0", "[192.0.2.1]": "192.0.2.1:0", "[192.0.2.1]:25": "192.0.2.1:25", "192.0.2.1:25": "192.0.2.1:25",
		"192.0.2.1.63559": "192.0.2.1:63559", "[192.0.2.1.63559]": "192.0.2.1:63559", "[192.0.2.1].": "192.0.2.1:0",
		"[IPv6:2001:db8::1]": "[2001:db8::1]:0", "IPV6:2001:DB8:0000::1": "[2001:db8::1]:0", "[2001:db8::1]:2525": "[2001:db8::1]:2525",
		"fe80::1%22": "[fe80::1]:0", "::ffff:192.0.2.1": "192.0.2.1:0", "[::1]": "[::1]:0",
	} {
		a, port, ok := parseAddr(in)
		if got := netip.AddrPortFrom(a, port).String(); !ok || got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"", "201.357.369.35", "#.#.#.#", "[]", "[", "40.107.96.user@x", "1.2.3", "1.2.3.4.5.6", "1.2.3.4.rev.example",
		"19:32:25", "0.0.0.0", "::", "010.1.1.1", "[1.2.3.4", "face::book", "8.11.6/8.11.6"} {
		if a, _, ok := parseAddr(in); ok {
			t.Errorf("%s was taken for the address %s", in, a)
		}
	}
}

func TestReportable(t *testing.T) {
	for in, want := range map[string]bool{
		"8.8.8.8": true, "2001:4860:4860::8888": true, "172.32.0.1": true, "100.128.0.1": true, "192.0.1.1": true, "64:ff9b::808:808": true,
		"10.0.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "100.64.0.1": false, "127.0.0.1": false, "169.254.1.1": false,
		"192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"0.1.2.3": false, "240.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true, "::1": false, "fe80::1": false, "fd00::1": false,
		"2001:db8::1": false, "2002:a05::1": false, "2001::1": false, "ff02::1": false, "4000::1": false, "fec0::1": false, "100::1": false, "3fff::1": false,
	} {
		ok, why := Reportable(netip.MustParseAddr(in))
		if ok != want || (why == "") != ok {
			t.Errorf("%s: %v %q", in, ok, why)
		}
	}
	if ok, why := Reportable(netip.Addr{}); ok || why == "" {
		t.Error("no address is reportable:", why)
	}
}

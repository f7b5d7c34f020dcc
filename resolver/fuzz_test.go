package resolver

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// evidence are answers' texts of every type, with what is hard to write down.
var evidence = []string{
	"; h.test. IN A NOERROR\nh.test.\tIN\tA\t192.0.2.1\nh.test.\tIN\tA\t192.0.2.2\n",
	"; h.test. IN AAAA NOERROR\nh.test.\tIN\tAAAA\t2001:db8::1\nh.test.\tIN\tAAAA\t::ffff:192.0.2.1\n",
	"; c.test. IN CNAME NOERROR\nc.test.\tIN\tCNAME\t\\@\\.\\;\\ \\000$origin.test.\n",
	"; d.test. IN MX NOERROR\nd.test.\tIN\tMX\t0 .\n",
	"; d.test. IN NS NOERROR\nd.test.\tIN\tNS\tns.test.\n",
	"; 1.2.0.192.in-addr.arpa. IN PTR NOERROR\n1.0/25.2.0.192.in-addr.arpa.\tIN\tPTR\th.test.\n1.2.0.192.in-addr.arpa.\tIN\tCNAME\t1.0/25.2.0.192.in-addr.arpa.\n",
	"; d.test. IN SOA NOERROR\nd.test.\tIN\tSOA\tns.test. a\\.b.test. 1 7200 3600 1209600 300\n",
	"; d.test. IN TXT NOERROR\nd.test.\tIN\tTXT\t\"\" \"a \\\"b\\\\\\000\\255;(\" \"$INCLUDE x\"\n",
	"; d.test. IN TXT NOERROR\nd.test.\tIN\tTXT\t\"" + strings.Repeat("\\255", 255) + "\" \"" + strings.Repeat("x", 255) + "\"\n",
	"; a.test. IN TXT NXDOMAIN\n$ttl.test.\tIN\tCNAME\tin.\na.test.\tIN\tCNAME\t$ttl.test.\n",
	"; d.test. IN TXT NOERROR\n",
}

// FuzzParseAnswer holds for any text: what is taken comes out as that text and
// as that answer again, and its names are such as may be asked for or shown.
func FuzzParseAnswer(f *testing.F) {
	for _, text := range evidence {
		f.Add(text)
	}
	f.Add("; d.test. IN TXT NOERROR\nd.test.\tIN\tTXT\t\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAnswer(text)
		if err != nil {
			return
		}
		if a.Text != text {
			t.Fatalf("read %q\nas   %q", text, a.Text)
		}
		for _, rr := range a.Records {
			if rr.Header().Rrtype != a.Type {
				t.Fatalf("a record of type %v in an answer to %v", rr.Header().Rrtype, a.Type)
			}
			if txt, ok := rr.(*dns.TXT); ok && len(txt.Txt) == 0 {
				t.Fatal("a TXT record without strings")
			}
		}
		for _, name := range names(a) {
			if _, err := absolute(name); err != nil && name != "." {
				t.Fatalf("name %q: %v", name, err)
			}
		}
	})
}

func names(a Answer) []string {
	list := slices.Concat([]string{a.Name}, a.PTR())
	for _, m := range a.MX() {
		list = append(list, m.Host)
	}
	return list
}

// FuzzResponse holds for any message from a server: the text of what is taken
// reads back as the same answer.
func FuzzResponse(f *testing.F) {
	for _, text := range evidence {
		a, err := ParseAnswer(text)
		if err != nil {
			f.Fatalf("%v: %s", err, text)
		}
		m := new(dns.Msg).SetQuestion(a.Name, a.Type)
		m.Response, m.Answer = true, a.Records
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		query := new(dns.Msg)
		if query.Unpack(wire) != nil || len(query.Question) != 1 {
			return
		}
		m, err := response(query, wire)
		if err != nil || m.Truncated {
			return
		}
		q, err := newQuestion(m.Question[0].Name, m.Question[0].Qtype)
		if err != nil {
			return
		}
		a, err := fromResponse(q, m)
		if err != nil {
			return
		}
		again, err := ParseAnswer(a.Text)
		if err != nil {
			t.Fatalf("%v: %q", err, a.Text)
		}
		again.TTL = a.TTL
		if !reflect.DeepEqual(a, again) {
			t.Fatalf("read   %#v\nparsed %#v", a, again)
		}
		if a.Type == dns.TypeTXT && len(a.TXT()) != len(a.Records) {
			t.Fatal("a TXT record without text")
		}
	})
}

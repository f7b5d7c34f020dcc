package reporter_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

func mailing(subject, body string, to ...string) trace.Message {
	return trace.Message{RcptTo: to, Header: []byte("Subject: " + subject + "\r\n"), Body: []byte(body), BodySize: int64(len(body))}
}

const pills = "Dear %s, we have a special offer for you this week only: buy the best pills at the lowest price. " +
	"Order %d now at http://%s.test/buy?id=%d and save a lot of money. Our doctors answer all your questions day and night. %s"

// TestCampaigns holds pairs to be one mailing or two.
func TestCampaigns(t *testing.T) {
	one := func(name string, n int) trace.Message {
		return mailing(fmt.Sprintf("Special offer %d for %s", n, name), fmt.Sprintf(pills, name, n, name, n*7, fmt.Sprintf("x%dq", n*99)), name+"@isp.test")
	}
	invoice := "Please find attached your invoice for the last month. The amount is due within ten days. Contact us with any question about it."
	parcel := "Your parcel could not be delivered because nobody was there to take it. Choose another day on our page, or it goes back to its sender."
	for _, c := range []struct {
		name string
		a, b trace.Message
		want bool
	}{
		{"other names, numbers and links", one("anna", 17), one("berta", 4242), true},
		{"another subject", mailing("Pills", string(one("anna", 1).Body)), one("carla", 2), true},
		{"a reply mark", mailing("Re: Special offer for you", invoice), mailing("Special offer for you", invoice), true},
		{"HTML of the same", mailing("x", invoice), trace.Message{Header: []byte("Subject: x\r\nContent-Type: text/html\r\n"),
			Body: []byte("<p>" + strings.ReplaceAll(invoice, ". ", ".</p>\r\n<p>") + "</p>")}, true},
		{"the same in base64", mailing("x", "hello"+invoice), trace.Message{Header: []byte("Subject: x\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n"),
			Body: []byte("aGVsbG9QbGVhc2UgZmluZCBhdHRhY2hlZCB5b3VyIGludm9pY2UgZm9yIHRoZSBsYXN0IG1vbnRoLiBUaGUgYW1vdW50IGlzIGR1ZSB3aXRoaW4gdGVuIGRheXMuIENvbnRhY3QgdXMgd2l0aCBhbnkgcXVlc3Rpb24gYWJvdXQgaXQu")}, true},
		{"pictures with one subject", mailing("The offer of the year", ""), mailing("The offer of the year", ""), true},
		{"two texts", mailing("Important", invoice), mailing("Important", parcel), false},
		{"two texts under one long subject", mailing("Important news about your account", invoice), mailing("Important news about your account", parcel), false},
		{"pictures with two subjects", mailing("The offer of the year", ""), mailing("Another offer of the year", ""), false},
		{"pictures with a short subject", mailing("Hello", ""), mailing("Hello", ""), false},
		{"nothing at all", mailing("", ""), mailing("", ""), false},
		{"short texts", mailing("Hi", "call me"), mailing("Hi", "call me"), false},
		{"one subject and footer, two texts", mailing("News of this week for you", invoice+pills[:110]), mailing("News of this week for you", parcel+pills[:110]), false},
		{"one footer, two texts", mailing("A", invoice+pills[:60]), mailing("B", parcel+pills[:60]), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := reporter.CampaignOf(&c.a), reporter.CampaignOf(&c.b)
			if a.Same(b) != c.want || b.Same(a) != c.want {
				t.Errorf("one mailing: %v, want %v\n%x\n%x", !c.want, c.want, a.Subject, b.Subject)
			}
		})
	}
}

var encoded = regexp.MustCompile(`(?i)base64|quoted-printable|boundary`)

var number = regexp.MustCompile(`\b[0-9]{2,}\b`)

// TestCampaignsOfRealMail: of the real messages those are of one mailing that a person
// took for that, and each is of one with itself with other numbers.
func TestCampaignsOfRealMail(t *testing.T) {
	all := corpus(t)
	campaigns := map[string]reporter.Campaign{}
	names := []string{}
	for name, m := range all {
		campaigns[name], names = reporter.CampaignOf(&m), append(names, name)
	}
	slices.Sort(names)
	compared := 0
	for i, a := range names {
		for _, b := range names[i+1:] {
			if campaigns[a].Same(campaigns[b]) != sameByHand[a[:6]+" "+b[:6]] {
				t.Errorf("%s and %s were taken for what they are not: %x, %x", a, b, campaigns[a].Subject, campaigns[b].Subject)
			}
			compared++
		}
		m := all[a]
		if len(campaigns[a].Text) < 40 || encoded.Match(m.Header) || encoded.Match(m.Body) {
			continue // too little text for a change not to matter, or numbers that mean other things
		}
		m.Header = append([]byte("X-Other: 1\r\n"), m.Header...)
		m.Body = number.ReplaceAll(m.Body, []byte("4711"))
		if other := reporter.CampaignOf(&m); !other.Same(campaigns[a]) {
			t.Errorf("%s with other numbers is another mailing", a)
		}
	}
	t.Logf("%d pairs", compared)
}

// sameByHand are the pairs that a person took for one mailing when he read them: the
// same text under other subjects, names and numbers.
var sameByHand = map[string]bool{
	"1cb036 e39985": true, "307ebe fc4ade": true, "3c777a bb5300": true, "3c777a cac259": true, "626710 877c40": true,
	"674738 a26885": true, "6afc41 a26885": true, "6cb880 db2eae": true, "7262c5 fc4ade": true,
	"010e73 728f0e": true, "049edd 54cddf": true, "07f0e8 e6bdf6": true, "0f08df da950e": true, "13c73f bceaeb": true, "13c73f c0d88b": true,
	"8aadfe d524ab": true, "aa53ee f725da": true, "bceaeb c0d88b": true,
	"9d5b6a e8d10b": true, "bb5300 cac259": true, "307ebe 7262c5": true, "674738 6afc41": true,
}

// BenchmarkCampaign looks at real messages.
func BenchmarkCampaign(b *testing.B) {
	all := corpus(b)
	for b.Loop() {
		for _, m := range all {
			reporter.CampaignOf(&m)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(all)), "µs/message")
}

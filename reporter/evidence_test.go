package reporter_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// addressed is a complaint about mail that names its recipient everywhere, to the
// contacts of an answer.
func addressed(contacts ...contact.Contact) *queue.Complaint {
	m := spam()
	m.MailFrom = "bounce-user=isp.test@sender.test"
	m.Header = []byte("X-Spam-Flag: YES\r\nReceived: from sender.test by mx.isp.test for <user@isp.test>; Mon, 23 Nov 2026 12:00:00 +0000\r\n" +
		"To: <User@isp.test>\r\nSubject: =?utf-8?Q?F=C3=BCr_user=40isp.test?=\r\n")
	m.Body = []byte("http://sender.test/?u=user%40isp.test&c=" + base64.StdEncoding.EncodeToString([]byte("user@isp.test")) + "\r\n")
	m.BodySize = int64(len(m.Body))
	c := complaint(m)
	c.Subject, c.Party = "Für user@isp.test", "source network"
	c.Contact, _ = json.Marshal(contact.Answer{Contacts: contacts})
	c.To = nil
	for _, k := range contacts {
		c.To = append(c.To, k.Address)
	}
	return c
}

var (
	network  = contact.Contact{Address: "abuse@net.test", Source: "rdap", Scope: contact.ScopeNetwork}
	upstream = contact.Contact{Address: "abuse@carrier.test", Source: "rdap", Scope: contact.ScopeUpstream}
)

// TestEvidenceTiers: only who answers for the network itself may get all, and only
// where the operator wants that.
func TestEvidenceTiers(t *testing.T) {
	edited := addressed(network)
	edited.To = []string{"friend@elsewhere.test"}
	party := addressed(network)
	party.Party = "authenticated domain"
	for _, c := range []struct {
		name string
		full bool
		c    *queue.Complaint
		want bool // all of it
	}{
		{"by default", false, addressed(network), false},
		{"operator", true, addressed(network), true},
		{"upstream", true, addressed(upstream), false},
		{"both", true, addressed(network, upstream), false},
		{"nobody yet", true, addressed(), false},
		{"a person's choice", true, edited, false},
		{"another party", true, party, false},
	} {
		for _, format := range reporter.Formats() {
			t.Run(c.name+" "+format, func(t *testing.T) {
				w := reporter.Composer{Sender: us, Evidence: reporter.Evidence{Key: []byte("k"), Full: c.full, Strip: reporter.FilterFields}}
				c.c.Format = format
				var b bytes.Buffer
				if err := w.Compose(&b, c.c); err != nil {
					t.Fatal(err)
				}
				raw := decoded(t, b.Bytes())
				seen := 0
				for _, form := range []string{"user@isp.test", "user=isp.test", "user%40isp.test", "user=40isp.test", base64.RawStdEncoding.EncodeToString([]byte("user@isp.test"))} {
					if strings.Contains(strings.ToLower(raw), strings.ToLower(form)) {
						seen++
					}
				}
				if whole := seen >= 4; whole != c.want || seen > 0 != c.want { // a letter shows no envelope
					t.Errorf("%d forms of the recipient are there:\n%s", seen, raw)
				}
				if strings.Contains(raw, "X-Spam-Flag") {
					t.Error("our filter's mark went out")
				}
				if told := strings.Contains(raw, "replaced by tokens"); told == c.want {
					t.Errorf("the text says that tokens stand for addresses: %v", told)
				}
			})
		}
	}
}

// decoded is a complaint with what XARF encloses in base64 behind it.
func decoded(t *testing.T, raw []byte) string {
	t.Helper()
	if !bytes.Contains(raw, []byte("application/json")) {
		return string(raw)
	}
	_, bodies, _ := parts(t, raw)
	var x struct {
		MailFrom string `json:"smtp_from"`
		Subject  string
		Evidence []struct{ Payload []byte }
	}
	if err := json.Unmarshal(bodies[2], &x); err != nil {
		t.Fatal(err)
	}
	return string(raw) + x.MailFrom + x.Subject + string(x.Evidence[0].Payload)
}

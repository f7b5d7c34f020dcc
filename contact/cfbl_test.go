package contact

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"spamreport-milter/internal/testnet"
)

// signer signs as a domain does; record is its key in DNS.
type signer struct {
	key    ed25519.PrivateKey
	record string
}

func newSigner() signer {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	return signer{key, `"v=DKIM1; k=ed25519; p=` + base64.StdEncoding.EncodeToString(public) + `"`}
}

func (s signer) sign(t *testing.T, message, domain string, fields ...string) string {
	t.Helper()
	var b bytes.Buffer
	err := dkim.Sign(&b, strings.NewReader(message), &dkim.SignOptions{Domain: domain, Selector: "k", Signer: s.key, HeaderKeys: fields})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFeedback(t *testing.T) {
	key := newSigner()
	both := []string{"From", "CFBL-Address"}
	message := func(from, address string) string {
		return "From: <news@" + from + ">\r\nCFBL-Address: " + address + "\r\nSubject: x\r\n\r\nhello\r\n"
	}
	own := message("brand.test", "fbl@brand.test; report=arf")
	third := message("brand.test", "fbl@esp.test; report=xarf")
	for name, c := range map[string]struct {
		message, want, report, why string
	}{
		"signed":                     {key.sign(t, own, "brand.test", both...), "fbl@brand.test", "arf", "signed"},
		"a domain below From's":      {key.sign(t, message("brand.test", "fbl@x.brand.test"), "brand.test", both...), "fbl@x.brand.test", "", "signed"},
		"From below the signer":      {key.sign(t, message("x.brand.test", "fbl@x.brand.test"), "brand.test", both...), "fbl@x.brand.test", "", "signed"},
		"a third party that signed":  {key.sign(t, key.sign(t, third, "brand.test", both...), "esp.test", both...), "fbl@esp.test", "xarf", "signed"},
		"a third party that did not": {key.sign(t, third, "brand.test", both...), "", "", "esp.test covers"},
		"only the third party":       {key.sign(t, third, "esp.test", both...), "", "", "brand.test covers"},
		"not signed":                 {own, "", "", "no valid DKIM"},
		"the field is not covered":   {key.sign(t, own, "brand.test", "From"), "", "", "no valid DKIM"},
		"added afterwards":           {"CFBL-Address: fbl@victim.test\r\n" + key.sign(t, own, "brand.test", both...), "", "", "or several"},
		"altered":                    {strings.Replace(key.sign(t, own, "brand.test", both...), "fbl@brand", "abc@brand", 1), "", "", "no valid DKIM"},
		"another body":               {key.sign(t, own, "brand.test", both...) + "more\r\n", "", "", "no valid DKIM"},
		"two authors":                {key.sign(t, strings.Replace(own, "<news@brand.test>", "a@brand.test, b@other.test", 1), "brand.test", both...), "", "", "one author"},
		"no key":                     {key.sign(t, message("nokey.test", "fbl@nokey.test"), "nokey.test", both...), "", "", "no valid DKIM"},
		"injection":                  {key.sign(t, message("brand.test", "fbl@brand.test> X@brand.test"), "brand.test", both...), "", "", "not a mailbox"},
		"none":                       {"From: a@brand.test\r\n\r\nx\r\n", "", "", "no CFBL-Address"},
		"no message":                 {"\x00", "", "", "no CFBL-Address"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.asks(t, "k._domainkey.brand.test. TXT "+key.record+"\nk._domainkey.esp.test. TXT "+key.record+"\n")
			a, err := w.finder(t).Feedback(t.Context(), []byte(c.message))
			if err != nil {
				t.Fatal(err)
			}
			if addresses(a) != c.want || c.want != "" && a.Contacts[0].Report != c.report || !strings.Contains(a.Reason, c.why) {
				t.Errorf("%+v: %s; want %q", a.Contacts, a.Reason, c.why)
			}
			want, _ := json.Marshal(a)
			if got, _ := json.Marshal(DecideFeedback(a.Evidence[0])); string(got) != string(want) {
				t.Errorf("decided again:\n%s\nlooked up:\n%s", got, want)
			}
		})
	}
}

func TestFeedbackWhenTheKeyCannotBeAsked(t *testing.T) {
	key := newSigner()
	w := newWorld(t)
	d := w.asks(t, "")
	d.Fail("k._domainkey.brand.test", testnet.ServFail)
	message := "From: <a@brand.test>\r\nCFBL-Address: fbl@brand.test\r\n\r\nx\r\n"
	a, err := w.finder(t).Feedback(t.Context(), []byte(key.sign(t, message, "brand.test", "From", "CFBL-Address")))
	if err != nil || a.Outcome != Unreachable || a.Retry.IsZero() || len(a.Contacts) != 0 {
		t.Errorf("%s %+v, %v: %s", a.Outcome, a.Contacts, err, a.Reason)
	}
}

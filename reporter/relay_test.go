package reporter_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

func TestNotificationsAndReturnPath(t *testing.T) {
	d := start(t, registry(found), func(c *reporter.Config) { c.Answers, c.Key = "abuse+*@isp.test", []byte("secret") })
	d.approved()
	got, err := d.relay.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w := reporter.Composer{Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: []byte("secret")}}
	if id, v, ok := w.Addressed(got[0].From); !ok || id != 1 || v != reporter.VerbBounce {
		t.Errorf("return path %s is of complaint %d, %q", got[0].From, id, v)
	}
	h, _, _ := parts(t, got[0].Data)
	if id, v, ok := w.Addressed(h.Get("Reply-To")); !ok || id != 1 || v != reporter.VerbReply {
		t.Errorf("Reply-To %s is of complaint %d, %q", h.Get("Reply-To"), id, v)
	}
	if got[0].Return != "HDRS" || !slices.Equal(got[0].Notify, []string{"FAILURE"}) || "<"+got[0].EnvelopeID+">" != h.Get("Message-Id") {
		t.Errorf("RET=%s NOTIFY=%v ENVID=%s", got[0].Return, got[0].Notify, got[0].EnvelopeID)
	}
}

func TestAuth(t *testing.T) {
	for _, c := range []struct{ name, password, want string }{
		{"right", "secret", queue.ActionSent},
		{"wrong", "guess", queue.ActionDeferred},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := start(t, registry(found), func(rc *reporter.Config) { rc.Relay.User, rc.Relay.Password = "milter", c.password })
			d.relay.RequireAuth("milter", "secret")
			d.approved()
			ev := d.event(c.want)
			if got := d.relay.Messages(); c.want == queue.ActionSent && (len(got) != 1 || got[0].User != "milter") {
				t.Errorf("the relay got %+v", got)
			}
			if c.want != queue.ActionSent && !strings.Contains(ev.Reason, "AUTH") {
				t.Errorf("reason %q does not name the step", ev.Reason)
			}
		})
	}
}

// TestSignature has the complaint's signature verified as its receiver would.
func TestSignature(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, edKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	rsaPublic, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		kind   string
		der    []byte
		record string
	}{
		"rsa":     {"RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(rsaPublic)},
		"ed25519": {"PRIVATE KEY", pkcs8, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := reporter.ParseDKIMKey(pem.EncodeToMemory(&pem.Block{Type: c.kind, Bytes: c.der}))
			if err != nil {
				t.Fatal(err)
			}
			d := start(t, registry(found), func(rc *reporter.Config) {
				rc.DKIM = &reporter.DKIM{Domain: "isp.test", Selector: "s1", Key: key}
			})
			d.approved()
			got, err := d.relay.Wait(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			verify := func(msg []byte) error {
				v, err := dkim.VerifyWithOptions(bytes.NewReader(msg), &dkim.VerifyOptions{LookupTXT: func(domain string) ([]string, error) {
					if domain != "s1._domainkey.isp.test" {
						t.Errorf("key of %s asked for", domain)
					}
					return []string{c.record}, nil
				}})
				if err != nil || len(v) != 1 || v[0].Domain != "isp.test" {
					t.Fatalf("%v, %v", v, err)
				}
				return v[0].Err
			}
			if err := verify(got[0].Data); err != nil {
				t.Errorf("signature: %v", err)
			}
			if verify(bytes.Replace(got[0].Data, []byte("Source-IP: 45"), []byte("Source-IP: 46"), 1)) == nil {
				t.Error("a changed complaint verifies")
			}
			if verify(append([]byte("From: other@isp.test\r\n"), got[0].Data...)) == nil {
				t.Error("a complaint with a second From verifies")
			}
		})
	}
}

// TestImplicitTLS speaks TLS from the first octet.
func TestImplicitTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := make(chan byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := make([]byte, 1)
		conn.Read(b)
		first <- b[0]
	}()
	d := start(t, registry(found), func(c *reporter.Config) {
		c.Relay = reporter.Relay{Addr: l.Addr().String(), TLS: "tls", Timeout: 2 * time.Second}
	})
	d.approved()
	if b := <-first; b != 22 { // handshake (RFC 8446 §5.1)
		t.Errorf("the first octet is %d", b)
	}
	d.event(queue.ActionDeferred)
}

// FuzzAddressed: no address but those that we made is read as one.
func FuzzAddressed(f *testing.F) {
	w := reporter.Composer{Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: []byte("secret")}}
	f.Add("abuse+1-b-aaaaaaaaaaaaaaaa@isp.test")
	f.Add("abuse+@isp.test")
	f.Fuzz(func(t *testing.T, address string) {
		if id, v, ok := w.Addressed(address); ok {
			t.Errorf("%q passes for %d, %s", address, id, v)
		}
	})
}

// TestForgedTags changes each character of a good one.
func TestForgedTags(t *testing.T) {
	d := start(t, registry(found), func(c *reporter.Config) { c.Answers, c.Key = "abuse+*@isp.test", []byte("secret") })
	d.approved()
	got, err := d.relay.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w := reporter.Composer{Answers: "abuse+*@isp.test", Evidence: reporter.Evidence{Key: []byte("secret")}}
	good := got[0].From
	if _, _, ok := w.Addressed(strings.ToUpper(good)); !ok {
		t.Error("a tag in upper case is not read")
	}
	for i := range len(good) - len("@isp.test") {
		bad := good[:i] + "2" + good[i+1:]
		if _, _, ok := w.Addressed(bad); ok && bad != good {
			t.Errorf("%s passes", bad)
		}
	}
	other := reporter.Composer{Answers: w.Answers, Evidence: reporter.Evidence{Key: []byte("another")}}
	if _, _, ok := other.Addressed(good); ok {
		t.Error("a tag passes under another key")
	}
}

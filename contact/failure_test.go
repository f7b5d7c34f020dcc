package contact

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"spamreport-milter/internal/testnet"
)

func TestLookupWhenTheRegistryFails(t *testing.T) {
	const addr = "62.1.2.3"
	good := testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test")
	deep := answerOf(`"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100), ent(`"abuse"`, emailProperty("abuse@isp.test"), ""))
	quarter, hour := 15*time.Minute, time.Hour
	for _, c := range []struct {
		name    string
		failure testnet.Failure
		status  string
		outcome Outcome
		retry   time.Duration // after the question
	}{
		{"down", testnet.Down, StatusUnreachable, Unreachable, quarter},
		{"slow", testnet.Slow, StatusTimeout, Unreachable, quarter},
		{"404", testnet.Status(404), "404", NoContact, 0},
		{"429 with a time", testnet.Status(429, "Retry-After", "7200"), "429", Unreachable, 2 * hour},
		{"429 with a date", testnet.Status(429, "Retry-After", "Fri, 02 Jan 2026 04:04:05 GMT"), "429", Unreachable, hour},
		{"429 for a year", testnet.Status(429, "Retry-After", "31536000"), "429", Unreachable, 24 * hour},
		{"429", testnet.Status(429), "429", Unreachable, hour},
		{"403", testnet.Status(403), "403", Unreachable, hour},
		{"500", testnet.Status(500), "500", Unreachable, quarter},
		{"503 with a time", testnet.Status(503, "Retry-After", "60"), "503", Unreachable, time.Minute},
		{"html", testnet.HTML, StatusOK, Unreachable, quarter},
		{"truncated", testnet.Truncated, StatusOK, Unreachable, quarter},
		{"megabytes", testnet.Megabytes, StatusTooLarge, Unreachable, quarter},
		{"redirect loop", testnet.RedirectLoop, StatusRedirects, Unreachable, quarter},
		{"nothing", testnet.Other(nil), StatusOK, Unreachable, quarter},
		{"deep", testnet.Other([]byte(deep)), StatusOK, Unreachable, quarter},
		{"no RDAP", testnet.Other([]byte(`{"x": 1}`)), StatusOK, Unreachable, quarter},
		{"wrong network", testnet.Other(testnet.RIPE(prefix("62.2.0.0/16"), "NET", "abuse@wrong.test").Body), StatusOK, NoContact, 0},
		{"wrong class", testnet.Other([]byte(`{"objectClassName":"domain","ldhName":"isp.test"}`)), StatusOK, NoContact, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Timeout = 5 * time.Second
			if c.name == "slow" {
				w.config.Timeout = 200 * time.Millisecond
			}
			w.Add(good)
			w.Fail(c.failure)
			f := w.finder(t)
			a := lookup(t, f, addr)
			if len(a.Contacts) != 0 || a.Outcome != c.outcome || a.Evidence[0].Status != c.status || a.Reason == "" {
				t.Errorf("%s, status %q, %v: %s", a.Outcome, a.Evidence[0].Status, a.Contacts, a.Reason)
			}
			if a.Network.First.IsValid() {
				t.Errorf("took %s for the network", a.Network)
			}
			if c.retry == 0 && !a.Retry.IsZero() || c.retry != 0 && a.Retry.Sub(w.clock()) != c.retry {
				t.Errorf("retry at %s, want after %s", a.Retry, c.retry)
			}
			w.Recover()
			w.pass(25 * time.Hour)
			if a := lookup(t, f, addr); addresses(a) != "abuse@isp.test" {
				t.Errorf("after recovery: %q, %s", addresses(a), a.Reason)
			}
		})
	}
}

func TestRefusalGivesTheServerPeace(t *testing.T) {
	w := newWorld(t)
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
	w.Fail(testnet.Status(429, "Retry-After", "600"))
	f := w.finder(t)
	lookup(t, f, "62.1.2.3")
	w.Recover()
	a := lookup(t, f, "62.1.2.4")
	if a.Evidence[0].Status != StatusPaused || a.Retry.Sub(w.clock()) != 10*time.Minute || len(w.Requests()) != 1 {
		t.Errorf("status %q, retry %s, %d requests; want a pause of 10 minutes", a.Evidence[0].Status, a.Retry, len(w.Requests()))
	}
	w.pass(11 * time.Minute)
	if a := lookup(t, f, "62.1.2.4"); a.Outcome != Found {
		t.Errorf("after the pause: %s", a.Reason)
	}
}

func TestLookupRefusesRedirectsAway(t *testing.T) {
	for target, status := range map[string]string{
		"http://192.168.0.1/":      StatusForbidden, // asked over HTTPS, if at all
		"https://10.0.0.1/":        StatusForbidden,
		"https://[::1]/":           StatusForbidden,
		"https://localhost:1/":     StatusForbidden,
		"https://169.254.169.254/": StatusForbidden,
		"http://rdap.test:8080/":   StatusRedirects,
		"ftp://rdap.test/":         StatusRedirects,
		"https://a:b@rdap.test/":   StatusRedirects,
	} {
		w := newWorld(t)
		w.Add(testnet.Network{Prefix: prefix("62.1.0.0/16"), Redirect: target})
		a := lookup(t, w.finder(t), "62.1.2.3")
		if a.Outcome != Unreachable || a.Evidence[0].Status != status {
			t.Errorf("%s: %s, %q", target, a.Outcome, a.Evidence[0].Status)
		}
	}
}

func TestLookupTrustsNobodyUntold(t *testing.T) {
	w := newWorld(t)
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "NET", "abuse@isp.test"))
	trusting := w.config
	w.config.CAFile = ""
	if a := lookup(t, w.finder(t), "62.1.2.3"); a.Evidence[0].Status != StatusCertificate {
		t.Errorf("with the system's authorities: %q", a.Evidence[0].Status)
	}
	w.config = trusting
	w.config.AllowPrivate = nil
	if a := lookup(t, w.finder(t), "62.1.2.3"); a.Evidence[0].Status != StatusForbidden {
		t.Errorf("on loopback without leave: %q", a.Evidence[0].Status)
	}
}

func TestLookupEndsWithContext(t *testing.T) {
	w := newWorld(t)
	w.Fail(testnet.Slow)
	f := w.finder(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if a, err := f.Lookup(ctx, netip.MustParseAddr("62.1.2.3")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v; want the context's error", a, err)
	}
}

// TestTextOfAnswersIsTame looks for control characters in all that is shown.
func TestTextOfAnswersIsTame(t *testing.T) {
	answer := answerOf(`"name":"\u001b[2Jx\u0000\u202e\r\n`+strings.Repeat("y", 5000)+`"`,
		ent(`"abuse"`, `["email",{},"text","\u001b@\r\n"]`, ""))
	a := Decide(netip.MustParseAddr("62.1.2.3"), answered(t, []byte(answer)))
	for _, s := range []string{a.Reason, a.Network.Name, a.Evidence[0].Candidates[0].Reason} {
		if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || len(s) > 2*maxText {
			t.Errorf("%d octets: %q", len(s), s)
		}
	}
	if !strings.Contains(a.Network.Name, "x") {
		t.Errorf("the name is lost: %q", a.Network.Name)
	}
}

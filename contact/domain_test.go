package contact

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/internal/testnet"
)

// lookupDomain asks and checks that what is kept gives the same answer again.
func lookupDomain(t *testing.T, f *Finder, name string) Answer {
	t.Helper()
	a, err := f.LookupDomain(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(a)
	var stored Answer
	if err := json.Unmarshal(want, &stored); err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(DecideDomain(stored.Domain, stored.Evidence, stored.Hosts)); string(got) != string(want) {
		t.Errorf("decided again:\n%s\nlooked up:\n%s", got, want)
	}
	return a
}

func TestLookupDomain(t *testing.T) {
	const hosts = "spam.test. MX 10 mx.spam.test.\nspam.test. A 62.1.2.3\nmx.spam.test. A 62.2.2.3\nregistrar.test. MX 1 mx.\nweb.test. MX 1 mx.\nmail.test. MX 1 mx.\n"
	const registrar = `{"objectClassName":"domain","ldhName":"SPAM.TEST","entities":[{"roles":["registrar"],"entities":[
		{"roles":["abuse"],"vcardArray":["vcard",[["email",{},"text","abuse@registrar.test"]]]}]},
		{"roles":["registrant"],"vcardArray":["vcard",[["email",{},"text","spammer@spam.test"]]]}]}`
	w := newWorld(t)
	d := w.asks(t, hosts)
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "WEB", "abuse@web.test"), testnet.RIPE(prefix("62.2.0.0/16"), "MAIL", "abuse@mail.test"))
	w.file(t, "dns.json", `{"services":[[["test"],["`+w.URL+`"]]]}`)
	w.AddPath("domain/spam.test", []byte(registrar))
	f := w.finder(t)
	for _, name := range []string{"spam.test", "x1.mail.SPAM.test."} { // names below may tell a recipient: never asked
		a := lookupDomain(t, f, name)
		if addresses(a) != "abuse@mail.test abuse@web.test abuse@registrar.test" || a.Contacts[2].Scope != ScopeRegistrar || a.Domain != "spam.test" {
			t.Errorf("%s: %+v: %s", name, a.Contacts, a.Reason)
		}
	}
	for _, q := range append(d.Queries(), w.Requests()...) {
		if strings.Contains(q, "x1.") {
			t.Errorf("asked for %s", q)
		}
	}
	w.AddPath("domain/spam.test", []byte(strings.Replace(registrar, "SPAM.TEST", "OTHER.TEST", 1)))
	if a := lookupDomain(t, w.finder(t), "spam.test"); addresses(a) != "abuse@mail.test abuse@web.test" {
		t.Errorf("an answer about another domain: %q", addresses(a))
	}
}

// TestDomainIsAskedForOnce: one mailing links to a site a thousand times.
func TestDomainIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	d := w.asks(t, "spam.test. A 62.1.2.3\nweb.test. MX 1 mx.\n")
	w.config.Cache = &shelf{}
	w.Add(testnet.RIPE(prefix("62.1.0.0/16"), "WEB", "abuse@web.test"))
	w.file(t, "dns.json", `{"services":[[["test"],["`+w.URL+`"]]]}`)
	w.AddPath("domain/spam.test", []byte(`{"objectClassName":"domain","ldhName":"SPAM.TEST"}`))
	f := w.finder(t)
	asked := w.clock()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a, err := f.LookupDomain(t.Context(), "spam.test"); err != nil || addresses(a) != "abuse@web.test" {
				t.Errorf("%q, %v", addresses(a), err)
			}
		})
	}
	all.Wait()
	questions := func() int { return len(w.Requests()) + len(d.Queries()) }
	n := questions()
	if got := strings.Count(strings.Join(w.Requests(), " "), "domain/spam.test"); got != 1 {
		t.Errorf("the registry was asked %d times", got)
	}
	w.pass(59 * time.Minute)
	if a, err := f.LookupDomain(t.Context(), "www.SPAM.test"); questions() != n || !a.Cached.Equal(asked) || addresses(a) != "abuse@web.test" {
		t.Errorf("asked again within the hour: known since %s, %q, %v", a.Cached, addresses(a), err)
	}
	w.pass(2 * time.Minute)
	if a := lookupDomain(t, f, "spam.test"); strings.Count(strings.Join(w.Requests(), " "), "domain/spam.test") != 2 || !a.Cached.IsZero() {
		t.Errorf("a domain's old answer is used: it may have moved")
	}
}

// TestDomainWaiterGivesUp: who waits for another's look-up ends with his own context.
func TestDomainWaiterGivesUp(t *testing.T) {
	w := newWorld(t)
	w.config.Cache = &shelf{}
	w.asks(t, "")
	w.file(t, "dns.json", `{"services":[[["test"],["`+w.URL+`"]]]}`)
	w.Fail(testnet.Slow)
	f := w.finder(t)
	first, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := f.LookupDomain(first, "spam.test"); ended <- err }()
	for len(w.Requests()) == 0 {
		time.Sleep(time.Millisecond)
	}
	second, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if _, err := f.LookupDomain(second, "spam.test"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second look-up: %v", err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("first look-up: %v", err)
	}
	w.Recover()
	if _, err := f.LookupDomain(t.Context(), "spam.test"); err != nil {
		t.Errorf("a look-up that was given up is in the way: %v", err)
	}
}

func TestLookupDomainOfAProvider(t *testing.T) {
	w := newWorld(t)
	d := w.asks(t, "gmail.com. MX 1 mx.\n")
	w.config.Freemail = []string{"own-free.test"}
	f := w.finder(t)
	a := lookupDomain(t, f, "gmail.com")
	if addresses(a) != "abuse@gmail.com" || a.Contacts[0].Scope != ScopeDomain || len(w.Requests()) != 0 || strings.Join(d.Queries(), " ") != "gmail.com. MX" {
		t.Errorf("%+v, asked %v: %s", a.Contacts, d.Queries(), a.Reason)
	}
	if a := lookupDomain(t, f, "own-free.test"); a.Outcome != NoContact || !strings.Contains(a.Reason, "does not exist") {
		t.Errorf("%s: %s", a.Outcome, a.Reason)
	}
}

func TestDomainsThatNobodyRegistered(t *testing.T) {
	f := newWorld(t).finder(t)
	for _, name := range []string{"", "com", "co.uk", "someone.github.io", "bad_name.test", "127.0.0.1", "a..test", "-"} {
		if a, err := f.LookupDomain(t.Context(), name); err == nil {
			t.Errorf("%q was looked up: %s", name, a.Reason)
		}
	}
}

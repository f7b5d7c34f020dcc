package contact

import (
	"strings"
	"testing"
)

func TestMailbox(t *testing.T) {
	long := strings.Repeat("a", 63)
	for text, want := range map[string]string{
		"abuse@isp.test":                            "abuse@isp.test",
		" abuse@isp.test\n":                         "abuse@isp.test",
		"Abuse@ISP.test":                            "Abuse@ISP.test",
		"mailto:abuse@isp.test":                     "abuse@isp.test",
		"abuse+net_1-x=y@a-b.isp.test":              "abuse+net_1-x=y@a-b.isp.test",
		"abuse@bücher.test":                         "abuse@xn--bcher-kva.test",
		"abuse@例え.テスト":                              "abuse@xn--r8jz45g.xn--zckzah",
		"abuse@xn--bcher-kva.test":                  "abuse@xn--bcher-kva.test",
		"":                                          "",
		"abuse":                                     "",
		"@isp.test":                                 "",
		"abuse@":                                    "",
		"abuse@isp":                                 "",
		"abuse@@isp.test":                           "",
		"abuse@isp.test@evil.test":                  "",
		"abuse@isp.test, b@isp.test":                "",
		"abuse@isp.test>":                           "",
		"<abuse@isp.test>":                          "",
		"abuse@isp.test> ORCPT=x":                   "",
		"abuse@isp.test\r\nRCPT TO:<x@isp.test>":    "",
		"abu\x00se@isp.test":                        "",
		"abu se@isp.test":                           "",
		`"abuse"@isp.test`:                          "",
		"ab'use@isp.test":                           "",
		"abuse%evil.test@isp.test":                  "",
		"evil.test!abuse@isp.test":                  "",
		"|sh@isp.test":                              "",
		".abuse@isp.test":                           "",
		"ab..use@isp.test":                          "",
		"abuse.@isp.test":                           "",
		"büro@isp.test":                             "",
		"abuse@isp.test.":                           "",
		"abuse@.isp.test":                           "",
		"abuse@isp..test":                           "",
		"abuse@-isp.test":                           "",
		"abuse@i_sp.test":                           "",
		"abuse@192.0.2.1":                           "",
		"abuse@[192.0.2.1]":                         "",
		"abuse@xn--a.test":                          "",
		"abuse@isp.\x83test":                        "",
		"abuse at isp dot test":                     "",
		"abuse[at]isp.test":                         "",
		"mailto:abuse@isp.test?subject=x":           "",
		long + "xx@isp.test":                        "",
		"a@" + long + "x.test":                      "",
		"a@" + strings.Repeat(long+".", 4) + "test": "",
	} {
		if got, err := Mailbox(text); got != want || (err == nil) != (want != "") {
			t.Errorf("Mailbox(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestPlaceholdersAndFreemail(t *testing.T) {
	for address, want := range map[string]bool{
		"no-email@isp.test": true, "NoReply@isp.test": true, "bitbucket@isp.test": true, "abuse@example.com": true,
		"abuse@mail.example.org": true, "abuse@isp.invalid": true, "abuse@host.local": true, "abuse@localhost.localdomain": true,
		"abuse@isp.test": false, "abuse@myexample.com": false, "emailabuse@isp.test": false, "abuse@local.isp.test": false,
	} {
		if got := isPlaceholder(address); got != want {
			t.Errorf("isPlaceholder(%s) = %t", address, got)
		}
	}
	for domain, want := range map[string]bool{"gmail.com": true, "Yahoo.co.jp": true, "isp.test": false, "gmail.com.isp.test": false} {
		if got := isFreemail(domain); got != want {
			t.Errorf("isFreemail(%s) = %t", domain, got)
		}
	}
}

// TestListsAreWhole guards the data files: a list that is not read filters nothing.
func TestListsAreWhole(t *testing.T) {
	for name, list := range map[string]map[string]bool{"freemail": freemail, "placeholders": placeholders} {
		if len(list) < 20 {
			t.Errorf("%s: %d entries", name, len(list))
		}
		for entry := range list {
			if strings.ToLower(entry) != entry || strings.ContainsAny(entry, " \t") {
				t.Errorf("%s: entry %q", name, entry)
			}
		}
	}
}

package contact

import (
	_ "embed"
	"strings"
)

//go:embed lists/forms.txt
var formText string

// forms are the desks that read no mail, with the page that they have instead.
var forms = func() (list []Form) {
	for line := range strings.Lines(formText) {
		desk, url, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && desk[0] != '#' {
			list = append(list, Form{For: desk, URL: strings.TrimSpace(url)})
		}
	}
	return list
}()

// formOf is where the desk with this mailbox takes complaints instead; empty when
// it reads mail as far as is known. The operator's word goes first.
func (w *walk) formOf(address string) string {
	for _, list := range [][]Form{w.rules.Forms, forms} {
		for _, f := range list {
			if f.covers(address) {
				return f.URL
			}
		}
	}
	return ""
}

func (f *Form) covers(address string) bool {
	if domain, ok := strings.CutPrefix(f.For, "@"); ok {
		return within(domainOf(address), strings.ToLower(domain))
	}
	return strings.EqualFold(f.For, address)
}

package reporter

import (
	_ "embed"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"spamreport-milter/contact"
	"spamreport-milter/trace"
)

const (
	// maxSites is how many domains a message may link to besides those that are
	// exempt. Which of more it advertises can't be told, and bystanders are among them.
	maxSites = 3
	maxLinks = 200
)

//go:embed lists/exempt.txt
var exemptText string

// exempt are domains where anybody puts pages, or that stand in mail of all kinds.
var exempt = func() (list []string) {
	for line := range strings.Lines(exemptText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
}()

var (
	plainLink = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"'\\]+`)
	htmlLink  = regexp.MustCompile(`(?i)<a\b[^>]*?\bhref\s*=\s*["']?\s*(https?://[^\s<>"'\\]+)`)
)

// Sites are the registered domains of the sites that a message links to, without
// those that are exempt, in the order of their first links; none where there are
// many. Nothing is asked and no link is followed: what stands before and behind the
// registered domain may be the recipient's own mark.
func Sites(m *trace.Message, isExempt func(domain string) bool) []string {
	plain, marked := textsOf(m)
	links := plainLink.FindAllString(plain, maxLinks)
	for _, l := range htmlLink.FindAllStringSubmatch(marked, maxLinks) {
		links = append(links, html.UnescapeString(l[1]))
	}
	var sites []string
	for _, l := range links {
		u, err := url.Parse(strings.TrimRight(l, ".,;:!?)]}"))
		if err != nil {
			continue
		}
		domain, err := contact.Domain(u.Hostname())
		if err != nil || isExempt(domain) || slices.Contains(exempt, domain) || slices.Contains(sites, domain) {
			continue
		}
		sites = append(sites, domain)
	}
	if len(sites) > maxSites {
		return nil
	}
	return sites
}

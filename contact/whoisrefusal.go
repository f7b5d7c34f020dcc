package contact

import (
	"regexp"
	"strings"
)

// refusals are how servers say that they will not answer now, each from the
// beginning of a line. To add one, put it here and into the test.
var refusals = []*regexp.Regexp{
	regexp.MustCompile(`(?i)^error: ?(20[1-9]|306)\b`), // RIPE's software: access denied, too many connections
	regexp.MustCompile(`(?i)^(error: *\d* *)?((the|your|this|daily|hourly|maximum|whois|query|lookup|request|access|control|connection|client|rate|ip|server)[ -]+)*(limit|quota|rate)s? (has been |was |is )?(exceeded|reached)\b`),
	regexp.MustCompile(`(?i)^(error: *\d* *)?(permission denied|access (to .{1,60} )?(is )?(denied|refused|blocked)|connection refused)\b`),
	regexp.MustCompile(`(?i)^(denied|blacklisted|blocked)\W*$`),
	regexp.MustCompile(`(?i)^(your )?(access|quer(y|ies)|requests?)( (is|are))? too (fast|frequent|often|many)\b`),
	regexp.MustCompile(`(?i)^(too many|excessive) (requests|queries|querying|connections|lookups|attempts)\b`),
	regexp.MustCompile(`(?i)^quer(y|ied) interval is too short\b`),
	regexp.MustCompile(`(?i)^you (have )?(been (banned|blocked|denied|blacklisted)|exceeded|reached)\b`),
	regexp.MustCompile(`(?i)^your (ip|ip address|host|client|address)\b.{0,60}\b(blocked|banned|restricted|denied|limited|blacklisted|exceeded)\b`),
	regexp.MustCompile(`(?i)^(the |maximum |allowed )*(number of|query|daily|connection) .{0,60}\b(exceeded|reached)\b`),
	regexp.MustCompile(`(?i)^(error for .{1,260})?the whois query quota\b`),
	regexp.MustCompile(`(?i)^the ip address used to perform this query is not authori[sz]ed\b`),
	regexp.MustCompile(`(?i)^ip address has reached rate limit\b`),
	regexp.MustCompile(`(?i)^requests of this client are not permitted\b`),
	regexp.MustCompile(`(?i)^(1: )?still in grace period\b`),
	regexp.MustCompile(`(?i)^(the )?(server|service) (is )?(too )?(busy|temporarily unavailable|unavailable)\b`),
}

// noMatches are how servers say that they have no entry.
var noMatches = []*regexp.Regexp{
	regexp.MustCompile(`(?i)^error: ?101\b`),
	regexp.MustCompile(`(?i)^no (match|matches|matching|entries|entry|such|data|objects?|records?|results?|information|found)\b`),
	regexp.MustCompile(`(?i)^(nothing|not) found\b`),
	regexp.MustCompile(`(?i)^(the |this |above |requested |queried |searched )*(domain|domain name|object|entry|record|ip|ip address|ipv[46] address)\b.{0,100}\b((was |is |has |does )?not (been )?(found|exist|registered|allocated|assigned)|is (free|available))\b`),
	regexp.MustCompile(`(?i)^(domain )?status: *(free|available|unassigned|no object found)$`),
	regexp.MustCompile(`(?i)^(free|available)$`),
	regexp.MustCompile(`할당되어 있지|등록되어 있지|검색 결과가 없`), // KRNIC
}

// maxSaid bounds the lines that are read as the word of the server.
const maxSaid = 64

// whoisRefusal returns the line in which a server of port 43 refuses to answer,
// as a rule for having been asked too often; it is empty for any other answer.
// What a registrant has written cannot pass for one: an answer with an object
// refuses only in the server's own comments.
func whoisRefusal(server string, raw []byte) string {
	w := parseWHOIS(server, whoisText(raw))
	if _, err := readWHOIS(server, raw); err != nil {
		return w.says(refusals)
	}
	w.lines = nil
	for _, c := range w.comments[:min(len(w.comments), maxSaid)] {
		w.lines = append(w.lines, c.value)
	}
	return w.says(refusals)
}

// says returns the first line that one of the patterns fits, without the marks of
// a comment.
func (w *whois) says(patterns []*regexp.Regexp) string {
	for _, line := range w.lines[:min(len(w.lines), maxSaid)] {
		line = tame(strings.TrimLeft(line, "%#;*>!- \t"), 300)
		for _, p := range patterns {
			if p.MatchString(line) {
				return line
			}
		}
	}
	return ""
}

package auth

import (
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/authres"

	"spamreport-milter/trace"
)

// stated reads the Authentication-Results fields that a server of ours wrote: they
// bear a name of ours, and stand above the Received field of ours that names the
// source. What stands below that one the sender may have written, under any name.
func (c *Checker) stated(m *trace.Message, chain *trace.Chain, author string) []Check {
	var checks []Check
	for _, value := range above(m, chain) {
		value, ok := bare(value)
		if !ok {
			continue
		}
		id, results, err := authres.Parse(value)
		if err != nil || !c.ours(id) {
			continue
		}
		for _, r := range results {
			if domain, pass := passes(r); pass {
				checks = append(checks, Check{Method: Stated, Result: Pass, Domain: domain, Aligned: aligned(domain, author), Reason: "says " + strings.ToLower(id)})
			}
		}
	}
	return checks
}

// bare takes comments and quoted strings out of a field (RFC 8601 §2.2): they hold
// words of the sender's, in which a semicolon must not begin a result. It is false
// where one has no end.
func bare(value string) (string, bool) {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && (quoted || depth > 0):
			i++
		case quoted:
			quoted = c != '"'
		case c == '"' && depth == 0:
			quoted = true
		case c == '(':
			if depth++; depth == 1 {
				b.WriteByte(' ')
			}
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String(), depth == 0 && !quoted
}

func (c *Checker) ours(id string) bool {
	id = strings.ToLower(strings.TrimSuffix(id, "."))
	return slices.ContainsFunc(c.Hosts, func(h string) bool {
		h = strings.ToLower(h)
		domain, whole := strings.CutPrefix(h, ".")
		return h != "" && (id == h || whole && (id == domain || strings.HasSuffix(id, h)))
	})
}

// passes returns the domain for which a result is a pass.
func passes(r authres.Result) (domain string, ok bool) {
	switch r := r.(type) {
	case *authres.DKIMResult:
		return strings.ToLower(r.Domain), r.Value == authres.ResultPass && r.Domain != ""
	case *authres.SPFResult:
		return domainOf(r.From), r.Value == authres.ResultPass && r.From != ""
	case *authres.DMARCResult:
		return domainOf(r.From), r.Value == authres.ResultPass && r.From != ""
	}
	return "", false
}

// above returns the values of the Authentication-Results fields above the last
// Received field that servers of ours wrote; none where there is no such field. A
// session alone does not tell: what its client sent begins where our header would.
func above(m *trace.Message, chain *trace.Chain) []string {
	boundary := lastOfOurs(m, chain)
	if boundary < 0 {
		return nil
	}
	var values []string
	for f := range trace.HeaderFields(m.Header) {
		switch {
		case strings.EqualFold(f.Name, "Authentication-Results"):
			values = append(values, strings.Join(strings.Fields(f.Value), " "))
		case strings.EqualFold(f.Name, "Received"):
			if boundary--; boundary < 0 {
				return values
			}
		}
	}
	return nil
}

// lastOfOurs counts down the Received fields to the last one that is ours, or -1.
func lastOfOurs(m *trace.Message, chain *trace.Chain) int {
	switch s, border := m.Session, chain.Source(); {
	case border == nil:
		return -1
	case s != nil && chain.Border.Hop == 0:
		return s.Later - 1
	default:
		return slices.Index(m.Fields("Received"), border.Raw)
	}
}

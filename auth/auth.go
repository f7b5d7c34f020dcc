// Package auth proves which domain a message comes from: by a DKIM signature (RFC
// 6376), by SPF (RFC 7208), or by what a server of ours has found out before us
// (RFC 8601). A pass counts only where it is of the domain that the author's address
// in From is in. The name in From alone proves nothing: it is what spam is forged with.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/trace"
)

// The ways to prove a domain.
const (
	DKIM   = "dkim"
	SPF    = "spf"
	Stated = "authentication-results" // a server of ours says so
)

// The ends of a check besides those of the RFCs ("fail", "softfail", "temperror" …).
const (
	Pass     = "pass"
	NotAsked = "not asked"
)

// Check is one attempt at a proof. It names domains only, never a mailbox, so that it
// can be kept as long as a complaint.
type Check struct {
	Method  string `json:"method"`
	Result  string `json:"result"`
	Domain  string `json:"domain,omitempty"`  // that signed, or of the envelope sender
	Aligned bool   `json:"aligned,omitempty"` // it is of the author's registered domain
	Reason  string `json:"reason,omitempty"`
}

// Verdict is what the checks came to.
type Verdict struct {
	Author string  `json:"author,omitempty"` // registered domain of the one address in From; empty where there is no such
	Domain string  `json:"domain,omitempty"` // the same where it is proven, else empty
	Reason string  `json:"reason"`           // why proven, or why not
	Checks []Check `json:"checks,omitempty"`
}

// checkTime bounds all checks of one message: a sender's slow servers must not keep
// the worker.
const checkTime = 30 * time.Second

// Checker makes the checks. It asks DNS, so it is for workers and not for a session.
type Checker struct {
	DNS DNS
	// Hosts are the names under which servers of ours state their results; a leading
	// dot takes a whole domain.
	Hosts []string
}

// Check looks at a message that was traced. What fails for now proves nothing, as
// what fails for good. The error is that of ctx.
func (c *Checker) Check(ctx context.Context, m *trace.Message, chain *trace.Chain) (Verdict, error) {
	author, err := author(m)
	if err != nil {
		return Verdict{Reason: err.Error()}, nil
	}
	v := Verdict{Author: author, Reason: "no check that passes is of " + author}
	v.Checks = c.stated(m, chain, author)
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if !v.conclude() {
		v.Checks = append(v.Checks, c.signatures(limited, m, author)...)
	}
	if !v.conclude() {
		v.Checks = append(v.Checks, c.envelope(limited, m, chain, author))
	}
	v.conclude()
	return v, ctx.Err()
}

// conclude takes the first proof.
func (v *Verdict) conclude() bool {
	c := v.Proof()
	if c == nil {
		return false
	}
	v.Domain, v.Reason = v.Author, fmt.Sprintf("%s passes for %s", c.Method, c.Domain)
	if c.Reason != "" {
		v.Reason += " (" + c.Reason + ")"
	}
	return true
}

// Proof is the check that proves the domain; nil for none.
func (v *Verdict) Proof() *Check {
	for i := range v.Checks {
		if c := &v.Checks[i]; c.Result == Pass && c.Aligned {
			return c
		}
	}
	return nil
}

// author is the registered domain of the address in From. Of two authors, or two
// fields, nobody can say who speaks.
func author(m *trace.Message) (string, error) {
	from := m.Fields("From")
	if len(from) != 1 {
		return "", fmt.Errorf("%d From fields: it has to be one", len(from))
	}
	list, err := mail.ParseAddressList(from[0])
	if err != nil || len(list) != 1 {
		return "", errors.New("no single address in From")
	}
	domain, err := contact.Domain(domainOf(list[0].Address))
	if err != nil {
		return "", fmt.Errorf("author: %w", err)
	}
	return strings.ToLower(domain), nil
}

// aligned reports whether a name is of the author's registered domain: the relaxed
// alignment of DMARC.
func aligned(name, author string) bool {
	domain, err := contact.Domain(name)
	return err == nil && strings.EqualFold(domain, author)
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

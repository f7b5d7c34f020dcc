package contact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"
)

const (
	maxSignatures = 8       // of one message that are verified
	maxCFBLHeader = 1 << 20 // octets; more is no ordinary header
)

// Feedback finds the mailbox that the sender of a message names for complaints in
// its CFBL-Address field (RFC 9477), and believes it only where DKIM signatures
// show that the domain of From wrote the field, and that of the mailbox wants it.
// It is one more addressee, never in the place of the network's: the sender is told
// who complains. An Answer without contacts says why. The error is that of ctx.
func (f *Finder) Feedback(ctx context.Context, message []byte) (Answer, error) {
	if f.config.DNS == nil {
		return Answer{Outcome: NoContact, Reason: "no DNS server is configured to ask for keys", Contacts: []Contact{}, Evidence: []Evidence{}}, nil
	}
	ev := Evidence{Source: "cfbl", Query: "CFBL-Address", Server: "message", Status: StatusOK, At: stamp(f.config.Now)}
	text, err := f.signed(ctx, message)
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	if err != nil {
		ev.Status, ev.Error, ev.RetryAt = StatusUnreachable, err.Error(), ev.At.Add(failureTTL)
	} else {
		ev.record([]byte(text))
	}
	return DecideFeedback(ev), nil
}

// signed says in lines what the message has and what its signatures cover.
func (f *Finder) signed(ctx context.Context, message []byte) (string, error) {
	header, _, _ := bytes.Cut(message[:min(len(message), maxCFBLHeader)], []byte("\r\n\r\n"))
	m, err := mail.ReadMessage(bytes.NewReader(append(bytes.Clone(header), "\r\n\r\n"...)))
	if err != nil || len(m.Header["Cfbl-Address"]) == 0 {
		return "CFBL-Address: none\n", nil // what can't be read names nobody
	}
	var b strings.Builder
	for _, v := range m.Header["Cfbl-Address"] {
		fmt.Fprintf(&b, "CFBL-Address: %s\n", tame(v, maxText))
	}
	for _, v := range m.Header["From"] {
		fmt.Fprintf(&b, "From: %s\n", tame(v, maxText))
	}
	list, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{
		MaxVerifications: maxSignatures,
		LookupTXT: func(name string) ([]string, error) {
			a, err := f.config.DNS.Query(ctx, name, dns.TypeTXT)
			return a.TXT(), err
		},
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return b.String(), nil
	}
	for _, v := range list {
		switch {
		case dkim.IsTempFail(v.Err):
			return "", fmt.Errorf("key of %s: %w", v.Domain, v.Err)
		case v.Err == nil:
			fmt.Fprintf(&b, "DKIM-Pass: %s %s\n", tame(v.Domain, maxText), tame(strings.Join(v.HeaderKeys, ":"), maxText))
		}
	}
	return b.String(), nil
}

// DecideFeedback makes the answer of Feedback from its evidence.
func DecideFeedback(ev Evidence) Answer {
	a := Answer{Outcome: NoContact, Contacts: []Contact{}, Expires: ev.At.Add(noneTTL)}
	ev.Candidates = nil
	if ev.Status != StatusOK {
		a.Outcome, a.Reason, a.Retry, a.Expires = Unreachable, ev.Error, ev.RetryAt, ev.RetryAt
		a.Evidence = []Evidence{ev}
		return a
	}
	rd, err := readCFBL(ev.Server, ev.Raw)
	if err != nil {
		a.Reason, a.Evidence = err.Error(), []Evidence{ev}
		return a
	}
	j := judgement{reading: rd, facts: &facts{rules: &rules{}}, source: "cfbl", class: rd.class}
	for _, v := range j.judge() {
		if v.taken {
			a.Outcome, a.Expires = Found, ev.At.Add(lowTTL)
			a.Contacts = append(a.Contacts, Contact{Address: v.address, Source: "cfbl", Role: v.role, Scope: ScopeDomain, Confidence: High, Report: rd.report})
			v.reason = "its domain signed the field (RFC 9477)"
		}
		a.Reason = v.text + ": " + v.reason
		ev.Candidates = append(ev.Candidates, Candidate{Address: v.text, Where: v.where, Role: v.role, Taken: v.taken, Reason: v.reason})
	}
	a.Evidence = []Evidence{ev}
	return a
}

// readCFBL reads what signed wrote. More than one field, or From with more than
// one author, leaves open who speaks.
func readCFBL(_ string, raw []byte) (*reading, error) {
	var from, field []string
	var passed [][2]string
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "From":
			from = append(from, value)
		case "CFBL-Address":
			field = append(field, value)
		case "DKIM-Pass":
			domain, keys, _ := strings.Cut(value, " ")
			passed = append(passed, [2]string{strings.ToLower(domain), strings.ToLower(keys)})
		}
	}
	if len(field) != 1 || field[0] == "none" {
		return nil, errors.New("the message has no CFBL-Address field, or several")
	}
	author, err := mail.ParseAddressList(strings.Join(from, ","))
	if err != nil || len(author) != 1 {
		return nil, errors.New("the message does not have one author in From")
	}
	mailbox, parameters, _ := strings.Cut(field[0], ";")
	m := mention{text: strings.TrimSpace(mailbox), where: "line 1", role: "cfbl", entity: "cfbl", level: levelResource, mark: markAbuse}
	m.dead = unsigned(domainOf(author[0].Address), domainOf(m.text), passed)
	return &reading{class: "sender", mailboxes: []mention{m}, report: reportFormat(parameters)}, nil
}

// unsigned says what signature is missing: one of the domain of From that covers
// the field, and one of the mailbox's domain where that is neither the same nor
// below it (RFC 9477 §3.1).
func unsigned(from, desk string, passed [][2]string) string {
	covers := func(domain string) bool {
		for _, p := range passed {
			signed := strings.Split(p[1], ":")
			if within(domain, p[0]) && contains(signed, "cfbl-address") && contains(signed, "from") && registered(p[0]) != "" {
				return true
			}
		}
		return false
	}
	switch {
	case !covers(from):
		return "no valid DKIM signature of " + from + " covers the field"
	case !within(desk, from) && !covers(desk):
		return "no valid DKIM signature of " + desk + " covers the field"
	}
	return ""
}

// reportFormat reads "report=arf" and "report=xarf".
func reportFormat(parameters string) string {
	name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(parameters)), "=")
	if value = strings.TrimSpace(value); strings.TrimSpace(name) == "report" && (value == "arf" || value == "xarf") {
		return value
	}
	return ""
}

package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"

	"spamreport-milter/trace"
)

// maxSignatures is how many signatures of one message are looked at.
const maxSignatures = 5

var errForeign = errors.New("not of the author's domain, so its key was not asked for")

// signatures verifies DKIM signatures. Only the author's own domain is asked for keys.
func (c *Checker) signatures(ctx context.Context, m *trace.Message, author string) []Check {
	switch {
	case len(m.Fields("DKIM-Signature")) == 0:
		return []Check{{Method: DKIM, Result: "none"}}
	case m.HeaderCut || m.Truncated():
		return []Check{{Method: DKIM, Result: NotAsked, Reason: "the message was not kept whole"}}
	}
	list, err := dkim.VerifyWithOptions(wire(m), &dkim.VerifyOptions{
		MaxVerifications: maxSignatures,
		LookupTXT:        func(name string) ([]string, error) { return c.key(ctx, name, author) },
	})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		return []Check{{Method: DKIM, Result: "permerror", Reason: "the message can't be read"}}
	}
	var checks []Check
	for _, s := range list {
		checks = append(checks, signature(s, author))
	}
	return checks
}

func signature(s *dkim.Verification, author string) Check {
	c := Check{Method: DKIM, Result: Pass, Domain: strings.ToLower(s.Domain), Aligned: aligned(s.Domain, author)}
	switch {
	case !c.Aligned:
		c.Result, c.Reason = NotAsked, errForeign.Error()
	case dkim.IsTempFail(s.Err):
		c.Result, c.Reason = "temperror", s.Err.Error()
	case s.Err != nil:
		c.Result, c.Reason = "fail", s.Err.Error()
	}
	return c
}

// key asks for a public key. One that its owner calls a test (RFC 6376 §3.6.1, t=y)
// is to be treated as if it were not there.
func (c *Checker) key(ctx context.Context, name, author string) ([]string, error) {
	if _, domain, _ := strings.Cut(name, "._domainkey."); !aligned(domain, author) {
		return nil, errForeign
	}
	texts, err := c.DNS.LookupTXT(ctx, name)
	if slices.ContainsFunc(texts, testing) {
		return nil, &net.DNSError{Err: "the key is for tests", Name: name, IsNotFound: true}
	}
	return texts, err
}

func testing(key string) bool {
	for tag := range strings.SplitSeq(key, ";") {
		name, flags, _ := strings.Cut(tag, "=")
		if strings.TrimSpace(name) == "t" {
			for flag := range strings.SplitSeq(flags, ":") {
				if strings.TrimSpace(flag) == "y" {
					return true
				}
			}
		}
	}
	return false
}

// wire is the message as SMTP carried it. Saved files have LF alone.
func wire(m *trace.Message) io.Reader {
	header, body := m.Header, m.Body
	if !bytes.Contains(header, []byte("\r\n")) {
		header = bytes.ReplaceAll(header, []byte("\n"), []byte("\r\n"))
		body = bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
	}
	return io.MultiReader(bytes.NewReader(header), strings.NewReader("\r\n"), bytes.NewReader(body))
}

package auth

import (
	"context"
	"net"
	"net/netip"

	"blitiri.com.ar/go/spf"

	"spamreport-milter/trace"
)

// DNS answers the questions of the checks.
type DNS = spf.DNSResolver

// Nobody sends from these (RFC 5737, RFC 3849).
var nobody = map[bool]netip.Addr{false: netip.MustParseAddr("192.0.2.1"), true: netip.MustParseAddr("2001:db8::1")}

// envelope asks whether the source may send for the domain of the envelope sender.
// HELO proves nothing about the author, it is only what SPF's macros may name.
func (c *Checker) envelope(ctx context.Context, m *trace.Message, chain *trace.Chain, author string) Check {
	check := Check{Method: SPF, Result: NotAsked, Domain: domainOf(m.MailFrom)}
	source := chain.Source()
	check.Aligned = aligned(check.Domain, author)
	switch {
	case m.Session == nil || source == nil || !source.IP.IsValid():
		check.Reason = "no session says who brought it"
		return check
	case !check.Aligned:
		check.Reason = "the envelope sender is not of the author's domain"
		return check
	}
	result, err := c.spf(ctx, source.IP.Unmap(), source.HELO, check.Domain)
	if check.Result = string(result); err != nil {
		check.Reason = err.Error()
	}
	if result != spf.Pass {
		return check
	}
	check.Reason = ""
	// A record that lets anybody send says nothing about who did.
	if anybody, _ := c.spf(ctx, nobody[source.IP.Unmap().Is6()], source.HELO, check.Domain); anybody == spf.Pass {
		check.Result, check.Reason = "neutral", "its record lets anybody send"
	}
	return check
}

// spf asks in the name of postmaster: a record can have the mailbox written into the
// question, and in a return path that is often the recipient's mark.
func (c *Checker) spf(ctx context.Context, a netip.Addr, helo, domain string) (spf.Result, error) {
	return spf.CheckHostWithSender(net.IP(a.AsSlice()), helo, "postmaster@"+domain, spf.WithContext(ctx), spf.WithResolver(c.DNS))
}

package resolver

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/miekg/dns"
)

// Temporary reports whether asking again may help. It is false for a name or
// an answer that is broken, and for errors that are not this package's.
func Temporary(err error) bool {
	var failed *net.DNSError
	return errors.As(err, &failed) && failed.Temporary()
}

// temporary is the error of a question that nobody answered.
func temporary(q question, server string, err error) *net.DNSError {
	var n net.Error
	timeout := errors.As(err, &n) && n.Timeout()
	text := err.Error()
	switch {
	case errors.Is(err, context.Canceled):
		text = "the question was cancelled"
	case timeout:
		text = "no answer in time; the server may be down or out of reach, ask again later"
	case errors.Is(err, syscall.ECONNREFUSED):
		text = "connection refused; see that a DNS server runs at this address"
	}
	f := failure(q, server, text)
	f.UnwrapErr, f.IsTimeout, f.IsTemporary = err, timeout, true
	return f
}

// permanent is the error of a question or an answer that will not get better.
func permanent(q question, server string, err error) *net.DNSError {
	f := failure(q, server, err.Error())
	f.UnwrapErr = err
	return f
}

// notFound is how the Lookup functions say what Query says with an Answer.
func notFound(a Answer) *net.DNSError {
	text := "no " + dns.Type(a.Type).String() + " record"
	if a.NXDomain {
		text = "no such name"
	}
	f := failure(question{name: a.Name}, a.Server, text)
	f.IsNotFound = true
	return f
}

func failure(q question, server, text string) *net.DNSError {
	return &net.DNSError{Err: text, Name: strings.TrimSuffix(q.name, "."), Server: server}
}

// refusal is a response code that is no answer.
type refusal int

func (r refusal) Error() string {
	name := dns.RcodeToString[int(r)]
	switch int(r) {
	case dns.RcodeServerFailure:
		return name + ": the server could not find out, ask again later"
	case dns.RcodeRefused:
		return name + ": the server must be told to answer this host's recursive questions"
	}
	return "response code " + name + " is no answer; ask again later or name another DNS server"
}

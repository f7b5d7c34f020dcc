package contact

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"spamreport-milter/resolver"
)

// Resolver asks DNS; a resolver.Resolver does.
type Resolver interface {
	Query(ctx context.Context, name string, qtype uint16) (resolver.Answer, error)
}

// dnsSource makes the asker of a source that DNS answers. What the answers say in
// the end is read from their texts, one after the other.
func dnsSource(put func(ctx context.Context, i *inquiry, about string) error) func(p *parts) (asker, error) {
	return func(p *parts) (asker, error) {
		if p.DNS == nil {
			return nil, nil
		}
		return &dnsAsker{p.DNS, put, p.Now}, nil
	}
}

type dnsAsker struct {
	dns Resolver
	put func(ctx context.Context, i *inquiry, about string) error
	now func() time.Time
}

func (d *dnsAsker) ask(ctx context.Context, q question) (Evidence, error) {
	i := &inquiry{dns: d.dns}
	err := d.put(ctx, i, q.about)
	if err := ctx.Err(); err != nil {
		return Evidence{}, err
	}
	ev := Evidence{Source: q.source, Query: strings.Join(i.queries, ", "), Server: i.server, Status: StatusOK, At: stamp(d.now)}
	ev.record([]byte(i.text.String()))
	var failed *net.DNSError
	switch {
	case errors.As(err, &failed) && failed.IsTimeout:
		ev.Status, ev.Error = StatusTimeout, err.Error()
	case err != nil:
		ev.Status, ev.Error = StatusUnreachable, err.Error()
	}
	return ev, nil
}

// inquiry is some questions to DNS that make one answer.
type inquiry struct {
	dns     Resolver
	queries []string
	server  string
	text    strings.Builder
}

func (i *inquiry) query(ctx context.Context, name string, qtype uint16) (resolver.Answer, error) {
	i.queries = append(i.queries, name+" "+dns.Type(qtype).String())
	a, err := i.dns.Query(ctx, name, qtype)
	if err != nil {
		return a, err
	}
	i.server = a.Server
	i.text.WriteString(a.Text)
	return a, nil
}

// dnsAnswers reads the texts of answers, which each begin with a comment.
func dnsAnswers(raw []byte) ([]resolver.Answer, error) {
	if len(raw) > maxAnswer {
		return nil, errTooLarge
	}
	var list []resolver.Answer
	for text := range answerTexts(string(raw)) {
		a, err := resolver.ParseAnswer(text)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, errors.New("an empty answer")
	}
	return list, nil
}

// answerTexts cuts before each line that begins with ";".
func answerTexts(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for s != "" {
			end := strings.Index(s[1:], "\n;")
			text := s
			if end >= 0 {
				text = s[:end+2]
			}
			if s = s[len(text):]; !yield(text) {
				return
			}
		}
	}
}

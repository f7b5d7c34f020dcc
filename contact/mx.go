package contact

import (
	"cmp"
	"context"

	"github.com/miekg/dns"

	"spamreport-milter/resolver"
)

// askMX asks whether a domain takes mail: MX, or in its absence an address
// (RFC 5321 §5.1).
func askMX(ctx context.Context, i *inquiry, domain string) error {
	a, err := i.query(ctx, domain, dns.TypeMX)
	if err != nil || a.NXDomain || len(a.Records) > 0 {
		return err
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if a, err = i.query(ctx, domain, qtype); err != nil || len(a.Records) > 0 {
			return err
		}
	}
	return nil
}

// readMX reads why the domain takes no mail.
func readMX(_ string, raw []byte) (*reading, error) {
	list, err := dnsAnswers(raw)
	if err != nil {
		return nil, err
	}
	rd := &reading{class: "mail", said: "takes mail"}
	switch first := list[0]; {
	case first.NXDomain:
		rd.deaf = "its domain does not exist"
	case first.NullMX():
		rd.deaf = "its domain takes no mail (null MX, RFC 7505)"
	case noRecords(list) && len(list) == 3:
		rd.deaf = "its domain has neither MX nor address"
	}
	rd.said = cmp.Or(rd.deaf, rd.said)
	return rd, nil
}

func noRecords(list []resolver.Answer) bool {
	for _, a := range list {
		if len(a.Records) > 0 {
			return false
		}
	}
	return true
}

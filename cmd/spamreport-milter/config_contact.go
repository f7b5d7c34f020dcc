package main

import (
	"net"
	"net/netip"

	"spamreport-milter/contact"
)

func (f *faults) contact(s contactSettings) contact.Config {
	c := contact.Config{Sources: s.Sources, Bootstrap: s.Bootstrap, CAFile: s.CAFile, Freemail: s.Freemail}
	for _, a := range s.PrivateRegistries {
		ap, err := netip.ParseAddrPort(a)
		if err != nil {
			f.add("contact.private_registries: %q is no ADDRESS:PORT", a)
			continue
		}
		c.AllowPrivate = append(c.AllowPrivate, ap)
	}
	for _, o := range s.Override {
		c.Overrides = append(c.Overrides, contact.Override{For: o.For, Mail: o.Mail, Form: o.Form, Never: o.Never, Note: o.Note})
	}
	for _, o := range s.Form {
		c.Forms = append(c.Forms, contact.Form{For: o.For, URL: o.URL})
	}
	return c
}

// nameservers are addresses: a name would have to be asked for.
func (f *faults) nameservers(list []string) []string {
	for _, s := range list {
		host := s
		if h, _, err := net.SplitHostPort(s); err == nil {
			host = h
		}
		if _, err := netip.ParseAddr(host); err != nil {
			f.add("dns.servers: %q is neither ADDRESS nor ADDRESS:PORT", s)
		}
	}
	return list
}

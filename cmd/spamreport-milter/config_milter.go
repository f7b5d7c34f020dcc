package main

import (
	"crypto/tls"
	"io/fs"
	"net/mail"
	"path/filepath"
	"strconv"

	"spamreport-milter/milter"
)

func (f *faults) milter(s milterSettings) milter.Config {
	f.limits(s)
	return milter.Config{
		Rules:       f.rules(s.Tag),
		BodyLimit:   s.BodyLimit,
		MaxSessions: s.MaxSessions,
		Memory:      s.Memory,
		SpoolDir:    s.SpoolDir,
		Reports:     f.reports(s.Reports),
	}
}

func (f *faults) limits(m milterSettings) {
	if m.BodyLimit < 0 {
		f.add("milter.body_limit: %d is less than nothing", m.BodyLimit)
	}
	if m.MaxSessions < 1 {
		f.add("milter.max_sessions: %d leaves no connection to the MTA", m.MaxSessions)
	}
	if m.SealRotate < 0 {
		f.add("milter.seal_rotate: %d days is less than nothing", m.SealRotate)
	}
	if need := 1<<20 + max(m.BodyLimit, 3*m.Reports.MaxSize); m.Memory < need {
		f.add("milter.memory: %d bytes do not hold the largest message; with these limits %d are needed", m.Memory, need)
	}
	for _, path := range []struct{ key, value string }{{"spool_dir", m.SpoolDir}, {"seal_keys", m.SealKeys}} {
		if path.value != "" && !filepath.IsAbs(path.value) {
			f.add("milter.%s: %q depends on where a command is called: write it with its whole path", path.key, path.value)
		}
	}
	for _, spec := range m.Listen {
		if _, _, err := milter.ParseSpec(spec); err != nil {
			f.add("milter.listen: %w", err)
		} else if milter.NeedsTLS(spec) && m.TLSCert == "" {
			f.add("milter.listen: %s needs milter.tls_cert and tls_key", spec)
		}
	}
	if len(m.Listen) == 0 {
		f.add("milter.listen: at least one address is needed")
	}
}

func (f *faults) socket(m milterSettings) milter.Socket {
	mode, err := strconv.ParseUint(m.SocketMode, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		f.add("milter.socket_mode: %q is no mode like 0660", m.SocketMode)
	}
	s := milter.Socket{Mode: fs.FileMode(mode), User: m.SocketUser, Group: m.SocketGroup}
	if m.TLSCert == "" && m.TLSKey == "" {
		return s
	}
	cert, err := tls.LoadX509KeyPair(m.TLSCert, m.TLSKey)
	if err != nil {
		f.add("milter.tls_cert, tls_key: %w", err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	return s
}

func (f *faults) reports(s reportsSettings) *milter.Reports {
	if s.PerHour < 1 {
		f.add("milter.reports.per_hour: %d lets nobody report", s.PerHour)
	}
	if s.MaxSize < 1 {
		f.add("milter.reports.max_size: %d bytes hold no message", s.MaxSize)
	}
	for _, a := range s.Addresses {
		if p, err := mail.ParseAddress(a); err != nil || p.Address != a {
			f.add("milter.reports.addresses: %q is no plain address like report@isp.example", a)
		}
	}
	networks := f.networks("milter.reports.networks", s.Networks)
	if len(s.Addresses) == 0 {
		return nil
	}
	return &milter.Reports{Addresses: s.Addresses, Networks: networks, PerHour: s.PerHour, MaxSize: s.MaxSize, Deliver: s.Deliver, Confirm: s.Confirm}
}

func (f *faults) rules(tags []tagSettings) []milter.Rule {
	if tags == nil {
		return milter.DefaultRules()
	}
	rules := make([]milter.Rule, 0, len(tags))
	for i, t := range tags {
		r := milter.Rule{Field: t.Field, Value: t.Value, Level: t.Level, Score: t.Score}
		if err := r.Check(); err != nil {
			f.add("milter.tag %d: %w", i+1, err)
		}
		rules = append(rules, r)
	}
	return rules
}

package main

import (
	"cmp"
	"maps"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// composer checks how complaints are written. Templates are read and tried here:
// one that fails must be found before a complaint needs it.
func (f *faults) composer(s reporterSettings, host string) reporter.Composer {
	letters := f.letters(s.Templates)
	f.format("reporter.format", s.Format)
	f.language("reporter.language", s.Language, letters)
	w := reporter.Composer{
		Sender:  queue.Sender{From: s.From, Host: host, Agent: "spamreport-milter/" + version()},
		Letters: letters, Format: s.Format, Language: s.Language, Signature: s.Signature,
		Unseen: s.Approve == string(reporter.ApproveAll),
	}
	if s.Evidence != "redacted" && s.Evidence != "full" {
		f.add("reporter.evidence: %q is neither redacted nor full", s.Evidence)
	}
	w.Evidence = reporter.Evidence{Full: s.Evidence == "full", Strip: slices.Clone(reporter.FilterFields)}
	w.Answers = reporter.Answers(s.Answers)
	if err := w.Answers.Check(); err != nil {
		f.add("reporter.answers: %w", err)
	}
	for _, d := range s.Desk {
		w.Desks = append(w.Desks, f.desk(d, letters))
	}
	return w
}

func (f *faults) letters(dir string) *reporter.Letters {
	if dir != "" && !filepath.IsAbs(dir) {
		f.add("reporter.templates: %q depends on where a command is called: write it with its whole path", dir)
		dir = ""
	}
	letters, err := reporter.ReadLetters(dir)
	if err != nil {
		f.add("reporter.templates: %s: %w", dir, err)
	}
	return letters
}

func (f *faults) desk(d deskSettings, letters *reporter.Letters) reporter.Desk {
	if local, domain, ok := strings.Cut(d.For, "@"); !ok || !hostName.MatchString(domain) || strings.ContainsAny(local, " <>@") {
		f.add("reporter.desk: for = %q is neither a mailbox nor @domain", d.For)
	}
	if d.Format != "" {
		f.format("reporter.desk "+d.For, d.Format)
	}
	if d.Language != "" {
		f.language("reporter.desk "+d.For, d.Language, letters)
	}
	return reporter.Desk{For: d.For, Format: d.Format, Language: d.Language}
}

func (f *faults) format(key, name string) {
	if known := reporter.Formats(); !slices.Contains(known, name) {
		f.add("%s: no format is called %q: there are %s", key, name, strings.Join(known, ", "))
	}
}

func (f *faults) language(key, name string, letters *reporter.Letters) {
	if known := letters.Languages(); !slices.Contains(known, name) {
		f.add("%s: no letters in %q: there are %s", key, name, strings.Join(known, ", "))
	}
}

func (f *faults) relay(s reporterSettings) reporter.Relay {
	host, port, err := net.SplitHostPort(s.Smarthost)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
		f.add("reporter.smarthost: %q is no HOST:PORT", s.Smarthost)
	}
	r := reporter.Relay{Addr: s.Smarthost, TLS: cmp.Or(s.SmarthostTLS, reporter.RelayTLS(s.Smarthost)),
		RootCAs: f.roots("reporter.smarthost_ca_file", s.SmarthostCA), User: s.SmarthostUser}
	if !slices.Contains([]string{"starttls", "tls", "none"}, r.TLS) {
		f.add("reporter.smarthost_tls: %q is none of starttls, tls, none", s.SmarthostTLS)
	}
	if (s.SmarthostUser == "") != (s.SmarthostPass == "") {
		f.add("reporter.smarthost_user and reporter.smarthost_password_file: one without the other is no use")
	}
	if s.SmarthostPass != "" {
		r.Password = f.firstLine("reporter.smarthost_password_file", s.SmarthostPass)
	}
	if r.User != "" && r.TLS == "none" && reporter.RelayTLS(s.Smarthost) != "none" {
		f.add("reporter.smarthost_tls: a password must not cross the network in the clear: use starttls or tls")
	}
	return r
}

func (f *faults) firstLine(key, file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		f.add("%s: %w", key, err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimRight(line, "\r")
}

func (f *faults) dkim(s reporterSettings) *reporter.DKIM {
	if s.DKIMKey == "" {
		if s.DKIMSelector != "" || s.DKIMDomain != "" {
			f.add("reporter.dkim_key_file: without a key nothing is signed")
		}
		return nil
	}
	text, err := os.ReadFile(s.DKIMKey)
	if err != nil {
		f.add("reporter.dkim_key_file: %w", err)
		return nil
	}
	key, err := reporter.ParseDKIMKey(text)
	if err != nil {
		f.add("reporter.dkim_key_file: %s: %w", s.DKIMKey, err)
	}
	d := &reporter.DKIM{Domain: s.DKIMDomain, Selector: s.DKIMSelector, Key: key}
	if from, err := mail.ParseAddress(s.From); err == nil && d.Domain == "" {
		_, d.Domain, _ = strings.Cut(from.Address, "@")
	}
	if !hostName.MatchString(d.Selector) || !hostName.MatchString(d.Domain) {
		f.add("reporter.dkim_selector: %q at %q is no name in DNS", d.Selector, d.Domain)
	}
	return d
}

func (f *faults) parties(list []string) []string {
	for _, p := range list {
		if reporter.PartyNames[p] == "" {
			f.add("reporter.parties: nobody is called %q: there are %s", p, strings.Join(slices.Sorted(maps.Keys(reporter.PartyNames)), ", "))
		}
	}
	if !slices.Contains(list, "network") {
		f.add("reporter.parties: the network of the source is always among them: add \"network\"")
	}
	return list
}

func (f *faults) policy(s reporterSettings) reporter.Policy {
	p := reporter.Policy{
		Approve: reporter.Approve(s.Approve), MaxAge: time.Duration(s.MaxAge) * time.Hour,
		Interval:   time.Duration(s.ContactInterval) * time.Hour,
		ContactCap: s.ContactCap, NetworkCap: s.NetworkCap, HourCap: s.HourCap,
	}
	if !slices.Contains([]reporter.Approve{reporter.ApproveManual, reporter.ApproveJudged, reporter.ApproveAll}, p.Approve) {
		f.add("reporter.approve: %q is none of manual, judged, all", s.Approve)
	}
	for key, n := range map[string]int{"max_age": s.MaxAge, "contact_interval": s.ContactInterval,
		"contact_cap": s.ContactCap, "network_cap": s.NetworkCap, "hour_cap": s.HourCap} {
		if n < 0 {
			f.add("reporter.%s: %d is less than nothing", key, n)
		}
	}
	return p
}

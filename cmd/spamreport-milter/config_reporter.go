package main

import (
	"path/filepath"
	"slices"
	"strings"

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
	}
	if s.Evidence != "redacted" && s.Evidence != "full" {
		f.add("reporter.evidence: %q is neither redacted nor full", s.Evidence)
	}
	w.Evidence = reporter.Evidence{Full: s.Evidence == "full", Strip: slices.Clone(reporter.FilterFields)}
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

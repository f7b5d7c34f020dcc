package contact

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// bracketed is a line of JPNIC and JPRS: "m. [Administrative Contact]  XX1234JP".
// The letters are the same in both languages.
var bracketed = regexp.MustCompile(`^\s*(?:([a-z])\. ?)?\[([^\]]*)\]\s*(.*)$`)

// bracketField is such a line. The label is in lower case, or U+FFFD in a charset
// that is not read.
type bracketField struct{ letter, label, value, where string }

func (f bracketField) is(letter string, labels ...string) bool {
	return f.letter != "" && f.letter == letter || slices.Contains(labels, f.label)
}

func (w *whois) bracketFields() []bracketField {
	var list []bracketField
	for i, line := range w.lines {
		if m := bracketed.FindStringSubmatch(line); m != nil && m[3] != "" && len(list) < maxAttributes {
			list = append(list, bracketField{m[1], strings.ToLower(strings.TrimSpace(m[2])), m[3], lineNumber(i + 1)})
		}
	}
	return list
}

// readJPNIC reads what JPNIC writes about a network, or about a contact by its
// handle. The network names an abuse mailbox since 2022; before, and where none is
// registered, its technical contact takes all questions (blog.nic.ad.jp/2021/6990)
// and has an answer of its own.
func readJPNIC(w *whois) (*reading, error) {
	fields := w.bracketFields()
	for i, f := range fields {
		n, ok := span(f.value)
		switch {
		case ok && f.is("a", "network number", "ipネットワークアドレス"):
			rd := &reading{class: "ip network", network: Network{First: n.First, Last: n.Last, Country: "JP", Registry: "jpnic"}}
			rd.readJPNICNetwork(fields[i:])
			return rd, nil
		case f.is("", "jpnic handle", "group handle", "jpnic\ufffd", "jpnicハンドル", "グループハンドル"):
			rd := &reading{class: "entity", network: Network{Handle: tame(f.value, maxText), Registry: "jpnic"}}
			rd.readJPNICContact(fields[i:])
			return rd, nil
		}
	}
	return nil, nil
}

func (rd *reading) readJPNICNetwork(fields []bracketField) {
	var abuse, technical, admin string
	for _, f := range fields {
		switch value := tame(f.value, maxText); {
		case f.is("b", "network name", "ネットワーク名"):
			rd.network.Name = value
		case f.is("g", "organization"):
			rd.holders = append(rd.holders, value)
		case f.is("", "abuse") && strings.Contains(value, "@"):
			rd.mailboxes = append(rd.mailboxes, mention{text: f.value, where: f.where, role: "abuse", entity: f.where, mark: nameMark(value)})
		case f.is("", "abuse"):
			abuse = cmp.Or(abuse, value)
		case f.is("m", "administrative contact", "管理者連絡窓口"):
			admin = cmp.Or(admin, value)
		case f.is("n", "technical contact", "技術連絡担当者"):
			technical = cmp.Or(technical, value)
		}
	}
	for _, h := range []string{abuse, technical, admin} {
		if rd.ask == "" && len(rd.mailboxes) == 0 && handle.MatchString(h) {
			rd.ask = h + "/e"
		}
	}
}

// readJPNICContact takes the e-mail, which counts only for who was sent here by a
// network, and for little unless the contact is there for abuse.
func (rd *reading) readJPNICContact(fields []bracketField) {
	doubt := "of the network's technical contact"
	for _, f := range fields {
		switch {
		case f.is("", "group name", "last, first", "グループ名"):
			rd.network.Name = tame(f.value, maxText)
			if strings.Contains(strings.ToLower(f.value), "abuse") {
				doubt = ""
			}
		case f.is("e", "e-mail", "email", "電子メール", "電子メイル") && strings.Contains(f.value, "@"):
			rd.mailboxes = append(rd.mailboxes, mention{text: f.value, where: f.where, role: "e-mail", level: levelNone, mark: nameMark(f.value), doubt: doubt})
		case strings.Contains(f.value, "@"):
			rd.mailboxes = append(rd.mailboxes, mention{text: f.value, where: f.where, role: tame(f.label, maxText), entity: f.where, level: levelNone, mark: markNone})
		}
	}
}

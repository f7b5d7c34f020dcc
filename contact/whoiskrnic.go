package contact

import "strings"

// krnicBlock is a block of addresses with the contacts below it.
type krnicBlock struct {
	network Network
	holder  string
	emails  []mention
}

// readKRNIC reads what KRNIC (KISA) writes: a block and, where the holder has given
// part of it away, that part. Until about 2009 each had contacts by their tasks;
// since then it has one, which is for everything.
func readKRNIC(w *whois) (*reading, error) {
	blocks := w.krnicBlocks()
	if len(blocks) == 0 {
		return nil, nil
	}
	best := blocks[0]
	for _, b := range blocks {
		if b.network.hostBits() < best.network.hostBits() {
			best = b
		}
	}
	rd := &reading{class: "ip network", network: best.network, holders: []string{best.holder}, mailboxes: best.emails}
	for _, b := range blocks {
		if b != best && b.network.Contains(best.network.First) {
			rd.mailboxes = append(rd.mailboxes, b.around(len(best.emails) == 0)...)
		}
	}
	return rd, nil
}

// around returns the mailboxes of a block for a smaller one in it: the abuse desk,
// and the general contact where the smaller one has none.
func (b *krnicBlock) around(all bool) []mention {
	var list []mention
	for _, m := range b.emails {
		if m.level == levelHolder && !all {
			m.level = levelNone
		}
		m.doubt = "of the network around it"
		list = append(list, m)
	}
	return list
}

// krnicBlocks reads the English part, or all where there is none.
func (w *whois) krnicBlocks() []*krnicBlock {
	var blocks []*krnicBlock
	section := ""
	for i, line := range w.lines {
		if strings.EqualFold(strings.TrimSpace(line), "# english") {
			blocks, section = nil, ""
		}
		if strings.HasPrefix(line, "[") {
			section = strings.ToLower(strings.Trim(line, "[ ]"))
		}
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if !ok || value == "" {
			continue
		}
		var b *krnicBlock
		if len(blocks) > 0 {
			b = blocks[len(blocks)-1]
		}
		switch key {
		case "ipv4 address", "ipv6 address", "ipv4주소", "ipv6주소":
			if n, ok := span(value); ok && len(blocks) < maxObjects {
				n.Country, n.Registry = "KR", "krnic"
				blocks = append(blocks, &krnicBlock{network: n})
			}
		case "service name", "network name", "서비스명", "네트워크 이름":
			if b != nil {
				b.network.Name = tame(value, maxText)
			}
		case "organization name", "org name", "기관명":
			if b != nil {
				b.holder = tame(value, maxText)
			}
		case "e-mail", "email", "전자우편":
			if b != nil && len(b.emails) < maxMails {
				b.emails = append(b.emails, krnicMail(section, value, lineNumber(i+1)))
			}
		}
	}
	return blocks
}

// krnicMail says what an e-mail counts by the heading that it stands under.
func krnicMail(section, text, where string) mention {
	m := mention{text: text, where: where, entity: where, role: "e-mail", level: levelHolder, mark: nameMark(text)}
	switch {
	case strings.Contains(section, "abuse"):
		m.role, m.level = "abuse", levelResource
	case strings.Contains(section, "admin") || strings.Contains(section, "tech"):
		m.role, m.level = section, levelNone
	case m.mark == markNone:
		m.doubt = "the only contact, not marked for abuse"
	}
	return m
}

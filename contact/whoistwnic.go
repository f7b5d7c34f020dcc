package contact

import "strings"

// readTWNIC reads what TWNIC writes about a network: indented fields, then a
// heading for each contact with its lines below.
func readTWNIC(w *whois) (*reading, error) {
	rd := &reading{class: "ip network", network: Network{Country: "TW", Registry: "twnic"}}
	name, heading := "", ""
	for i, line := range w.lines {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		if key = strings.ToLower(strings.TrimSpace(key)); ok && (value == "" || strings.HasSuffix(key, " contact")) {
			heading = key
		}
		switch key {
		case "netname":
			name = tame(value, maxText)
		case "netblock":
			n, ok := span(value)
			if !ok || rd.network.First.IsValid() && n.hostBits() >= rd.network.hostBits() {
				continue
			}
			rd.network.First, rd.network.Last, rd.network.Name = n.First, n.Last, name
		}
		for _, text := range addressInText.FindAllString(line, maxMails) {
			if len(rd.mailboxes) < maxMails {
				rd.mailboxes = append(rd.mailboxes, twnicMail(heading, text, lineNumber(i+1)))
			}
		}
	}
	if !rd.network.First.IsValid() {
		return nil, nil
	}
	return rd, nil
}

func twnicMail(heading, text, where string) mention {
	m := mention{text: text, where: where, entity: where, role: heading, level: levelNone, mark: nameMark(text)}
	if heading == "abuse contact" || heading == "spam contact" {
		m.role, m.level = "abuse", levelResource
	}
	return m
}

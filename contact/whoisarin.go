package contact

import "regexp"

// arinRow is a line of ARIN's short answer, given when several networks match:
// "Some ISP NET-NAME (NET-62-1-0-0-1) 62.1.0.0 - 62.1.255.255". The range of a long
// name stands on the next line.
var (
	arinRow   = regexp.MustCompile(`(?:^|\s)(\S+) \((NET6?-[0-9A-F-]{1,60})\)\s*(.*)$`)
	arinRange = regexp.MustCompile(`^\s+[0-9A-Fa-f.:]+ ?- ?[0-9A-Fa-f.:]+$`)
)

// readARINRows reads a short answer. It has no contacts: the handle of the smallest
// network is to be asked for next, in full ("+") and as a handle ("!").
func readARINRows(w *whois) (*reading, error) {
	var rd *reading
	for i, line := range w.lines {
		m := arinRow.FindStringSubmatch(line)
		if m == nil || line[0] == '#' {
			continue
		}
		block := m[3]
		if block == "" && i+1 < len(w.lines) && arinRange.MatchString(w.lines[i+1]) {
			block = w.lines[i+1]
		}
		n, ok := span(block)
		if !ok || rd != nil && n.hostBits() >= rd.network.hostBits() {
			continue
		}
		n.Name, n.Handle, n.Registry = tame(m[1], maxText), m[2], "arin"
		rd = &reading{class: "ip network", network: n, ask: "n + ! " + m[2]}
	}
	return rd, nil
}

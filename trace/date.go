package trace

import (
	"strings"
	"time"
)

// dateParser collects the parts of a date in whatever order they stand.
type dateParser struct {
	s                string
	year, month, day int
	h, m, sec, nsec  int
	haveTime         bool
	offset           int // seconds east of UTC
	haveZone         bool
}

// parseDate reads the date at the beginning of s: RFC 5322 §3.3 with its
// obsolete forms, ISO 8601, asctime, "Sep, 22 2002 11:23:30 PM". A date with
// no zone is taken as UTC; one before 1970 is none.
func parseDate(s string) (time.Time, bool) {
	p := dateParser{s: s}
	for range 12 { // no known form has more parts
		if !p.next() {
			break
		}
	}
	return p.time()
}

func (p *dateParser) time() (time.Time, bool) {
	if p.day < 1 || p.month == 0 || p.year < 1970 || p.year > 9998 || !p.haveTime {
		return time.Time{}, false
	}
	loc := time.UTC
	if p.offset != 0 {
		loc = time.FixedZone("", p.offset)
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.h, p.m, p.sec, p.nsec, loc)
	ok := p.day <= 31 && (t.Day() == p.day || p.sec == 60)
	return t, ok
}

// next reads one part; it is false at the end and at what is no date.
func (p *dateParser) next() bool {
	for p.s != "" && (isSpace(p.s[0]) || p.s[0] == ',') {
		p.s = p.s[1:]
	}
	if p.s == "" {
		return false
	}
	switch c := p.s[0]; {
	case isDigit(c):
		return p.number()
	case c == '+' || c == '-':
		return p.sign()
	case isLetter(c):
		return p.name()
	}
	return false
}

func (p *dateParser) number() bool {
	n, width := p.digits()
	switch {
	case width == 0 || width > 4:
		return false
	case strings.HasPrefix(p.s, ":") && !p.haveTime:
		return p.clock(n)
	case width == 4 && p.year == 0:
		p.year = n
		return p.iso()
	case width <= 2 && p.day == 0:
		p.day = n
	case p.year == 0:
		p.year = fullYear(n, width)
	default:
		return false
	}
	return true
}

// fullYear expands the two and three digits of RFC 5322 §4.3.
func fullYear(n, width int) int {
	switch {
	case width == 3 || width == 2 && n >= 50:
		return 1900 + n
	case width == 2:
		return 2000 + n
	}
	return n
}

// iso reads the "-07-28" behind a year, if it stands there.
func (p *dateParser) iso() bool {
	if len(p.s) < 6 || p.s[0] != '-' || !isDigit(p.s[1]) || p.s[3] != '-' {
		return true
	}
	p.s = p.s[1:]
	p.month, _ = p.digits()
	p.s = p.s[1:]
	p.day, _ = p.digits()
	p.s = strings.TrimPrefix(p.s, "T")
	return p.month <= 12
}

// clock reads what follows the hour: ":59:09.5281".
func (p *dateParser) clock(hour int) bool {
	p.s = p.s[1:]
	var width int
	p.h = hour
	if p.m, width = p.digits(); width == 0 {
		return false
	}
	if strings.HasPrefix(p.s, ":") {
		p.s = p.s[1:]
		p.sec, _ = p.digits()
	}
	if strings.HasPrefix(p.s, ".") {
		p.s = p.s[1:]
		p.fraction()
	}
	p.haveTime = p.h < 24 && p.m < 60 && p.sec <= 60
	return p.haveTime
}

func (p *dateParser) fraction() {
	scale := 100_000_000
	for p.s != "" && isDigit(p.s[0]) {
		p.nsec += int(p.s[0]-'0') * scale
		scale /= 10
		p.s = p.s[1:]
	}
}

// sign reads a zone, or the hyphen of "21-Sep-2002".
func (p *dateParser) sign() bool {
	neg := p.s[0] == '-'
	p.s = p.s[1:]
	if !p.haveTime {
		return neg
	}
	n, width := p.digits()
	if strings.HasPrefix(p.s, ":") && width <= 2 { // "+07:00"
		p.s = p.s[1:]
		m, _ := p.digits()
		n, width = n*100+m, 4
	}
	if width < 3 || width > 4 || p.haveZone {
		return false
	}
	p.haveZone = true
	if n/100 < 24 && n%100 < 60 {
		p.offset = (n/100*60 + n%100) * 60
	}
	if neg {
		p.offset = -p.offset
	}
	return p.year == 0 // asctime puts the year last
}

var (
	monthNames = "jan feb mar apr may jun jul aug sep oct nov dec"
	dayNames   = "sun mon tue wed thu fri sat"
	// zoneHours holds the zone names of RFC 5322 §4.3; all other names count
	// as "-0000" there, and so do they here.
	zoneHours = map[string]int{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
)

func (p *dateParser) name() bool {
	n := 0
	for n < len(p.s) && isLetter(p.s[n]) {
		n++
	}
	name := p.s[:n]
	p.s = strings.TrimPrefix(p.s[n:], ".")
	if p.haveTime {
		return p.afterTime(name)
	}
	if index(dayNames, name) >= 0 {
		return true
	}
	if i := index(monthNames, name); i >= 0 && p.month == 0 {
		p.month = i + 1
		return true
	}
	return false
}

// afterTime takes AM, PM or the name of a zone.
func (p *dateParser) afterTime(name string) bool {
	switch name {
	case "AM", "PM", "am", "pm":
		p.h %= 12
		if name == "PM" || name == "pm" {
			p.h += 12
		}
		return true
	}
	if !p.haveZone {
		p.offset = zoneHours[name] * 3600
		p.haveZone = true
	}
	return p.year == 0
}

func (p *dateParser) digits() (n, width int) {
	for width < len(p.s) && isDigit(p.s[width]) && width < 5 {
		n = n*10 + int(p.s[width]-'0')
		width++
	}
	p.s = p.s[width:]
	return n, width
}

// index finds which of the three-letter names begins s, in any case.
func index(names, s string) int {
	if len(s) < 3 {
		return -1
	}
	a, b, c := lower(s[0]), lower(s[1]), lower(s[2])
	for i := 0; i < len(names); i += 4 {
		if names[i] == a && names[i+1] == b && names[i+2] == c {
			return i / 4
		}
	}
	return -1
}

// startsDate reports whether s may be the first word of a date.
func startsDate(s string) bool {
	if s == "" {
		return false
	}
	if isDigit(s[0]) {
		return len(s) <= 2 || len(s) >= 10 && s[4] == '-' || len(s) > 3 && strings.Contains(s[:min(len(s), 4)], "-")
	}
	return len(s) >= 3 && len(s) <= len("Wednesday,") && isLetter(s[0]) && (index(dayNames, s) >= 0 || index(monthNames, s) >= 0)
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

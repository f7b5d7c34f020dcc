package milter

import "strings"

// ruleset is the rules sorted by field and voice.
//
// What a filter says in words is one voice, in whichever of its fields: those
// of one stem, as X-Spam-Flag and X-Spam-Status. A level or score is a voice of
// its own, for it may be set to ask for more or less than the filter's own word.
type ruleset struct {
	fields []fieldRules
	voices int
}

// fieldRules are the rules for one field name that speak with one voice.
type fieldRules struct {
	field string
	voice int // index into tags.marks
	rules []Rule
}

func newRuleset(rules []Rule) ruleset {
	var set ruleset
	voices := make(map[string]int)
	for _, r := range rules {
		voice, known := voices[r.voice()]
		if !known {
			voice = len(voices)
			voices[r.voice()] = voice
		}
		set.add(r, voice)
	}
	set.voices = len(voices)
	return set
}

func (set *ruleset) add(r Rule, voice int) {
	for i := range set.fields {
		f := &set.fields[i]
		if f.voice == voice && strings.EqualFold(f.field, r.Field) {
			f.rules = append(f.rules, r)
			return
		}
	}
	set.fields = append(set.fields, fieldRules{field: r.Field, voice: voice, rules: []Rule{r}})
}

func (r Rule) voice() string {
	field := strings.ToLower(r.Field)
	switch {
	case r.Level > 0:
		return "level of " + field
	case r.Score > 0:
		return "score of " + field
	default:
		return "word of " + stem(field)
	}
}

// stem cuts the last part off a name of three parts or more: X-Spam and
// X-Bogosity are two filters, X-Spam-Flag and X-Spam-Status are one.
func stem(field string) string {
	end := strings.LastIndexByte(field, '-')
	if end < 0 || !strings.Contains(field[:end], "-") {
		return field
	}
	return field[:end] + "-"
}

// tags is what the tag fields of one message said, one mark for each voice. It
// costs nothing until the first such field.
type tags struct {
	marks []mark
}

type mark struct {
	field, value string // what calls the message spam first
	isSpam       bool
	isHam        bool // said so by a field of this voice that no rule took for a tag
}

// see takes note of a header field.
func (t *tags) see(set *ruleset, name, value string) {
	for i := range set.fields {
		f := &set.fields[i]
		if len(name) != len(f.field) || !strings.EqualFold(name, f.field) {
			continue
		}
		if t.marks == nil {
			t.marks = make([]mark, set.voices)
		}
		t.marks[f.voice].add(f, value)
	}
}

func (m *mark) add(f *fieldRules, value string) {
	for _, r := range f.rules {
		if !r.matches(value) {
			continue
		}
		if !m.isSpam {
			m.isSpam, m.field, m.value = true, f.field, value
		}
		return
	}
	m.isHam = true
}

// verdict returns the field that calls the message spam and its value.
//
// A voice that contradicts itself is no tag: some of its fields were written by
// somebody else, which a filter that is set up well would have removed, and
// nothing tells which. spamass-milter 0.4.0 leaves the second of two X-Spam-Flag
// fields that a sender wrote, while its X-Spam-Status says No. Position does not
// tell: milters append at the end, SpamAssassin and amavis put theirs on top,
// and a sender can put his in either place. Not to report spam is the lesser
// evil; ambiguous lets the admin know.
func (t *tags) verdict() (field, value string, ambiguous bool) {
	for _, m := range t.marks {
		switch {
		case m.isSpam && !m.isHam:
			return m.field, m.value, ambiguous
		case m.isSpam:
			ambiguous = true
		}
	}
	return "", "", ambiguous
}

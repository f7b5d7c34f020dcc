package redaction

import "slices"

// view is one reading of a text, or of another view: what it says, and where that
// stands.
type view struct {
	text  []byte
	of    *view // nil for a text as it is
	jumps []jump
}

// jump is where a view and what it reads get out of step: octet at of the view stands
// for take octets from a place on, and those behind it for one octet each.
type jump struct{ at, from, take int }

// scratch is memory that redactions use again.
type scratch struct{ quoted, joined, escapes view }

// read fills a view with the reading of another one.
func (v *view) read(of *view, d *decode) *view {
	v.text, v.of, v.jumps = v.text[:0], of, v.jumps[:0]
	for i := 0; i < len(of.text); {
		from := i
		for i < len(of.text) && !d.special[of.text[i]] {
			i++
		}
		if v.text = append(v.text, of.text[from:i]...); i == len(of.text) {
			break
		}
		c, take, none := d.read(of.text, i)
		switch {
		case none:
			v.jump(jump{len(v.text), i + take, 1})
		case take > 1:
			v.jump(jump{len(v.text), i, take})
			fallthrough
		default:
			v.text = append(v.text, c)
		}
		i += take
	}
	return v
}

// jump adds one. Of two in one place, where something was passed over, the later counts.
func (v *view) jump(j jump) {
	if n := len(v.jumps); n > 0 && v.jumps[n-1].at == j.at {
		v.jumps = v.jumps[:n-1]
	}
	v.jumps = append(v.jumps, j)
}

// place returns where an octet of a view stands in the text.
func (v *view) place(i int) (from, to int) {
	if v.of == nil {
		return i, i + 1
	}
	from, to = i, i+1
	n, exact := slices.BinarySearchFunc(v.jumps, i, func(j jump, i int) int { return j.at - i })
	switch {
	case exact:
		from, to = v.jumps[n].from, v.jumps[n].from+v.jumps[n].take
	case n > 0:
		j := v.jumps[n-1]
		from = j.from + j.take + i - j.at - 1
		to = from + 1
	}
	from, _ = v.of.place(from)
	_, to = v.of.place(to - 1)
	return from, to
}

// edit replaces what octets from:to of the view stand for.
func (v *view) edit(from, to int, by string) edit {
	begin, _ := v.place(from)
	_, end := v.place(to - 1)
	return edit{begin, end, by}
}

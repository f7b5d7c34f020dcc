package trace

import "strings"

// glob matches s against a pattern of literal text, "*" and "?". Letters match in
// any case, as host names do.
func glob(pattern, s string) bool {
	if pattern != "" && s != "" && differ(pattern[0], s[0]) {
		return false // as most do
	}
	// Most names that begin with anything are told apart at their end.
	for p, i := len(pattern)-1, len(s)-1; p >= 0 && pattern[p] != '*'; p, i = p-1, i-1 {
		if i < 0 || differ(pattern[p], s[i]) {
			return false
		}
	}
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			if p == len(pattern)-1 {
				return true
			}
			star, mark = p, i
			p++
		case p < len(pattern) && !differ(pattern[p], s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// differ reports whether the pattern's octet p excludes c.
func differ(p, c byte) bool { return p != c && p != '*' && p != '?' && lower(p) != lower(c) }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

package reporter

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// plainLetters are letters and signs that have no decomposition.
var plainLetters = strings.NewReplacer("ß", "ss", "ł", "l", "ø", "o", "đ", "d", "ı", "i", "æ", "ae", "œ", "oe",
	"’", "'", "‘", "'", "´", "'", "`", "'", "“", `"`, "”", `"`, "„", `"`, "‑", "-", "\u00a0", " ", "\u202f", " ", "\u00ad", "")

// folded is a text in lower case without accents: tables of words are in such, as
// people leave accents away, and a word's border is known of ASCII letters alone.
func folded(text string) string { return unaccented(strings.ToLower(text)) }

func unaccented(text string) string {
	for i := range len(text) {
		if text[i] >= 0x80 {
			text = plainLetters.Replace(norm.NFD.String(text))
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
					return -1
				}
				return r
			}, text)
		}
	}
	return text
}

// phrase is an expression that is tried on folded texts.
func phrase(expr string) *regexp.Regexp { return regexp.MustCompile(unaccented(expr)) }

package reporter

import (
	"regexp"
	"strings"
	"sync"
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

// expression is compiled when it is first tried: there are many, and most runs of the
// program read no answer.
type expression struct {
	text     string
	once     sync.Once
	compiled *regexp.Regexp
}

// phrase is an expression that is tried on folded texts.
func phrase(text string) *expression { return &expression{text: text} }

func (e *expression) regexp() *regexp.Regexp {
	e.once.Do(func() { e.compiled = regexp.MustCompile(unaccented(e.text)) })
	return e.compiled
}

// MatchString is that of the Regexp, as are the others.
func (e *expression) MatchString(s string) bool            { return e.regexp().MatchString(s) }
func (e *expression) FindStringIndex(s string) []int       { return e.regexp().FindStringIndex(s) }
func (e *expression) ReplaceAllString(s, by string) string { return e.regexp().ReplaceAllString(s, by) }
func (e *expression) FindAllStringIndex(s string, n int) [][]int {
	return e.regexp().FindAllStringIndex(s, n)
}

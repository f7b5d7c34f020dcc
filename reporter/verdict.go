package reporter

import (
	"regexp"
	"strings"
)

// saying is what desks say in one language when they mean a kind of answer.
type saying struct {
	kind ReplyKind
	says *expression
	// unless, when it fits the sentence as well, takes the meaning away.
	unless *expression
	// nowhere, when it fits any sentence of the answer, takes it away, too.
	nowhere *expression
}

// said is a sentence and what it means.
type said struct {
	kind     ReplyKind
	sentence string
}

// These bound what is read of an answer: who has not said it by then writes about
// something else. The second is in octets.
const (
	maxSentences = 200
	maxSentence  = 500
)

// verdicts returns the meanings found in a text, each once.
func verdicts(text string) []said {
	var found []said
	seen := map[ReplyKind]bool{}
	whole := folded(text)
	for i, sentence := range sentences(text) {
		if i == maxSentences {
			break
		}
		for _, kind := range meanings(sentence, whole) {
			if !seen[kind] {
				found, seen[kind] = append(found, said{kind, sentence}), true
			}
		}
	}
	return found
}

// meanings reads one sentence of an answer.
func meanings(sentence, whole string) (kinds []ReplyKind) {
	text := polite.ReplaceAllString(folded(clip(sentence, maxSentence)), " ")
	for _, l := range languages {
		for _, s := range l.sayings {
			at := s.says.FindStringIndex(text)
			if at == nil || s.unless != nil && s.unless.MatchString(text) || s.nowhere != nil && s.nowhere.MatchString(whole) {
				continue
			}
			before, after := clause(text[:at[1]], at[0]), text[at[1]:]
			if !l.hedged(s.kind, before) && !strings.Contains(after, "?") && !(s.kind == ReplyResolved && onlyWhen.MatchString(after)) {
				kinds = append(kinds, s.kind)
			}
		}
	}
	return kinds
}

// hedged reports whether what leads up to a saying, with it, makes it a condition, a
// promise or a guess. What is said of things done is also undone by a "not"; a form is
// named for those who want to report, which is no condition.
func (l *language) hedged(kind ReplyKind, words string) bool {
	return kind != ReplyUseForm && l.open.MatchString(words) || kind == ReplyResolved && l.not.MatchString(words)
}

// clauseBegins parts sentences where what was said before does not bear on the rest.
var clauseBegins = phrase(`;|—| – | - |\b(but|however|aber|jedoch|mais|pero|sin embargo|tuttavia|porem|maar|jednak)\b|\bно\b`)

// clause is the end of a text from the clause on in which a place stands.
func clause(text string, place int) string {
	begin := 0
	for _, at := range clauseBegins.FindAllStringIndex(text[:place], -1) {
		begin = at[1]
	}
	return text[begin:]
}

// onlyWhen begins what makes a condition of what was said before it.
var onlyWhen = phrase(`^\W*(?:\w+ ){0,2}?(?:when|if|once|unless|only|as soon as|wenn|sobald|falls|si|lorsque|cuando|quando|als|zodra|jesli|gdy|если|когда)\b`)

// polite are phrases that look like conditions and promises and are none.
var polite = phrase(`\b(would|'d|should|wanted|wish|want) (also )?(like )?to (inform|let you know|notify|advise|confirm|tell|thank|report|update|point out|assure)|\b(can|may|could) (also )?(confirm|inform|report|tell|assure|advise|let you know|see)|(do not|don't|please|feel) (hesitate|free)|\bmochten (wir )?(ihnen|sie)?|\b(podemos|pudemos) confirmar|\bpouvons (vous )?(confirmer|informer)|\bkonnen (wir )?(ihnen )?(bestatigen|mitteilen)|nous (vous )?(informons|confirmons)|\bmay be (found|reached|seen)|\bno longer\b.{0,10}\b(able)\b`)

var sentenceEnds = regexp.MustCompile(`[.!]+["')\]]*\s+|[。！]+|\r?\n[ \t]*\r?\n|\r?\n[ \t]*[-*•·][ \t]+|\?\s*`)

// sentences splits a text, with lines that were wrapped put together. A question
// keeps its mark: it states nothing.
func sentences(text string) []string {
	text = strings.ReplaceAll(text, "？", "?")
	var all []string
	at := 0
	for _, end := range sentenceEnds.FindAllStringIndex(text, -1) {
		keep := end[0]
		if text[keep] == '?' {
			keep++
		}
		all = append(all, strings.Join(strings.Fields(text[at:keep]), " "))
		at = end[1]
	}
	return append(all, strings.Join(strings.Fields(text[at:]), " "))
}

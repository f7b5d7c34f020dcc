package reporter

import (
	"io"
	"regexp"
	"strings"
)

// saying is a sentence that desks write, and what it means.
type saying struct {
	kind ReplyKind
	says *regexp.Regexp
	// unless, when it fits the sentence as well, takes the meaning away.
	unless *regexp.Regexp
}

// hedged sentences say what was not done, or may be, or is asked.
var hedged = regexp.MustCompile(`\b(not|never|cannot|unable|if|once|when|whenever|until|unless|will|would|should|may|might|could|nicht|wenn|sobald|falls|wird|werden)\b|n't|n’t|\?`)

// sayings, in lower case, as desks were seen to write them. Better none than a wrong
// one: what is missed is read by a person.
var sayings = []saying{
	{ReplyNotOurs, regexp.MustCompile(`\b(is|are|was|were) (not|n't) (in|on|within|from|part of|a part of|under|hosted (by|with|on|in)|owned by|managed by|controlled by|operated by|assigned to|allocated to|announced by) (us|our|ours|my|this)\b`), nil},
	{ReplyNotOurs, regexp.MustCompile(`\b(does|do) not belong to (us|our)\b|\bnot (our|one of our) (ip|ips|address|addresses|network|networks|customer|customers|range|ranges)\b|\bwe are not (responsible for|the (owner|operator|provider|abuse contact) (of|for))\b|\bnicht (unser|unsere|unserem|in unserem|aus unserem) (netz|netzwerk|ip|adresse|kunde)\b`), nil},
	{ReplyUseForm, regexp.MustCompile(`\b(please|must|only|have to|need to|kindly)\b.{0,80}\b(use|using|fill|fill in|fill out|complete|submit|submitted|via|through|visit)\b.{0,80}\b(web ?form|online form|abuse form|reporting form|report form|contact form|complaint form|portal|web ?site)\b`), nil},
	{ReplyUseForm, regexp.MustCompile(`\b(this|the) (mailbox|e-?mail address|address|inbox) is (not|no longer) (being )?(monitored|read|attended|in use|used)\b|\bno longer accept\w* (abuse )?(reports|complaints) (by|via|through) e-?mail\b`), nil},
	{ReplyResolved, regexp.MustCompile(`\b(has|have) (now |already |since )?been (permanently |temporarily )?(suspended|terminated|disabled|deactivated|blocked|shut down|taken down|resolved|cleaned|nullrouted|null-routed|removed)\b`), hedged},
	{ReplyResolved, regexp.MustCompile(`\bwe (have |'ve )?(now |already |since )?(permanently |temporarily )?(suspended|terminated|disabled|deactivated|blocked|shut down|taken down|resolved|removed|null-?routed) (the|this|that|your|our|his|their)\b`), hedged},
	{ReplyResolved, regexp.MustCompile(`\b(this|the) (issue|case|matter|problem|ticket|incident|complaint) (is|was) (now )?(resolved|solved|fixed)\b|\b(wurde|haben wir|ist) .{0,60}\b(gesperrt|abgeschaltet|deaktiviert|behoben)\b`), hedged},
}

// said is a sentence and what it means.
type said struct {
	kind     ReplyKind
	sentence string
}

// These bound what is read of an answer: who has not said it by then writes about
// something else. The second is in characters.
const (
	maxSentences = 200
	maxSentence  = 400
)

// verdicts returns the meanings found in a text, each once.
func verdicts(text string) []said {
	var found []said
	seen := map[ReplyKind]bool{}
	for i, sentence := range sentences(text) {
		if i == maxSentences {
			break
		}
		lower := strings.ToLower(clip(sentence, maxSentence))
		for _, s := range sayings {
			if !seen[s.kind] && s.says.MatchString(lower) && (s.unless == nil || !s.unless.MatchString(lower)) {
				found, seen[s.kind] = append(found, said{s.kind, sentence}), true
			}
		}
	}
	return found
}

var sentenceEnds = regexp.MustCompile(`[.!]\s+|\n\s*\n|\?\s*`)

// sentences splits a text, with lines that were wrapped put together. A question
// keeps its mark: it states nothing.
func sentences(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
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

func copyText(into *strings.Builder, from io.Reader) {
	_, _ = io.Copy(into, io.LimitReader(from, int64(maxReplyText-min(into.Len(), maxReplyText)))) // a broken part ends where it breaks
}

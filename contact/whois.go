package contact

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	maxObjects    = 256  // read of one answer of port 43; real ones hold a dozen
	maxAttributes = 1024 // read of one object; real ones have a hundred at most
)

// whois is an answer of port 43 (RFC 3912), which has no form of its own: lines,
// and in most of them objects of "key: value" between blank lines, as the RPSL
// registries (RFC 2622), ARIN, LACNIC and registro.br write them, and remarks of
// the server.
type whois struct {
	server   string
	lines    []string
	objects  []whoisObject
	comments []attribute // "%" and "#" lines, without the mark
}

// whoisObject is a paragraph; its first key says of what kind.
type whoisObject []attribute

type attribute struct {
	key   string // in lower case
	value string
	where string // "line 17", counted from 1
}

func lineNumber(n int) string { return fmt.Sprintf("line %d", n) }

// whoisForms are the ways in which servers write, asked in turn. Each gives nil
// for what it does not know.
var whoisForms = []func(*whois) (*reading, error){
	readNetwork, readJPNIC, readKRNIC, readTWNIC, readARINRows, readAutnum, readDomain, readHandle,
}

// errNoMatch says that the server answered and has no entry. Another answer is
// not to be had by asking again.
var errNoMatch = errors.New("the registry has no entry for it")

// readWHOIS reads an answer of port 43 about a network, an autonomous system, a
// domain or a contact by its handle.
func readWHOIS(server string, raw []byte) (*reading, error) {
	text := whoisText(raw)
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("an empty answer")
	}
	w := parseWHOIS(server, text)
	for _, read := range whoisForms {
		rd, err := read(w)
		if err != nil {
			return nil, err
		}
		if rd != nil {
			slices.SortStableFunc(rd.mailboxes, func(a, b mention) int { return int(a.level) - int(b.level) })
			rd.mailboxes = rd.mailboxes[:min(len(rd.mailboxes), maxObjects)]
			rd.handles = rd.handles[:min(len(rd.handles), maxObjects)]
			return rd, nil
		}
	}
	if line := w.says(refusals); line != "" {
		return nil, fmt.Errorf("the server refuses to answer: %q", line)
	}
	if line := w.says(noMatches); line != "" {
		return nil, fmt.Errorf("%w: %q", errNoMatch, line)
	}
	return nil, errors.New("no network or domain that can be read in the answer")
}

// shifted are stretches of ISO-2022-JP and ISO-2022-KR, whose octets look like
// ASCII and mean something else.
var shifted = regexp.MustCompile("\x1b\\$[()]?[@-Z][^\x1b\x0e\n]*(?:\x1b\\([BJ])?|\x0e[^\x0f\n]*\x0f?")

// whoisText makes UTF-8 of an answer, line by line where it stood. Servers name
// no charset, so what is neither ASCII nor UTF-8 becomes U+FFFD, which no mailbox
// has: to leave it out would join what stood apart.
func whoisText(raw []byte) string {
	raw = shifted.ReplaceAll(raw, []byte("\ufffd"))
	return strings.TrimPrefix(strings.ToValidUTF8(string(raw), "\ufffd"), "\ufeff")
}

func parseWHOIS(server, text string) *whois {
	w := &whois{server: strings.ToLower(server)}
	var object whoisObject
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		w.lines = append(w.lines, line)
		where := lineNumber(len(w.lines))
		switch {
		case line == "":
			w.add(object)
			object = nil
		case line[0] == '%' || line[0] == '#':
			w.comments = append(w.comments, attribute{value: strings.TrimSpace(line[1:]), where: where})
		case line[0] == ' ' || line[0] == '\t' || line[0] == '+': // more of the value above: none of what is read here
		default:
			if key, value, ok := strings.Cut(line, ":"); ok && len(object) < maxAttributes {
				object = append(object, attribute{strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value), where})
			}
		}
	}
	w.add(object)
	return w
}

func (w *whois) add(o whoisObject) {
	if len(o) > 0 && len(w.objects) < maxObjects {
		w.objects = append(w.objects, o)
	}
}

func (o whoisObject) kind() string { return o[0].key }

// get returns the first value of a key.
func (o whoisObject) get(keys ...string) string {
	for _, a := range o {
		if slices.Contains(keys, a.key) {
			return tame(a.value, maxText)
		}
	}
	return ""
}

// all returns the values of some keys.
func (o whoisObject) all(keys ...string) []string {
	var values []string
	for _, a := range o {
		if slices.Contains(keys, a.key) {
			values = append(values, tame(a.value, maxText))
		}
	}
	return values
}

// referredHost reads a server that an answer sends on to: a name, or a URL of the
// scheme whois. Other schemes (rwhois, RFC 2167) and ports are not asked.
func (w *whois) referredHost(value string) string {
	host, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(value)), " ")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "whois://"), "/")
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":43"), ".")
	host, err := mailDomain(host)
	if err != nil || len(host) > maxMailbox || host == w.server {
		return ""
	}
	return host
}

// handle is what may be sent back to a server as the name of an object.
var handle = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$`)

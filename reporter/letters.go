package reporter

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"text/template"
)

// The texts built in, a directory for each language. "text" is the part of a
// report that people read, "letter" the beginning of a letter, "withdrawal" the word that a
// complaint was a mistake, "subject" the subject of all.
//
//go:embed templates
var embedded embed.FS

// letterNames are the templates that each language has.
var letterNames = []string{"text", "letter", "withdrawal", "subject"}

// Letters are the texts of complaints by language, checked: what could fail has
// failed when they were read.
type Letters struct {
	texts map[string]*template.Template // by "en/text"
}

var builtin = must(readLetters(sub(embedded, "templates"), nil))

func must(l *Letters, err error) *Letters {
	if err != nil {
		panic(fmt.Sprintf("built-in templates: %v", err)) // our own files
	}
	return l
}

func sub(f fs.FS, dir string) fs.FS {
	f, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // an invalid name, which ours is not
	}
	return f
}

// ReadLetters reads the templates of a directory, LANGUAGE/text.tmpl, letter.tmpl,
// withdrawal.tmpl and subject.tmpl, over those built in. Each is tried on letters with all and
// with the least that can be said, so that none fails when a complaint goes out. A
// new language needs all of them.
func ReadLetters(dir string) (*Letters, error) {
	if dir == "" {
		return builtin, nil
	}
	return readLetters(os.DirFS(dir), builtin)
}

// Languages lists the languages that there are letters in.
func (l *Letters) Languages() []string {
	seen := map[string]bool{}
	for name := range l.texts {
		seen[path.Dir(name)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// maxTemplate bounds a template's file, in octets.
const maxTemplate = 64 << 10

func readLetters(dir fs.FS, under *Letters) (*Letters, error) {
	l := &Letters{texts: map[string]*template.Template{}}
	if under != nil {
		maps.Copy(l.texts, under.texts)
	}
	files, err := fs.Glob(dir, "*/*.tmpl")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("no template there: they are named LANGUAGE/text.tmpl, letter.tmpl, withdrawal.tmpl and subject.tmpl")
	}
	var faults []error
	for _, f := range files {
		if err := l.read(dir, f); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", f, err))
		}
	}
	for _, language := range l.Languages() {
		for _, name := range letterNames {
			if l.texts[language+"/"+name] == nil && len(faults) == 0 {
				faults = append(faults, fmt.Errorf("the language %s has no %s.tmpl", language, name))
			}
		}
	}
	return l, errors.Join(faults...)
}

func (l *Letters) read(dir fs.FS, file string) error {
	name := strings.TrimSuffix(file, ".tmpl")
	if !slices.Contains(letterNames, path.Base(name)) {
		return fmt.Errorf("no letter has that name: there are %s", strings.Join(letterNames, ", "))
	}
	text, err := fs.ReadFile(dir, file)
	if err != nil {
		return err
	}
	if len(text) > maxTemplate {
		return fmt.Errorf("larger than %d octets: no letter is", maxTemplate)
	}
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"line": oneLine}).Parse(string(text))
	if err != nil {
		return err
	}
	l.texts[name] = t
	return l.try(name)
}

// try holds a template to what every letter must say (RFC 6650 §5): what it is
// about, when that came, and how to ask for no more.
func (l *Letters) try(name string) error {
	for _, sample := range []Letter{leastLetter, fullLetter} {
		sample.Language = path.Dir(name)
		text, err := l.write(path.Base(name), &sample)
		if err != nil {
			return err
		}
		if path.Base(name) == "subject" {
			if line := strings.TrimSpace(string(text)); !strings.Contains(line, sample.Source) || strings.Contains(line, "\n") {
				return errors.New("the subject must be one line that names the source")
			}
			continue
		}
		for what, said := range map[string]bool{"source": says(text, sample.Source), "time of arrival": says(text, sample.Arrival, sample.When),
			"mailbox to answer to": says(text, sample.From), "number of the complaint": says(text, sample.ID)} {
			if !said {
				return fmt.Errorf("the letter does not say the %s: it must be enough on its own, and say how to get no more", what)
			}
		}
	}
	return nil
}

func says(text []byte, either ...string) bool {
	return slices.ContainsFunc(either, func(s string) bool { return bytes.Contains(text, []byte(s)) })
}

// Samples that templates are tried on.
var (
	leastLetter = Letter{Source: "192.0.2.7", Arrival: "Mon, 23 Nov 2026 12:00:00 +0000", When: "23.11.2026 um 12:00:00 UTC", MTA: "mx.isp.example",
		From: "abuse@isp.example", ID: "4711017", Withdraws: "4711012", Count: 1}
	fullLetter = Letter{
		Source: "2001:db8::7", Port: "40123", HELO: "pc.example", RDNS: "host7.net.example",
		Arrival: "Mon, 23 Nov 2026 12:00:00 +0000", When: "23.11.2026 um 12:00:00 UTC", MTA: "mx.isp.example", Seen: true, QueueID: "4Xyz12",
		MailFrom: "offers@sender.example", Subject: "Offers", Cause: "user",
		To:      []LetterTo{{"abuse@net.example", "RDAP", "abuse"}, {Address: "security@net.example"}},
		Network: "2001:db8::/32", NetworkName: "NET-EXAMPLE", Kept: 1 << 20, BodyCut: true, Altered: true, Redacted: true,
		Customer: "198.51.100.9", Account: "4711", Relay: "192.0.2.25", Domain: "shop.example", NamedBy: "dkim", OnlyDomain: true,
		From: "Mail Abuse <abuse@isp.example>", ID: "4711017", Withdraws: "4711012",
		Incidents: []LetterIncident{{"23.11.2026 um 12:00:00 UTC", "2001:db8::7", "4Xyz12"},
			{When: "23.11.2026 um 12:00:01 UTC"}},
		Resolved: "abuse+17-resolved-x@isp.example", NotOurs: "abuse+17-notours-x@isp.example", Stop: "abuse+17-stop-x@isp.example",
		Count: 3, More: 1, Signature: "ISP Example, Mail Abuse",
	}
)

// defaultLanguage is that of letters where nothing else was asked for.
const defaultLanguage = "en"

// write returns a letter with CRLF line ends.
func (l *Letters) write(name string, letter *Letter) ([]byte, error) {
	language := cmp.Or(letter.Language, defaultLanguage)
	t := l.texts[language+"/"+name]
	if t == nil {
		return nil, fmt.Errorf("no letters in the language %q: there are %s", language, strings.Join(l.Languages(), ", "))
	}
	var b bytes.Buffer
	if err := t.Execute(&b, letter); err != nil {
		return nil, err
	}
	text := bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), nil
}

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
)

// dossier is the files of a case, with what each is.
type dossier struct {
	files []file
}

type file struct {
	name  string // with slashes
	means string // one line of the README; none for those that it tells of otherwise
	data  []byte
}

func (d *dossier) add(name, means string, data []byte) {
	d.files = append(d.files, file{name, means, data})
}

// addJSON adds a file for programs, indented for people.
func (d *dossier) addJSON(name, means string, v any) error {
	var b bytes.Buffer
	enc := newJSON(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.add(name, means, b.Bytes())
	return nil
}

// newDossier collects a case. What can't be had any more is left out, and the README
// says so. altered is what was wrong with the trail.
func newDossier(e *Env, k *queue.Case, trail queue.Trail, altered error) (*dossier, error) {
	d := &dossier{}
	var missing []string
	miss := func(format string, args ...any) { missing = append(missing, fmt.Sprintf(format, args...)) }
	var text, message bytes.Buffer
	if err := newPaper(&text, false, time.UTC).write(k); err != nil {
		return nil, err
	}
	d.add("case.txt", "the whole case for reading; times are UTC", text.Bytes())
	if err := compose(e, &message, &k.Complaint); err != nil {
		miss("complaint.eml: %v", err)
	} else {
		d.add("complaint.eml", composedNote(&k.Complaint), message.Bytes())
	}
	if err := d.addJSON("case.json", "the case for programs", caseView(k)); err != nil {
		return nil, err
	}
	d.add("events.jsonl", "the audit trail's events of this complaint, one JSON object a line", eventLines(k.Events))
	for i := range k.Complaint.Incidents {
		if err := d.incident(&k.Complaint.Incidents[i], miss); err != nil {
			return nil, err
		}
	}
	if err := d.contact(k.Complaint.Contact, miss); err != nil {
		return nil, err
	}
	d.add("README.txt", "", readme(k, d.files, missing, trail, altered))
	return d, nil
}

func composedNote(c *queue.Complaint) string {
	if len(c.Taken) > 0 {
		return "the complaint that was sent to " + strings.Join(c.Taken, ", ") + ", composed again from what is stored"
	}
	return "the complaint as it would be sent; nobody has got it"
}

func eventLines(events []queue.Event) []byte {
	var b bytes.Buffer
	enc := newJSON(&b)
	for i := range events {
		enc.Encode(&events[i]) // to memory, and of plain fields
	}
	return b.Bytes()
}

// envelopeJSON is what a message came with besides its octets.
type envelopeJSON struct {
	incidentJSON
	RcptTo    []string `json:"rcpt_to"`
	HeaderCut bool     `json:"header_cut"`
	BodyKept  int      `json:"body_kept"` // octets
	BodySize  int64    `json:"body_size"` // octets that were seen
}

// incident adds one reported message and its chain.
func (d *dossier) incident(in *queue.Incident, miss func(string, ...any)) error {
	dir := fmt.Sprintf("report-%d/", in.ReportID)
	m := &in.Report.Message
	if in.Report.Purged {
		miss("%smessage.eml: removed because the time to keep it was over, or a person's traces were erased", dir)
	} else {
		note := "the reported message as it was received"
		switch {
		case m.HeaderCut:
			note += "; the end of its header and its body were cut"
		case m.Truncated():
			note += fmt.Sprintf("; of its body the first %d octets", len(m.Body))
		}
		d.add(dir+"message.eml", note, octets(m.Header, m.Body))
	}
	var picture bytes.Buffer
	if err := writeChain(&picture, &in.Chain, false); err != nil {
		return err
	}
	d.add(dir+"chain.txt", "its way, newest hop first, with what each hop is believed for", picture.Bytes())
	if err := d.addJSON(dir+"chain.json", "the same for programs", &in.Chain); err != nil {
		return err
	}
	envelope := envelopeJSON{incidentView(in), append([]string{}, m.RcptTo...), m.HeaderCut, len(m.Body), m.BodySize}
	return d.addJSON(dir+"report.json", "who reported it, its envelope, and the facts of the SMTP session", envelope)
}

// octets joins header and body by an empty line with the line end of the header.
func octets(header, body []byte) []byte {
	end := "\n"
	if bytes.Contains(header, []byte("\r\n")) {
		end = "\r\n"
	}
	return bytes.Join([][]byte{header, body}, []byte(end))
}

// contact adds the decision on the contact, and each answer as it came.
func (d *dossier) contact(raw json.RawMessage, miss func(string, ...any)) error {
	if len(raw) == 0 {
		miss("contact.json: none is kept: the time to keep it was over, a person's traces were erased, or nobody was asked")
		return nil
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		return fmt.Errorf("stored contact: %w", err)
	}
	d.add("contact/contact.json", "why these addressees: every question, answer and verdict", indented.Bytes())
	var a contact.Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("stored contact: %w", err)
	}
	d.answers("contact/", &a)
	return nil
}

func (d *dossier) answers(prefix string, a *contact.Answer) {
	for i := range a.Evidence {
		if ev := &a.Evidence[i]; len(ev.Raw) > 0 {
			d.add(fmt.Sprintf("%sanswer-%02d-%s%s", prefix, i+1, fileWord(ev.Source), suffix(ev.Raw)),
				fmt.Sprintf("answer of %s to %s at %s", visible(cmp.Or(ev.Server, ev.Source)), visible(ev.Query), moment(ev.At)), ev.Raw)
		}
	}
	for i := range a.Hosts {
		d.answers(fmt.Sprintf("%shost-%02d-", prefix, i+1), &a.Hosts[i])
	}
}

// fileWord keeps of a name what any system takes in a file's.
func fileWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(s))
}

func suffix(raw []byte) string {
	if json.Valid(raw) {
		return ".json"
	}
	return ".txt"
}

// readme says what each file is, and how to check it.
func readme(k *queue.Case, files []file, missing []string, trail queue.Trail, altered error) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `Complaint %d about %s, exported by spamreport-milter %s

Files
`, k.Complaint.ID, k.Complaint.Source, version())
	for _, f := range files {
		fmt.Fprintf(&b, "  %s\n      %s\n", f.name, f.means)
	}
	b.WriteString("  SHA256SUMS\n      the SHA-256 of every other file\n")
	if len(missing) > 0 {
		b.WriteString("\nNot there\n")
	}
	for _, m := range missing {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	b.WriteString(`
How to check
  All files are as they were packed when "sha256sum -c SHA256SUMS", run where they
  were unpacked, says OK for each. The SHA-256 of the zip itself was printed when it
  was made.
  In the chain only the hops that are marked as session, trusted or attested are
  vouched for; what is marked as claimed or forged the sender may have written.
  Registries' answers are the octets that they sent; their SHA-256 at the time of
  the question is in contact/contact.json.

The audit trail
  Each event's hash covers all before it, in the whole queue. When this was made
  "spamreport-milter queue verify" said of it:

`)
	said := trailText(trail)
	if altered != nil {
		said = fmt.Sprintf("ALTERED   %v\n", altered)
	}
	for line := range strings.Lines(said) {
		b.WriteString("    " + line)
	}
	b.WriteString(`
  The head is a number and a hash. With a head that was noted elsewhere,
  "spamreport-milter queue verify --noted NUMBER:HASH" shows whether the trail was
  written anew since. What the trail can't show is whether an event was true when
  it was written.
`)
	return []byte(b.String())
}

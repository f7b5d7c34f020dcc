package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"spamreport-milter/contact"
)

// maxRecorded is how much of a recorded answer is read; registries' own are cut
// at the same size.
const maxRecorded = 1 << 20

// decideOne answers from one recorded answer.
func (c *ContactCmd) decideOne(e *Env) error {
	if !slices.Contains(contact.RecordedKinds(), c.FromFile) {
		return &exitError{exUsage, fmt.Errorf("no kind of recorded answer is called %q; there are: %s, ndjson", c.FromFile, strings.Join(contact.RecordedKinds(), ", "))}
	}
	if len(c.Subjects) > 2 {
		return &exitError{exUsage, errors.New("--from-file takes one file, and at most one address or domain that it is about")}
	}
	s, err := recordedSubject(strings.Join(c.Subjects[1:], ""))
	if err != nil {
		return &exitError{exUsage, err}
	}
	raw, err := readRecorded(e.Stdin, c.Subjects[0])
	if err != nil {
		return &exitError{exNoInput, err}
	}
	answer, err := decideRecorded(s, c.FromFile, "", raw)
	if err != nil {
		return &exitError{exUsage, err}
	}
	if err := c.print(e.Stdout, &answer); err != nil {
		return err
	}
	if unread := answer.Evidence[0].Error; unread != "" {
		return &exitError{exData, fmt.Errorf("%s: %s", c.Subjects[0], unread)}
	}
	return nil
}

func decideRecorded(s subject, kind, server string, raw []byte) (contact.Answer, error) {
	ev, err := contact.Recorded(kind, server, raw, time.Now())
	if err != nil {
		return contact.Answer{}, err
	}
	return contact.DecideRecorded(s.addr, s.domain, ev), nil
}

func readRecorded(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("recorded answer: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxRecorded+1))
	if err == nil && len(raw) > maxRecorded {
		err = fmt.Errorf("more than %d octets", maxRecorded)
	}
	if err != nil {
		return nil, fmt.Errorf("recorded answer %s: %w", name, err)
	}
	return raw, nil
}

// recorded is a line of NDJSON.
type recorded struct {
	Kind   string          `json:"kind"`
	About  string          `json:"about"`
	Server string          `json:"server"`
	Answer json.RawMessage `json:"answer"`
}

// decideMany answers from one recorded answer a line. A line that can't be read
// does not keep the others from being read.
func (c *ContactCmd) decideMany(e *Env) error {
	if len(c.Subjects) != 1 {
		return &exitError{exUsage, errors.New("--from-file ndjson takes one file")}
	}
	in := e.Stdin
	if c.Subjects[0] != "-" {
		f, err := os.Open(c.Subjects[0])
		if err != nil {
			return &exitError{exNoInput, fmt.Errorf("recorded answers: %w", err)}
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), 4*maxRecorded) // JSON may escape each octet
	var faults []error
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := c.decideLine(e.Stdout, lines.Bytes()); err != nil {
			faults = append(faults, fmt.Errorf("%s: line %d: %w", c.Subjects[0], n, err))
		}
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", c.Subjects[0], err))
	}
	if faults != nil {
		return &exitError{exData, errors.Join(faults...)}
	}
	return nil
}

func (c *ContactCmd) decideLine(w io.Writer, line []byte) error {
	var r recorded
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	s, err := recordedSubject(r.About)
	if err != nil {
		return err
	}
	answer, err := decideRecorded(s, cmp.Or(r.Kind, "rdap"), r.Server, r.raw(line))
	if err != nil {
		return err
	}
	if err := c.print(w, &answer); err != nil {
		return err
	}
	if unread := answer.Evidence[0].Error; unread != "" {
		return errors.New(unread)
	}
	return nil
}

// recordedSubject is the address or domain that an answer was recorded for. An AS
// number or a handle, which has neither dot nor colon, is taken on trust.
func recordedSubject(about string) (subject, error) {
	if !strings.ContainsAny(about, ".:") {
		return subject{}, nil
	}
	list, err := parseSubjects([]string{about})
	if err != nil {
		return subject{}, err
	}
	return list[0], nil
}

// raw is the answer as it came: text is a JSON string, RDAP stands there itself.
func (r *recorded) raw(line []byte) []byte {
	var text string
	switch {
	case r.Answer == nil:
		return bytes.Clone(line)
	case json.Unmarshal(r.Answer, &text) == nil:
		return []byte(text)
	}
	return r.Answer
}

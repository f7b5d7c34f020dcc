package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// casePaper writes a case for people.
type casePaper struct {
	w      *bufio.Writer
	colour bool
	zone   *time.Location
}

func newPaper(w io.Writer, colour bool, zone *time.Location) *casePaper {
	return &casePaper{bufio.NewWriter(w), colour, zone}
}

// write prints what a person needs to decide: what it is about, how sure we are of the
// sender, why this contact, what happened so far.
func (p *casePaper) write(k *queue.Case) error {
	p.head(&k.Complaint)
	for i := range k.Complaint.Incidents {
		if err := p.incident(&k.Complaint.Incidents[i]); err != nil {
			return err
		}
	}
	if err := p.contact(k.Complaint.Source, k.Complaint.Contact); err != nil {
		return err
	}
	p.line("\nEvents")
	for _, ev := range k.Events {
		p.line("  %s  %-20s  %s%s", stampIn(ev.Time, p.zone), visible(ev.Actor), ev.Action, visible(prefixed(": ", ev.Reason)))
	}
	return p.w.Flush()
}

func (p *casePaper) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) } // Flush tells

func (p *casePaper) head(c *queue.Complaint) {
	p.line("Complaint %d, %s%s\n", c.ID, c.State, visible(prefixed(": ", c.Hold)))
	p.line("  about    %s  (%s%s%s)", c.Source, c.Party, visible(prefixed(" ", c.Domain)+prefixed(", ", c.Network)), prefixed(", ", asNumber(c.ASN)))
	p.line("  to       %s", orNone(strings.Join(c.To, ", ")))
	if len(c.Taken) > 0 {
		p.line("  taken    %s", strings.Join(c.Taken, ", "))
	}
	p.line("  subject  %s", visible(c.Subject))
	p.line("  format   %s%s", c.Format, letterNote(c))
	if c.Withdraws != 0 {
		p.line("  takes back complaint %d", c.Withdraws)
	}
	if !c.NextAttempt.IsZero() {
		p.line("  next     attempt %d at %s", c.Attempts+1, stampIn(c.NextAttempt, p.zone))
	}
	if !c.LookupAt.IsZero() {
		what := "asked for again at"
		if len(c.To) > 0 {
			what = "written to by itself, if all is well, from"
		}
		p.line("  contact  %s %s", what, stampIn(c.LookupAt, p.zone))
	}
}

func letterNote(c *queue.Complaint) string {
	if c.Letter == "" {
		return ""
	}
	return ", with a text that a person wrote"
}

func (p *casePaper) incident(in *queue.Incident) error {
	r := &in.Report
	p.line("\nReport %d, %s", in.ReportID, visible(said(r)))
	if s := r.Message.Session; s != nil {
		p.line("  received %s%s%s", stampIn(s.Time, p.zone), prefixed(" as ", visible(s.QueueID)), envelopeFrom(r))
	}
	if r.Purged {
		p.line("  its mail was removed: the time to keep it was over, or a person's traces were erased")
	}
	if r.Message.Truncated() {
		p.line("  the body was cut: %d octets kept", len(r.Message.Body))
	}
	if err := writeChain(p.w, &in.Chain, p.colour); err != nil {
		return err
	}
	return p.proof(in.Proof)
}

// proof tells which parties were thought of, and why.
func (p *casePaper) proof(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var proof reporter.Proof
	if err := json.Unmarshal(raw, &proof); err != nil {
		return fmt.Errorf("stored proof: %w", err)
	}
	p.line("\nParties")
	for _, a := range proof.Parties {
		about := a.Domain
		if a.Addr.IsValid() {
			about = a.Addr.String()
		}
		p.line("  %-17s  %s  %s", a.Name, visible(about), visible(a.Outcome))
		p.line("  %17s  because %s", "", visible(a.Why))
	}
	for _, c := range proof.Checks {
		p.line("  check  %s %s  %s", c.Method, c.Result, visible(strings.TrimSpace(c.Domain+" "+c.Reason)))
	}
	if proof.Domain == "" && proof.Reason != "" {
		p.line("  no sender domain: %s", visible(proof.Reason))
	}
	return nil
}

func envelopeFrom(r *queue.Report) string {
	if r.Purged {
		return ""
	}
	return fmt.Sprintf(", envelope sender <%s>", visible(r.Message.MailFrom))
}

// said tells who called it abuse, and in what words. A filter's reason names its
// field already.
func said(r *queue.Report) string {
	switch r.Cause {
	case queue.CauseFilter:
		return "tagged by a filter: " + r.Reason
	case queue.CauseUser:
		return "reported by " + r.Reporter + prefixed(": ", r.Reason)
	case queue.CauseTrap:
		return "caught by the trap " + r.Reporter + prefixed(": ", r.Reason)
	}
	return "handed in by " + r.Reporter + prefixed(": ", r.Reason)
}

func (p *casePaper) contact(source netip.Addr, raw json.RawMessage) error {
	p.line("\nContact")
	if len(raw) == 0 {
		p.line("  none is kept: the time to keep it was over, a person's traces were erased, or nobody was asked")
		return nil
	}
	var a contact.Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("stored contact: %w", err)
	}
	a.Addr = source // it is kept for all addresses of the network
	return writeAnswer(p.w, &a, p.zone)
}

// shownLines is how much of the message stands in the picture of a case.
const shownLines = 80

// message shows the beginning of what goes out, each line behind a bar: nothing in it
// can be taken for our own words.
func (p *casePaper) message(e *Env, c *queue.Complaint) error {
	p.line("\nThe message itself, as spamreport-milter queue show --message %d prints it whole:", c.ID)
	var b bytes.Buffer
	if err := compose(e, &b, c); err != nil {
		p.line("  %v", err)
		return p.w.Flush()
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\r\n"), "\r\n")
	for i, l := range lines {
		if i == shownLines {
			p.line("  … %d lines more", len(lines)-i)
			break
		}
		p.line("  | %s", visible(strings.ReplaceAll(l, "\t", "    ")))
	}
	return p.w.Flush()
}

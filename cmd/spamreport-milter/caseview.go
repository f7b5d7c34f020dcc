package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// complaintJSON is one complaint for programs.
type complaintJSON struct {
	ID          int64       `json:"id"`
	State       queue.State `json:"state"`
	Created     time.Time   `json:"created"`
	Updated     time.Time   `json:"updated"`
	Source      string      `json:"source"`
	Network     string      `json:"network,omitempty"`
	ASN         uint32      `json:"asn,omitempty"`
	Party       string      `json:"party"`
	To          []string    `json:"to"`
	Format      string      `json:"format"`
	Subject     string      `json:"subject,omitempty"`
	Hold        string      `json:"hold,omitempty"`
	Letter      string      `json:"letter,omitempty"`
	Withdraws   int64       `json:"withdraws,omitempty"`
	MessageID   string      `json:"message_id"`
	Approved    time.Time   `json:"approved,omitzero"`
	Taken       []string    `json:"taken,omitempty"`
	Attempts    int         `json:"attempts,omitempty"`
	NextAttempt time.Time   `json:"next_attempt,omitzero"`
	LookupAt    time.Time   `json:"lookup_at,omitzero"`
}

func complaintView(c *queue.Complaint) complaintJSON {
	return complaintJSON{
		ID: c.ID, State: c.State, Created: c.Created, Updated: c.Updated,
		Source: c.Source.String(), Network: c.Network, ASN: c.ASN, Party: c.Party,
		To: append([]string{}, c.To...), Format: c.Format, Subject: c.Subject, Hold: c.Hold,
		Letter: c.Letter, Withdraws: c.Withdraws, Taken: c.Taken,
		MessageID: c.MessageID, Approved: c.ReadyAt,
		Attempts: c.Attempts, NextAttempt: c.NextAttempt, LookupAt: c.LookupAt,
	}
}

// caseJSON is a complaint with all that is known about it but the mail itself.
type caseJSON struct {
	complaintJSON
	Contact   json.RawMessage `json:"contact"`
	Incidents []incidentJSON  `json:"incidents"`
	Events    []queue.Event   `json:"events"`
}

type incidentJSON struct {
	Report   int64          `json:"report"`
	Received time.Time      `json:"received"`
	Cause    queue.Cause    `json:"cause"`
	Reporter string         `json:"reporter"`
	Reason   string         `json:"reason,omitempty"`
	MailFrom string         `json:"mail_from"`
	Session  *trace.Session `json:"session,omitempty"`
	Chain    trace.Chain    `json:"chain"`
}

func caseView(k *queue.Case) caseJSON {
	v := caseJSON{complaintJSON: complaintView(&k.Complaint), Contact: k.Complaint.Contact, Events: k.Events}
	for _, in := range k.Complaint.Incidents {
		r := &in.Report
		v.Incidents = append(v.Incidents, incidentJSON{
			Report: in.ReportID, Received: r.Received, Cause: r.Cause, Reporter: r.Reporter, Reason: r.Reason,
			MailFrom: r.Message.MailFrom, Session: r.Message.Session, Chain: in.Chain,
		})
	}
	return v
}

// writeCase prints what a person needs to decide: what it is about, how sure we
// are of the sender, why this contact, what happened so far.
func writeCase(e *Env, k *queue.Case) error {
	c, w := &k.Complaint, e.Stdout
	fmt.Fprintf(w, "Complaint %d, %s", c.ID, c.State)
	if c.Hold != "" {
		fmt.Fprintf(w, ": %s", visible(c.Hold))
	}
	fmt.Fprintf(w, "\n\n  about    %s  (%s%s)\n", c.Source, c.Party, visible(prefixed(", ", c.Network)))
	fmt.Fprintf(w, "  to       %s\n", orNone(strings.Join(c.To, ", ")))
	fmt.Fprintf(w, "  subject  %s\n", visible(c.Subject))
	if !c.NextAttempt.IsZero() {
		fmt.Fprintf(w, "  next     attempt %d at %s\n", c.Attempts+1, stamp(c.NextAttempt))
	}
	for _, in := range c.Incidents {
		writeIncident(w, &in)
		if err := writeChain(w, &in.Chain, coloured(e.Stdout)); err != nil {
			return err
		}
	}
	fmt.Fprint(w, "\nContact\n")
	if err := writeContact(w, c.Contact); err != nil {
		return err
	}
	fmt.Fprint(w, "\nEvents\n")
	for _, ev := range k.Events {
		fmt.Fprintf(w, "  %s  %-20s  %s%s\n", stamp(ev.Time), ev.Actor, ev.Action, visible(prefixed(": ", ev.Reason)))
	}
	fmt.Fprintf(w, "\nThe message itself: spamreport-milter queue show --message %d\n", c.ID)
	return nil
}

// said tells who called it abuse, and in what words. A filter's reason names its
// field already.
func said(r *queue.Report) string {
	switch r.Cause {
	case queue.CauseFilter:
		return "tagged by a filter: " + r.Reason
	case queue.CauseUser:
		return "reported by " + r.Reporter + prefixed(": ", r.Reason)
	}
	return "handed in by " + r.Reporter + prefixed(": ", r.Reason)
}

func writeIncident(w io.Writer, in *queue.Incident) {
	r := &in.Report
	fmt.Fprintf(w, "\nReport %d, %s\n", in.ReportID, visible(said(r)))
	if s := r.Message.Session; s != nil {
		fmt.Fprintf(w, "  received %s%s, envelope sender <%s>\n", stamp(s.Time), prefixed(" as ", visible(s.QueueID)), visible(r.Message.MailFrom))
	}
	if r.Message.Truncated() {
		fmt.Fprintf(w, "  the body was cut: %d octets kept\n", len(r.Message.Body))
	}
}

func writeContact(w io.Writer, raw json.RawMessage) error {
	var a contact.Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("stored contact: %w", err)
	}
	return writeAnswer(w, &a)
}

func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -0700") }

func orNone(s string) string {
	if s == "" {
		return "nobody yet"
	}
	return s
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

package main

import (
	"encoding/json"
	"time"

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
	Domain      string      `json:"domain,omitempty"` // that the party was looked up by
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
		Source: c.Source.String(), Network: c.Network, ASN: c.ASN, Party: c.Party, Domain: c.Domain,
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
	Report   int64           `json:"report"`
	Received time.Time       `json:"received"`
	Cause    queue.Cause     `json:"cause"`
	Reporter string          `json:"reporter"`
	Reason   string          `json:"reason,omitempty"`
	Purged   bool            `json:"purged,omitempty"` // its mail and recipients were removed
	MailFrom string          `json:"mail_from"`
	Session  *trace.Session  `json:"session,omitempty"`
	Chain    trace.Chain     `json:"chain"`
	Proof    json.RawMessage `json:"proof,omitempty"` // why which parties were named
}

func caseView(k *queue.Case) caseJSON {
	v := caseJSON{complaintJSON: complaintView(&k.Complaint), Contact: k.Complaint.Contact, Events: k.Events}
	for i := range k.Complaint.Incidents {
		v.Incidents = append(v.Incidents, incidentView(&k.Complaint.Incidents[i]))
	}
	return v
}

func incidentView(in *queue.Incident) incidentJSON {
	r := &in.Report
	return incidentJSON{
		Report: in.ReportID, Received: r.Received, Cause: r.Cause, Reporter: r.Reporter, Reason: r.Reason,
		Purged: r.Purged, MailFrom: r.Message.MailFrom, Session: r.Message.Session, Chain: in.Chain, Proof: in.Proof,
	}
}

// stamp is a time where the person is.
func stamp(t time.Time) string { return stampIn(t, time.Local) }

func stampIn(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04:05 -0700")
}

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

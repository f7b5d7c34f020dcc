package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// column is one that lists can have. Adding one is a row of allColumns.
type column struct {
	name  string
	width int  // characters in a table; 0 for all
	table bool // shown to a person who asks for no columns
	value func(*listRow) string
}

var allColumns = []column{
	{"id", 0, true, func(r *listRow) string { return fmt.Sprint(r.ID) }},
	{"state", 0, true, func(r *listRow) string { return string(r.State) }},
	{"age", 0, true, func(r *listRow) string { return age(r.now.Sub(r.Created)) }},
	{"created", 0, false, func(r *listRow) string { return moment(r.Created) }},
	{"updated", 0, false, func(r *listRow) string { return moment(r.Updated) }},
	{"source", 0, true, func(r *listRow) string { return r.Source.String() }},
	{"network", 0, false, func(r *listRow) string { return r.Network }},
	{"asn", 0, false, func(r *listRow) string { return asNumber(r.ASN) }},
	{"contact", 0, true, func(r *listRow) string { return recipients(r.Complaint) }},
	{"subject", 40, true, func(r *listRow) string { return r.Subject }},
	{"reports", 0, false, func(r *listRow) string { return fmt.Sprint(r.reports) }},
	{"hold", 40, false, func(r *listRow) string { return r.Hold }},
	{"party", 0, false, func(r *listRow) string { return r.Party }},
	{"format", 0, false, func(r *listRow) string { return r.Format }},
	{"attempts", 0, false, func(r *listRow) string { return fmt.Sprint(r.Attempts) }},
	{"next", 0, false, func(r *listRow) string { return moment(r.NextAttempt) }},
	{"approved", 0, false, func(r *listRow) string { return moment(r.ReadyAt) }},
	{"message-id", 0, false, func(r *listRow) string { return r.MessageID }},
}

func columnNames() string {
	names := make([]string, len(allColumns))
	for i, c := range allColumns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// columnsOf returns the columns of that names; without any those of a table, or all
// but the age for a file, which is read later.
func columnsOf(names []string, file bool) ([]column, error) {
	var wanted []column
	if names == nil {
		for _, c := range allColumns {
			if c.table && !file || file && c.name != "age" {
				wanted = append(wanted, c)
			}
		}
		return wanted, nil
	}
	for _, n := range names {
		c, ok := columnOf(strings.ToLower(strings.TrimSpace(n)))
		if !ok {
			return nil, usage("no column is called %q: there are %s", n, columnNames())
		}
		wanted = append(wanted, c)
	}
	return wanted, nil
}

func columnOf(name string) (column, bool) {
	for _, c := range allColumns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// moment is a time for lists, UTC, empty for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func asNumber(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("AS%d", n)
}

// clip shortens a text for a column, at a character's end.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// age is a duration in its largest unit, as people say it.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// recipients are the addressees for a list.
func recipients(c *queue.Complaint) string { return cmp.Or(strings.Join(c.To, ","), "none") }

package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
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

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }

// rowWriter writes a list in one of its forms.
type rowWriter interface {
	write(rows []listRow) error
	end() error
}

// tableWriter is for people.
type tableWriter struct {
	w       *tabwriter.Writer
	columns []column
	begun   bool
}

func (t *tableWriter) write(rows []listRow) error {
	cells := make([]string, len(t.columns))
	if !t.begun && len(rows) > 0 {
		t.begun = true
		for i, c := range t.columns {
			cells[i] = strings.ToUpper(c.name)
		}
		fmt.Fprintln(t.w, strings.Join(cells, "\t")) // Flush tells
	}
	for i := range rows {
		for j, c := range t.columns {
			cells[j] = visible(c.value(&rows[i]))
			if c.width > 0 {
				cells[j] = clip(cells[j], c.width)
			}
		}
		fmt.Fprintln(t.w, strings.Join(cells, "\t"))
	}
	return nil
}

func (t *tableWriter) end() error {
	if !t.begun {
		fmt.Fprintln(t.w, "no complaints")
	}
	return t.w.Flush()
}

// jsonWriter writes an object a line.
type jsonWriter struct{ w *bufio.Writer }

func (j *jsonWriter) write(rows []listRow) error {
	enc := newJSON(j.w)
	for i := range rows {
		if err := enc.Encode(rows[i].view()); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonWriter) end() error { return j.w.Flush() }

// csvWriter writes a header line and a line for each row (RFC 4180).
type csvWriter struct {
	w       *csv.Writer
	columns []column
}

func newCSV(out io.Writer, columns []column) *csvWriter {
	w := csv.NewWriter(out)
	w.UseCRLF = true
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	w.Write(cells) // Error tells
	return &csvWriter{w, columns}
}

func (v *csvWriter) write(rows []listRow) error {
	cells := make([]string, len(v.columns))
	for i := range rows {
		for j, c := range v.columns {
			cells[j] = inert(visible(c.value(&rows[i])))
		}
		v.w.Write(cells)
	}
	return v.w.Error()
}

func (v *csvWriter) end() error {
	v.w.Flush()
	return v.w.Error()
}

// inert keeps a spreadsheet from taking a cell for a formula: the text is a
// stranger's, and formulas can fetch pages and run programs. An apostrophe in front
// makes it text. The wide forms are signs too in some languages' spreadsheets.
func inert(cell string) string {
	if begin := strings.TrimLeft(cell, " \u00a0\u3000"); begin != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(begin)[0]) {
		return "'" + cell
	}
	return cell
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

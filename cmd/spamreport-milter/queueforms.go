package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

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

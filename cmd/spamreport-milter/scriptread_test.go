package main

import (
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// more walks the pages of a list by the commands that they end with: `more N FIRST…`
// wants the numbers in the first column of all pages in that order, on N pages. The
// first page is the output of the command before.
func more(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: more PAGES NUMBER...")
	}
	var got []string
	page, pages := ts.ReadFile("stdout"), 1
	for {
		got = append(got, regexp.MustCompile(`(?m)^[0-9]+`).FindAllString(page, -1)...)
		_, next, found := strings.Cut(page, "\nmore: ")
		if !found {
			break
		}
		next, _, _ = strings.Cut(next, "\n")
		cmd := exec.Command("/bin/sh", "-c", next)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "STATE_DIRECTORY=" + ts.Getenv("STATE_DIRECTORY"), "HOME=" + ts.Getenv("HOME"), "TZ=UTC"}
		out, err := cmd.Output()
		ts.Check(err)
		page = string(out)
		if pages++; pages > 100 {
			ts.Fatalf("pages without end")
		}
	}
	if fmt.Sprint(pages) != args[0] || !slices.Equal(got, args[1:]) {
		ts.Fatalf("%d pages of %v, want %s of %v", pages, got, args[0], args[1:])
	}
}

// readCSV reads the output of the command before as RFC 4180 wants it: `csv ROW
// COLUMN VALUE`, rows counted from 1 behind the header.
func readCSV(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: csv ROW COLUMN VALUE")
	}
	text := ts.ReadFile("stdout")
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") {
		ts.Fatalf("lines don't end in CRLF")
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	ts.Check(err)
	row, err := strconv.Atoi(args[0])
	ts.Check(err)
	column := slices.Index(records[0], args[1])
	if column < 0 || row >= len(records) {
		ts.Fatalf("no column %s or no row %d in %v", args[1], row, records)
	}
	if got := records[row][column]; got != args[2] {
		ts.Fatalf("%q, want %q", got, args[2])
	}
}

// readJSONL reads each line of the output of the command before as an object:
// `jsonl LINE KEY VALUE`, the value as Go prints it; keys within keys by dots.
func readJSONL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: jsonl LINE KEY VALUE")
	}
	var lines []map[string]any
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var v map[string]any
		ts.Check(json.Unmarshal([]byte(line), &v))
		lines = append(lines, v)
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	if n > len(lines) {
		ts.Fatalf("%d lines", len(lines))
	}
	var v any = lines[n-1]
	for key := range strings.SplitSeq(args[1], ".") {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	if got := fmt.Sprint(v); got != args[2] {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[2])
	}
}

// noted keeps the head of the trail, which the command before printed as JSON, in a
// variable: `noted NAME`.
func noted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: noted NAME")
	}
	var t trailJSON
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &t))
	ts.Setenv(args[0], fmt.Sprintf("%d:%s", t.Head, t.Hash))
}

// alter changes the queue's file behind the program's back: `alter SQL`.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: alter SQL")
	}
	db, err := sql.Open("sqlite", filepath.Join(ts.Getenv("STATE_DIRECTORY"), queueFile))
	ts.Check(err)
	defer db.Close()
	r, err := db.Exec(args[0])
	ts.Check(err)
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		ts.Fatalf("nothing altered: %v", err)
	}
}

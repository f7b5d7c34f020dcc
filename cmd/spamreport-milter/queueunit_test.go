package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"spamreport-milter/queue"
)

// TestAges reads what people write for times.
func TestAges(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"36h": now.Add(-36 * time.Hour), "90m": now.Add(-90 * time.Minute), "7d": now.Add(-7 * 24 * time.Hour),
		"2w": now.Add(-14 * 24 * time.Hour), "2026-11-20": time.Date(2026, 11, 20, 0, 0, 0, 0, time.Local),
		"2026-11-20T08:30":     time.Date(2026, 11, 20, 8, 30, 0, 0, time.Local),
		"2026-11-20T08:30:00Z": time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC),
	} {
		if got, err := parseWhen("--since", text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"d", "-7d", "0d", "7", "7 d", "1.5w", "99999d", "9999w", "2026-13-01", "300000h0m0.1", "yesterday"} {
		if got, err := parseWhen("--since", text, now); err == nil {
			t.Errorf("%s is taken as %v", text, got)
		}
	}
}

func TestIDs(t *testing.T) {
	got, err := parseIDs([]string{"7", "3-5", "4", "9-9"})
	if err != nil || !slices.Equal(got, []int64{7, 3, 4, 5, 9}) {
		t.Errorf("numbers are %v, %v", got, err)
	}
	if got := ranges(got); got != "3-5, 7, 9" {
		t.Errorf("ranges are %s", got)
	}
	for _, arg := range []string{"0", "-1", "1-", "1-2-3", "5-4", "x", "", "1-1000001", "1-9223372036854775807", "9223372036854775808"} {
		if got, err := parseIDs([]string{arg}); err == nil {
			t.Errorf("%q is taken as %d numbers", arg, len(got))
		}
	}
	odd := make([]int64, 50)
	for i := range odd {
		odd[i] = int64(2*i + 1)
	}
	if got := ranges(odd); !strings.HasSuffix(got, "37, 39 and 30 more") {
		t.Errorf("a long list is %s", got)
	}
}

// TestNextPageIsSafeToType: a shell makes of the printed command the words that were
// typed, whatever is in them, and one position.
func TestNextPageIsSafeToType(t *testing.T) {
	args := []string{"queue", "list", "--text", `$(rm -rf /) 'it''s' "x" \ ;` + "\nnew", "--after", "created:9:9", "--csv", "--after=x", ""}
	next := nextPage(args, "created:5:5")
	out, err := exec.Command("/bin/sh", "-c", `p() { printf '%s\0' "$@"; }; p`+strings.TrimPrefix(next, "spamreport-milter")).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"queue", "list", "--text", args[3], "--csv", "", "--after", "created:5:5", ""}
	if got := strings.Split(string(out), "\x00"); !slices.Equal(got, want) {
		t.Errorf("a shell reads %q as %q", next, got)
	}
}

// FuzzCSV: no cell is a formula, and each is read back as it was, but for what makes
// it harmless.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "＝1", "a,b\"c\nd", "\x1b[31m", "", "'", "pills"} {
		f.Add(s)
	}
	columns, err := columnsOf([]string{"id", "subject"}, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		var b bytes.Buffer
		rows := []listRow{{Complaint: &queue.Complaint{ID: 7, Subject: subject}}}
		w := newCSV(&b, columns)
		if err := errors.Join(w.write(rows), w.end()); err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(records) != 2 || len(records[1]) != 2 {
			t.Fatalf("read back as %q, %v", records, err)
		}
		cell := records[1][1]
		if first := strings.TrimSpace(cell); first != "" && strings.ContainsRune("=+-@＝＋－＠\t\r", []rune(first)[0]) {
			t.Errorf("%q is a formula", cell)
		}
		if cell != visible(subject) && cell != "'"+visible(subject) {
			t.Errorf("%q became %q", subject, cell)
		}
	})
}

// FuzzDraft: what is written for the editor is read back as it was; whatever else is
// read is refused or is addresses that SMTP takes, and text that mail carries.
func FuzzDraft(f *testing.F) {
	f.Add("To: abuse@net.test\n\nHello\n")
	f.Add("# x\nTO : a@b.test, c@d.test\r\n\r\nHello\r\n")
	f.Add("To: a@b\n\n")
	f.Add("Subject: x\n\nTo: nobody")
	f.Add("\n\n\n")
	f.Add("To: a@b.test\n\n\x00\xff")
	f.Fuzz(func(t *testing.T, doc string) {
		d, err := parseDraft(doc)
		if err != nil || d.check() != nil {
			return
		}
		again, err := parseDraft(draftOf(&queue.Complaint{ID: 7, To: d.to}, d.text))
		if err != nil || again.check() != nil || !slices.Equal(again.to, d.to) || plainText(again.text) != plainText(d.text) {
			t.Errorf("%q was read as %+v, and that as %+v, %v", doc, d, again, err)
		}
		for _, a := range d.to {
			if strings.ContainsAny(a, " \t\r\n<>,;") || strings.Count(a, "@") != 1 {
				t.Errorf("%q gives the address %q", doc, a)
			}
		}
		for line := range strings.Lines(plainText(d.text)) {
			if len(line) > maxLine+1 || strings.ContainsAny(line, "\x00\r\x1b") {
				t.Errorf("%q gives the line %q", doc, line)
			}
		}
	})
}

// TestProgress: nothing for what is quick, then a line now and then, gone at the end.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{w: &b, now: func() time.Time { return now }, begun: now}
	p.show("copy", 1, 4)
	now = now.Add(patience - 1)
	p.show("copy", 1, 4)
	p.end()
	if b.Len() != 0 {
		t.Errorf("too soon: %q", b.String())
	}
	now = now.Add(1)
	p.show("copy", 1, 4)
	p.show("copy", 2, 4)
	now = now.Add(repaint)
	p.show("events", 3, 0)
	p.end()
	if got, want := b.String(), "\r\x1b[Kcopy: 1 of 4, 25 %\r\x1b[Kevents: 3\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := newProgress(&b); !p.quiet {
		t.Error("progress is told to what is no terminal")
	}
}

// TestBars: as long as they should be, and something is never nothing.
func TestBars(t *testing.T) {
	for _, c := range []struct {
		n, most int64
		want    string
	}{{0, 10, "        "}, {10, 10, "████████"}, {5, 10, "████    "}, {1, 1000, "▏       "}, {15, 16, "███████▌"}} {
		if got := bar(c.n, c.most, 8); got != c.want {
			t.Errorf("%d of %d is %q, want %q", c.n, c.most, got, c.want)
		}
	}
	if got := bar(3, 4, 0); got != "" {
		t.Errorf("no width is %q", got)
	}
}

// TestStatsSteps: days without anything are there, and long times are weeks that lose
// nothing.
func TestStatsSteps(t *testing.T) {
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &stats{}
	for _, after := range []int{0, 3, 4} {
		s.Days = append(s.Days, dayCounts{first.AddDate(0, 0, after), map[string]int64{queue.ActionFiled: 1}})
	}
	if list, step := s.steps(); len(list) != 5 || step != day || list[1].Actions[queue.ActionFiled] != 0 || list[4].Actions[queue.ActionFiled] != 1 {
		t.Errorf("days are %v", list)
	}
	s.Days = append(s.Days, dayCounts{first.AddDate(0, 0, 300), map[string]int64{queue.ActionFiled: 7}})
	list, step := s.steps()
	sum := int64(0)
	for _, w := range list {
		sum += w.Actions[queue.ActionFiled]
	}
	if step != 7*day || sum != 10 || list[0].Actions[queue.ActionFiled] != 3 {
		t.Errorf("%d weeks with %d in all", len(list), sum)
	}
}

// interrupter sends Ctrl-C's signal to this process when it is asked something.
type interrupter struct{ asked bool }

func (w *interrupter) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("[y/N]")) {
		w.asked = true
		return len(b), syscall.Kill(syscall.Getpid(), syscall.SIGINT)
	}
	return len(b), nil
}

// TestQuestionEndsByInterrupt: nobody has to press Enter after Ctrl-C.
func TestQuestionEndsByInterrupt(t *testing.T) {
	silent, end := io.Pipe()
	defer end.Close()
	w := &interrupter{}
	if ask(&Env{Context: t.Context(), Stdin: silent, Stderr: w}, "Go on?") || !w.asked {
		t.Error("an interrupted question is a yes, or was not asked")
	}
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yesterday\n": false} {
		in := strings.NewReader(answer + "left")
		if got := ask(&Env{Context: t.Context(), Stdin: in, Stderr: io.Discard}, "Go on?"); got != want {
			t.Errorf("%q is taken as %v", answer, got)
		}
		if rest, _ := io.ReadAll(in); answer != "" && string(rest) != "left" {
			t.Errorf("after %q the next reader gets %q", answer, rest)
		}
	}
}

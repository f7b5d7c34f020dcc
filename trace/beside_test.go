package trace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkBesideSpamAssassin times this package and SpamAssassin's parser in one
// run, each on one core and on the same lines and header sections, and prints how
// many times less processor time this one takes: other work on the machine doesn't
// count. The header sections are timed twice for the peer: from the octets, as
// Follow has them, and with the fields already split. It needs Debian's package
// spamassassin; without it, it says so.
func BenchmarkBesideSpamAssassin(b *testing.B) {
	if err := exec.Command("perl", "-MMail::SpamAssassin", "-e", "1").Run(); err != nil {
		b.Skip("install spamassassin to run this: ", err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // Perl has one core, and the garbage collector is ours to pay
	lines, messages := receivedLines(b)
	theirs := timePeer(b, lines, messages)
	b.Run("lines", func(b *testing.B) {
		b.ReportAllocs()
		start := processorTime(b)
		for i := 0; b.Loop(); i++ {
			ParseReceived(lines[i%len(lines)])
		}
		ours := (processorTime(b) - start) / float64(b.N)
		b.ReportMetric(theirs.line/ours, "times-faster")
	})
	b.Run("headers", func(b *testing.B) {
		b.ReportAllocs()
		start := processorTime(b)
		for i := 0; b.Loop(); i++ {
			Follow(messages[i%len(messages)], Options{})
		}
		ours := (processorTime(b) - start) / float64(b.N)
		b.ReportMetric(theirs.header/ours, "times-faster")
		b.ReportMetric(theirs.split/ours, "times-faster-than-split")
	})
}

// processorTime returns the seconds that this process has had of any processor.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// receivedLines returns the messages of the fixtures and the unfolded values of
// all their Received fields.
func receivedLines(b *testing.B) (lines []string, messages []*Message) {
	files, err := filepath.Glob("testdata/corpus/*.eml")
	if err != nil || len(files) == 0 {
		b.Fatal("no messages:", err)
	}
	for _, f := range files {
		m := readMessage(b, f)
		messages = append(messages, m)
		for rest := string(m.Header); ; {
			field, r, ok := nextField(rest)
			if !ok {
				break
			}
			if rest = r; strings.EqualFold(field.name, "Received") {
				lines = append(lines, unfold(field.value))
			}
		}
	}
	return lines, messages
}

// peerTimes are seconds of processor time per line, per header section and per split header section.
type peerTimes struct{ line, header, split float64 }

func timePeer(b *testing.B, lines []string, messages []*Message) (t peerTimes) {
	dir := b.TempDir()
	args := []string{"testdata/bench/spamassassin.pl", filepath.Join(dir, "lines")}
	contents := [][]byte{[]byte(strings.Join(lines, "\n"))}
	for i, m := range messages {
		args = append(args, filepath.Join(dir, fmt.Sprint(i)))
		contents = append(contents, append(m.Header[:len(m.Header):len(m.Header)], '\n'))
	}
	for i, content := range contents {
		if err := os.WriteFile(args[i+1], content, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	out, err := exec.Command("perl", args...).Output()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &t.line, &t.header, &t.split); err != nil {
		b.Fatalf("%q: %v", out, err)
	}
	return t
}

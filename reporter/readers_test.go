package reporter_test

import (
	"bytes"
	"encoding/json"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/trace"
)

// corpus returns real messages as a session of ours would have carried them. More
// of them, in a directory that CORPUS names, are read as well.
func corpus(t testing.TB) map[string]trace.Message {
	t.Helper()
	all := map[string]trace.Message{}
	for _, dir := range []string{"../trace/testdata/corpus", "../trace/testdata/behaviours", "../internal/demo/testdata", os.Getenv("CORPUS")} {
		if dir == "" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no messages in %s: %v", dir, err)
		}
		for _, f := range files {
			all[filepath.Base(f)] = received(t, f)
		}
	}
	return all
}

func received(t testing.TB, file string) trace.Message {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := trace.Read(f, 1<<20)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	m.Session, m.MailFrom = spam().Session, "offers@sender.test"
	if from := m.Fields("Return-Path"); len(from) > 0 {
		if a, err := mail.ParseAddress(from[0]); err == nil {
			m.MailFrom = a.Address
		}
	}
	return *m
}

// TestReadByARFReader has a reader of bounces and feedback reports in wide use read
// every report that we make of real messages.
func TestReadByARFReader(t *testing.T) {
	if err := exec.Command("perl", "-MSisimai", "-e1").Run(); err != nil {
		testmta.Missing(t, "Sisimai for Perl is not here: apt-get install libsisimai-perl")
	}
	dir := t.TempDir()
	messages := corpus(t)
	for name, m := range messages {
		m.Header = withRecipient(m.Header)
		if err := os.WriteFile(filepath.Join(dir, name), compose(t, complaint(m)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("perl", "-MSisimai", "-MJSON::PP", "-e", `
		for my $file (glob "$ARGV[0]/*") {
			my $read = Sisimai->make($file);
			for my $one (@{ $read || [] }) {
				my ($name) = $file =~ m{([^/]+)$};
				print encode_json({ file => $name, reason => "".$one->reason, type => "".$one->feedbacktype,
					source => "".$one->rhost }), "\n";
			}
		}`, dir).Output()
	if err != nil {
		t.Fatalf("reader: %v", err)
	}
	read := map[string]bool{}
	for line := range bytes.Lines(out) {
		var one struct{ File, Reason, Type, Source string }
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if one.Reason != "feedback" || one.Type != "abuse" || one.Source != client.Addr().String() {
			t.Errorf("read as %+v", one)
		}
		read[one.File] = true
	}
	for name := range messages {
		if !read[name] {
			t.Errorf("%s: the reader found no feedback report", name)
		}
	}
	t.Logf("%d of %d read", len(read), len(messages))
}

// withRecipient gives a message a recipient that the reader can name: it reports
// nothing without one, and real messages often state none.
func withRecipient(header []byte) []byte {
	return append([]byte("To: <user@isp.test>\r\n"), header...)
}

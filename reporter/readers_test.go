package reporter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/queue"
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
	m.Session, m.MailFrom, m.RcptTo = spam().Session, "offers@sender.test", []string{"user@isp.test"}
	if from := m.Fields("Return-Path"); len(from) > 0 {
		if a, err := mail.ParseAddress(from[0]); err == nil {
			m.MailFrom = a.Address
		}
	}
	return *m
}

// A reader is a program in testdata/readers that reads all complaints of a kind; its
// README says what it prints.
type reader struct {
	command []string
	try     []string // runs where the reader can
	needs   string
	reads   map[string]string // by kind of complaint, the fields of reading that it must tell
}

var (
	perl    = func(module string) []string { return []string{"perl", "-M" + module, "-e1"} }
	node    = func(module string) []string { return []string{"node", "-e", "require('" + module + "')"} }
	npm     = "packages of npm are not in " + fetched + ": run .ci/deps as root"
	readers = []reader{
		{[]string{"perl", "sisimai.pl"}, perl("Sisimai"), "no Sisimai for Perl: apt-get install libsisimai-perl",
			map[string]string{"arf": "Type Source RcptTo"}},
		{[]string{"perl", "emailmime.pl"}, perl("Email::MIME"), "no Email::MIME for Perl: apt-get install libemail-mime-perl",
			map[string]string{"arf": "Type Agent Version Source MailFrom RcptTo Original"}},
		{[]string{"php", "mailparse.php"}, []string{"php", "-r", "mailparse_msg_create();"}, "no mailparse for PHP: apt-get install php-cli php-mailparse",
			map[string]string{"arf": "Type Source Arrival"}},
		{[]string{"python3", "stdlib.py"}, []string{"python3", "-c", ""}, "no Python: apt-get install python3",
			map[string]string{"arf": "Kinds Text Type Agent Version Source Arrival", "xarf": "Kinds Text Agent Version", "text": "Kinds Text"}},
		{[]string{"node", "mime.cjs"}, node("postal-mime"), npm,
			map[string]string{"arf": "Kinds Text Original", "xarf": "Kinds Text", "text": "Kinds Text"}},
		{[]string{"node", "arfparser.cjs"}, node("spamscanner/dist/cjs/arf.cjs"), npm,
			map[string]string{"arf": "Type Agent Version Source Arrival Incidents MailFrom RcptTo"}},
		{[]string{"node", "xarf.cjs"}, node("ajv-formats"), npm,
			map[string]string{"xarf": "Type Source Arrival MailFrom RcptTo Original"}},
	}
)

// fetched is where .ci/deps puts the readers of npm.
const fetched = "/var/cache/spamreport-milter/readers"

// reading is what a reader makes of a complaint.
type reading struct {
	File, Fault                                    string
	Kinds                                          []string
	Text, Original                                 string // digests
	Type, Agent, Version, Source, MailFrom, RcptTo string
	Arrival                                        int64
	Incidents                                      int
}

// command runs a program where it finds the readers of npm.
func command(dir string, args ...string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Dir, c.Env = dir, append(os.Environ(), "NODE_PATH="+fetched+"/node_modules")
	return c
}

// read has the reader read all files of a directory.
func (r *reader) read(t *testing.T, dir string) map[string]reading {
	t.Helper()
	var errs bytes.Buffer
	c := command("testdata/readers", append(slices.Clone(r.command), dir)...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("reader: %v\n%s", err, errs.String())
	}
	all := map[string]reading{}
	for line := range bytes.Lines(out) {
		var one reading
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[one.File] = one
	}
	return all
}

// TestReaders has independent readers read every kind of complaint about every real
// message, and about what no message should be. Each must find in it what we put there.
func TestReaders(t *testing.T) {
	dir := t.TempDir()
	want := complaintsToRead(t, dir)
	for _, r := range readers {
		t.Run(r.command[1], func(t *testing.T) {
			t.Parallel()
			if err := command("", r.try...).Run(); err != nil {
				testmta.Missing(t, r.needs)
			}
			for kind, fields := range r.reads {
				got := r.read(t, filepath.Join(dir, kind))
				for file, w := range want[kind] {
					for _, fault := range compare(fields, got[file], w) {
						t.Errorf("%s/%s: %s", kind, file, fault)
					}
				}
				t.Logf("%d of %d complaints of kind %s read", len(got), len(want[kind]), kind)
			}
		})
	}
}

// compare returns where a reading is not what it should be in the fields named.
func compare(fields string, got, want reading) (faults []string) {
	if got.Fault != "" || got.File == "" {
		return []string{"refused: " + got.Fault}
	}
	for field := range strings.FieldsSeq(fields) {
		g, w := reflect.ValueOf(got).FieldByName(field).Interface(), reflect.ValueOf(want).FieldByName(field).Interface()
		if s, ok := g.(string); ok {
			g = strings.Trim(s, "<>") // as addresses are read by some
		}
		if !reflect.DeepEqual(g, w) {
			faults = append(faults, fmt.Sprintf("%s is read as %q, want %q", field, g, w))
		}
	}
	return faults
}

// TestReadersRefuse has them read what is broken: a reader that takes everything
// proves nothing.
func TestReadersRefuse(t *testing.T) {
	s := shelf{t, t.TempDir(), map[string]map[string]reading{"arf": {}, "xarf": {}}}
	for kind, breaks := range breakages {
		s.put("whole", kind, &composer, complaint(spam()))
		whole := compose(t, complaintAs(kind))
		for _, b := range breaks {
			bad := b.in(whole)
			if bytes.Equal(bad, whole) {
				t.Fatalf("%q breaks nothing", b.name)
			}
			save(t, filepath.Join(s.dir, kind), b.name, bad)
		}
	}
	for _, r := range readers {
		t.Run(r.command[1], func(t *testing.T) {
			if err := command("", r.try...).Run(); err != nil {
				testmta.Missing(t, r.needs)
			}
			seen := 0
			for kind, fields := range r.reads {
				breaks := breakages[kind]
				if breaks == nil {
					continue
				}
				got, want := r.read(t, filepath.Join(s.dir, kind)), s.want[kind]["whole."+kind]
				for _, b := range breaks {
					if !slices.Contains(strings.Fields(b.seen), r.command[1]) {
						continue
					}
					if seen++; len(compare(fields, got[b.name], want)) == 0 {
						t.Errorf("%s: %s is not seen: %+v", kind, b.name, got[b.name])
					}
				}
			}
			if seen == 0 {
				t.Error("this reader is asked to see nothing")
			}
		})
	}
}

func complaintAs(format string) *queue.Complaint {
	c := complaint(spam())
	c.Format = format
	return c
}

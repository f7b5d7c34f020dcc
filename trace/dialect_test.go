package trace

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite what the fixtures expect")

// fixture is one Received value and the hop that it stands for.
type fixture struct {
	value string
	want  string // JSON of the hop, without raw, grade and reason
}

// readFixtures reads blocks of a value and a line "= JSON", with empty lines between.
func readFixtures(t testing.TB, file string) []fixture {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []fixture
	for _, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		value, want, _ := strings.Cut(block, "\n= ")
		all = append(all, fixture{value, want})
	}
	return all
}

func allFixtures(t testing.TB) []fixture {
	t.Helper()
	files, err := filepath.Glob("testdata/dialects/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures:", err)
	}
	var all []fixture
	for _, f := range files {
		all = append(all, readFixtures(t, f)...)
	}
	return all
}

func fixtureJSON(t testing.TB, h Hop) string {
	t.Helper()
	h.Raw = ""
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.Replace(b.String(), `,"grade":"","reason":""`, "", 1))
}

// TestDialects reads the fixtures of every row of the table, and fails for a row
// that has none or whose fixtures another row reads.
func TestDialects(t *testing.T) {
	names := []string{plainDialect.name}
	for _, d := range dialects {
		names = append(names, d.name)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "dialects", name+".txt")
			fixtures := readFixtures(t, file)
			var updated []string
			for _, f := range fixtures {
				got := fixtureJSON(t, ParseReceived(f.value))
				updated = append(updated, f.value+"\n= "+got)
				if diff := cmp.Diff(f.want, got); diff != "" && !*update {
					t.Errorf("%s\n%s", f.value, diff)
				}
				if d := rowFor(f.value); name != plainDialect.name && d != name {
					t.Errorf("%s\nis read as %s", f.value, d)
				}
			}
			if *update {
				text := strings.Join(updated, "\n\n") + "\n"
				if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func rowFor(value string) string {
	var r reading
	r.read(value)
	return r.dialect.name
}

// TestPrintedHop holds String to its word: what it writes is read as the same hop.
func TestPrintedHop(t *testing.T) {
	for _, f := range allFixtures(t) {
		want := ParseReceived(f.value)
		if strings.Contains(want.String(), "?") && !strings.Contains(f.value, "?") {
			continue // it holds octets that can't be printed
		}
		got := ParseReceived(want.String())
		got.Raw, want.Raw = "", ""
		if diff := cmp.Diff(fixtureJSON(t, want), fixtureJSON(t, got)); diff != "" {
			t.Errorf("%s\nprinted: %s\n%s", f.value, want.String(), diff)
		}
	}
}

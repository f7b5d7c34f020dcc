package main

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

const configDoc = "../../docs/config.md"

// TestConfigReference holds docs/config.md to the settings that the program
// obeys. UPDATE=1 writes it anew.
func TestConfigReference(t *testing.T) {
	s := defaultSettings()
	c, faults := s.config()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s.Milter.Tag = tagsOf(c.Milter.Rules)
	var want bytes.Buffer
	if err := writeSettings(&want, s); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(configDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(doc), "```toml\n")
	block, after, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("docs/config.md has no toml block")
	}
	if block == want.String() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("docs/config.md is not what the program obeys: run UPDATE=1 go test ./cmd/spamreport-milter")
	}
	if err := os.WriteFile(configDoc, []byte(before+"```toml\n"+want.String()+"```\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryKeyHasItsMeaning keeps a key from being added without a word on it.
func TestEveryKeyHasItsMeaning(t *testing.T) {
	var check func(reflect.Type)
	check = func(typ reflect.Type) {
		for f := range fieldsOf(typ) {
			if f.Tag.Get("means") == "" || keyName(f) == "" {
				t.Errorf("%s.%s: no name or no meaning", typ.Name(), f.Name)
			}
			ft := f.Type
			if ft.Kind() == reflect.Slice {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				check(ft)
			}
		}
	}
	check(reflect.TypeFor[settings]())
}

// TestManPageNamesEveryCommand keeps the manual from forgetting a command or an
// option.
func TestManPageNamesEveryCommand(t *testing.T) {
	page, err := os.ReadFile("../../docs/man/spamreport-milter.8")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&CLI{}, helpVars)
	if err != nil {
		t.Fatal(err)
	}
	var check func(*kong.Node)
	check = func(n *kong.Node) {
		if n.Type == kong.CommandNode && !bytes.Contains(page, []byte(n.Name)) {
			t.Errorf("the manual does not name the command %s", n.FullPath())
		}
		for _, f := range n.Flags {
			if f.Name != "help" && !bytes.Contains(page, []byte("-"+f.Name)) {
				t.Errorf("the manual does not name the option --%s of %s", f.Name, n.FullPath())
			}
		}
		for _, c := range n.Children {
			check(c)
		}
	}
	check(parser.Model.Node)
}

// TestTraceSchemaIsDocumented keeps docs/trace.md complete about the JSON.
func TestTraceSchemaIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/trace.md")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{
		trace.SignTemplateFault, trace.SignImpossibleProtocol, trace.SignReplayed, trace.SignMissingLink,
		trace.SignHELOIsReceiver, trace.SignBadAddress, trace.SignClock,
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[trace.Chain](), reflect.TypeFor[trace.Hop](),
		reflect.TypeFor[trace.Border](), reflect.TypeFor[trace.Origin](), reflect.TypeFor[trace.Sign]()} {
		for f := range fieldsOf(typ) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			words = append(words, name)
		}
	}
	for _, w := range words {
		if !bytes.Contains(doc, []byte("`"+w+"`")) && !bytes.Contains(doc, []byte("`"+w+"[]`")) {
			t.Errorf("docs/trace.md does not name `%s`", w)
		}
	}
}

// TestQueuePageHasTheStates holds the table of decisions in docs/queue.md to what the
// queue allows, and the page to the columns and options that there are.
func TestQueuePageHasTheStates(t *testing.T) {
	doc, err := os.ReadFile("../../docs/queue.md")
	if err != nil {
		t.Fatal(err)
	}
	for command, action := range map[string]string{
		"approve": queue.ActionApproved, "hold": queue.ActionHeld, "drop": queue.ActionDropped,
		"retry": queue.ActionRetried, "retract": queue.ActionRetracted, "done": queue.ActionDone,
	} {
		row := "| `" + command + "` | " + listed(queue.StatesFor(action)) + " | "
		if !bytes.Contains(doc, []byte(row)) {
			t.Errorf("docs/queue.md has no row %q", row)
		}
	}
	for f := range fieldsOf(reflect.TypeFor[complaintFilter]()) {
		if flag := "`--" + strings.ToLower(f.Name) + " "; !bytes.Contains(doc, []byte(flag)) {
			t.Errorf("docs/queue.md does not name %s", flag)
		}
	}
}

package main

import (
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"

	"spamreport-milter/milter"
	"spamreport-milter/reporter"
)

// ConfigCmd groups what concerns the configuration file.
type ConfigCmd struct {
	Check ConfigCheckCmd `cmd:"" help:"Read the configuration strictly and say what is wrong with it."`
	Show  ConfigShowCmd  `cmd:"" help:"Print the configuration in force, every key with its meaning. The output is a configuration file itself."`
}

// ConfigCheckCmd checks; loading has found the faults already.
type ConfigCheckCmd struct{}

// Run says what was found good, and what deserves a second thought.
func (*ConfigCheckCmd) Run(e *Env) error {
	c := e.Config
	if _, _, err := newContacts(e, nil); err != nil {
		return &exitError{exConfig, err}
	}
	if c.File == "" {
		fmt.Fprintf(e.Stdout, "no file at %s: the defaults are in force\n", defaultConfig)
	} else {
		fmt.Fprintf(e.Stdout, "%s is good\n", c.File)
	}
	for _, n := range c.notes() {
		fmt.Fprintln(e.Stdout, "note:", n)
	}
	return nil
}

// notes are what deserves a second thought.
func (c *Config) notes() (notes []string) {
	if len(c.Trace.Networks) == 0 {
		notes = append(notes, "trace.networks is empty: only this machine's own addresses are known to be ours."+
			" Name your mail servers' and users' networks, so that none of them is ever complained about")
	}
	if c.Database != "" && c.KeyFile == "" {
		notes = append(notes, "the queue is shared, and reporter.key_file is not set: each host makes a key of its own,"+
			" and does not know the tokens and addresses that the others made. Give all of them one file")
	}
	if c.Reporter.Policy.Approve == reporter.ApproveAll {
		notes = append(notes, "reporter.approve is all: complaints go out on the word of a filter alone, which RFC 6650"+
			" advises against. A filter that is wrong is wrong often; judged lets out what people and traps reported")
	}
	return notes
}

// ConfigShowCmd prints the configuration.
type ConfigShowCmd struct{}

// Run prints the settings in force as TOML.
func (*ConfigShowCmd) Run(e *Env) error {
	s := e.Config.settings
	if s.Milter.Tag == nil {
		s.Milter.Tag = tagsOf(e.Config.Milter.Rules)
	}
	return writeSettings(e.Stdout, s)
}

func tagsOf(rules []milter.Rule) []tagSettings {
	var tags []tagSettings
	for _, r := range rules {
		tags = append(tags, tagSettings{Field: r.Field, Value: r.Value, Level: r.Level, Score: r.Score})
	}
	return tags
}

// writeSettings prints settings as a commented TOML file.
func writeSettings(w io.Writer, s settings) error {
	return writeTable(w, reflect.ValueOf(s), "")
}

// writeTable prints the plain keys of a table first and its sub-tables after
// them, as TOML demands.
func writeTable(w io.Writer, v reflect.Value, prefix string) error {
	for f := range fieldsOf(v.Type()) {
		if isTable(f.Type) {
			continue
		}
		if err := writeKey(w, f, v.FieldByIndex(f.Index)); err != nil {
			return err
		}
	}
	for f := range fieldsOf(v.Type()) {
		if !isTable(f.Type) {
			continue
		}
		if err := writeSubTable(w, f, v.FieldByIndex(f.Index), prefix+keyName(f)); err != nil {
			return err
		}
	}
	return nil
}

func writeKey(w io.Writer, f reflect.StructField, v reflect.Value) error {
	fmt.Fprintf(w, "# %s\n", meaning(f))
	if absent(f, v) {
		_, err := fmt.Fprintf(w, "# %s =\n", keyName(f))
		return err
	}
	if v.Kind() == reflect.Slice && v.IsNil() {
		v = reflect.MakeSlice(v.Type(), 0, 0) // TOML has no null; an empty list says as much
	}
	text, err := toml.Marshal(map[string]any{keyName(f): v.Interface()})
	if err != nil {
		return fmt.Errorf("print %s: %w", keyName(f), err)
	}
	_, err = w.Write(text)
	return err
}

func writeSubTable(w io.Writer, f reflect.StructField, v reflect.Value, name string) error {
	if f.Type.Kind() == reflect.Struct {
		fmt.Fprintf(w, "\n# %s\n[%s]\n", meaning(f), name)
		return writeTable(w, v, name+".")
	}
	fmt.Fprintf(w, "\n# %s\n", meaning(f))
	if v.Len() == 0 {
		fmt.Fprintf(w, "# [[%s]]\n", name)
		for sub := range fieldsOf(f.Type.Elem()) {
			fmt.Fprintf(w, "# %s =    # %s\n", keyName(sub), meaning(sub))
		}
		return nil
	}
	for i := range v.Len() {
		text, err := toml.Marshal(v.Index(i).Interface())
		if err != nil {
			return fmt.Errorf("print %s: %w", name, err)
		}
		fmt.Fprintf(w, "[[%s]]\n%s", name, text)
	}
	return nil
}

// meaning is a key's comment: what it is, its unit, what holds when it is absent.
func meaning(f reflect.StructField) string {
	s := f.Tag.Get("means")
	if u := f.Tag.Get("unit"); u != "" {
		s += "; in " + u
	}
	if a := f.Tag.Get("absent"); a != "" {
		s += "; when absent: " + a
	}
	return s
}

func absent(f reflect.StructField, v reflect.Value) bool {
	return v.IsZero() && f.Tag.Get("absent") != ""
}

func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

func keyName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name
}

func fieldsOf(t reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

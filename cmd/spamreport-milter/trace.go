package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"spamreport-milter/trace"
)

// traceBody is how much of a body is kept while tracing, which reads the header only.
const traceBody = 0

// TraceCmd shows the way of saved messages.
type TraceCmd struct {
	JSON    bool     `name:"json" help:"One JSON object a message, one line each."`
	Network []string `placeholder:"NETWORK" help:"An address or network of ours, beside those of the configuration; may be repeated."`
	Host    []string `placeholder:"NAME" help:"A server of ours; a leading dot takes a whole domain."`
	Relay   []string `placeholder:"NAME" help:"A provider whose Received fields are believed, by its verified host name; a leading dot takes a whole domain."`
	Paths   []string `arg:"" optional:"" name:"file" help:"Messages, mbox files, directories and Maildirs; standard input when there are none."`
}

// Help is shown by `trace --help`.
func (*TraceCmd) Help() string {
	return `The way of a message, newest hop first. The border is the last hop that can be vouched
for: its peer is the source. The origin is the deepest sender that there is reason to
believe in. Nothing is looked up; no configuration is needed.

    spamreport-milter trace spam.eml
    spamreport-milter trace --json ~/Maildir/.Junk | jq .border.ip

A file that is no message is named on standard error and the others go on; the exit
status is then 65, or 66 for one that cannot be read.`
}

// Run traces every message that the paths hold.
func (c *TraceCmd) Run(e *Env) error {
	out := bufio.NewWriter(e.Stdout)
	show := pictures(out, coloured(e.Stdout))
	if c.JSON {
		show = jsonLines(out)
	}
	options, err := c.options(e.Config.Trace)
	if err != nil {
		return &exitError{exUsage, err}
	}
	in := messages{
		limit: traceBody, stdin: e.Stdin, stderr: e.Stderr,
		each: func(file string, m *trace.Message) error {
			chain := trace.Follow(m, options)
			return show(file, &chain)
		},
	}
	return errors.Join(in.read(e.Context, c.Paths), out.Flush(), in.failed("traced"))
}

// options adds the command line's knowledge to that of the configuration.
func (c *TraceCmd) options(o trace.Options) (trace.Options, error) {
	var f faults
	o.Networks = append(o.Networks[:len(o.Networks):len(o.Networks)], f.networks("--network", c.Network)...)
	o.Hosts = append(o.Hosts[:len(o.Hosts):len(o.Hosts)], c.Host...)
	for _, name := range c.Relay {
		o.Relays = append(o.Relays[:len(o.Relays):len(o.Relays)],
			trace.Relay{Name: name, Pattern: name, Noted: "command line"})
	}
	return o, errors.Join(f...)
}

// jsonLines writes a chain with its file's name as one line.
func jsonLines(w io.Writer) func(string, *trace.Chain) error {
	enc := newJSON(w)
	return func(file string, c *trace.Chain) error {
		return enc.Encode(struct {
			File string `json:"file"`
			*trace.Chain
		}{file, c})
	}
}

// pictures draws a chain under its file's name.
func pictures(w io.Writer, colour bool) func(string, *trace.Chain) error {
	return func(file string, c *trace.Chain) error {
		fmt.Fprintf(w, "%s\n", picture{colour}.paint("1", visible(file)))
		if err := writeChain(w, c, colour); err != nil {
			return err
		}
		_, err := io.WriteString(w, "\n")
		return err
	}
}

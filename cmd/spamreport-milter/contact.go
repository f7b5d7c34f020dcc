package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"spamreport-milter/contact"
)

// ContactCmd shows who takes complaints about addresses and domains, and the way there.
type ContactCmd struct {
	Subjects []string `arg:"" name:"address|domain" help:"IP addresses and domain names; with --from-file the file (- for standard input), then the address that the answer is about if that shall be checked."`
	JSON     bool     `name:"json" help:"Print one JSON object a line, with the raw answers."`
	FromFile string   `name:"from-file" placeholder:"KIND" help:"Decide from a recorded answer of this kind (rdap, whois), or from many, one JSON object a line (ndjson), without any network."`
}

// Help is shown by --help.
func (c *ContactCmd) Help() string {
	return `Asks the registries who holds the network of each address (RDAP, then WHOIS), and where
they name nobody also databases made from theirs and DNS. Prints the abuse mailbox, every
address that stood in the answers, and why it was taken or rejected. For a domain it is
the networks of its mail and web servers, and its registrar. Nothing is sent to anybody.

Exit status: 0 with a contact and also without, the reason is printed; 75 when a registry
could not be asked and trying again may help; 64 for what is neither address nor domain;
65 for a recorded answer that can't be read.

  spamreport-milter contact 8.8.8.8 example.com
  spamreport-milter contact --json 8.8.8.8 2606:4700::1111
  spamreport-milter contact --from-file rdap answer.json
  whois 8.8.8.8 | spamreport-milter contact --from-file whois - 8.8.8.8

With ndjson a line is {"kind": "rdap" or "whois", "about": ADDRESS or DOMAIN, "server":
HOST, "answer": object or text}; all but answer may be missing. A line that has no answer
is taken for an answer of RDAP itself. The output has a line for each.`
}

// Run prints an answer for each address and domain.
func (c *ContactCmd) Run(e *Env) error {
	switch c.FromFile {
	case "":
		return c.lookup(e)
	case "ndjson":
		return c.decideMany(e)
	}
	return c.decideOne(e)
}

// subject is an address, or a domain where the address is the zero one.
type subject struct {
	addr   netip.Addr
	domain string
}

func (c *ContactCmd) lookup(e *Env) error {
	subjects, err := parseSubjects(c.Subjects)
	if err != nil {
		return err
	}
	quiet := *e
	quiet.Log = slog.New(slog.DiscardHandler) // the output tells more
	finder, _, err := newContacts(&quiet, nil)
	if err != nil {
		return &exitError{exConfig, err}
	}
	var failed []string
	for i, s := range subjects {
		answer, err := s.lookup(e.Context, finder)
		if err != nil {
			return &exitError{exTempFail, err}
		}
		if err := c.print(e.Stdout, &answer); err != nil {
			return err
		}
		if answer.Outcome == contact.Unreachable {
			failed = append(failed, fmt.Sprintf("%s: %s; ask again after %s", c.Subjects[i], answer.Reason, answer.Retry.Format(time.RFC3339)))
		}
	}
	if failed != nil {
		return &exitError{exTempFail, errors.New(strings.Join(failed, "\n"))}
	}
	return nil
}

func (s subject) lookup(ctx context.Context, f *contact.Finder) (contact.Answer, error) {
	if s.addr.IsValid() {
		return f.Lookup(ctx, s.addr)
	}
	return f.LookupDomain(ctx, s.domain)
}

func parseSubjects(args []string) ([]subject, error) {
	var list []subject
	for _, arg := range args {
		a, err := netip.ParseAddr(arg)
		if err == nil && a.Zone() == "" {
			list = append(list, subject{addr: a})
			continue
		}
		domain, err := contact.Domain(arg)
		if err != nil {
			return nil, &exitError{exUsage, fmt.Errorf("%w: contact takes IPv4 and IPv6 addresses and domains, such as 8.8.8.8, 2606:4700::1111 or example.com", err)}
		}
		list = append(list, subject{domain: domain})
	}
	return list, nil
}

func (c *ContactCmd) print(w io.Writer, a *contact.Answer) error {
	if !c.JSON {
		return writeAnswer(w, a, time.Local)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(a)
}

// writeAnswer prints an answer and the way to it as a small tree, with the times of a
// zone.
func writeAnswer(w io.Writer, a *contact.Answer, zone *time.Location) error {
	var b strings.Builder
	subject := cmp.Or(a.Domain, "recorded answer")
	if a.Addr.IsValid() {
		subject = a.Addr.String()
	}
	fmt.Fprintf(&b, "%s  %s\n", subject, contactLine(a))
	fmt.Fprintf(&b, "  %s: %s\n", a.Outcome, visible(a.Reason))
	if n := a.Network; n.First.IsValid() {
		fmt.Fprintf(&b, "  network %s %s\n", n, visible(strings.Join(strings.Fields(n.Name+" "+n.Country+" "+n.Registry), " ")))
	}
	if !a.Cached.IsZero() {
		fmt.Fprintf(&b, "  known since %s, good until %s\n", stampIn(a.Cached, zone), stampIn(a.Expires, zone))
	}
	for _, ev := range a.Evidence {
		writeEvidence(&b, &ev)
	}
	for _, h := range a.Hosts {
		var host strings.Builder
		if err := writeAnswer(&host, &h, zone); err != nil {
			return err
		}
		fmt.Fprintf(&b, "  └ server %s\n", strings.ReplaceAll(strings.TrimSpace(host.String()), "\n", "\n    "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// contactLine lists whom to write to.
func contactLine(a *contact.Answer) string {
	var to []string
	for _, c := range a.Contacts {
		note := ""
		if c.Form != "" {
			note = ", on this page only: " + visible(c.Form)
		}
		to = append(to, fmt.Sprintf("%s (%s, %s confidence%s)", cmp.Or(c.Address, "a form"), c.Scope, c.Confidence, note))
	}
	if to == nil {
		return "no contact"
	}
	return strings.Join(to, ", ")
}

func writeEvidence(b *strings.Builder, ev *contact.Evidence) {
	fmt.Fprintf(b, "  └ %s %s: %s", ev.Source, visible(ev.Query), visible(cmp.Or(ev.Said, ev.Status)))
	if len(ev.Redirects) > 0 {
		fmt.Fprintf(b, ", redirected to %s", visible(strings.Join(ev.Redirects, ", ")))
	}
	if ev.Error != "" {
		fmt.Fprintf(b, ": %s", visible(ev.Error))
	}
	b.WriteByte('\n')
	for i, c := range ev.Candidates {
		branch, verdict := "├", "rejected"
		if i == len(ev.Candidates)-1 {
			branch = "└"
		}
		if c.Taken {
			verdict = "taken   "
		}
		fmt.Fprintf(b, "    %s %s %s (%s at %s): %s\n", branch, verdict, visible(c.Address), visible(c.Role), c.Where, visible(c.Reason))
	}
}

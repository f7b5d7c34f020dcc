package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"spamreport-milter/contact"
)

// maxRecorded is how much of a recorded answer is read; registries' own are cut
// at the same size.
const maxRecorded = 1 << 20

// ContactCmd shows who takes complaints about addresses, and the way there.
type ContactCmd struct {
	Addresses []string `arg:"" name:"address" help:"IP addresses; with --from-file the file (- for standard input), then the address it is about if that shall be checked."`
	JSON      bool     `name:"json" help:"Print one JSON object a line, with the raw answers."`
	FromFile  string   `name:"from-file" placeholder:"KIND" help:"Decide from a recorded answer of this kind (rdap, whois), without any network."`
}

// Help is shown by --help.
func (c *ContactCmd) Help() string {
	return `Asks the registries (RDAP) who holds the network of each address and prints the
abuse mailbox that they name, every address that stood in their answers, and why
it was taken or rejected. Nothing is sent to anybody.

Exit status: 0 with a contact and also without, the reason is printed; 75 when a
registry could not be asked and trying again may help; 64 for what is no address.

  spamreport-milter contact 8.8.8.8
  spamreport-milter contact --json 8.8.8.8 2606:4700::1111
  spamreport-milter contact --from-file rdap answer.json
  whois 8.8.8.8 | spamreport-milter contact --from-file whois - 8.8.8.8`
}

// Run prints an answer for each address.
func (c *ContactCmd) Run(e *Env) error {
	if c.FromFile != "" {
		return c.decide(e)
	}
	addrs, err := parseAddrs(c.Addresses)
	if err != nil {
		return err
	}
	cc := e.Config.Contact
	cc.Log = slog.New(slog.DiscardHandler) // the output tells more
	finder, err := contact.New(cc)
	if err != nil {
		return &exitError{exConfig, err}
	}
	var failed []string
	for _, a := range addrs {
		answer, err := finder.Lookup(e.Context, a)
		if err != nil {
			return &exitError{exTempFail, err}
		}
		if err := c.print(e.Stdout, &answer); err != nil {
			return err
		}
		if answer.Outcome == contact.Unreachable {
			failed = append(failed, fmt.Sprintf("%s: %s; ask again after %s", a, answer.Reason, answer.Retry.Format(time.RFC3339)))
		}
	}
	if failed != nil {
		return &exitError{exTempFail, errors.New(strings.Join(failed, "\n"))}
	}
	return nil
}

// decide answers from a recorded answer.
func (c *ContactCmd) decide(e *Env) error {
	if len(c.Addresses) > 2 {
		return &exitError{exUsage, errors.New("--from-file takes one file, and at most one address that it is about")}
	}
	addrs, err := parseAddrs(c.Addresses[1:])
	if err != nil {
		return err
	}
	raw, err := readRecorded(e.Stdin, c.Addresses[0])
	if err != nil {
		return &exitError{exNoInput, err}
	}
	ev, err := contact.Recorded(c.FromFile, raw, time.Now())
	if err != nil {
		return &exitError{exUsage, err}
	}
	answer := contact.Decide(append(addrs, netip.Addr{})[0], []contact.Evidence{ev})
	if err := c.print(e.Stdout, &answer); err != nil {
		return err
	}
	if unread := answer.Evidence[0].Error; unread != "" {
		return &exitError{exData, fmt.Errorf("%s: %s", c.Addresses[0], unread)}
	}
	return nil
}

func readRecorded(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("recorded answer: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxRecorded+1))
	if err == nil && len(raw) > maxRecorded {
		err = fmt.Errorf("more than %d octets", maxRecorded)
	}
	if err != nil {
		return nil, fmt.Errorf("recorded answer %s: %w", name, err)
	}
	return raw, nil
}

func parseAddrs(args []string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, s := range args {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return nil, &exitError{exUsage, fmt.Errorf("%q is no address: contact takes IPv4 and IPv6 addresses, such as 8.8.8.8 or 2606:4700::1111", s)}
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

func (c *ContactCmd) print(w io.Writer, a *contact.Answer) error {
	if !c.JSON {
		return writeAnswer(w, a)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(a)
}

// writeAnswer prints an answer and the way to it as a small tree.
func writeAnswer(w io.Writer, a *contact.Answer) error {
	var b strings.Builder
	subject := "recorded answer"
	if a.Addr.IsValid() {
		subject = a.Addr.String()
	}
	fmt.Fprintf(&b, "%s  %s\n", subject, contactLine(a))
	fmt.Fprintf(&b, "  %s: %s\n", a.Outcome, visible(a.Reason))
	if n := a.Network; n.First.IsValid() {
		fmt.Fprintf(&b, "  network %s %s\n", n, visible(strings.Join(strings.Fields(n.Name+" "+n.Country+" "+n.Registry), " ")))
	}
	if !a.Cached.IsZero() {
		fmt.Fprintf(&b, "  known since %s, good until %s\n", stamp(a.Cached), stamp(a.Expires))
	}
	for _, ev := range a.Evidence {
		writeEvidence(&b, &ev)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// contactLine lists whom to write to.
func contactLine(a *contact.Answer) string {
	var to []string
	for _, c := range a.Contacts {
		to = append(to, fmt.Sprintf("%s (%s, %s confidence)", c.Address, c.Scope, c.Confidence))
	}
	if to == nil {
		return "no contact"
	}
	return strings.Join(to, ", ")
}

func writeEvidence(b *strings.Builder, ev *contact.Evidence) {
	fmt.Fprintf(b, "  └ %s %s: %s", ev.Source, visible(ev.Query), ev.Status)
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

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os/exec"
	"strings"
	"time"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
	"spamreport-milter/resolver"
)

// DoctorCmd looks whether everything is there that a complaint needs on its way.
type DoctorCmd struct {
	JSON bool `help:"One JSON object a line."`
}

// Help is shown by `doctor --help`.
func (*DoctorCmd) Help() string {
	return `Asks every part that the daemon works with, and says what to do where one does not
answer: the queue, the milter's socket, Postfix's settings, the key, DNS, the relay. It
greets the relay and logs in, and sends nothing. The exit status is 69 when a
part is missing; notes change nothing about it.`
}

// finding is what one look ended in.
type finding struct {
	What  string `json:"what"`
	State string `json:"state"` // "good", "note" or "bad"
	Said  string `json:"said"`
}

// examTime bounds one look.
const examTime = 20 * time.Second

// exams are the looks, in the order of a message's way. Each returns what it saw, or
// an error that says what to do. Notes are things to think about.
var exams = []struct {
	what string
	look func(context.Context, *Env) (said string, err error)
}{
	{"configuration", examConfig},
	{"queue", examQueue},
	{"milter", examMilter},
	{"Postfix", examPostfix},
	{"key", examKey},
	{"DNS", examDNS},
	{"relay", examRelay},
}

// note is an error that is only a thing to think about.
type note string

func (n note) Error() string { return string(n) }

// Run looks at everything, whatever the ones before ended in.
func (c *DoctorCmd) Run(e *Env) error {
	out := newJSON(e.Stdout)
	bad := 0
	for _, exam := range exams {
		ctx, cancel := context.WithTimeout(e.Context, examTime)
		f := finding{What: exam.what, State: "good"}
		var err error
		f.Said, err = exam.look(ctx, e)
		cancel()
		var n note
		switch {
		case errors.As(err, &n):
			f.State, f.Said = "note", n.Error()
		case err != nil:
			f.State, f.Said = "bad", err.Error()
			bad++
		}
		if c.JSON {
			if err := out.Encode(f); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			continue
		}
		fmt.Fprintf(e.Stdout, "%-4s  %-13s  %s\n", f.State, f.What, strings.ReplaceAll(visible(f.Said), "\n", "\n                     "))
	}
	if bad > 0 {
		return &exitError{exUnavailable, fmt.Errorf("%d of %d parts are not as they should be", bad, len(exams))}
	}
	return nil
}

func examConfig(_ context.Context, e *Env) (string, error) {
	if notes := e.Config.notes(); len(notes) > 0 {
		return "", note(strings.Join(notes, "\n"))
	}
	if e.Config.File == "" {
		return "the defaults", nil
	}
	return e.Config.File, nil
}

// tooLong is how long a report may wait before somebody should look.
const tooLong = 15 * time.Minute

func examQueue(ctx context.Context, e *Env) (string, error) {
	store, err := openQueue(e)
	if err != nil {
		return "", err
	}
	defer store.Close()
	counts, err := store.Counts(ctx)
	if err != nil {
		return "", err
	}
	waiting, oldest, err := store.Waiting(ctx)
	if err != nil {
		return "", err
	}
	if age := time.Since(oldest); waiting > 0 && age > tooLong {
		return "", fmt.Errorf("%s: %d reports wait to be traced, the oldest for %s: is the daemon running, and what does its log say?",
			store.Place(), waiting, age.Round(time.Second))
	}
	return fmt.Sprintf("%s: %d held, %d to be sent, %d reports to be traced", store.Place(),
		counts[queue.Held], counts[queue.Ready]+counts[queue.Deferred]+counts[queue.Sending], waiting), nil
}

// examMilter connects and says nothing, as MTAs do that look whether we are there.
func examMilter(ctx context.Context, e *Env) (string, error) {
	var there []string
	for _, spec := range e.Config.Listen {
		network, address, err := milter.ParseSpec(spec)
		if err != nil {
			return "", err
		}
		if network == "systemd" {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return "", fmt.Errorf("nobody listens on %s: start `spamreport-milter serve`: %w", spec, err)
		}
		conn.Close()
		there = append(there, spec)
	}
	return strings.Join(there, ", "), nil
}

// examPostfix asks Postfix whether it knows us; a host without it is no fault.
func examPostfix(ctx context.Context, e *Env) (string, error) {
	out, err := exec.CommandContext(ctx, "postconf", "-h", "smtpd_milters", "milter_default_action").Output()
	if err != nil {
		return "", note("there is none here, or it does not answer: another MTA is as good, see contrib/sendmail")
	}
	milters, action, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	for _, spec := range e.Config.Listen {
		if strings.Contains(milters, spec) {
			if action != "accept" {
				return "", note("milter_default_action is " + action + ": mail waits while the daemon is down; accept lets it pass")
			}
			return "smtpd_milters = " + milters, nil
		}
	}
	return "", note(fmt.Sprintf("smtpd_milters = %q does not name %s: see contrib/postfix", milters, strings.Join(e.Config.Listen, " or ")))
}

func examKey(_ context.Context, e *Env) (string, error) {
	if _, err := e.Config.key(); err != nil {
		return "", err
	}
	return e.Config.keyFile(), nil
}

// examDNS asks where the answers of desks would go.
func examDNS(ctx context.Context, e *Env) (string, error) {
	dns, err := resolver.New(e.Config.DNS)
	if err != nil {
		return "", err
	}
	from, err := mail.ParseAddress(e.Config.Reporter.Sender.From)
	if err != nil {
		return "", err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	mx, err := dns.LookupMX(ctx, domain)
	var fault *net.DNSError
	switch {
	case errors.As(err, &fault) && fault.IsNotFound:
		if _, err := dns.LookupNetIP(ctx, "ip", domain); err == nil {
			return domain + " has an address", nil
		}
		return "", note("no server takes mail for " + domain + ": desks can't answer to reporter.from")
	case err != nil:
		return "", fmt.Errorf("no answer about %s: see dns.servers, or /etc/resolv.conf: %w", domain, err)
	case len(mx) == 0:
		return "", note("no server takes mail for " + domain + ": desks can't answer to reporter.from")
	}
	return fmt.Sprintf("mail for %s goes to %s", domain, strings.TrimSuffix(mx[0].Host, ".")), nil
}

func examRelay(ctx context.Context, e *Env) (string, error) {
	relay := e.Config.Reporter.Relay
	if err := relay.Greet(ctx, e.Config.Reporter.Sender.Host); err != nil {
		return "", fmt.Errorf("%w: see reporter.smarthost", err)
	}
	return relay.Addr + " answers, TLS " + relay.TLS, nil
}

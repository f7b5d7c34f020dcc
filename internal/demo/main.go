// Command demo tells the story of a complaint on one machine: a real Postfix
// gets real spam, the real daemon makes complaints of it, and a person approves
// one. Registries and the abuse desk are played on loopback. Run it with `make
// demo`; it needs root for the scratch Postfix.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"spamreport-milter/internal/testmta"
)

func main() {
	once := flag.Bool("once", false, "end after the story")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *once); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, once bool) (err error) {
	if err := possible(); err != nil {
		return err
	}
	s, err := raise(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.strike()) }()
	if err := s.tell(ctx); err != nil {
		if ctx.Err() != nil { // Ctrl-C in the middle of the story
			return nil
		}
		return err
	}
	if !once {
		s.stay(ctx)
	}
	return nil
}

func possible() error {
	if err := testmta.Available(); err != nil {
		return err
	}
	if _, err := exec.LookPath("swaks"); err != nil {
		return errors.New("no swaks in PATH: apt-get install swaks")
	}
	return nil
}

// tell is the story, step by step.
func (s *stage) tell(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.deliver, s.list, s.show, s.closeUp, s.approve,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) deliver(ctx context.Context) error {
	say("Five mails reach Postfix at %s. A filter before us has tagged three of them.", s.postfix.Addr)
	for _, d := range deliveries {
		if err := s.send(ctx, &d); err != nil {
			return err
		}
		verdict := "not tagged: Postfix keeps it, we forget it"
		if d.tagged {
			verdict = "tagged: recorded before Postfix hears our answer"
		}
		fmt.Printf("  accepted from %-15s  %-36s %s\n", d.client, d.what, verdict)
	}
	return nil
}

func (s *stage) send(ctx context.Context, d *delivery) error {
	msg, err := d.message()
	if err != nil {
		return err
	}
	swaks := exec.CommandContext(ctx, "swaks", "--server", s.postfix.Addr, "--helo", d.helo,
		"--xclient-addr", d.client, "--xclient-port", "40123",
		"--xclient-name", d.name, "--xclient-reverse-name", d.name, "--from", d.from, "--to", "user@example.org",
		"--data", "-", "--no-data-fixup", "--hide-all")
	swaks.Stdin = bytes.NewReader(dotted(msg))
	if out, err := swaks.CombinedOutput(); err != nil {
		return fmt.Errorf("swaks: %w: %s", err, out)
	}
	return nil
}

// dotted makes a message what swaks sends as it is: CRLF line ends, dots
// doubled, and the final dot.
func dotted(msg []byte) []byte {
	msg = bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n"))
	msg = bytes.ReplaceAll(msg, []byte("\n."), []byte("\n.."))
	msg = bytes.TrimSuffix(bytes.ReplaceAll(msg, []byte("\n"), []byte("\r\n")), []byte("\r\n"))
	return append(msg, "\r\n.\r\n"...)
}

func (s *stage) list(ctx context.Context) error {
	say("The workers trace each report and ask the registry who answers for its source.")
	if err := s.wait(ctx, "held", 3); err != nil {
		return err
	}
	return s.run(ctx, "queue", "list")
}

func (s *stage) show(ctx context.Context) error {
	say("Why is that? The chain, the contact with its proof, and every event:")
	id, err := s.find(ctx, "212.79.186.62")
	if err != nil {
		return err
	}
	return s.run(ctx, "queue", "show", id)
}

func (s *stage) closeUp(ctx context.Context) error {
	say("The same for a message whose sender forged the lines below the first:")
	id, err := s.find(ctx, "61.241.243.72")
	if err != nil {
		return err
	}
	return s.run(ctx, "queue", "show", id)
}

// printMail shows a mail on a terminal; of several empty lines it shows one.
func printMail(data []byte) {
	empty := false
	for line := range strings.Lines(strings.ToValidUTF8(string(data), "\uFFFD")) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" && empty {
			continue
		}
		empty = line == ""
		fmt.Println("  |", line)
	}
}

func (s *stage) approve(ctx context.Context) error {
	say("Nothing has left so far. A person approves one complaint:")
	id, err := s.find(ctx, "212.79.186.62")
	if err != nil {
		return err
	}
	if err := s.run(ctx, "queue", "approve", "--reason", "seen it, it is spam", id); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	got, err := s.world.Desk.Wait(patience, 1)
	if err != nil {
		return fmt.Errorf("the abuse desk got nothing: %w", err)
	}
	say("What the abuse desk's server received, from <%s> for %s:", got[0].From, strings.Join(got[0].To, ", "))
	printMail(got[0].Data)
	if err := s.wait(ctx, "sent", 1); err != nil {
		return err
	}
	return s.run(ctx, "queue", "list")
}

// stay keeps everything up for the reader's own experiments.
func (s *stage) stay(ctx context.Context) {
	say("Everything stays up until Ctrl-C. Try, in another terminal:")
	fmt.Printf(`
  swaks --server %s --xclient-addr 61.241.243.80 --from me@sender.test --to user@example.org \
        --header 'Subject: more spam' --header 'X-Spam-Flag: YES'
  %[2]s queue list
  %[2]s queue show 2
  %[2]s queue approve 2
  %[2]s trace internal/demo/testdata/*.eml
  tail -f %s
`, s.postfix.Addr, s.command(), s.logFile)
	<-ctx.Done()
	fmt.Println()
}

func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n\n", args...) }

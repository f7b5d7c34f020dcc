package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/term"
)

// visible keeps text from mail, relays and registries from steering the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// isTerminal reports whether a person is at a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// coloured reports whether w is a terminal that wants colours (no-color.org).
func coloured(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// confirm asks a person, whose word is needed before something large. Where nobody
// can be asked it refuses.
func confirm(e *Env, question string) error {
	if !isTerminal(e.Stdin) {
		return usage("%s Nobody is here to say so: give --yes", question)
	}
	if !ask(e, question) {
		return &exitError{exTempFail, errors.New("nothing done")}
	}
	return nil
}

// ask puts a question on the terminal. Anything but a yes is a no, and so is Ctrl-C.
func ask(e *Env, question string) bool {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(e.Context), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(e.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := readLine(e.Stdin) // an end without a line is a no
		answer <- line
	}()
	select {
	case line := <-answer:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes"
	case <-ctx.Done():
		fmt.Fprintln(e.Stderr)
		return false
	}
}

// readLine reads one line and nothing behind it: the next question, or an editor, reads
// on from there.
func readLine(r io.Reader) (string, error) {
	return bufio.NewReaderSize(oneOctet{r}, 16).ReadString('\n')
}

// oneOctet gives its octets one by one.
type oneOctet struct{ io.Reader }

func (o oneOctet) Read(b []byte) (int, error) { return o.Reader.Read(b[:min(1, len(b))]) }

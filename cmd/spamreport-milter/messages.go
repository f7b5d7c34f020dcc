package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"spamreport-milter/trace"
)

// messages reads the saved messages that files, directories and Maildirs hold,
// one after the other. A fault of one is told on standard error and counted; it
// does not keep the others back.
type messages struct {
	limit  int64 // octets of each body that are kept
	stdin  io.Reader
	stderr io.Writer
	// each gets every message. Its error ends the reading.
	each func(file string, m *trace.Message) error

	faults int
	code   int // exit status of the first fault
}

// read goes through the paths, or standard input, called "-", when there are none.
func (s *messages) read(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return s.stream(ctx, "-", s.stdin)
	}
	for _, path := range paths {
		if err := s.path(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// path reads a file, or all files below a directory. Of a Maildir these are the
// messages in cur and new; its index files are left out.
func (s *messages) path(ctx context.Context, name string) error {
	return filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			s.fault(exNoInput, err)
			return nil
		case d.IsDir():
			if d.Name() == "tmp" && isMaildir(filepath.Dir(file)) {
				return fs.SkipDir
			}
			return nil
		case file != name && isMaildir(filepath.Dir(file)):
			return nil // dovecot-uidlist and its like
		case file != name && !d.Type().IsRegular():
			return nil
		}
		return s.file(ctx, file)
	})
}

func isMaildir(dir string) bool {
	for _, sub := range []string{"cur", "new"} {
		if info, err := os.Stat(filepath.Join(dir, sub)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

func (s *messages) file(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		s.fault(exNoInput, err)
		return nil
	}
	defer f.Close()
	return s.stream(ctx, name, f)
}

// stream reads an mbox, which begins with a "From " line (RFC 4155), or else one
// message. What looks like an mbox inside such a message is its sender's text:
// split there, he could have us complain about anybody.
func (s *messages) stream(ctx context.Context, name string, r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if begin, _ := in.Peek(len("From ")); string(begin) != "From " {
		m, err := trace.Read(in, s.limit)
		return s.take(ctx, name, m, err)
	}
	box := trace.NewMailbox(in, s.limit)
	for {
		m, err := box.Next()
		if err == io.EOF {
			return nil
		}
		if err := s.take(ctx, name, m, err); err != nil {
			return err
		}
	}
}

// take hands on a message, or counts the fault that stood in its place.
func (s *messages) take(ctx context.Context, name string, m *trace.Message, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, trace.ErrNoMessage):
		s.fault(exData, fmt.Errorf("%s: %w", name, err))
	case err != nil:
		s.fault(exNoInput, fmt.Errorf("%s: %w", name, err))
	default:
		return s.each(name, m)
	}
	return nil
}

func (s *messages) fault(code int, err error) {
	fmt.Fprintf(s.stderr, "spamreport-milter: %v\n", err)
	if s.faults++; s.code == 0 {
		s.code = code
	}
}

// failed tells how many could not be done, with the status of the first.
func (s *messages) failed(done string) error {
	if s.faults == 0 {
		return nil
	}
	return &exitError{s.code, fmt.Errorf("%d not %s, as told above", s.faults, done)}
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"spamreport-milter/queue"
)

func writeDraft(k *queue.Complaint, text string) (name string, err error) {
	f, err := os.CreateTemp("", fmt.Sprintf("complaint-%d-*.txt", k.ID)) // mode 0600
	if err != nil {
		return "", &exitError{exUnavailable, err}
	}
	_, err = io.WriteString(f, draftOf(k, text))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", &exitError{exUnavailable, errors.Join(err, os.Remove(f.Name()))}
	}
	return f.Name(), nil
}

// openEditor runs the person's editor by the shell, as git and crontab do: the
// variable may hold options. Ctrl-C is the editor's.
func openEditor(e *Env, name string) error {
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	cmd := exec.Command("/bin/sh", "-c", editor+` "$1"`, "sh", name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Stdin, e.Stdout, e.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("editor %q: %w", editor, err)
	}
	return nil
}

func readDraft(name string) (*draft, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 2*maxLetter))
	if err != nil {
		return nil, err
	}
	d, err := parseDraft(string(b))
	if err != nil {
		return nil, err
	}
	return d, d.check()
}

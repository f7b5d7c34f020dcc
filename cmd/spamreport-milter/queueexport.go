package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"spamreport-milter/queue"
)

// QueueExportCmd packs a case.
type QueueExportCmd struct {
	ID     int64  `arg:"" help:"Number of the complaint."`
	Output string `short:"o" placeholder:"FILE" help:"The zip, or - for standard output; case-ID.zip if not given."`
	Force  bool   `short:"f" help:"Write over a file that is there."`
}

// Help is shown by `queue export --help`.
func (*QueueExportCmd) Help() string {
	return `The zip holds the reported mail, the complaint, the chain, what registries answered, the
events, and a README.txt that says what each file is and how to check it. The same case from
the same queue makes the same zip. It holds personal data: keep it as such.`
}

// Run packs the case and says what was written.
func (c *QueueExportCmd) Run(e *Env) error {
	if c.Output == "-" && isTerminal(e.Stdout) {
		return usage("a zip is nothing for a terminal: send it to a file")
	}
	return withQueue(e, func(store *queue.Store) error {
		k, err := store.Case(e.Context, c.ID)
		if err != nil {
			return err
		}
		trail, altered := verify(e, store)
		if altered != nil && !errors.Is(altered, queue.ErrAltered) {
			return altered
		}
		dossier, err := newDossier(e, k, trail, altered)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := dossier.zip(&b, k.Complaint.Updated); err != nil {
			return err
		}
		return errors.Join(c.save(e, b.Bytes(), len(dossier.files)), altered)
	})
}

// save writes the file at once and whole, readable to its owner alone.
func (c *QueueExportCmd) save(e *Env, b []byte, files int) error {
	if c.Output == "-" {
		_, err := e.Stdout.Write(b)
		return err
	}
	name := c.Output
	if name == "" {
		name = fmt.Sprintf("case-%d.zip", c.ID)
	}
	if _, err := os.Lstat(name); err == nil && !c.Force {
		return &exitError{exData, fmt.Errorf("%s is there already: name another with --output, or write over it with --force", name)}
	}
	if err := replaceFile(name, b, c.Force); err != nil {
		return &exitError{exUnavailable, err}
	}
	fmt.Fprintf(e.Stdout, "%s: %d files, SHA-256 of the zip %x\n", name, files, sha256.Sum256(b))
	return nil
}

// replaceFile writes a file beside its place and moves it there.
func replaceFile(name string, b []byte, force bool) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".case-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone when it was moved
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if force {
		return os.Rename(f.Name(), name)
	}
	err = os.Link(f.Name(), name) // fails where a file came meanwhile
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: %w", name, err)
	}
	return err
}

// zip writes the files in the order of their names, with one time for all, so that
// the same files make the same octets.
func (d *dossier) zip(out io.Writer, at time.Time) error {
	d.add("SHA256SUMS", "", d.sums())
	w := zip.NewWriter(out)
	slices.SortFunc(d.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	for _, f := range d.files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at.UTC()}
		h.SetMode(0o600)
		fw, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := fw.Write(f.data); err != nil {
			return err
		}
	}
	return w.Close()
}

// sums is what sha256sum -c reads.
func (d *dossier) sums() []byte {
	var b bytes.Buffer
	for _, f := range d.files {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	return b.Bytes()
}

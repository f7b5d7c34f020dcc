package milter

import (
	"context"
	"fmt"
	"io"
	"os"
)

// spillAt is how much of one body is kept in memory before it goes to a file, in
// octets. Nine of ten messages are smaller.
const spillAt = 64 << 10

// spool keeps the body of one message: in memory, in a file that has no name when
// it grows, and always within the server's memory. Its owner closes it.
type spool struct {
	srv   *Server
	dir   string
	limit int64 // octets that are kept

	mem  []byte
	held int64 // octets of the server's memory
	file *os.File
	size int64 // octets kept
	seen int64
	err  error // why the body is not whole; then nothing can be read back
}

// write takes the next piece and reports whether more came than is kept.
func (b *spool) write(p []byte) (full bool) {
	b.seen += int64(len(p))
	p = p[:min(int64(len(p)), b.limit-b.size)]
	if b.err == nil && len(p) > 0 {
		b.err = b.keep(p)
		b.size += int64(len(p))
	}
	return b.seen > b.size
}

func (b *spool) keep(p []byte) error {
	if b.file == nil && len(b.mem)+len(p) <= spillAt && b.reserve(len(b.mem)+len(p)) {
		b.mem = append(b.mem, p...)
		return nil
	}
	if b.file == nil {
		if err := b.spill(); err != nil {
			return err
		}
	}
	_, err := b.file.Write(p)
	return err
}

// reserve takes memory in steps, for the sake of the count that all share.
func (b *spool) reserve(n int) bool {
	const step = 8 << 10
	for b.held < int64(n) {
		if !b.srv.memory.TryAcquire(step) {
			return false
		}
		b.held += step
	}
	return true
}

func (b *spool) spill() error {
	f, err := os.CreateTemp(b.dir, "spamreport-milter-*")
	if err != nil {
		return fmt.Errorf("body does not fit in memory: %w", err)
	}
	b.file = f
	b.srv.stats.spilled.Add(1)
	// The file goes with the process, whatever becomes of that.
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if _, err := f.Write(b.mem); err != nil {
		return err
	}
	b.mem = nil
	b.srv.memory.Release(b.held)
	b.held = 0
	return nil
}

// octets returns what was kept, which stands in memory from now on, until close.
// For a body in a file it waits for room: times is how often the body will be
// there while it is worked on.
func (b *spool) octets(ctx context.Context, times int64) ([]byte, error) {
	if b.err != nil || b.file == nil {
		return b.mem, b.err
	}
	if err := b.srv.memory.Acquire(ctx, times*b.size); err != nil {
		return nil, fmt.Errorf("no memory for a body of %d octets: %w", b.size, err)
	}
	b.held += times * b.size
	octets := make([]byte, b.size)
	if _, err := b.file.ReadAt(octets, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("body kept in a file: %w", err)
	}
	return octets, nil
}

// close gives everything back. Calling it twice is harmless.
func (b *spool) close() {
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
	b.srv.memory.Release(b.held)
	b.mem, b.held = nil, 0
}

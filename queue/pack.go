package queue

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// Codings of stored octets.
const (
	plain  = ""
	packed = "zstd" // RFC 8878
)

// maxUnpacked bounds what a stored frame may become: a damaged or planted one must
// not take all memory.
const maxUnpacked = 256 << 20

var (
	packer = must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithZeroFrames(true), zstd.WithLowerEncoderMem(true)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderConcurrency(4)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // our own options
	}
	return v
}

// pack compresses octets.
func pack(b []byte) []byte { return packer.EncodeAll(b, make([]byte, 0, len(b)/2+64)) }

// unpack gives stored octets back.
func unpack(coding string, b []byte) ([]byte, error) {
	switch coding {
	case plain:
		return b, nil
	case packed:
		return unpacker.DecodeAll(b, nil)
	}
	return nil, fmt.Errorf("stored octets have the coding %q, which this program doesn't know", coding)
}

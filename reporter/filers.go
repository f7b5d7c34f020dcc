package reporter

import (
	"context"
	"sync"
	"time"

	"spamreport-milter/queue"
)

// filers are those that file at the same time. There are many: most of filing is
// waiting, and those that wait for one slow registry must not keep the others'
// reports back.
type filers struct {
	*Reporter
	running sync.WaitGroup
	freed   chan struct{} // has one when a filer has ended

	mu     sync.Mutex
	busy   int
	octets int64 // of mail that they hold
}

const (
	maxFilers = 128
	// maxTaken are taken up at once, so that half of them are traced and looked up while
	// the store takes in what comes of the others.
	maxTaken = maxFilers / 2
	// maxHeld is reached by few large mails as well as by many small ones.
	maxHeld = 64 << 20
)

func newFilers(r *Reporter) *filers { return &filers{Reporter: r, freed: make(chan struct{}, 1)} }

// next takes up waiting reports when there is room, and reports whether there were any.
// Filers work on when ctx ends, for as long as work lasts.
func (f *filers) next(ctx, work context.Context) (bool, error) {
	n, octets := f.room()
	for n <= 0 || octets <= 0 {
		select {
		case <-f.freed:
		case <-ctx.Done():
			return false, nil
		}
		n, octets = f.room()
	}
	claims, err := f.queue.ClaimReports(work, min(n, maxTaken), octets, f.Lease)
	for _, claim := range claims {
		f.hold(claim, 1)
		f.running.Go(func() {
			defer f.hold(claim, -1)
			f.fileOne(ctx, work, claim)
		})
	}
	return len(claims) > 0, ignoreCancel(work, err)
}

// room is how many more reports there is a filer for, and how many octets of them.
func (f *filers) room() (n int, octets int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maxFilers - f.busy, maxHeld - f.octets
}

// hold notes one filer more or less.
func (f *filers) hold(claim *queue.ReportClaim, by int) {
	f.mu.Lock()
	f.busy += by
	f.octets += int64(by * len(claim.Report.Message.Body))
	f.mu.Unlock()
	if by < 0 {
		select {
		case f.freed <- struct{}{}:
		default:
		}
	}
}

// fileOne keeps its place for a while after a fault: the others that wait may well meet
// it too.
func (f *filers) fileOne(ctx, work context.Context, claim *queue.ReportClaim) {
	_, err := f.guard(func() (bool, error) { return true, f.fileClaimed(work, claim) })
	if err == nil {
		return
	}
	f.Log.Error("worker", "err", err)
	select {
	case <-ctx.Done():
	case <-time.After(f.Poll):
	}
}

package reporter

import (
	"context"
	"errors"
	"testing"
	"time"

	"spamreport-milter/queue"
)

// TestOutcome holds the choice between done, later and never, and when later is.
// It stands inside the package: no test waits five days.
func TestOutcome(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	fresh, old := now.Add(-time.Hour), now.Add(-giveUp-time.Second)
	busy, never := errors.New("421 busy"), refused{errors.New("550 no")}
	for name, c := range map[string]struct {
		d        delivered
		err      error
		ready    time.Time
		attempts int
		taken    []string
		want     queue.State
		wait     time.Duration // the least; a quarter more is jitter
	}{
		"taken":                   {d: delivered{Taken: []string{"a"}}, ready: fresh, want: queue.Sent},
		"one for later":           {d: delivered{Taken: []string{"a"}, Later: true}, ready: fresh, attempts: 1, want: queue.Deferred, wait: firstRetry},
		"busy once":               {err: busy, ready: fresh, attempts: 1, want: queue.Deferred, wait: firstRetry},
		"busy thrice":             {err: busy, ready: fresh, attempts: 3, want: queue.Deferred, wait: 4 * firstRetry},
		"busy often":              {err: busy, ready: fresh, attempts: 60, want: queue.Deferred, wait: maxRetry},
		"busy too long":           {err: busy, ready: old, attempts: 60, want: queue.Failed},
		"busy too long, one has":  {err: busy, ready: old, taken: []string{"a"}, want: queue.Sent},
		"later too long, one has": {d: delivered{Taken: []string{"a"}, Later: true}, ready: old, want: queue.Sent},
		"refused":                 {err: never, ready: fresh, want: queue.Failed},
		"rest refused, one has":   {err: never, ready: fresh, taken: []string{"a"}, want: queue.Sent},
		"stopped":                 {err: context.Canceled, ready: old, want: queue.Deferred},
	} {
		t.Run(name, func(t *testing.T) {
			o := outcome(c.d, c.err, &queue.Complaint{ReadyAt: c.ready, Attempts: c.attempts, Taken: c.taken}, now)
			if o.State != c.want || o.Reason == "" {
				t.Fatalf("%s (%q), want %s", o.State, o.Reason, c.want)
			}
			if wait := o.NextAttempt.Sub(now); c.want == queue.Deferred && (wait < c.wait || wait > c.wait*5/4) {
				t.Errorf("next attempt in %v, want %v or up to a quarter more", wait, c.wait)
			}
		})
	}
}

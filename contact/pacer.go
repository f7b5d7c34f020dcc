package contact

import (
	"context"
	"sync"
	"time"
)

// Pacer gives turns at registries' servers, so that all who share it together keep
// to one pace.
type Pacer interface {
	// TakeTurn reserves the next turn for one question. wait is how long it is until
	// then; longer than within, nothing is reserved. paused is how long the server
	// is not to be asked, in place of a turn: after Pause, or when there were daily
	// questions on this day (UTC); 0 is any number. asked counts those of the day.
	TakeTurn(ctx context.Context, server string, pace time.Duration, daily int, within time.Duration) (wait, paused time.Duration, asked int, err error)
	// Pause keeps a server from being asked for a while. It never shortens another.
	Pause(ctx context.Context, server string, d time.Duration) error
}

// pacer is a Pacer of one process.
type pacer struct {
	now   func() time.Time
	mu    sync.Mutex
	turns map[string]*turns
}

type turns struct {
	free, paused, day time.Time
	asked             int
}

func (p *pacer) TakeTurn(_ context.Context, server string, pace time.Duration, daily int, within time.Duration) (wait, paused time.Duration, asked int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.of(server)
	now := p.now().UTC()
	if today := now.Truncate(24 * time.Hour); !t.day.Equal(today) {
		t.day, t.asked = today, 0
	}
	switch {
	case t.paused.After(now):
		return 0, t.paused.Sub(now), t.asked, nil
	case daily > 0 && t.asked >= daily:
		return 0, t.day.Add(24 * time.Hour).Sub(now), t.asked, nil
	}
	if wait = max(0, t.free.Sub(now)); wait <= within {
		t.free = now.Add(wait + pace)
		t.asked++
	}
	return wait, 0, t.asked, nil
}

func (p *pacer) Pause(_ context.Context, server string, d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.of(server)
	if until := p.now().Add(d); until.After(t.paused) {
		t.paused = until
	}
	return nil
}

// of must be called with mu held.
func (p *pacer) of(server string) *turns {
	t := p.turns[server]
	if t == nil {
		t = new(turns)
		p.turns[server] = t
	}
	return t
}

package queue

import (
	"context"
	"encoding/hex"
	"time"
)

// keepEvery is how often what is past its time is looked for.
const keepEvery = time.Hour

// Keep purges every hour until ctx ends, and logs the head of the audit trail: who
// rewrites the trail in the database does not reach what the log has of it.
func (s *Store) Keep(ctx context.Context, r Retention) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	var logged int64
	for {
		logged = s.logHead(ctx, logged)
		p, err := s.Purge(ctx, r)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("retention", "err", err)
		case p != Purged{}:
			s.log.Info("retention", "mail", p.Mail, "answers", p.Answers, "complaints", p.Complaints, "reports", p.Reports, "events", p.Events)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// logHead logs the newest event unless it was logged before, and returns it.
func (s *Store) logHead(ctx context.Context, logged int64) int64 {
	var id int64
	var hash []byte
	err := s.view(ctx, func(tx *transaction) error {
		return tx.QueryRowContext(ctx, `SELECT head_id, head_hash FROM trail`).Scan(&id, &hash)
	})
	if err == nil && id != logged {
		s.log.Info("audit trail", "event", id, "hash", hex.EncodeToString(hash))
	}
	return id
}

// Place is where the queue is, as it may be shown: the path of the file, or the URL
// of the database without its password.
func (s *Store) Place() string { return s.place }

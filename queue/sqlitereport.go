package queue

import (
	"context"
	"database/sql"
	"errors"
)

// The statements of the way in. SQLite runs them within this process: several small
// ones that are compiled once are the fastest.
const (
	insertMail = `
		INSERT INTO mail (hash, header, body, coding) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hash) DO NOTHING RETURNING id`
	// Due at 0 and not now: a clock that goes back must not hide fresh reports.
	insertReport = `
		INSERT INTO reports (received, cause, reporter, reason, mail_from, session, header_cut, body_size, mail_id, due)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) RETURNING id`
	insertRecipient = `INSERT INTO recipients (report_id, position, address) VALUES ($1, $2, $3)`
)

func insertIntoFile(s *Store, ctx context.Context, tx *change, all []*incoming) error {
	for _, in := range all {
		if err := in.insert(s, ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (in *incoming) insert(s *Store, ctx context.Context, tx *change) error {
	var mail int64
	m := &in.mail
	err := tx.QueryRowContext(ctx, insertMail, m.hash, m.header, m.body, m.coding).Scan(&mail)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, `SELECT id FROM mail WHERE hash = $1`, m.hash).Scan(&mail)
	}
	if err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, insertReport, in.received, in.cause, in.reporter, in.reason,
		in.mailFrom, in.session, in.headerCut, in.bodySize, mail).Scan(&in.id)
	if err != nil {
		return err
	}
	for i, rcpt := range in.recipients {
		if _, err := tx.ExecContext(ctx, insertRecipient, in.id, i, []byte(rcpt)); err != nil {
			return err
		}
	}
	return nil
}

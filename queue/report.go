package queue

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"spamreport-milter/trace"
)

// Submit stores a report and returns its id once it is synced to disk. ID is
// ignored; a zero Received becomes now. The error of a ctx that ends before the
// writer took the report means that it was not stored; after that Submit waits
// for the outcome. Any other error means not stored as well, and a retry is
// right, but for ErrClosed. r's slices must not change meanwhile.
func (s *Store) Submit(ctx context.Context, r Report) (int64, error) {
	if r.Received.IsZero() {
		r.Received = s.now()
	}
	m := packMail(r.Message.Header, r.Message.Body) // before the writer, which is one for all
	var id int64
	err := s.hand(ctx, &job{sole: true, run: func(ctx context.Context, tx *change) (err error) {
		id, err = s.insertReport(ctx, tx, &r, &m)
		return err
	}})
	if err != nil {
		return 0, fmt.Errorf("report not stored: %w", err)
	}
	s.wakeWorkers()
	return id, nil
}

// The statements of the way in, compiled once.
const (
	// Due at 0 and not now: a clock that goes back must not hide fresh reports.
	insertReport = `
		INSERT INTO reports (received, cause, reporter, reason, mail_from, session, header_cut, body_size, mail_id, due)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) RETURNING id`
	insertRecipient = `INSERT INTO recipients (report_id, position, address) VALUES ($1, $2, $3)`
	insertMail      = `
		INSERT INTO mail (hash, header, body, coding) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hash) DO NOTHING RETURNING id`
)

func (s *Store) insertReport(ctx context.Context, tx *change, r *Report, m *mail) (id int64, err error) {
	mailID, err := s.insertMail(ctx, tx, m)
	if err != nil {
		return 0, err
	}
	var session sql.NullString
	if r.Message.Session != nil {
		session.Valid = true
		if session.String, err = encode(r.Message.Session); err != nil {
			return 0, err
		}
	}
	err = tx.StmtContext(ctx, s.compiled[insertReport]).QueryRowContext(ctx,
		micros(r.Received), r.Cause, text(r.Reporter), text(r.Reason), []byte(r.Message.MailFrom),
		session, flag(r.Message.HeaderCut), r.Message.BodySize, mailID).Scan(&id)
	if err != nil {
		return 0, err
	}
	for i, rcpt := range r.Message.RcptTo {
		_, err := tx.StmtContext(ctx, s.compiled[insertRecipient]).ExecContext(ctx, id, i, []byte(rcpt))
		if err != nil {
			return 0, err
		}
	}
	return id, nil
}

// purgedMail is the row that reports point to whose mail was removed.
const purgedMail = 0

// mail is a mail as it is stored.
type mail struct {
	hash         []byte
	header, body []byte
	coding       string
}

// packMail compresses a mail where that saves something.
func packMail(header, body []byte) mail {
	m := mail{hash: mailHash(header, body), header: pack(header), body: pack(body), coding: packed}
	if len(m.header)+len(m.body) >= len(header)+len(body) {
		m.header, m.body, m.coding = blob(header), blob(body), plain
	}
	return m
}

// insertMail stores a mail unless it is there, and returns its row.
func (s *Store) insertMail(ctx context.Context, tx *change, m *mail) (id int64, err error) {
	err = tx.StmtContext(ctx, s.compiled[insertMail]).QueryRowContext(ctx, m.hash, m.header, m.body, m.coding).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, `SELECT id FROM mail WHERE hash = $1`, m.hash).Scan(&id)
	}
	return id, err
}

// mailHash is the SHA-256 of the header's length (8 bytes, big endian), the
// header and the body. The length tells mails apart that only split differently.
func mailHash(header, body []byte) []byte {
	h := sha256.New()
	part(h, header)
	h.Write(body)
	return h.Sum(nil)
}

// blob keeps an absent slice from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Report returns one report with its message.
func (s *Store) Report(ctx context.Context, id int64) (r *Report, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		r, err = readReport(ctx, tx, id)
		return err
	})
	return r, err
}

func readReport(ctx context.Context, tx *sql.Tx, id int64) (*Report, error) {
	r := &Report{ID: id}
	m := &r.Message
	var received int64
	var session sql.NullString
	var coding string
	var mailID int64
	err := tx.QueryRowContext(ctx, `
		SELECT received, cause, reporter, reason, mail_from, session, header_cut, body_size, mail_id, header, body, coding
		FROM reports JOIN mail ON mail.id = reports.mail_id WHERE reports.id = $1`, id).
		Scan(&received, &r.Cause, &r.Reporter, &r.Reason, &m.MailFrom, &session, &m.HeaderCut, &m.BodySize, &mailID, &m.Header, &m.Body, &coding)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("report %d is %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if err := unpackMail(m, coding); err != nil {
		return nil, fmt.Errorf("mail of report %d: %w", id, err)
	}
	r.Received, r.Purged = fromMicros(received), mailID == purgedMail
	if session.Valid {
		m.Session = new(trace.Session)
		if err := json.Unmarshal([]byte(session.String), m.Session); err != nil {
			return nil, fmt.Errorf("session of report %d: %w", id, err)
		}
	}
	m.RcptTo, err = column[string](ctx, tx, `SELECT address FROM recipients WHERE report_id = $1 ORDER BY position`, id)
	return r, err
}

func unpackMail(m *trace.Message, coding string) (err error) {
	if m.Header, err = unpack(coding, m.Header); err != nil {
		return err
	}
	m.Body, err = unpack(coding, m.Body)
	return err
}

// column returns the only column of a query's rows.
func column[T any](ctx context.Context, tx *sql.Tx, query string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Waiting returns how many reports are not done yet, and when the oldest of
// them was received; zero if there is none.
func (s *Store) Waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		var received int64
		err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(min(received), 0) FROM reports WHERE due IS NOT NULL`).Scan(&n, &received)
		oldest = fromMicros(received)
		return err
	})
	return n, oldest, err
}

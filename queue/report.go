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
	in, err := s.incoming(&r) // before the writer, which is one for all
	if err == nil {
		err = s.hand(ctx, &job{report: in})
	}
	if err != nil {
		return 0, fmt.Errorf("report not stored: %w", err)
	}
	s.wakeWorkers()
	return in.id, nil
}

// incoming is a report as it is stored. Those of a group are inserted together.
type incoming struct {
	id         int64
	received   int64
	cause      string
	reporter   string
	reason     string
	mailFrom   []byte
	session    sql.NullString
	headerCut  int
	bodySize   int64
	mail       mail
	recipients []string
}

func (s *Store) incoming(r *Report) (*incoming, error) {
	m := &r.Message
	in := &incoming{
		received: micros(r.Received), cause: string(r.Cause), reporter: text(r.Reporter), reason: text(r.Reason),
		mailFrom: []byte(m.MailFrom), headerCut: flag(m.HeaderCut), bodySize: m.BodySize,
		mail: packMail(m.Header, m.Body), recipients: m.RcptTo,
	}
	if m.Session == nil {
		return in, nil
	}
	var err error
	in.session.Valid = true
	in.session.String, err = encode(m.Session)
	return in, err
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
	err = s.view(ctx, func(tx *transaction) error {
		r, err = readReport(ctx, tx, id, mailColumns)
		return err
	})
	return r, err
}

// What a report is read with: its mail, or none of it.
const (
	mailColumns = `header, body, coding`
	noMail      = `NULL, NULL, ''`
)

func readReport(ctx context.Context, tx *transaction, id int64, columns string) (*Report, error) {
	r := &Report{ID: id}
	m := &r.Message
	var received int64
	var session sql.NullString
	var coding string
	var mailID int64
	err := tx.QueryRowContext(ctx, `
		SELECT received, cause, reporter, reason, mail_from, session, header_cut, body_size, mail_id, `+columns+`
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
func column[T any](ctx context.Context, tx *transaction, query string, args ...any) ([]T, error) {
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
	err = s.view(ctx, func(tx *transaction) error {
		var received int64
		err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(min(received), 0) FROM reports WHERE due IS NOT NULL`).Scan(&n, &received)
		oldest = fromMicros(received)
		return err
	})
	return n, oldest, err
}

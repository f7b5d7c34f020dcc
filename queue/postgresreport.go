package queue

import (
	"context"
	"database/sql"
	"errors"
)

// insertAll and insertAllRecipients store all reports of a group: each statement is
// a way to the server and back, and has its price there. Mails go in by their hash,
// so that two hosts with the same ones wait for each other in one direction only. One
// that another host stores in this moment is seen by neither part of found; then
// its report is missing, and the next try finds it.
const (
	insertAll = `
	WITH given AS MATERIALIZED (
		SELECT *, nextval(pg_get_serial_sequence('reports', 'id')) AS id
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bigint[], $8::bigint[],
			$9::bytea[], $10::bytea[], $11::bytea[], $12::text[]) WITH ORDINALITY
			AS g (received, cause, reporter, reason, mail_from, session, header_cut, body_size, hash, header, body, coding, nth)
	), stored AS (
		INSERT INTO mail (hash, header, body, coding)
		SELECT DISTINCT ON (hash) hash, header, body, coding FROM given ORDER BY hash
		ON CONFLICT (hash) DO NOTHING RETURNING id, hash
	), found AS (
		SELECT id, hash FROM stored UNION ALL SELECT id, hash FROM mail WHERE hash = ANY($9)
	), report AS (
		INSERT INTO reports (id, received, cause, reporter, reason, mail_from, session, header_cut, body_size, mail_id, due)
		SELECT given.id, received, cause, reporter, reason, mail_from, session, header_cut, body_size, found.id, 0
		FROM given JOIN found USING (hash) RETURNING id
	)
	SELECT report.id FROM report JOIN given USING (id) ORDER BY nth`
	insertAllRecipients = `
	INSERT INTO recipients (report_id, position, address) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])`
)

var errMailRace = errors.New("another host stores the same mail in this moment: a retry helps")

func insertIntoServer(s *Store, ctx context.Context, tx *change, all []*incoming) error {
	var c incomingColumns
	for _, in := range all {
		c.add(in)
	}
	rows, err := tx.QueryContext(ctx, insertAll, c.received, c.cause, c.reporter, c.reason,
		c.mailFrom, c.session, c.headerCut, c.bodySize, c.hash, c.header, c.body, c.coding)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(&all[n].id); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != len(all) {
		return errMailRace
	}
	return insertRecipientsIntoServer(s, ctx, tx, all)
}

// incomingColumns are reports as arrays of their columns.
type incomingColumns struct {
	received, headerCut, bodySize   []int64
	cause, reporter, reason, coding []string
	session                         []sql.NullString
	mailFrom, hash, header, body    [][]byte
}

func (c *incomingColumns) add(in *incoming) {
	c.received = append(c.received, in.received)
	c.headerCut = append(c.headerCut, int64(in.headerCut))
	c.bodySize = append(c.bodySize, in.bodySize)
	c.cause = append(c.cause, in.cause)
	c.reporter = append(c.reporter, in.reporter)
	c.reason = append(c.reason, in.reason)
	c.session = append(c.session, in.session)
	c.mailFrom = append(c.mailFrom, in.mailFrom)
	c.hash = append(c.hash, in.mail.hash)
	c.header = append(c.header, in.mail.header)
	c.body = append(c.body, in.mail.body)
	c.coding = append(c.coding, in.mail.coding)
}

func insertRecipientsIntoServer(s *Store, ctx context.Context, tx *change, all []*incoming) error {
	var reports, positions []int64
	var addresses [][]byte
	for _, in := range all {
		for i, rcpt := range in.recipients {
			reports, positions, addresses = append(reports, in.id), append(positions, int64(i)), append(addresses, []byte(rcpt))
		}
	}
	if len(reports) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, insertAllRecipients, reports, positions, addresses)
	return err
}

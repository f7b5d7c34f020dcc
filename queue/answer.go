package queue

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// keepAnswer stores what a look-up ended in, unless it is there: all complaints
// about one network have the same. It returns the row, NULL for no answer.
func (s *Store) keepAnswer(ctx context.Context, tx *change, answer json.RawMessage) (id sql.NullInt64, err error) {
	if len(answer) == 0 {
		return id, nil
	}
	hash := sha256.Sum256(answer)
	const find = `SELECT id FROM answers WHERE hash = $1`
	if err = tx.QueryRowContext(ctx, find, hash[:]).Scan(&id); !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	err = tx.QueryRowContext(ctx, `
		INSERT INTO answers (hash, stored, answer, coding) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hash) DO NOTHING RETURNING id`, hash[:], micros(s.now()), pack(answer), packed).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) { // another host was first
		err = tx.QueryRowContext(ctx, find, hash[:]).Scan(&id)
	}
	return id, err
}

// readAnswer returns the answer that decided a complaint; nil when none is kept.
func readAnswer(ctx context.Context, tx *transaction, complaint int64) (json.RawMessage, error) {
	var answer []byte
	var coding string
	err := tx.QueryRowContext(ctx, `
		SELECT answer, coding FROM answers JOIN complaints ON answers.id = answer_id WHERE complaints.id = $1`, complaint).
		Scan(&answer, &coding)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		answer, err = unpack(coding, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("contact of complaint %d: %w", complaint, err)
	}
	return answer, nil
}

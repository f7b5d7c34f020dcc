package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Beside returns who is addressed, in lower case, by other complaints about a report
// of this one: the complaint's number by mailbox. Those that were dropped or taken
// back, and what took them back, do not count.
func (s *Store) Beside(ctx context.Context, id int64) (map[string]int64, error) {
	beside := map[string]int64{}
	err := s.view(ctx, func(tx *transaction) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT DISTINCT c.id, c.addressees FROM incidents mine
			JOIN incidents i ON i.report_id = mine.report_id AND i.complaint_id <> $1
			JOIN complaints c ON c.id = i.complaint_id
			WHERE mine.complaint_id = $1 AND c.withdraws = 0 AND c.state NOT IN ($2, $3)`, id, Dropped, Retracted)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var other int64
			var text string
			var to []string
			if err := rows.Scan(&other, &text); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &to); err != nil {
				return fmt.Errorf("addressees of complaint %d: %w", other, err)
			}
			for _, mailbox := range to {
				beside[strings.ToLower(mailbox)] = other
			}
		}
		return rows.Err()
	})
	return beside, err
}

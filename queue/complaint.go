package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// check says what is missing in a complaint that is to be filed for report.
func (c *Complaint) check(report int64) error {
	ofReport := false
	for _, i := range c.Incidents {
		ofReport = ofReport || i.ReportID == report
	}
	switch {
	case c.State != Held && c.State != Ready && c.State != Form:
		return fmt.Errorf("a new complaint is held, ready or form, not %q", c.State)
	case c.State == Ready && len(c.To) == 0:
		return errors.New("a complaint without contact can't be ready")
	case c.MessageID == "":
		return errors.New("a complaint needs its Message-ID from the start")
	case !c.Source.IsValid():
		return errors.New("a complaint needs a source address")
	case !ofReport:
		return fmt.Errorf("report %d is not among the complaint's incidents", report)
	}
	return nil
}

func (s *Store) insertComplaint(ctx context.Context, tx *change, c *Complaint) (id int64, err error) {
	to, err := encodeList(c.To)
	if err != nil {
		return 0, err
	}
	sender, err := encode(c.Sender)
	if err != nil {
		return 0, err
	}
	answer, err := s.keepAnswer(ctx, tx, c.Contact)
	if err != nil {
		return 0, err
	}
	now := s.now()
	var due, lookup sql.NullInt64
	switch c.State {
	case Ready:
		due.Valid = true
		if c.ReadyAt.IsZero() {
			c.ReadyAt = now
		}
	case Held:
		lookup = moment(c.LookupAt)
	}
	err = tx.QueryRowContext(ctx, `
		INSERT INTO complaints (state, created, updated, addressees, answer_id, source, network, asn, party,
			format, subject, hold, letter, withdraws, message_id, sender, ready_at, taken, due, lookup_at, gathers, sketch, domain)
		VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, '[]', $17, $18, $19, $20, $21) RETURNING id`,
		c.State, micros(now), to, answer, addrKey(c.Source), text(c.Network), c.ASN, text(c.Party),
		c.Format, text(c.Subject), text(c.Hold), text(c.Letter), c.Withdraws, c.MessageID, sender,
		micros(c.ReadyAt), due, lookup, gatherKey(c.Gathering.Key), blob(c.Gathering.Sketch), text(c.Domain)).Scan(&id)
	if err != nil {
		return 0, err
	}
	for i, incident := range c.Incidents {
		if err := insertIncident(ctx, tx, id, i, incident); err != nil {
			return 0, err
		}
	}
	s.counted(tx, TallyNetwork, c.Network)
	for _, a := range c.To {
		s.counted(tx, TallyContact, a)
	}
	tx.addTerms(id, termsOf(c))
	return id, nil
}

func insertIncident(ctx context.Context, tx *change, complaint int64, position int, i Incident) error {
	chain, err := encodeChain(i.Chain)
	if err != nil {
		return fmt.Errorf("chain of report %d: %w", i.ReportID, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO incidents (complaint_id, position, report_id, chain, proof) VALUES ($1, $2, $3, $4, $5)`,
		complaint, position, i.ReportID, chain, text(string(i.Proof)))
	return err
}

const complaintColumns = `id, state, created, updated, addressees, coalesce(lookup_at, 0), source, network, asn, party, domain,
	format, subject, hold, letter, withdraws, message_id, sender, ready_at, taken, attempts, coalesce(due, 0)`

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

// scanComplaint reads complaintColumns.
func scanComplaint(row scanner) (*Complaint, error) {
	c := new(Complaint)
	var created, updated, lookup, ready, due int64
	var to, sender, taken string
	var source []byte
	err := row.Scan(&c.ID, &c.State, &created, &updated, &to, &lookup, &source, &c.Network, &c.ASN, &c.Party, &c.Domain,
		&c.Format, &c.Subject, &c.Hold, &c.Letter, &c.Withdraws, &c.MessageID, &sender, &ready, &taken, &c.Attempts, &due)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		what, text string
		into       any
	}{{"addressees", to, &c.To}, {"sender", sender, &c.Sender}, {"deliveries", taken, &c.Taken}} {
		if err := json.Unmarshal([]byte(f.text), f.into); err != nil {
			return nil, fmt.Errorf("%s of complaint %d: %w", f.what, c.ID, err)
		}
	}
	var ok bool
	if c.Source, ok = fromAddrKey(source); !ok {
		return nil, fmt.Errorf("source of complaint %d has %d bytes", c.ID, len(source))
	}
	c.Created, c.Updated = fromMicros(created), fromMicros(updated)
	c.LookupAt, c.ReadyAt = fromMicros(lookup), fromMicros(ready)
	if c.State == Deferred {
		c.NextAttempt = fromMicros(due)
	}
	return c, nil
}

// readComplaint returns a complaint with contact, incidents and their reports, of which
// the first, the sample, has its mail: a thousand would take all memory.
func readComplaint(ctx context.Context, tx *transaction, id int64) (*Complaint, error) {
	return readWhole(ctx, tx, id, 1)
}

// readWhole reads the mail of so many of its reports.
func readWhole(ctx context.Context, tx *transaction, id int64, mails int) (*Complaint, error) {
	c, err := scanComplaint(tx.QueryRowContext(ctx, `SELECT `+complaintColumns+` FROM complaints WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("complaint %d is %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if c.Contact, err = readAnswer(ctx, tx, id); err != nil {
		return nil, err
	}
	c.Incidents, err = readIncidents(ctx, tx, id, mails)
	return c, err
}

func readIncidents(ctx context.Context, tx *transaction, complaint int64, mails int) ([]Incident, error) {
	reports, err := column[int64](ctx, tx, `SELECT report_id FROM incidents WHERE complaint_id = $1 ORDER BY position`, complaint)
	if err != nil {
		return nil, err
	}
	chains, err := column[string](ctx, tx, `SELECT chain FROM incidents WHERE complaint_id = $1 ORDER BY position`, complaint)
	if err != nil {
		return nil, err
	}
	proofs, err := column[string](ctx, tx, `SELECT proof FROM incidents WHERE complaint_id = $1 ORDER BY position`, complaint)
	if err != nil {
		return nil, err
	}
	incidents := make([]Incident, len(reports))
	for n := range incidents {
		i := &incidents[n]
		i.ReportID = reports[n]
		if proofs[n] != "" {
			i.Proof = json.RawMessage(proofs[n])
		}
		if err := json.Unmarshal([]byte(chains[n]), &i.Chain); err != nil {
			return nil, fmt.Errorf("chain of report %d: %w", i.ReportID, err)
		}
		columns := mailColumns
		if n >= mails {
			columns = noMail
		}
		r, err := readReport(ctx, tx, i.ReportID, columns)
		if err != nil {
			return nil, err
		}
		i.Report = *r
	}
	return incidents, nil
}

// encodeList writes addresses as JSON, none as an empty list.
func encodeList(list []string) (string, error) {
	if list == nil {
		list = []string{}
	}
	return encode(list)
}

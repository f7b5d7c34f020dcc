package reporter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"spamreport-milter/queue"
)

// enter ends a report's claim: its report joins a complaint of the same mailing that
// has not gone out yet, else c is filed for it.
func (r *Reporter) enter(ctx context.Context, claim *queue.ReportClaim, c *queue.Complaint, f *found) error {
	mine := CampaignOf(&claim.Report.Message)
	automatic, _ := r.Policy.automatic(c, &f.answer)
	shut := map[int64]bool{} // those that moved on while we looked
	joins := func(open []queue.Candidate) (id int64, ok bool) {
		return mine.Joins(slices.DeleteFunc(open, func(k queue.Candidate) bool {
			// What a person has let out holds what he saw.
			return shut[k.ID] || k.State == queue.Ready && !automatic
		}))
	}
	if mine.comparable() {
		c.Gathering = queue.Gathering{Key: r.Policy.key(c, f), Sketch: mine.sketch(), Joins: joins}
	}
	for {
		open, err := r.open(ctx, &c.Gathering)
		if err != nil {
			return err
		}
		id, ok := joins(open)
		if !ok {
			return r.fileNew(ctx, claim, c, f)
		}
		if err := r.join(ctx, claim, id, c); !errors.Is(err, queue.ErrJoin) {
			return err
		}
		shut[id] = true
	}
}

// open returns the complaints that may take a report, and notes what was seen.
func (r *Reporter) open(ctx context.Context, g *queue.Gathering) ([]queue.Candidate, error) {
	if g.Key == "" {
		return nil, nil
	}
	open, err := r.queue.Candidates(ctx, g.Key)
	if g.Seen = 0; len(open) > 0 {
		g.Seen = open[0].ID
	}
	return open, err
}

func (r *Reporter) join(ctx context.Context, claim *queue.ReportClaim, id int64, c *queue.Complaint) error {
	if err := r.queue.Join(ctx, claim, id, c.Incidents[0]); err != nil {
		return err
	}
	r.logJoined(claim, id, c)
	return nil
}

func (r *Reporter) logJoined(claim *queue.ReportClaim, id int64, c *queue.Complaint) {
	r.Log.Info("report joined", "complaint", id, "report", claim.Report.ID, "source", c.Source, "to", c.To)
}

func (r *Reporter) fileNew(ctx context.Context, claim *queue.ReportClaim, c *queue.Complaint, f *found) error {
	beside, err := r.beside(ctx, c, f)
	if err != nil {
		return err
	}
	var id int64
	var joined bool
	err = r.release(ctx, c, &f.answer, func() (err error) {
		id, joined, err = r.queue.File(ctx, claim, *c, beside...)
		return err
	})
	switch {
	case err != nil:
		return err
	case joined:
		r.logJoined(claim, id, c)
		return nil
	}
	r.Log.Info("complaint filed", "complaint", id, "state", c.State, "report", claim.Report.ID, "source", c.Source, "to", c.To, "hold", c.Hold, "beside", len(beside))
	return nil
}

// key is the same for complaints that reports of one mailing may gather in: about the
// same party of the same network, to the same addresses or pages, and all of them such
// as go out by themselves, or none: a filter's word must not go out on a person's.
func (p Policy) key(c *queue.Complaint, f *found) string {
	network := c.Network
	if network == "" {
		network = networkOf(c.Source).String()
	}
	to := slices.Sorted(slices.Values(c.To))
	parts := append([]string{partiesOf(c)[0], network}, to...)
	parts = append(parts, f.pages...)
	if ok, _ := p.automatic(c, &f.answer); ok {
		parts = append(parts, "by itself")
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

package main

import (
	"context"
	"encoding/json"
	"errors"

	"spamreport-milter/auth"
	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/trace"
)

// storedParties is what was found of further parties when a report was decided about: it
// stands with the complaints that were made to them. Of what was not thought of then,
// or led to nobody, nothing is stored, and nobody is asked now.
type storedParties struct {
	finder   *contact.Finder // for the list of providers of free mailboxes; it asks nobody
	verdict  auth.Verdict
	domains  map[string]contact.Answer
	feedback contact.Answer
}

var notStored = contact.Answer{Reason: "no answer about it is stored"}

func (r *storedParties) clear() {
	r.verdict = auth.Verdict{Reason: "no proof of a domain is stored"}
	r.domains, r.feedback = map[string]contact.Answer{}, notStored
}

// Check is the verdict of then.
func (r *storedParties) Check(context.Context, *trace.Message, *trace.Chain) (auth.Verdict, error) {
	return r.verdict, nil
}

// LookupDomain is the answer of then.
func (r *storedParties) LookupDomain(_ context.Context, name string) (contact.Answer, error) {
	if a, ok := r.domains[name]; ok {
		return a, nil
	}
	return notStored, nil
}

// Feedback is the answer of then.
func (r *storedParties) Feedback(context.Context, []byte) (contact.Answer, error) {
	return r.feedback, nil
}

// Freemail goes by the lists of now.
func (r *storedParties) Freemail(domain string) bool { return r.finder.Freemail(domain) }

// beside takes in what the complaints beside that to the network tell, and returns
// them as they were filed.
func (r *rerun) beside(ctx context.Context, events []queue.Event) (was []string, err error) {
	r.stored.clear()
	for i := range events {
		k, err := r.store.Case(ctx, events[i].ComplaintID)
		if errors.Is(err, queue.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		party := reporter.FurtherParty(&k.Complaint)
		r.first[k.Complaint.ID] = filedFor{events[i].ReportID, party}
		was = append(was, besideAs(party, events[i].To))
		if err := r.recall(&k.Complaint); err != nil {
			return nil, err
		}
	}
	return was, nil
}

func besideAs(party string, s queue.State) string { return party + " " + string(s) }

// recall takes proof and answer from a complaint to a further party.
func (r *rerun) recall(c *queue.Complaint) error {
	if len(c.Incidents[0].Proof) > 0 {
		var proof reporter.Proof
		if err := json.Unmarshal(c.Incidents[0].Proof, &proof); err != nil {
			return err
		}
		r.stored.verdict = proof.Verdict
	}
	if len(c.Contact) == 0 {
		return nil
	}
	answer, err := storedAnswer(c.Contact)
	switch {
	case err != nil:
		return err
	case c.Domain == "":
		r.answers[c.Source] = answer
	case reporter.IsFeedback(c):
		r.stored.feedback = answer
	default:
		r.stored.domains[c.Domain] = answer
	}
	return nil
}

package reporter

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message/charset"

	"spamreport-milter/contact"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// A report that was taken up maxTries times without an end has met a fault of
// ours. It rests for a while, so that it does not keep the others back, and is
// never given up: what was acknowledged to the MTA is not lost.
const (
	maxTries = 5
	rest     = time.Hour
)

// fileClaimed turns a report into a complaint, or closes it with the reason why not.
func (r *Reporter) fileClaimed(ctx context.Context, claim *queue.ReportClaim) error {
	if claim.Attempts > maxTries {
		r.Log.Error("report fails again and again", "report", claim.Report.ID, "tries", maxTries, "next", rest)
		return r.queue.ReleaseReport(ctx, claim, time.Now().Add(rest),
			fmt.Sprintf("%d tries without an end: see the log for the fault", maxTries))
	}
	defer r.keep(ctx, claim)()
	err := r.file(ctx, claim)
	if errors.Is(err, context.Canceled) {
		// The daemon stops: hand the report back at once, not when the lease ends.
		ctx = context.WithoutCancel(ctx)
		return r.queue.ReleaseReport(ctx, claim, time.Time{}, "daemon stopped")
	}
	return err
}

func (r *Reporter) file(ctx context.Context, claim *queue.ReportClaim) error {
	report := &claim.Report
	chain := trace.Follow(&report.Message, r.Trace)
	if why := r.Policy.Refuse(report, &chain); why != "" {
		r.Log.Info("report closed", "report", report.ID, "reason", why)
		return r.queue.CloseReport(ctx, claim, why)
	}
	party := senders(&chain)[0]
	found, err := r.find(ctx, party.Addr)
	if err != nil {
		return err
	}
	c := queue.Complaint{
		State: queue.Held, Source: party.Addr, Party: party.Name, Format: found.Format,
		Subject:   subject(report),
		MessageID: r.messageID(report),
		To:        found.To, Contact: found.Contact, Network: found.Network, ASN: found.ASN,
		Hold: found.Hold, LookupAt: found.LookupAt,
		Incidents: []queue.Incident{{ReportID: report.ID, Report: *report, Chain: chain}}, // found by its words too
	}
	if found.Form { // a person goes there; nobody is looked for
		c.State = queue.Form
	}
	return r.enter(ctx, claim, &c, &found)
}

// lookUpNext looks again at a held complaint: for its contact where it has none, and
// whether it may go out where it has waited for its time.
func (r *Reporter) lookUpNext(ctx context.Context) (bool, error) {
	claim, err := r.queue.ClaimLookup(ctx, r.Lease)
	if err != nil || claim == nil {
		return false, ignoreCancel(ctx, err)
	}
	defer r.keep(ctx, claim)()
	return true, ignoreCancel(ctx, r.lookUp(ctx, claim))
}

func (r *Reporter) lookUp(ctx context.Context, claim *queue.LookupClaim) error {
	c := claim.Complaint
	found, err := r.findAgain(ctx, &c)
	if err != nil {
		return err
	}
	r.Log.Info("complaint looked at again", "complaint", c.ID, "to", found.To, "hold", found.Hold)
	if len(c.To) > 0 {
		return r.releaseWaiting(ctx, claim, found)
	}
	c.To, c.Network = found.To, found.Network
	found.Key = r.Policy.key(&c, &found)
	return r.queue.SetContact(ctx, claim, found.Found)
}

// found is what a look-up ended in.
type found struct {
	queue.Found
	pages  []string // where a person complains, of a desk that has a page only
	answer contact.Answer
}

// places are where complaints go: mailboxes, or the desk's pages.
func (f *found) places() []string { return append(slices.Clone(f.To), f.pages...) }

// find asks who answers for an address. Not to find anybody is an answer too.
func (r *Reporter) find(ctx context.Context, a netip.Addr) (found, error) {
	answer, err := r.contacts.Lookup(ctx, a)
	if err != nil {
		return found{}, fmt.Errorf("contact for %s: %w", a, err)
	}
	return r.settle(ctx, answer)
}

// settle takes the addressees from an answer.
func (r *Reporter) settle(ctx context.Context, answer contact.Answer) (found, error) {
	found := found{answer: answer, Found: queue.Found{Contact: marshal(answer), Network: answer.Network.String(), LookupAt: answer.Retry}}
	found.Reason = answer.Reason
	if len(answer.Network.Origins) > 0 {
		found.ASN = answer.Network.Origins[0]
	}
	shut, err := r.suppressed(ctx, answer.Contacts)
	if err != nil {
		return found, err
	}
	for _, c := range answer.Contacts {
		if p, ok := shut[strings.ToLower(c.Address)]; ok {
			found.Reason = c.Address + " gets no complaints: " + p.Reason
			continue
		}
		if r.ourMailbox(c.Address) {
			found.Reason = "the registry names our own mailbox " + c.Address
			continue
		}
		if c.Form != "" {
			found.pages = append(found.pages, c.Form)
			found.Reason = strings.TrimSpace("the desk "+c.Address) + " takes complaints on a page only: " + c.Form
			continue
		}
		found.To = append(found.To, c.Address)
	}
	switch {
	case len(found.To) > 0:
		found.pages, found.LookupAt = nil, time.Time{}
	case len(found.pages) > 0:
		found.Form, found.Hold, found.LookupAt = true, found.Reason, time.Time{}
	default:
		found.Hold = "no contact: " + found.Reason + tried(answer)
	}
	found.Format = r.format(found.To, &answer)
	return found, nil
}

func (r *Reporter) suppressed(ctx context.Context, contacts []contact.Contact) (map[string]queue.Suppression, error) {
	var addresses []string
	for _, c := range contacts {
		addresses = append(addresses, c.Address)
	}
	return r.queue.Suppressed(ctx, addresses...)
}

// ourMailbox reports whether a complaint to the address would come to ourselves:
// a registry may name us, by mistake or by malice.
func (r *Reporter) ourMailbox(address string) bool {
	domain := address[strings.LastIndexByte(address, '@')+1:]
	from, err := mail.ParseAddress(r.Sender.From)
	return err == nil && strings.EqualFold(from.Address, address) || strings.EqualFold(domain, r.Sender.Host)
}

// tried names the sources asked, so that a person can go on from there.
func tried(a contact.Answer) string {
	var s []string
	for _, e := range a.Evidence {
		s = append(s, strings.TrimSpace(e.Source+" "+e.Query+": "+e.Status))
	}
	if len(s) == 0 {
		return ""
	}
	return " (tried " + strings.Join(s, "; ") + ")"
}

var words = mime.WordDecoder{CharsetReader: charset.Reader}

// subject decodes the reported message's Subject for lists and letters.
func subject(r *queue.Report) string {
	var raw string
	if fields := r.Message.Fields("Subject"); len(fields) > 0 {
		raw = fields[0]
	}
	s, err := words.DecodeHeader(raw)
	if err != nil {
		s = raw
	}
	return oneLine(strings.TrimSpace(s))
}

// ignoreCancel drops the error of work that was cut short on purpose.
func ignoreCancel(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

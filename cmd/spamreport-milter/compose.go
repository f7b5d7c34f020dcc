package main

import (
	"fmt"
	"io"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// compose writes a complaint octet for octet as it goes to the relay.
func compose(e *Env, w io.Writer, c *queue.Complaint) error {
	if in := purged(c); in != nil && c.Format != queue.FormatWithdrawal {
		return &exitError{exData, fmt.Errorf("complaint %d can't be written any more: the mail of report %d was removed, because its time was over or a person's traces were erased",
			c.ID, in.ReportID)}
	}
	if err := reporter.Compose(w, c, e.Config.Reporter.Sender); err != nil {
		return &exitError{exData, err}
	}
	return nil
}

// purged returns the first incident whose mail is gone; nil when all are there.
func purged(c *queue.Complaint) *queue.Incident {
	for i := range c.Incidents {
		if c.Incidents[i].Report.Purged {
			return &c.Incidents[i]
		}
	}
	return nil
}

// usualText is what the complaint says to people when nobody has changed that.
func usualText(e *Env, c *queue.Complaint) (string, error) {
	if len(c.Incidents) == 0 {
		return "", &exitError{exData, fmt.Errorf("complaint %d has no incident: nothing to say", c.ID)}
	}
	plain := *c
	plain.Letter = ""
	return reporter.Text(&plain, e.Config.Reporter.Sender), nil
}

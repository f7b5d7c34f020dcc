package main

import (
	"fmt"
	"io"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// composer writes complaints as the daemon does, with its key.
func composer(e *Env) (reporter.Composer, error) {
	w := e.Config.Reporter.Composer
	var err error
	if w.Key, err = e.Config.key(); err != nil {
		return w, &exitError{exConfig, err}
	}
	return w, nil
}

// compose writes a complaint octet for octet as it goes to the relay, or as it is to
// be pasted into the page of its desk.
func compose(e *Env, w io.Writer, c *queue.Complaint) error {
	if in := purged(c); in != nil && c.Format != queue.FormatWithdrawal {
		return &exitError{exData, fmt.Errorf("complaint %d can't be written any more: the mail of report %d was removed, because its time was over or a person's traces were erased",
			c.ID, in.ReportID)}
	}
	write, err := composer(e)
	if err != nil {
		return err
	}
	if c.State == queue.Form {
		err = write.Paste(w, c)
	} else {
		err = write.Compose(w, c)
	}
	if err != nil {
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
	w, err := composer(e)
	if err != nil {
		return "", err
	}
	text, err := w.Text(&plain)
	if err != nil {
		return "", &exitError{exData, err}
	}
	return text, nil
}

package main

import (
	"fmt"
	"io"

	"spamreport-milter/queue"
	"spamreport-milter/reporter"
)

// compose writes a complaint octet for octet as it goes to the relay, or what a
// person puts into the page of its desk.
func compose(e *Env, w io.Writer, c *queue.Complaint) error {
	if in := purged(c); in != nil && c.Format != queue.FormatWithdrawal {
		return &exitError{exData, fmt.Errorf("complaint %d can't be written any more: the mail of report %d was removed, because its time was over or a person's traces were erased",
			c.ID, in.ReportID)}
	}
	composer, err := composerOf(e)
	if err != nil {
		return err
	}
	if c.State == queue.Form {
		err = composer.Paste(w, c)
	} else {
		err = composer.Compose(w, c)
	}
	if err != nil {
		return &exitError{exData, err}
	}
	return nil
}

// composerOf is the composer with the key of this queue.
func composerOf(e *Env) (*reporter.Composer, error) {
	composer := e.Config.Reporter.Composer
	var err error
	if composer.Key, err = e.Config.key(); err != nil {
		return nil, &exitError{exConfig, err}
	}
	return &composer, nil
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
	composer, err := composerOf(e)
	if err != nil {
		return "", err
	}
	text, err := composer.Text(c)
	if err != nil {
		return "", &exitError{exData, err}
	}
	return text, nil
}

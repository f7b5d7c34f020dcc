package reporter

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-message"
)

// Answer sends a letter to one of our own users, who has reported something. It is
// an automatic answer to one mail (RFC 3834): it says so, and goes out without a
// sender in the envelope, so that nothing answers it. It is tried once.
func (r *Reporter) Answer(ctx context.Context, to, subject, text string) error {
	var h message.Header
	h.Set("MIME-Version", "1.0")
	h.Set("Auto-Submitted", "auto-replied")
	h.Set("Message-ID", fmt.Sprintf("<%s@%s>", strings.ToLower(rand.Text()), r.Sender.Host))
	h.Set("Date", date(time.Now()))
	h.Set("Subject", mime.QEncoding.Encode("utf-8", oneLine(subject)))
	h.Set("To", (&mail.Address{Address: to}).String())
	h.Set("From", r.Sender.From)
	var msg bytes.Buffer
	if err := writeText(&msg, h, []byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
		return err
	}
	octets := msg.Bytes()
	if r.DKIM != nil {
		var err error
		if octets, err = r.DKIM.sign(octets); err != nil {
			return err
		}
	}
	_, err := r.Relay.deliver(ctx, parcel{helo: r.Sender.Host, to: []string{to}, msg: octets})
	return err
}

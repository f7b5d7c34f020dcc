package reporter

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Relay is the smarthost that complaints are handed to.
type Relay struct {
	Addr string // HOST:PORT
	// TLS is "starttls", "tls" (from the first octet, RFC 8314 §3.3) or "none".
	// There is no "if offered": who can cut the connection could then also take
	// the offer away.
	TLS string
	// RootCAs check the relay's certificate; nil for the system's.
	RootCAs *x509.CertPool
	// User and Password authenticate us (RFC 4954), where User is not empty.
	User, Password string
	// Timeout bounds each step; 0 means 5 minutes for a reply, 3 for a block of
	// the message and 12 for the last word, as RFC 5321 §4.5.3.2 wants: who gives
	// up before a slow relay has answered sends the same complaint again.
	Timeout time.Duration
}

// Times of steps, and of a whole delivery.
const (
	dialTime  = time.Minute
	replyTime = 5 * time.Minute
	blockTime = 3 * time.Minute
	wholeTime = time.Hour
	// quitTime is short: what the relay has taken is not recorded yet, and a crash until
	// then sends it once more.
	quitTime = 5 * time.Second
)

// RelayTLS is the default for a relay: plain text only where it cannot be
// overheard, on this machine.
func RelayTLS(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "none"
	}
	return "starttls"
}

// delivered is what a relay said of one message.
type delivered struct {
	Taken   []string // addresses that have the message
	Refused []string // "ADDRESS: reason"
	Later   bool     // some of the refused may be taken another time
}

func (d delivered) String() string {
	s := "relay took it for " + strings.Join(d.Taken, ", ")
	if len(d.Refused) > 0 {
		s += "; refused " + strings.Join(d.Refused, "; ")
	}
	return s
}

// parcel is one message for the relay.
type parcel struct {
	helo, from string
	to         []string
	// id comes back in delivery status notifications (ENVID, RFC 3461 §4.4).
	id  string
	msg []byte
}

// deliver hands one message to the relay. An error says whether trying again
// helps: see Permanent.
func (r Relay) deliver(ctx context.Context, p parcel) (delivered, error) {
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	d, err := r.converse(ctx, p)
	switch {
	case err == nil:
		return d, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return d, fmt.Errorf("relay %s: not done within %v: %w", r.Addr, wholeTime, ctx.Err())
	case ctx.Err() != nil:
		return d, ctx.Err()
	default:
		return d, fmt.Errorf("relay %s: %w", r.Addr, err)
	}
}

func (r Relay) converse(ctx context.Context, p parcel) (delivered, error) {
	client, err := r.open(ctx, p.helo)
	if err != nil {
		return delivered{}, err
	}
	defer client.Close()
	d, err := transact(client, p)
	if err != nil {
		return d, err
	}
	client.CommandTimeout = min(client.CommandTimeout, quitTime)
	_ = client.Quit() // it has the message; how it says goodbye changes nothing
	return d, nil
}

func transact(c *smtp.Client, p parcel) (delivered, error) {
	var d delivered
	options := &smtp.MailOptions{Size: int64(len(p.msg)), Return: smtp.DSNReturnHeaders, EnvelopeID: p.id}
	if err := c.Mail(p.from, options); err != nil {
		return d, at("MAIL", tooLarge(err))
	}
	accepted, err := d.recipients(c, p.to)
	if err != nil {
		return d, err
	}
	w, err := c.Data()
	if err != nil {
		return d, at("DATA", final(err))
	}
	if _, err := w.Write(p.msg); err != nil {
		return d, at("message", err)
	}
	if err := w.Close(); err != nil {
		return d, at("end of message", final(err))
	}
	d.Taken = accepted
	return d, nil
}

// failureOnly asks for word of what could not be delivered, and of nothing else
// (RFC 3461 §4.1).
var failureOnly = &smtp.RcptOptions{Notify: []smtp.DSNNotify{smtp.DSNNotifyFailure}}

// recipients offers each address. The error is about all of them: of several refusals
// it is a temporary one, because as long as one may still be taken, trying again helps.
func (d *delivered) recipients(c *smtp.Client, to []string) (accepted []string, err error) {
	var refusal error
	for _, a := range to {
		err := c.Rcpt(a, failureOnly)
		if err == nil {
			accepted = append(accepted, a)
			continue
		}
		// Behind a reply that did not come we would take each for the one before.
		var reply *smtp.SMTPError
		if !errors.As(err, &reply) || reply.Code == 421 {
			return nil, at("RCPT "+a, err)
		}
		// 552 was "too many recipients" once (RFC 5321 §4.5.3.1.10), or the mailbox is full.
		if reply.Code != 552 {
			err = final(err)
		}
		d.Refused = append(d.Refused, a+": "+inWords(err))
		d.Later = d.Later || !Permanent(err)
		if refusal == nil || Permanent(refusal) {
			refusal = err
		}
	}
	if len(accepted) == 0 {
		return nil, fault{"RCPT: " + strings.Join(d.Refused, "; "), refusal}
	}
	return accepted, nil
}

// fault is a step that failed, as it is written down, and why.
type fault struct {
	said string
	error
}

func (f fault) Error() string { return f.said }
func (f fault) Unwrap() error { return f.error }

// at names the step at which the relay failed.
func at(step string, err error) error { return fault{step + ": " + inWords(err), err} }

// inWords is what is written down of an error: of a reply its codes (RFC 5321 §4.2.1, RFC
// 3463) and text in one line. The relay may have said anything.
func inWords(err error) string {
	said := err.Error()
	var reply *smtp.SMTPError
	var early *textproto.Error
	switch {
	case errors.As(err, &early):
		said = fmt.Sprintf("%d %s", early.Code, early.Msg)
	case errors.As(err, &reply) && reply.EnhancedCode != smtp.EnhancedCodeNotSet:
		e := reply.EnhancedCode
		said = fmt.Sprintf("%d %d.%d.%d %s", reply.Code, e[0], e[1], e[2], reply.Message)
	case errors.As(err, &reply):
		said = fmt.Sprintf("%d %s", reply.Code, reply.Message)
	case errors.Is(err, io.EOF):
		said = "it closed the connection"
	}
	return oneLine(strings.Join(strings.Fields(said), " "))
}

// refused is the relay's last word on a message or on all its recipients.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// login are replies that want another login or TLS (RFC 4954 §6, RFC 3207 §4): whatever
// they answer, they speak of the relay's settings.
var login = []int{530, 534, 535, 538}

// final marks a 5yz answer (RFC 5321 §4.2.1) as the last word. It is asked only
// where the answer is about this message: a 5yz greeting, EHLO or MAIL speaks of
// the relay's settings, which an admin will mend.
func final(err error) error {
	var se *smtp.SMTPError
	if errors.As(err, &se) && se.Code >= 500 && se.Code < 600 && !slices.Contains(login, se.Code) {
		return refused{err}
	}
	return err
}

// tooLarge marks the one refusal at MAIL that is about the message: its size
// (RFC 1870 §6.1).
func tooLarge(err error) error {
	var se *smtp.SMTPError
	if errors.As(err, &se) && se.Code == 552 {
		return refused{err}
	}
	return err
}

// Permanent reports whether a delivery error is the relay's last word; all other
// errors may pass.
func Permanent(err error) bool {
	var r refused
	return errors.As(err, &r)
}

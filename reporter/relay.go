package reporter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Relay is the smarthost that complaints are handed to.
type Relay struct {
	Addr string // HOST:PORT
	// TLS is "starttls" or "none". There is no "if offered": who can cut the
	// connection could then also take the offer away.
	TLS string
	// RootCAs check the relay's certificate; nil for the system's.
	RootCAs *x509.CertPool
	// Timeout bounds one whole delivery; 0 means 20 minutes. RFC 5321 §4.5.3.2
	// wants 5 minutes for most replies and 10 for the last: who gives up before
	// a slow relay has answered sends the same complaint again.
	Timeout time.Duration
}

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

// deliver hands one message to the relay. An error says whether trying again
// helps: see Permanent.
func (r Relay) deliver(ctx context.Context, helo, from string, to []string, msg []byte) (delivered, error) {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := r.converse(ctx, helo, from, to, msg)
	switch {
	case err == nil:
		return d, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return d, fmt.Errorf("relay %s: not done within %v: %w", r.Addr, timeout, ctx.Err())
	case ctx.Err() != nil:
		return d, ctx.Err()
	default:
		return d, fmt.Errorf("relay %s: %w", r.Addr, err)
	}
}

func (r Relay) converse(ctx context.Context, helo, from string, to []string, msg []byte) (delivered, error) {
	client, err := r.dial(ctx, helo)
	if err != nil {
		return delivered{}, err
	}
	defer client.Close()
	d, err := transact(client, from, to, msg)
	if err != nil {
		return d, err
	}
	_ = client.Quit() // it has the message; how it says goodbye changes nothing
	return d, nil
}

func (r Relay) dial(ctx context.Context, helo string) (*smtp.Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	// go-smtp sets deadlines of its own per command; closing the connection is
	// the one bound that it cannot push back.
	context.AfterFunc(ctx, func() { conn.Close() })
	if r.TLS == "none" {
		client := smtp.NewClient(conn)
		return client, hello(client, helo)
	}
	host, _, err := net.SplitHostPort(r.Addr)
	if err != nil {
		conn.Close()
		return nil, err
	}
	client, err := smtp.NewClientStartTLS(conn, &tls.Config{ServerName: host, RootCAs: r.RootCAs})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return client, hello(client, helo)
}

func hello(c *smtp.Client, helo string) error {
	err := c.Hello(helo)
	if err != nil {
		c.Close()
	}
	return err
}

func transact(c *smtp.Client, from string, to []string, msg []byte) (delivered, error) {
	var d delivered
	if err := c.Mail(from, &smtp.MailOptions{Size: int64(len(msg))}); err != nil {
		return d, tooLarge(err)
	}
	accepted, err := d.recipients(c, to)
	if len(accepted) == 0 {
		return d, err
	}
	w, err := c.Data()
	if err != nil {
		return d, err
	}
	if _, err := w.Write(msg); err != nil {
		return d, err
	}
	if err := w.Close(); err != nil {
		return d, final(err)
	}
	d.Taken = accepted
	return d, nil
}

// recipients offers each address. Of several refusals a temporary one is
// returned first: as long as one may still be taken, trying again helps.
func (d *delivered) recipients(c *smtp.Client, to []string) (accepted []string, refusal error) {
	for _, a := range to {
		err := final(c.Rcpt(a, nil))
		if err == nil {
			accepted = append(accepted, a)
			continue
		}
		d.Refused = append(d.Refused, a+": "+err.Error())
		d.Later = d.Later || !Permanent(err)
		if refusal == nil || Permanent(refusal) {
			refusal = err
		}
	}
	return accepted, refusal
}

// refused is the relay's last word on a message or on all its recipients.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// final marks a 5yz answer (RFC 5321 §4.2.1) as the last word. It is asked only
// where the answer is about this message: a 5yz greeting, EHLO or MAIL speaks of
// the relay's settings, which an admin will mend.
func final(err error) error {
	var se *smtp.SMTPError
	if errors.As(err, &se) && se.Code >= 500 && se.Code < 600 {
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

package reporter

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
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
	blockTime = 3 * time.Minute
	wholeTime = time.Hour
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
	_ = client.Quit() // it has the message; how it says goodbye changes nothing
	return d, nil
}

// open connects, greets and logs in.
func (r Relay) open(ctx context.Context, helo string) (*smtp.Client, error) {
	client, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err = client.Hello(helo); err != nil {
		err = at("greeting", err)
	} else {
		err = r.auth(client)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// Greet looks whether the relay would take a message from us, as far as it says
// without one: it connects, greets as helo, logs in and leaves.
func (r Relay) Greet(ctx context.Context, helo string) error {
	client, err := r.open(ctx, helo)
	if err != nil {
		return fmt.Errorf("relay %s: %w", r.Addr, err)
	}
	defer client.Close()
	return client.Quit()
}

// at names the step at which the relay failed.
func at(step string, err error) error { return fmt.Errorf("%s: %w", step, err) }

func (r Relay) dial(ctx context.Context) (*smtp.Client, error) {
	conn, err := (&net.Dialer{Timeout: cmp.Or(r.Timeout, dialTime)}).DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	// The deadlines of single steps start anew with each; closing the connection is
	// the one bound that none of them can push back.
	context.AfterFunc(ctx, func() { conn.Close() })
	client, err := r.client(paced{conn, cmp.Or(r.Timeout, blockTime)})
	if err != nil {
		conn.Close()
		return nil, err
	}
	if r.Timeout != 0 {
		client.CommandTimeout, client.SubmissionTimeout = r.Timeout, r.Timeout
	}
	return client, nil
}

func (r Relay) client(conn net.Conn) (*smtp.Client, error) {
	if r.TLS == "none" {
		return smtp.NewClient(conn), nil
	}
	host, _, err := net.SplitHostPort(r.Addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: host, RootCAs: r.RootCAs}
	if r.TLS == "tls" {
		return smtp.NewClient(tls.Client(conn, config)), nil
	}
	// go-smtp's own helper greets before a shorter timeout could be set.
	conn.SetDeadline(time.Now().Add(cmp.Or(r.Timeout, 5*time.Minute)))
	client, err := smtp.NewClientStartTLS(conn, config)
	if err != nil {
		return nil, at("STARTTLS", err)
	}
	return client, nil
}

// paced gives each block that is written its own time: a relay that stops reading
// stops us no longer than that.
type paced struct {
	net.Conn
	block time.Duration
}

func (p paced) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.block)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// auth authenticates by PLAIN, or by LOGIN where the relay has nothing better. A
// password that is refused is a fault of the settings: it passes when they are mended.
func (r Relay) auth(c *smtp.Client) error {
	if r.User == "" {
		return nil
	}
	var mechanism sasl.Client
	switch {
	case c.SupportsAuth(sasl.Plain):
		mechanism = sasl.NewPlainClient("", r.User, r.Password)
	case c.SupportsAuth(sasl.Login):
		mechanism = sasl.NewLoginClient(r.User, r.Password)
	default:
		return errors.New("it offers neither AUTH PLAIN nor LOGIN")
	}
	if err := c.Auth(mechanism); err != nil {
		return at("AUTH", err)
	}
	return nil
}

func transact(c *smtp.Client, p parcel) (delivered, error) {
	var d delivered
	options := &smtp.MailOptions{Size: int64(len(p.msg)), Return: smtp.DSNReturnHeaders, EnvelopeID: p.id}
	if err := c.Mail(p.from, options); err != nil {
		return d, at("MAIL", tooLarge(err))
	}
	accepted, err := d.recipients(c, p.to)
	if len(accepted) == 0 {
		return d, at("RCPT", err)
	}
	w, err := c.Data()
	if err != nil {
		return d, at("DATA", err)
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

// recipients offers each address. Of several refusals a temporary one is
// returned first: as long as one may still be taken, trying again helps.
func (d *delivered) recipients(c *smtp.Client, to []string) (accepted []string, refusal error) {
	for _, a := range to {
		err := final(c.Rcpt(a, failureOnly))
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

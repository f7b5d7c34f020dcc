package reporter

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

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

// open connects, greets and logs in.
func (r Relay) open(ctx context.Context, helo string) (*smtp.Client, error) {
	conn, err := r.dial(ctx, helo)
	if err != nil {
		return nil, err
	}
	client := smtp.NewClient(conn)
	if r.Timeout != 0 {
		client.CommandTimeout, client.SubmissionTimeout = r.Timeout, r.Timeout
	}
	if err = client.Hello(helo); err != nil {
		err = at("EHLO", err)
	} else {
		err = r.auth(client)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// dial returns a connection that is encrypted as it must be.
func (r Relay) dial(ctx context.Context, helo string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: cmp.Or(r.Timeout, dialTime)}).DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return nil, at("connect", err)
	}
	// The deadlines of single steps start anew with each; closing the connection is
	// the one bound that none of them can push back.
	context.AfterFunc(ctx, func() { conn.Close() })
	ready, err := r.greeting(&paced{Conn: conn, block: cmp.Or(r.Timeout, blockTime)}, helo)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ready, nil
}

// greeting hears the relay's greeting and goes over to TLS. go-smtp's own way there
// greets as localhost, which relays may refuse, with other times than ours, and does not
// tell its steps apart.
func (r Relay) greeting(conn net.Conn, helo string) (_ net.Conn, err error) {
	if r.TLS == "tls" {
		if conn, err = r.handshake(conn); err != nil {
			return nil, err
		}
	}
	conn.SetDeadline(time.Now().Add(cmp.Or(r.Timeout, replyTime)))
	text := textproto.NewConn(conn)
	if _, err := reply(text, 220); err != nil {
		return nil, at("greeting", err)
	}
	if r.TLS == "starttls" {
		if err := r.startTLS(conn, text, helo); err != nil {
			return nil, err
		}
		if conn, err = r.handshake(conn); err != nil {
			return nil, err
		}
	}
	return &greeted{conn, io.MultiReader(strings.NewReader("220 \r\n"), conn)}, nil
}

// startTLS asks for TLS (RFC 3207). All that was said before it counts for nothing after.
func (r Relay) startTLS(conn net.Conn, text *textproto.Conn, helo string) error {
	extensions, err := r.ask(conn, text, 250, "EHLO "+helo)
	if err != nil {
		return at("EHLO", err)
	}
	if !slices.ContainsFunc(strings.Split(extensions, "\n"), func(e string) bool { return strings.EqualFold(strings.TrimSpace(e), "STARTTLS") }) {
		return at("STARTTLS", errors.New("it does not offer it"))
	}
	if _, err := r.ask(conn, text, 220, "STARTTLS"); err != nil {
		return at("STARTTLS", err)
	}
	return nil
}

func (r Relay) ask(conn net.Conn, text *textproto.Conn, code int, command string) (string, error) {
	conn.SetDeadline(time.Now().Add(cmp.Or(r.Timeout, replyTime)))
	if err := text.PrintfLine("%s", command); err != nil {
		return "", err
	}
	return reply(text, code)
}

// reply reads a reply of the code. What follows it unasked could be meant to pass for
// the first words within TLS.
func reply(text *textproto.Conn, code int) (string, error) {
	_, said, err := text.ReadResponse(code)
	if err == nil && text.R.Buffered() > 0 {
		err = errors.New("it says more than it was asked")
	}
	return said, err
}

func (r Relay) handshake(conn net.Conn) (net.Conn, error) {
	host, _, err := net.SplitHostPort(r.Addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(cmp.Or(r.Timeout, replyTime)))
	secure := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: r.RootCAs})
	if err := secure.Handshake(); err != nil {
		return nil, at("TLS", err)
	}
	return secure, nil
}

// greeted is a connection whose greeting was heard: go-smtp, which wants one, gets another.
type greeted struct {
	net.Conn
	in io.Reader
}

func (g *greeted) Read(b []byte) (int, error) { return g.in.Read(b) }

// maxReply bounds what a relay may say at once: go-smtp bounds its lines, and not how
// many there are.
const maxReply = 64 << 10

// paced gives each block that is written its own time: a relay that stops reading
// stops us no longer than that.
type paced struct {
	net.Conn
	block time.Duration
	heard int // octets since we wrote
}

func (p *paced) Write(b []byte) (int, error) {
	p.heard = 0
	if err := p.SetWriteDeadline(time.Now().Add(p.block)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

func (p *paced) Read(b []byte) (int, error) {
	if p.heard > maxReply {
		return 0, fmt.Errorf("its reply has more than %d octets", maxReply)
	}
	n, err := p.Conn.Read(b)
	p.heard += n
	return n, err
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
		return at("AUTH", errors.New("it offers neither PLAIN nor LOGIN"))
	}
	if err := c.Auth(mechanism); err != nil {
		return at("AUTH", err)
	}
	return nil
}

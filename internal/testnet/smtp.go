package testnet

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Message is one message that the SMTP server took.
type Message struct {
	From string
	To   []string
	Data []byte // as it came after DATA, dot-unstuffed, octet for octet
	TLS  bool   // the session was encrypted
	User string // as whom the client authenticated

	// What the client asked of notifications (RFC 3461).
	Return, EnvelopeID string
	Notify             []string // of the last recipient
}

// Stage is a step of an SMTP transaction at which a server can fail.
type Stage string

// The stages, in the order of the protocol.
const (
	Connect Stage = "connect"
	Mail    Stage = "mail"
	Rcpt    Stage = "rcpt"
	Data    Stage = "data"
	End     Stage = "end" // the message is read, the answer is due
)

// SMTP is a server that keeps whatever it is sent, or fails as told.
type SMTP struct {
	Addr string // host:port

	server *smtp.Server
	mu     sync.Mutex
	taken  []Message
	more   chan struct{} // closed and renewed when taken grows
	faults map[Stage]fault
	resume chan struct{} // closed when hanging sessions may go on
	closed bool

	user, password string // of clients, where they must authenticate
}

// fault is what happens at a stage instead of success.
type fault struct {
	refuse *smtp.SMTPError
	hang   bool // otherwise the connection is cut
	taken  bool // the message is kept all the same
}

// StartSMTP starts a server on a free port. With a CA it offers STARTTLS.
func StartSMTP(ca *CA) (*SMTP, error) {
	s := &SMTP{more: make(chan struct{}), faults: map[Stage]fault{}, resume: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(s.newSession))
	s.server.Domain, s.server.EnableDSN, s.server.AllowInsecureAuth = "sink.test", true, true
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	if ca != nil {
		config, err := ca.serverTLS()
		if err != nil {
			return nil, err
		}
		s.server.TLSConfig = config
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for SMTP: %w", err)
	}
	s.Addr = l.Addr().String()
	go s.server.Serve(&gate{l, s}) // ends with Close; a broken listener shows in the client
	return s, nil
}

// Close ends the server and all its sessions. One that the library has not
// registered yet meets closed when it wants to greet.
func (s *SMTP) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Recover()
	return s.server.Close()
}

// Refuse answers every following command of that stage with an SMTP reply.
func (s *SMTP) Refuse(at Stage, code int, text string) {
	s.fail(at, fault{refuse: &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: text}})
}

// RefuseTo answers RCPT for one address with an SMTP reply.
func (s *SMTP) RefuseTo(address string, code int, text string) { s.Refuse(rcptTo(address), code, text) }

func rcptTo(address string) Stage { return Rcpt + " " + Stage(address) }

// Hang makes the server fall silent at that stage until Recover.
func (s *SMTP) Hang(at Stage) { s.fail(at, fault{hang: true}) }

// Cut makes the server drop the connection at that stage.
func (s *SMTP) Cut(at Stage) { s.fail(at, fault{}) }

// CutTaken makes the server take messages and drop the connection in place of
// saying so.
func (s *SMTP) CutTaken() { s.fail(End, fault{taken: true}) }

// RequireAuth refuses clients that do not authenticate by PLAIN.
func (s *SMTP) RequireAuth(user, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.password = user, password
}

func (s *SMTP) fail(at Stage, f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[at] = f
}

// Recover ends all failures. Sessions that hung go on.
func (s *SMTP) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	close(s.resume)
	s.resume = make(chan struct{})
}

// Messages returns what was taken so far, in order of arrival.
func (s *SMTP) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// Wait returns the messages as soon as there are n, or the error of ctx.
func (s *SMTP) Wait(ctx context.Context, n int) ([]Message, error) {
	for {
		s.mu.Lock()
		taken, more := slices.Clone(s.taken), s.more
		s.mu.Unlock()
		if len(taken) >= n {
			return taken, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return taken, fmt.Errorf("%d of %d messages came: %w", len(taken), n, ctx.Err())
		}
	}
}

func (s *SMTP) take(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, m)
	close(s.more)
	s.more = make(chan struct{})
}

// failAt does what was ordered for a stage. An error is the reply to give.
func (s *SMTP) failAt(at Stage, conn net.Conn) error {
	s.mu.Lock()
	f, ordered := s.faults[at]
	resume, closed := s.resume, s.closed
	s.mu.Unlock()
	switch {
	case closed:
	case !ordered:
		return nil
	case f.refuse != nil:
		return f.refuse
	case f.hang:
		<-resume
		return s.failAt(at, conn)
	}
	conn.Close()
	return net.ErrClosed
}

// gate applies failures of the Connect stage, before the library greets.
type gate struct {
	net.Listener
	s *SMTP
}

func (g *gate) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &greeted{Conn: conn, s: g.s}, nil
}

// greeted holds the greeting, the first thing written, until the Connect stage
// has passed; that keeps a hanging client from blocking Accept.
type greeted struct {
	net.Conn
	s    *SMTP
	once sync.Once
	err  error
}

func (c *greeted) Write(b []byte) (int, error) {
	c.once.Do(func() {
		c.err = c.s.failAt(Connect, c.Conn)
		if reply, ok := c.err.(*smtp.SMTPError); ok {
			fmt.Fprintf(c.Conn, "%d %s\r\n", reply.Code, reply.Message)
			c.Conn.Close()
		}
	})
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Write(b)
}

type session struct {
	s    *SMTP
	conn *smtp.Conn
	m    Message
	user string
}

func (s *SMTP) newSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{s: s, conn: c}, nil
}

// AuthMechanisms and Auth make smtp.AuthSession.
func (x *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (x *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		x.s.mu.Lock()
		defer x.s.mu.Unlock()
		if user != x.s.user || password != x.s.password {
			return smtp.ErrAuthFailed
		}
		x.user = user
		return nil
	}), nil
}

func (x *session) Mail(from string, o *smtp.MailOptions) error {
	_, encrypted := x.conn.TLSConnectionState()
	x.s.mu.Lock()
	required := x.s.user
	x.s.mu.Unlock()
	if x.user != required {
		return smtp.ErrAuthRequired
	}
	x.m = Message{From: from, TLS: encrypted, User: x.user, Return: string(o.Return), EnvelopeID: o.EnvelopeID}
	return x.s.failAt(Mail, x.conn.Conn())
}

func (x *session) Rcpt(to string, o *smtp.RcptOptions) error {
	for _, at := range []Stage{Rcpt, rcptTo(to)} {
		if err := x.s.failAt(at, x.conn.Conn()); err != nil {
			return err
		}
	}
	x.m.To, x.m.Notify = append(x.m.To, to), nil
	for _, n := range o.Notify {
		x.m.Notify = append(x.m.Notify, string(n))
	}
	return nil
}

func (x *session) Data(r io.Reader) error {
	if err := x.s.failAt(Data, x.conn.Conn()); err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	x.m.Data = data
	x.s.mu.Lock()
	taken := x.s.faults[End].taken
	x.s.mu.Unlock()
	if taken {
		x.s.take(x.m)
	}
	if err := x.s.failAt(End, x.conn.Conn()); err != nil {
		return err
	}
	x.s.take(x.m)
	return nil
}

func (x *session) Reset() { x.m = Message{} }

func (x *session) Logout() error { return nil }

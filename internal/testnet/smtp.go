package testnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
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

// SMTP is a server that keeps whatever it is sent, or fails as told. It is written out
// here, octet by octet, and not made of a library: no library fails as relays do.
type SMTP struct {
	Addr string // host:port

	tls      *tls.Config // nil: STARTTLS is not offered
	mu       sync.Mutex
	listener net.Listener // nil while nobody listens
	conns    map[net.Conn]bool
	sessions sync.WaitGroup
	taken    []Message
	clear    []string        // commands that came unencrypted
	faults   map[Step]*Fault // what is to go wrong
	more     chan struct{}   // closed and renewed when taken grows
	resume   chan struct{}   // closed when hanging sessions may go on
	user     string          // of clients, where they must authenticate
	password string
	offered  []string // mechanisms of AUTH
}

// StartSMTP starts a server on a free port. With a CA it offers STARTTLS.
func StartSMTP(ca *CA) (*SMTP, error) {
	s := &SMTP{Addr: "127.0.0.1:0", conns: map[net.Conn]bool{}, faults: map[Step]*Fault{},
		more: make(chan struct{}), resume: make(chan struct{})}
	if ca != nil {
		config, err := ca.serverTLS()
		if err != nil {
			return nil, err
		}
		s.tls = config
	}
	if err := s.Open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Open has the server listen, at the address that it had if it was shut.
func (s *SMTP) Open() error {
	l, err := net.Listen("tcp", s.Addr)
	for range 50 { // somebody's outgoing connection may have the port for a moment
		if err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
		l, err = net.Listen("tcp", s.Addr)
	}
	if err != nil {
		return fmt.Errorf("listen for SMTP: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.Addr = l, l.Addr().String()
	s.sessions.Go(func() { s.accept(l) })
	return nil
}

func (s *SMTP) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // shut
		}
		s.mu.Lock()
		if s.listener != l {
			conn.Close()
		} else {
			s.conns[conn] = true
			conn.(*net.TCPConn).SetReadBuffer(128 << 10) // a client must see that we stop reading
			s.sessions.Go(func() { s.serve(conn) })
		}
		s.mu.Unlock()
	}
}

func (s *SMTP) serve(conn net.Conn) {
	(&session{s: s, conn: conn}).run()
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	s.tell()
}

// Shut stops listening and drops all sessions: connections are refused until Open.
func (s *SMTP) Shut() error {
	s.mu.Lock()
	l := s.listener
	s.listener = nil
	for conn := range s.conns {
		conn.Close()
	}
	s.wake()
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.Close()
}

// Close ends the server and all its sessions.
func (s *SMTP) Close() error {
	err := s.Shut()
	s.sessions.Wait()
	return err
}

// RequireAuth refuses clients that do not authenticate, by PLAIN unless other
// mechanisms are named: there is LOGIN too.
func (s *SMTP) RequireAuth(user, password string, mechanisms ...string) {
	if len(mechanisms) == 0 {
		mechanisms = []string{"PLAIN"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user, s.password, s.offered = user, password, mechanisms
}

// Recover ends all failures. Sessions that hung go on.
func (s *SMTP) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	s.wake()
}

// wake lets hanging sessions go on. The caller holds mu.
func (s *SMTP) wake() {
	close(s.resume)
	s.resume = make(chan struct{})
}

// Messages returns what was taken so far, in order of arrival.
func (s *SMTP) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

// InClear returns the commands that came unencrypted, in order of arrival.
func (s *SMTP) InClear() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.clear)
}

// Wait returns the messages as soon as there are n, or the error of ctx.
func (s *SMTP) Wait(ctx context.Context, n int) ([]Message, error) {
	err := s.until(ctx, func() error {
		if len(s.taken) < n {
			return fmt.Errorf("%d of %d messages came", len(s.taken), n)
		}
		return nil
	})
	return s.Messages(), err
}

// Reached waits until a session has met the fault at a step, and returns the error of
// ctx if none does.
func (s *SMTP) Reached(ctx context.Context, at Step) error {
	return s.until(ctx, func() error {
		if f := s.faults[at]; f == nil || !f.met {
			return fmt.Errorf("nobody comes to %s", at)
		}
		return nil
	})
}

// Idle waits until no client is connected, and returns the error of ctx if one stays.
func (s *SMTP) Idle(ctx context.Context) error {
	return s.until(ctx, func() error {
		if n := len(s.conns); n > 0 {
			return fmt.Errorf("%d clients are connected", n)
		}
		return nil
	})
}

// until waits for something that more tells of.
func (s *SMTP) until(ctx context.Context, missing func() error) error {
	for {
		s.mu.Lock()
		err, more := missing(), s.more
		s.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// tell wakes who waits in until. The caller holds mu.
func (s *SMTP) tell() {
	close(s.more)
	s.more = make(chan struct{})
}

func (s *SMTP) take(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, m)
	s.tell()
}

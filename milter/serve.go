package milter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	gomilter "github.com/emersion/go-milter"
)

// Serve takes MTA connections from l until Shutdown, and then returns nil. It
// closes l. An error of Accept is waited out; only a listener that somebody
// else closed ends Serve with an error.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return nil
	}
	defer s.unlisten(l)
	delay := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			s.start(nc)
		case s.draining.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("milter: %w", err)
		default:
			// Out of descriptors, mostly: it passes.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.set.Load().Log.Warn("milter cannot accept a connection", "err", err, "retry_in", delay)
			s.wait(delay)
		}
	}
}

// Shutdown lets the messages under way finish and ends everything else. When
// ctx ends first, what is left is cut off, and the error says so.
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain()
	select {
	case <-s.gone:
		return s.lettersOut(ctx)
	case <-ctx.Done():
	}
	n := s.cut()
	s.cancel()
	// A Submitter may be slow to notice.
	select {
	case <-s.gone:
	case <-time.After(time.Second):
	}
	return fmt.Errorf("milter: %d sessions cut off: %w", n, ctx.Err())
}

// lettersOut waits for the last letters to users, which nothing waits for else.
func (s *Server) lettersOut(ctx context.Context) error {
	defer s.cancel()
	done := make(chan struct{})
	go func() {
		s.answers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("milter: letters to users cut off: %w", ctx.Err())
	}
}

func (s *Server) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Swap(true) {
		return
	}
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		// Wakes the reader, which then sees that it may go.
		_ = c.SetReadDeadline(time.Now())
	}
	if len(s.conns) == 0 {
		close(s.gone)
	}
}

// cut closes what is left and returns how many sessions that were.
func (s *Server) cut() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Conn.Close()
	}
	return len(s.conns)
}

func (s *Server) wait(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// start serves a connection in the background.
func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	admitted, full := s.admit(c)
	if !admitted {
		nc.Close()
		return
	}
	go s.handle(c, full)
}

// admit takes a connection on the list. Over the limit it is full, and the
// connection only to be relieved; those count too, and past twice the limit
// somebody connects and says nothing.
func (s *Server) admit(c *conn) (admitted, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false, false
	}
	n, limit := len(s.conns), s.set.Load().MaxSessions
	full = n >= limit
	if full {
		s.stats.relieved.Add(1)
		if !s.full {
			s.set.Load().Log.Warn("too many milter sessions, further mail passes unexamined", "max_sessions", limit)
		}
	}
	s.full = full
	if n >= 2*limit {
		return false, full
	}
	s.conns[c] = struct{}{}
	return true, full
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.draining.Load() {
		close(s.gone)
	}
}

// handle negotiates and leaves the rest to the library.
func (s *Server) handle(c *conn, full bool) {
	offered, err := c.readOffer()
	if err != nil {
		c.report(err)
		c.Close()
		return
	}
	lib := gomilter.Server{Actions: c.set.wantedActions() & offered.actions, SymList: symbols}
	if full {
		c.idle = frameTimeout
		lib.NewMilter = func() gomilter.Milter { return relief{c: c} }
	} else {
		s.stats.sessions.Add(1)
		lib.Protocol = c.set.wantedProtocol() & offered.protocol
		session := newSession(s, c, lib.Protocol, lib.Actions)
		// The library asks for a new handler after each final answer, but the
		// MTA does not say again who the client is: the same one stays.
		lib.NewMilter = func() gomilter.Milter { return session }
	}
	// Serve returns as soon as it has no more to accept; the session goes on.
	_ = lib.Serve(&oneConn{c: c})
}

// relief accepts all mail of the client at once. Closing the connection instead
// would leave it to milter_default_action, which may be to refuse mail; Postfix
// takes this answer for the whole SMTP session and needs the milter no more.
type relief struct {
	gomilter.NoOpMilter
	c *conn
}

func (r relief) Connect(string, string, uint16, net.IP, *gomilter.Modifier) (gomilter.Response, error) {
	r.c.last = true
	return gomilter.RespAccept, nil
}

// oneConn is a listener with one connection. A library server for each
// connection is how the flags can be those that this MTA offered.
type oneConn struct {
	c net.Conn
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.c == nil {
		return nil, net.ErrClosed
	}
	c := l.c
	l.c = nil
	return c, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

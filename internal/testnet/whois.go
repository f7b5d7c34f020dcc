package testnet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// WHOIS is a server for port 43 (RFC 3912): one line in, text out, end.
type WHOIS struct {
	Addr string // host:port

	listener net.Listener
	done     chan struct{}
	mu       sync.Mutex
	answers  map[string][]string // those of one query are given in turn, the last one for ever
	failure  WHOISFailure
	queries  []string
}

// WHOISFailure is a way in which the server does not answer. What registries
// say in words, such as a rate limit, is an answer like others.
type WHOISFailure int

// The failures.
const (
	WHOISHang    WHOISFailure = iota + 1 // takes the query, says nothing, keeps the connection
	WHOISCut                             // half of the answer, then a reset
	WHOISEndless                         // 8 MiB of comment before the answer
)

// StartWHOIS starts a server on a free port.
func StartWHOIS() (*WHOIS, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for WHOIS: %w", err)
	}
	s := &WHOIS{Addr: l.Addr().String(), listener: l, done: make(chan struct{}), answers: map[string][]string{}}
	go s.serve()
	return s, nil
}

// Close ends the server and lets go of hanging clients.
func (s *WHOIS) Close() error {
	close(s.done)
	return s.listener.Close()
}

// Answer sets the text for a query, which is matched as a whole line.
func (s *WHOIS) Answer(query, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[query] = []string{text}
}

// Then sets the text for when a query comes once more than there are texts.
func (s *WHOIS) Then(query, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[query] = append(s.answers[query], text)
}

// Fail spoils every following answer until Recover.
func (s *WHOIS) Fail(f WHOISFailure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = f
}

// Recover ends the failure.
func (s *WHOIS) Recover() { s.Fail(0) }

// Queries returns the lines that were asked so far.
func (s *WHOIS) Queries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

func (s *WHOIS) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		go s.handle(conn)
	}
}

func (s *WHOIS) handle(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	line, err := bufio.NewReader(io.LimitReader(conn, 1024)).ReadString('\n')
	if err != nil {
		return
	}
	text, failure := s.find(strings.TrimRight(line, "\r\n"))
	switch failure {
	case WHOISHang:
		<-s.done
		return
	case WHOISCut:
		io.WriteString(conn, text[:len(text)/2])
		conn.(*net.TCPConn).SetLinger(0)
		return
	case WHOISEndless:
		conn.Write(bytes.Repeat([]byte("% nothing here\r\n"), 8<<20/16))
	}
	io.WriteString(conn, text)
}

// find records the query and looks up its answer.
func (s *WHOIS) find(query string) (string, WHOISFailure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, query)
	texts := s.answers[query]
	switch len(texts) {
	case 0:
		return "%ERROR:101: no entries found\r\n", s.failure
	case 1:
		return texts[0], s.failure
	}
	s.answers[query] = texts[1:]
	return texts[0], s.failure
}

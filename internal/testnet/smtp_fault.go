package testnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Step is a point of an SMTP session at which a server can fail.
type Step string

// The steps, in the order of the protocol.
const (
	Connect   Step = "connect"  // the greeting is due
	Hello     Step = "EHLO"     // the first, in the clear
	StartTLS  Step = "STARTTLS" // the command
	Handshake Step = "TLS"      // the client's first octets of TLS are due
	Secure    Step = "secure"   // EHLO within TLS
	Auth      Step = "AUTH"     // the command
	Password  Step = "password" // what answers a challenge of AUTH
	Mail      Step = "MAIL"     // the command
	Rcpt      Step = "RCPT"     // the command, whoever it names; see RcptTo
	Data      Step = "DATA"     // the command
	Content   Step = "content"  // some of the message is read
	End       Step = "end"      // the message is read, the answer is due
	Quit      Step = "QUIT"     // the command
)

// RcptTo is the RCPT of one address.
func RcptTo(address string) Step { return Rcpt + " " + Step(address) }

// Fault is what happens at a step instead of success, in the order of its fields.
type Fault struct {
	Skip    int           // how many sessions pass the step first
	Keep    bool          // the message is kept all the same, at End
	Say     string        // octets that are sent, as they are, in place of the answer
	Drip    time.Duration // between the octets of Say
	Endless bool          // Say is said again and again until the client is gone
	Hang    bool          // fall silent until Recover; if nothing was said the step succeeds then
	Cut     bool          // drop the connection

	met bool // by a session
}

// Fail has sessions fail at a step until Recover.
func (s *SMTP) Fail(at Step, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[at] = &f
}

// Refuse answers every following command of that step with an SMTP reply. After 421
// the connection is closed (RFC 5321 §3.8).
func (s *SMTP) Refuse(at Step, code int, text string) {
	s.Fail(at, Fault{Say: fmt.Sprintf("%d %s\r\n", code, text), Cut: code == 421})
}

// RefuseTo answers RCPT for one address with an SMTP reply.
func (s *SMTP) RefuseTo(address string, code int, text string) { s.Refuse(RcptTo(address), code, text) }

// Hang makes the server fall silent at that step until Recover.
func (s *SMTP) Hang(at Step) { s.Fail(at, Fault{Hang: true}) }

// Cut makes the server drop the connection at that step.
func (s *SMTP) Cut(at Step) { s.Fail(at, Fault{Cut: true}) }

// CutTaken makes the server take messages and drop the connection in place of
// saying so.
func (s *SMTP) CutTaken() { s.Fail(End, Fault{Keep: true, Cut: true}) }

// errFailed ends a command that a fault has answered.
var errFailed = errors.New("failed as told")

// meet does what was ordered for a step. It returns nil where the step succeeds,
// errFailed where it has had its answer, and another error where the session ends.
func (x *session) meet(at Step) error {
	f, resume := x.s.ordered(at)
	if f == nil {
		return nil
	}
	if f.Keep {
		x.s.take(x.m)
	}
	if err := f.say(x.conn); err != nil {
		return err
	}
	if f.Hang {
		<-resume
	}
	switch {
	case f.Cut:
		return net.ErrClosed
	case f.Say == "" && !f.Keep:
		return nil
	}
	return errFailed
}

// ordered returns what awaits a session at a step.
func (s *SMTP) ordered(at Step) (*Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults[at]
	switch {
	case f == nil:
	case f.Skip > 0:
		f.Skip--
		f = nil
	default:
		f.met = true
		s.tell()
	}
	return f, s.resume
}

func (f *Fault) say(w io.Writer) error {
	for {
		for rest := f.Say; rest != ""; {
			n := len(rest)
			if f.Drip > 0 {
				n = 1
				time.Sleep(f.Drip)
			}
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		if !f.Endless {
			return nil
		}
	}
}

package testnet

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// patience is how long a session waits for its client.
const patience = time.Minute

// session is one connection of a client.
type session struct {
	s      *SMTP
	conn   net.Conn
	in     *bufio.Reader
	secure bool
	user   string
	open   bool // MAIL was taken
	m      Message
}

// verbs are the commands. An error that is not errFailed ends the session.
var verbs = map[string]func(x *session, args string) error{
	"EHLO": (*session).hello, "HELO": (*session).hello, "STARTTLS": (*session).startTLS, "AUTH": (*session).auth,
	"MAIL": (*session).mail, "RCPT": (*session).rcpt, "DATA": (*session).data, "RSET": (*session).reset, "QUIT": (*session).quit,
	"NOOP": func(x *session, _ string) error { return x.say("250 2.0.0 ok") },
}

func (x *session) run() {
	x.in = bufio.NewReader(x.conn)
	err := x.meet(Connect)
	if err == nil {
		err = x.say("220 sink.test ESMTP")
	}
	for err == nil || errors.Is(err, errFailed) {
		err = x.command()
	}
}

func (x *session) command() error {
	line, err := x.line()
	if err != nil {
		return err
	}
	if !x.secure {
		x.s.heard(line)
	}
	verb, args, _ := strings.Cut(line, " ")
	if do := verbs[strings.ToUpper(verb)]; do != nil {
		return do(x, args)
	}
	return x.say("500 5.5.1 no such command")
}

// heard notes a command that came in the clear.
func (s *SMTP) heard(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear = append(s.clear, line)
}

func (x *session) line() (string, error) {
	x.conn.SetReadDeadline(time.Now().Add(patience))
	line, err := x.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func (x *session) say(lines ...string) error {
	x.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := io.WriteString(x.conn, strings.Join(lines, "\r\n")+"\r\n")
	return err
}

func (x *session) hello(string) error {
	at := Hello
	if x.secure {
		at = Secure
	}
	if err := x.meet(at); err != nil {
		return err
	}
	lines := []string{"250-sink.test", "250-PIPELINING", "250-8BITMIME", "250-DSN", "250-ENHANCEDSTATUSCODES"}
	if x.s.tls != nil && !x.secure {
		lines = append(lines, "250-STARTTLS")
	}
	if _, _, offered := x.s.account(); len(offered) > 0 {
		lines = append(lines, "250-AUTH "+strings.Join(offered, " "))
	}
	return x.say(append(lines, "250 SIZE")...)
}

// account is whom clients must be, and how they may prove it.
func (s *SMTP) account() (user, password string, offered []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user, s.password, s.offered
}

func (x *session) startTLS(string) error {
	if x.s.tls == nil || x.secure {
		return x.say("502 5.5.1 no TLS here")
	}
	if err := x.meet(StartTLS); err != nil {
		return err
	}
	if err := x.say("220 2.0.0 go ahead"); err != nil {
		return err
	}
	if err := x.meet(Handshake); err != nil {
		return err
	}
	t := tls.Server(x.conn, x.s.tls)
	x.conn.SetDeadline(time.Now().Add(patience))
	if err := t.Handshake(); err != nil {
		return err
	}
	x.conn, x.in, x.secure = t, bufio.NewReader(t), true
	return nil
}

// auth speaks PLAIN (RFC 4616) and LOGIN.
func (x *session) auth(args string) error {
	if err := x.meet(Auth); err != nil {
		return err
	}
	user, password, offered := x.s.account()
	mechanism, initial, _ := strings.Cut(args, " ")
	if !slices.Contains(offered, mechanism) {
		return x.say("504 5.5.4 no such mechanism")
	}
	var said, want []string
	if mechanism == "PLAIN" {
		want = []string{"\x00" + user + "\x00" + password}
	} else {
		want = []string{user, password}
	}
	if initial != "" {
		said = append(said, initial)
	}
	for _, challenge := range []string{"Username:", "Password:"}[len(said):len(want)] {
		answer, err := x.challenge(challenge)
		if err != nil {
			return err
		}
		said = append(said, answer)
	}
	for i := range want {
		if b, err := base64.StdEncoding.DecodeString(said[i]); err != nil || string(b) != want[i] {
			return x.say("535 5.7.8 wrong")
		}
	}
	x.user = user
	return x.say("235 2.7.0 welcome")
}

func (x *session) challenge(text string) (answer string, err error) {
	if err := x.say("334 " + base64.StdEncoding.EncodeToString([]byte(text))); err != nil {
		return "", err
	}
	if answer, err = x.line(); err != nil {
		return "", err
	}
	return answer, x.meet(Password)
}

func (x *session) mail(args string) error {
	from, params, ok := path(args, "FROM:")
	if !ok {
		return x.say("501 5.5.4 MAIL FROM:<address>")
	}
	if user, _, _ := x.s.account(); x.user != user {
		return x.say("530 5.7.0 authentication required")
	}
	if err := x.meet(Mail); err != nil {
		return err
	}
	x.open = true
	x.m = Message{From: from, TLS: x.secure, User: x.user, Return: params["RET"], EnvelopeID: xtext(params["ENVID"])}
	return x.say("250 2.1.0 ok")
}

func (x *session) rcpt(args string) error {
	to, params, ok := path(args, "TO:")
	if !ok || !x.open {
		return x.say("503 5.5.1 MAIL, then RCPT TO:<address>")
	}
	for _, at := range []Step{Rcpt, RcptTo(to)} {
		if err := x.meet(at); err != nil {
			return err
		}
	}
	x.m.To, x.m.Notify = append(x.m.To, to), nil
	if n := params["NOTIFY"]; n != "" {
		x.m.Notify = strings.Split(n, ",")
	}
	return x.say("250 2.1.5 ok")
}

// path reads what follows MAIL and RCPT (RFC 5321 §4.1.1.2).
func path(args, name string) (address string, params map[string]string, ok bool) {
	rest := args[min(len(name), len(args)):]
	if !strings.EqualFold(args[:len(args)-len(rest)], name) {
		return "", nil, false
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), "<")
	address, rest, closed := strings.Cut(rest, ">")
	params = map[string]string{}
	for _, p := range strings.Fields(rest) {
		key, value, _ := strings.Cut(p, "=")
		params[strings.ToUpper(key)] = value
	}
	return address, params, ok && closed
}

// xtext decodes what RFC 3461 §4 encodes.
func xtext(s string) string {
	plain, err := url.PathUnescape(strings.ReplaceAll(strings.ReplaceAll(s, "%", "%25"), "+", "%"))
	if err != nil {
		return s
	}
	return plain
}

func (x *session) data(string) error {
	if !x.open || len(x.m.To) == 0 {
		return x.say("554 5.5.1 no valid recipients")
	}
	if err := x.meet(Data); err != nil {
		return err
	}
	if err := x.say("354 go ahead"); err != nil {
		return err
	}
	if err := x.content(); err != nil {
		return err
	}
	x.open = false
	if err := x.meet(End); err != nil {
		return err
	}
	x.s.take(x.m)
	return x.say("250 2.0.0 taken")
}

// content reads the message up to the lone dot.
func (x *session) content() error {
	var all bytes.Buffer
	for n := 0; ; n++ {
		x.conn.SetReadDeadline(time.Now().Add(patience))
		line, err := x.in.ReadBytes('\n')
		if err != nil {
			return err
		}
		if string(line) == ".\r\n" {
			x.m.Data = all.Bytes()
			return nil
		}
		all.Write(bytes.TrimPrefix(line, []byte(".")))
		if n == 0 {
			if err := x.meet(Content); err != nil {
				return net.ErrClosed // what follows is no command
			}
		}
	}
}

func (x *session) reset(string) error {
	x.open, x.m = false, Message{}
	return x.say("250 2.0.0 ok")
}

func (x *session) quit(string) error {
	if err := x.meet(Quit); err != nil {
		return err
	}
	x.say("221 2.0.0 bye") // whether it comes there or not
	return io.EOF
}

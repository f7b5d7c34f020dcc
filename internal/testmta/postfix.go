// Package testmta runs a real Postfix or Sendmail in a scratch directory, on a
// free loopback port, without touching the one that the system may run. It serves
// the end-to-end tests and the demonstration.
package testmta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrUnavailable means that this machine or this user can't run a scratch MTA;
// the wrapping error says what is missing.
var ErrUnavailable = errors.New("scratch MTA not possible here")

// Options says what the scratch MTA is to be like. The zero value takes mail for
// example.org from anywhere, but none for refused@example.org, and discards it;
// Sendmail keeps it in its queue.
type Options struct {
	Relay string // HOST:PORT that gets all mail; empty for discard
	TLS   bool   // offer STARTTLS with a certificate of its own making
	IPv6  bool   // listen on ::1 as well, at the same port
	Auth  bool   // Sendmail: let fred@mx.example.org log in with the password "secret"; Postfix has XCLIENT

	Milters []string          // Postfix's smtpd_milters in this order, "inet:127.0.0.1:8896"
	MainCF  map[string]string // further settings of Postfix's main.cf, or other values
	MC      string            // further lines of sendmail.mc, its milters among them
}

// Postfix is one running instance. XCLIENT is open to all, so that a
// test can be any client. Its methods may be called from several goroutines.
type Postfix struct {
	Addr string // HOST:PORT of its SMTP server
	Dir  string // its configuration directory, for postconf -c and others

	base string // everything it owns; removed by Stop
}

// Available returns nil if Start can work here, else an error that wraps
// ErrUnavailable and says what to do.
func Available() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: Postfix changes its user, run as root", ErrUnavailable)
	}
	for _, name := range []string{"postfix", "postconf"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: no %s in PATH, install Debian's postfix package", ErrUnavailable, name)
		}
	}
	return nil
}

// Start builds the directories and starts the daemon. It returns when SMTP is
// answered. On an error nothing is left running or lying about.
func Start(ctx context.Context, o Options) (*Postfix, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("start Postfix: %w", err)
		}
		p, err := start(ctx, o)
		// A port found free can be taken before Postfix binds it.
		if err == nil || !strings.Contains(err.Error(), "Address already in use") {
			return p, err
		}
	}
}

func start(ctx context.Context, o Options) (p *Postfix, err error) {
	p = &Postfix{}
	if p.base, err = os.MkdirTemp("", "testmta-"); err != nil {
		return nil, err
	}
	p.Dir = filepath.Join(p.base, "etc")
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start Postfix: %w\n%s", err, p.Log()), p.Stop())
			p = nil
		}
	}()
	if p.Addr, err = freeAddr(); err != nil {
		return p, err
	}
	if err = p.layOut(o); err != nil {
		return p, err
	}
	if err = p.run("start"); err != nil {
		return p, err
	}
	return p, p.waitSMTP(ctx)
}

// Set changes main.cf and restarts the daemon.
func (p *Postfix) Set(ctx context.Context, settings map[string]string) error {
	args := []string{"-c", p.Dir, "-e"}
	for name, value := range settings {
		args = append(args, name+"="+value)
	}
	if out, err := exec.CommandContext(ctx, "postconf", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("postconf: %w: %s", err, out)
	}
	return p.Restart(ctx)
}

// Restart makes the daemon read its configuration again. After "postfix reload"
// an old process could still take a connection.
func (p *Postfix) Restart(ctx context.Context) error {
	if err := p.run("stop"); err != nil {
		return err
	}
	if err := p.run("start"); err != nil {
		return err
	}
	return p.waitSMTP(ctx)
}

// Log returns what the daemon logged so far.
func (p *Postfix) Log() string {
	b, err := os.ReadFile(p.logFile())
	if err != nil {
		return ""
	}
	return string(b)
}

// WaitLog waits until a line of the log holds all the words and returns it.
func (p *Postfix) WaitLog(ctx context.Context, words ...string) (string, error) {
	for {
		for line := range strings.Lines(p.Log()) {
			if containsAll(line, words) {
				return strings.TrimSpace(line), nil
			}
		}
		if err := pause(ctx); err != nil {
			return "", fmt.Errorf("no log line with %q: %w", words, err)
		}
	}
}

// Stop ends the daemon and removes all that it wrote. Calling it twice is
// harmless.
func (p *Postfix) Stop() error {
	var err error
	if _, statErr := os.Stat(p.Dir); statErr == nil && p.run("status") == nil {
		err = p.run("stop")
	}
	return errors.Join(err, os.RemoveAll(p.base))
}

// run has a time limit of its own: a start that the caller's context cut in the
// middle could leave a daemon that Stop does not see yet.
func (p *Postfix) run(command string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "postfix", "-c", p.Dir, command)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("postfix %s: %w: %s", command, err, out)
	}
	return nil
}

// waitSMTP returns when the server greets.
func (p *Postfix) waitSMTP(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if greets(ctx, p.Addr) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("no SMTP greeting at %s: %w", p.Addr, err)
		}
	}
}

func greets(ctx context.Context, addr string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if conn.SetDeadline(deadline) != nil {
		return false
	}
	greeting := make([]byte, 4)
	if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "220 " {
		return false
	}
	_, err = conn.Write([]byte("QUIT\r\n"))
	return err == nil
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

func containsAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"spamreport-milter/internal/testmta"
	"spamreport-milter/internal/testnet"
)

// binary is where `make build` puts the program.
const binary = "bin/spamreport-milter"

// stage is everything that runs during the story.
type stage struct {
	dir     string
	config  string
	logFile string
	world   *testnet.Internet
	postfix *testmta.Postfix
	daemon  *exec.Cmd
	exited  chan error
}

// raise starts the parts. On an error what was started is struck again.
func raise(ctx context.Context) (s *stage, err error) {
	s = &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.strike())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "spamreport-demo-"); err != nil {
		return s, err
	}
	s.config, s.logFile = filepath.Join(s.dir, "config.toml"), filepath.Join(s.dir, "daemon.log")
	say("Setting the stage on free loopback ports, in %s", s.dir)
	if err = s.playInternet(); err != nil {
		return s, err
	}
	// Postfix relays our complaints to the desk, and is their smarthost too.
	if s.postfix, err = testmta.Start(ctx, testmta.Options{
		Relay:  s.world.Desk.Addr,
		MainCF: map[string]string{"relay_transport": "discard:"}, // mail to our users ends here
	}); err != nil {
		return s, err
	}
	if err = os.WriteFile(s.config, []byte(s.settings()), 0o600); err != nil {
		return s, err
	}
	milterAt, err := s.serve()
	if err != nil {
		return s, err
	}
	fmt.Printf("\n  registry (RDAP)  %s\n  abuse desk       %s\n  Postfix          %s\n", s.world.Registry.URL, s.world.Desk.Addr, s.postfix.Addr)
	return s, s.postfix.Set(ctx, map[string]string{"smtpd_milters": milterAt, "milter_default_action": "accept"})
}

func (s *stage) playInternet() (err error) {
	if s.world, err = testnet.Start(s.dir, zone); err == nil {
		s.world.Registry.Add(networks()...)
	}
	return err
}

func (s *stage) settings() string {
	return fmt.Sprintf(`state_dir = %q

%s
[milter]
listen = ["inet:127.0.0.1:0"]

[reporter]
from = "Mail Abuse <abuse@example.org>"
host = "mx.example.org"
smarthost = %q
`, filepath.Join(s.dir, "state"), s.world.Settings(), s.postfix.Addr)
}

// serve starts the daemon and returns where its milter listens, as it says itself.
func (s *stage) serve() (string, error) {
	log, err := os.Create(s.logFile)
	if err != nil {
		return "", err
	}
	defer log.Close() // the daemon has its own descriptor
	s.daemon = exec.Command(binary, "--config", s.config, "serve")
	s.daemon.Stderr = log
	// Ctrl-C in the terminal is for us; we end the daemon in order.
	s.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.daemon.StdoutPipe()
	if err != nil {
		return "", err
	}
	fmt.Printf("\n$ %s serve\n", s.command())
	if err := s.daemon.Start(); err != nil {
		return "", err
	}
	at, err := announced(out)
	s.exited = make(chan error, 1)
	go func() { s.exited <- s.daemon.Wait() }()
	return at, err
}

// announced repeats what the daemon prints at start and picks the milter's
// address from it.
func announced(r io.Reader) (at string, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fmt.Println(lines.Text())
		if spec, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "smtpd_milters = "); ok {
			at = spec
		}
		if strings.HasPrefix(lines.Text(), "Every complaint") && at != "" {
			return at, nil
		}
	}
	return "", errors.New("the daemon ended before it listened: see its log")
}

// strike ends all parts, newest first, and removes what they wrote.
func (s *stage) strike() error {
	var faults []error
	if s.daemon != nil && s.daemon.Process != nil {
		faults = append(faults, s.endDaemon())
	}
	if s.postfix != nil {
		faults = append(faults, s.postfix.Stop())
	}
	if s.world != nil {
		faults = append(faults, s.world.Close())
	}
	return errors.Join(append(faults, os.RemoveAll(s.dir))...)
}

func (s *stage) endDaemon() error {
	_ = s.daemon.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case err := <-s.exited:
		if err != nil {
			return fmt.Errorf("daemon: %w", err)
		}
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("daemon did not end within a minute"), s.daemon.Process.Kill())
	}
}

// command is how a reader calls the program on this stage.
func (s *stage) command() string { return binary + " --config " + s.config }

// run runs one command before the reader's eyes.
func (s *stage) run(ctx context.Context, args ...string) error {
	fmt.Printf("$ %s", s.command())
	for _, a := range args {
		if strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		fmt.Printf(" %s", a)
	}
	fmt.Println()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--config", s.config}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

type row struct {
	ID     int64  `json:"id"`
	State  string `json:"state"`
	Source string `json:"source"`
}

func (s *stage) rows(ctx context.Context) ([]row, error) {
	out, err := exec.CommandContext(ctx, binary, "--config", s.config, "queue", "list", "--json").Output()
	if err != nil {
		return nil, fmt.Errorf("queue list: %w", err)
	}
	var rows []row
	for line := range strings.Lines(string(out)) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// find returns the number of the complaint about a source.
func (s *stage) find(ctx context.Context, source string) (string, error) {
	rows, err := s.rows(ctx)
	if err != nil {
		return "", err
	}
	for _, r := range rows {
		if r.Source == source {
			return strconv.FormatInt(r.ID, 10), nil
		}
	}
	return "", fmt.Errorf("no complaint about %s came", source)
}

// wait returns when n complaints are in a state.
func (s *stage) wait(ctx context.Context, state string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		rows, err := s.rows(ctx)
		if err != nil {
			return err
		}
		found := 0
		for _, r := range rows {
			if r.State == state {
				found++
			}
		}
		if found >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d complaints are %s: %w", found, n, state, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Command spamreport-milter turns spam that arrived into complaints to those who
// answer for its sender. See README.md, or run it with --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"syscall"

	"github.com/alecthomas/kong"
)

// CLI is the command line.
type CLI struct {
	ConfigFile string `name:"config" short:"c" placeholder:"FILE" help:"Configuration file; ${default_config} where it exists."`
	StateDir   string `name:"state-dir" placeholder:"DIR" help:"Directory of the queue, in place of state_dir in the configuration."`

	Serve   ServeCmd   `cmd:"" help:"Run the milter and the workers."`
	Trace   TraceCmd   `cmd:"" help:"Show the way of a message: every hop, whom to believe, border and origin."`
	Contact ContactCmd `cmd:"" help:"Find who takes complaints about an address, and why."`
	Report  ReportCmd  `cmd:"" help:"Hand in spam that arrived: files or standard input."`
	Replay  ReplayCmd  `cmd:"" help:"Decide again about past reports, as the configuration says now; nothing is sent."`
	Queue   QueueCmd   `cmd:"" help:"Look at the complaints and decide about them."`
	Config  ConfigCmd  `cmd:"" help:"Check or print the configuration."`
	Doctor  DoctorCmd  `cmd:"" help:"Look whether everything is there: queue, MTA, DNS, relay."`
	Version VersionCmd `cmd:"" help:"Print the version."`
}

// Env is what commands get from main: the world, so that tests can be it.
type Env struct {
	Context context.Context // ends on SIGINT and SIGTERM
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Args    []string // the command line, to name the next one
	Config  *Config
	Reload  func() (*Config, error) // reads the configuration again
	Log     *slog.Logger
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its world as arguments. It returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var cli CLI
	exited := -1
	parser := kong.Must(&cli,
		kong.Name("spamreport-milter"),
		kong.Description(description),
		helpVars,
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	command, err := parser.Parse(args)
	if exited >= 0 { // --help has answered
		return exited
	}
	if err != nil {
		return complain(stderr, &exitError{exUsage, fmt.Errorf("%w (see spamreport-milter --help)", err)})
	}
	load := func() (*Config, error) {
		config, err := loadConfig(cli.ConfigFile)
		if err == nil && cli.StateDir != "" {
			config.StateDir = cli.StateDir
		}
		return config, err
	}
	config, err := load()
	if err != nil {
		return complain(stderr, &exitError{exConfig, err})
	}
	env := &Env{
		Context: ctx, Stdin: stdin, Stdout: stdout, Stderr: stderr, Args: args, Config: config, Reload: load,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: logLevels[config.LogLevel]})),
	}
	return complain(stderr, command.Run(env))
}

const description = `See spam, say something: trace spam that arrived to its sender, find who answers for
that network, and queue a complaint with the proof. Nothing is sent before a person
approves it.

Begin with "spamreport-milter serve": it needs no configuration and prints the two lines
that Postfix wants. Then "spamreport-milter queue list" shows what came of it.`

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// helpVars are what help texts quote.
var helpVars = kong.Vars{
	"default_config": defaultConfig, "states": listed(states), "columns": columnNames(), "limit": fmt.Sprint(defaultLimit),
}

// Exit statuses of sysexits.h, which MTAs and scripts understand.
const (
	exUsage       = 64 // the command line is wrong
	exData        = 65 // the input is wrong
	exNoInput     = 66 // an input file cannot be read
	exUnavailable = 69 // something that is needed is not there
	exSoftware    = 70 // any other fault
	exTempFail    = 75 // trying again may help
	exConfig      = 78 // the configuration is wrong
)

// exitError is an error with the exit status that tells its kind.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// complain prints an error as its reader needs it and returns the exit status.
func complain(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "spamreport-milter: %v\n", err)
	var ee *exitError
	if errors.As(err, &ee) {
		return ee.code
	}
	return exSoftware
}

// actor is who a person at the command line is, for the audit trail. Under sudo
// it is the person, not root.
func actor() string {
	if u := os.Getenv("SUDO_USER"); u != "" && os.Geteuid() == 0 {
		return "user:" + u
	}
	if u, err := user.Current(); err == nil {
		return "user:" + u.Username
	}
	return fmt.Sprintf("user:%d", os.Getuid())
}

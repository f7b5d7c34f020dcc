package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"spamreport-milter/internal/testnet"
	"spamreport-milter/queue"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"spamreport-milter": main})
}

// TestScripts runs the commands as an admin types them, with a registry and an
// abuse desk on loopback.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUp,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "desk": receive, "registry": registry, "seed": seed, "more": more, "csv": readCSV, "jsonl": readJSONL, "noted": noted, "alter": alter, "postgres": postgres,
		},
	})
}

// setUp gives each script its own Internet, state directory and a configuration
// file $CONFIG that joins them.
func setUp(env *testscript.Env) error {
	world, err := newInternet(env.WorkDir)
	if err != nil {
		return err
	}
	env.Defer(func() { world.Close() })
	env.Values["world"] = world
	env.Setenv("CONFIG", filepath.Join(env.WorkDir, "config.toml"))
	env.Setenv("STATE_DIRECTORY", filepath.Join(env.WorkDir, "state"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("TZ", "UTC")
	return os.WriteFile(env.Getenv("CONFIG"), []byte(testConfig(world)), 0o600)
}

// newInternet has one network, with a desk that takes mail.
func newInternet(dir string) (*testnet.Internet, error) {
	world, err := testnet.Start(dir, "net.test. IN MX 10 mx.net.test.\nmx.net.test. IN A 45.66.77.1\n"+
		"shop.test. IN MX 10 mx.net.test.\nshop.test. IN TXT \"v=spf1 ip4:45.66.77.88 -all\"\n"+partiesZone)
	if err == nil {
		world.Registry.Add(testnet.RIPE(netip.MustParsePrefix("45.66.77.0/24"), "TEST-NET", "abuse@net.test"))
		world.Registry.Add(partiesNetworks()...)
	}
	return world, err
}

func testConfig(world *testnet.Internet) string {
	return world.Settings() + fmt.Sprintf(`
[milter]
listen = ["inet:127.0.0.1:0"]

[reporter]
from = "Mail Abuse <abuse@isp.test>"
host = "mx.isp.test"
smarthost = %q
max_age = 0    # the samples keep their dates
`, world.Desk.Addr)
}

// await waits for a state of the queue: `await held 1`, `await waiting 0`, or for
// the daemon to have made the queue or another file: `await queue`, `await file NAME`,
// or for a file to have so many lines: `await lines N NAME`.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await queue | STATE N")
	}
	path := filepath.Join(ts.Getenv("STATE_DIRECTORY"), "queue.db")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := reached(ctx, ts, path, args)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("await %s: %v", strings.Join(args, " "), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reached says what is still missing for await.
func reached(ctx context.Context, ts *testscript.TestScript, path string, args []string) error {
	switch args[0] {
	case "file":
		_, err := os.Stat(ts.MkAbs(args[1]))
		return err
	case "lines":
		b, err := os.ReadFile(ts.MkAbs(args[2]))
		if n := strings.Count(string(b), "\n"); err == nil && fmt.Sprint(n) != args[1] {
			err = fmt.Errorf("%d so far", n)
		}
		return err
	}
	store, err := queue.Open(ctx, path, queue.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	if args[0] == "queue" {
		return nil
	}
	want, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	counts, err := store.Counts(ctx)
	if err != nil {
		return err
	}
	got := counts[queue.State(args[0])]
	if args[0] == "closed" {
		events, err := store.Events(ctx, queue.EventFilter{Action: queue.ActionClosed})
		if err != nil {
			return err
		}
		got = len(events)
	}
	if got != want {
		return fmt.Errorf("%d so far", got)
	}
	return nil
}

// receive writes what the desk got to a file: `desk N FILE` for the Nth message,
// `! desk` for nothing so far.
func receive(ts *testscript.TestScript, neg bool, args []string) {
	desk := ts.Value("world").(*testnet.Internet).Desk
	if neg {
		if n := len(desk.Messages()); n != 0 {
			ts.Fatalf("the desk got %d messages", n)
		}
		return
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := desk.Wait(ctx, n)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), got[n-1].Data, 0o600))
}

// registry makes the registry fail or recover: `registry down`, `registry up`.
func registry(ts *testscript.TestScript, _ bool, args []string) {
	r := ts.Value("world").(*testnet.Internet).Registry
	switch args[0] {
	case "down":
		r.Fail(testnet.Down)
	case "up":
		r.Recover()
	default:
		ts.Check(errors.New("usage: registry down | up"))
	}
}

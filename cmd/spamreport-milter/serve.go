package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"spamreport-milter/auth"
	"spamreport-milter/contact"
	"spamreport-milter/milter"
	"spamreport-milter/queue"
	"spamreport-milter/reporter"
	"spamreport-milter/resolver"
	"spamreport-milter/seal"
)

// drainTime bounds how long SMTP transactions under way may take after SIGTERM.
// systemd's default patience is 90 seconds; workers need their share of it.
const drainTime = 30 * time.Second

// ServeCmd runs the daemon.
type ServeCmd struct {
	Listen []string `name:"listen" sep:"none" placeholder:"SPEC" help:"Where the MTA connects, in place of milter.listen: inet:HOST:PORT, inet6:HOST:PORT, unix:PATH or systemd:NAME. Can be repeated."`
}

// Help is shown by `serve --help`.
func (*ServeCmd) Help() string {
	return `Without any configuration the milter listens on inet:127.0.0.1:8896, the queue is in
the state directory, and every complaint waits for a person. Logs go to standard error,
one event a line. SIGTERM lets mail under way finish and then ends with status 0.
SIGHUP reads [milter] of the configuration again, without ending a session.

Messages are recorded when a filter before us has tagged them; see "config show" for
the tag rules and contrib/postfix/README.md for where to stand.`
}

// daemon is the parts that run.
type daemon struct {
	store    *queue.Store
	milter   *milter.Server
	seal     *seal.Keys // nil where there is nothing to seal or to verify with
	hup      <-chan os.Signal
	contacts *contact.Finder
	reporter *reporter.Reporter
	learner  *reporter.Learner
}

// Run starts the parts and waits for the end. Then all stop at once: each finishes
// what it has in hand, and what waits in the queue is for the next start.
func (c *ServeCmd) Run(e *Env) error {
	// A SIGHUP that comes while we start must not end us.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// The queue first: an MTA that connects must find somebody who can record.
	d, err := newDaemon(e)
	if err != nil {
		return err
	}
	defer d.store.Close()
	d.hup = hup
	listeners, err := listen(e.Config.Socket, specs(c.Listen, e.Config.Listen))
	if err != nil {
		return err
	}
	d.announce(e, listeners)
	return d.serve(e, listeners)
}

func newDaemon(e *Env) (*daemon, error) {
	store, err := queue.Open(e.Context, e.Config.queue(),
		queue.Options{Daemon: true, Host: e.Config.Reporter.Sender.Host, Log: e.Log})
	if err != nil {
		return nil, &exitError{exUnavailable, err}
	}
	d := &daemon{store: store}
	if err := d.equip(e); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return d, nil
}

// equip makes the parts that work with the store.
func (d *daemon) equip(e *Env) (err error) {
	var dns *resolver.Resolver
	if d.contacts, dns, err = newContacts(e, d.store); err != nil {
		return &exitError{exConfig, err}
	}
	if err := e.Config.makeKey(); err != nil {
		return &exitError{exUnavailable, err}
	}
	composer, err := composerOf(e)
	if err != nil {
		return err
	}
	rc := e.Config.Reporter
	rc.Log, rc.Composer = e.Log, *composer
	rc.Trace.Networks = append(ownAddresses(), rc.Trace.Networks...)
	rc.Domains = d.contacts
	rc.Authentication = &auth.Checker{DNS: dns, Hosts: append([]string{rc.Sender.Host}, rc.Trace.Hosts...)}
	d.reporter = reporter.New(rc, d.store, d.contacts)
	d.learner = &reporter.Learner{Composer: composer, Memory: d.store, Log: e.Log}
	mc, keys, err := d.milterConfig(e, e.Config)
	if err != nil {
		return &exitError{exUnavailable, err}
	}
	if d.milter, err = milter.New(mc); err != nil {
		return &exitError{exConfig, err}
	}
	d.seal = keys
	return nil
}

// otherFiles is how many files we have open besides the MTA's connections: the
// store, registries, the relay, standard streams.
const otherFiles = 128

// withinFiles lowers the number of sessions to what the limit of open files
// allows: with the connections above it the MTA would wait for nobody. A session
// may have a large body in a file.
func withinFiles(e *Env, sessions int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return sessions
	}
	room := max(1, (int(min(limit.Cur, math.MaxInt32))-otherFiles)/2)
	if sessions <= room {
		return sessions
	}
	e.Log.Warn("milter.max_sessions is more than the limit of open files allows: raise LimitNOFILE, or ulimit -n",
		"max_sessions", sessions, "in_force", room, "open_files", limit.Cur)
	return room
}

// contactMemory is what the look-ups of all hosts have in common.
type contactMemory interface {
	contact.Cache
	contact.Pacer
}

// newContacts returns who finds contacts, and the DNS that it asks.
func newContacts(e *Env, cache contactMemory) (*contact.Finder, *resolver.Resolver, error) {
	dns, err := resolver.New(e.Config.DNS)
	if err != nil {
		return nil, nil, err
	}
	cc := e.Config.Contact
	cc.Log, cc.DNS = e.Log, dns
	if cache != nil {
		cc.Cache, cc.Pacer = cache, cache
	}
	finder, err := contact.New(cc)
	return finder, dns, err
}

func (d *daemon) serve(e *Env, listeners []net.Listener) error {
	ctx, stop := context.WithCancelCause(e.Context)
	defer stop(nil)
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() {
			if err := d.milter.Serve(l); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("milter on %s: %w", l.Addr(), err))
			}
		})
	}
	wg.Go(func() { d.reporter.Run(ctx) })
	wg.Go(func() { d.reloads(ctx, e) })
	wg.Go(func() { d.contacts.Refresh(ctx) })
	wg.Go(func() { d.store.Keep(ctx, e.Config.Keep) })
	<-ctx.Done()
	e.Log.Info("stopping", "drain", drainTime)
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := d.milter.Shutdown(drain); err != nil {
		e.Log.Warn("milter stopped with sessions open", "err", err)
	}
	wg.Wait()
	e.Log.Info("stopped")
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return &exitError{exUnavailable, err}
	}
	return nil
}

func specs(flag, config []string) []string {
	if len(flag) > 0 {
		return flag
	}
	return config
}

func listen(socket milter.Socket, specs []string) ([]net.Listener, error) {
	var all []net.Listener
	for _, s := range specs {
		more, err := socket.Listen(s)
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, &exitError{exUnavailable, err}
		}
		all = append(all, more...)
	}
	return all, nil
}

// announce tells what an admin must do next. The same lines are safe to paste.
func (d *daemon) announce(e *Env, listeners []net.Listener) {
	var at []string
	for _, l := range listeners {
		at = append(at, postfixSpec(l.Addr()))
	}
	fmt.Fprintf(e.Stdout, `spamreport-milter %s
queue     %s
milter    %s

For Postfix, in main.cf, after the filter that tags spam:
    smtpd_milters = %s
    milter_default_action = accept

%s: spamreport-milter queue list
`, version(), d.store.Place(), strings.Join(at, ", "), strings.Join(at, ", "), waits(e.Config.Reporter.Policy.Approve))
}

// waits says which complaints a person must look at.
func waits(a reporter.Approve) string {
	if a == reporter.ApproveManual {
		return "Every complaint is held until a person approves it"
	}
	return "Complaints that reporter.approve = " + string(a) + " does not let out wait for a person"
}

func postfixSpec(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "inet:" + a.String()
}

// ownAddresses are this machine's: never a source to complain about, whatever
// the configuration forgets.
func ownAddresses() []netip.Prefix {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Prefix
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() && !p.Addr().IsPrivate() {
			own = append(own, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
	}
	return own
}

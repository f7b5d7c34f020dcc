package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"spamreport-milter/internal/testpg"
	"spamreport-milter/queue"
	"spamreport-milter/trace"
)

// seed fills the queue, of $DATABASE if that is set, without a daemon: `seed N STATE` files N complaints and takes
// them to a state. Sources, contacts and reporters take turns; `seed hostile TEXT`
// files one with that subject, in which \e is the octet
// that steers terminals.
func seed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: seed N STATE | seed hostile SUBJECT")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ts.Check((&Config{StateDir: ts.Getenv("STATE_DIRECTORY")}).makeKey())
	store, err := openAsDaemon(ctx, cmp.Or(ts.Getenv("DATABASE"), filepath.Join(ts.Getenv("STATE_DIRECTORY"), queueFile)))
	ts.Check(err)
	defer func() { ts.Check(store.Close()) }()
	if args[0] == "hostile" {
		_, err := plant(ctx, store, 0, queue.Held, strings.ReplaceAll(args[1], `\e`, "\x1b"))
		ts.Check(err)
		return
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := range n {
		ts.Check(plantIn(ctx, store, i, queue.State(args[1])))
	}
}

// openAsDaemon waits out the moment in which a process that another script starts
// still has the lock that the seed before had: between fork and exec.
func openAsDaemon(ctx context.Context, place string) (*queue.Store, error) {
	for {
		store, err := queue.Open(ctx, place, queue.Options{Daemon: true, Host: "mx.isp.test", Log: slog.New(slog.DiscardHandler)})
		if !errors.Is(err, queue.ErrInUse) || ctx.Err() != nil {
			return store, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// postgres starts a server of the script's own, sets $DATABASE and $ANOTHER to new
// queues on it, and has the configuration name the first: `postgres`.
func postgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: postgres")
	}
	server, err := testpg.Start(context.Background(), false)
	ts.Check(err)
	ts.Defer(func() { server.Stop() })
	for _, name := range []string{"DATABASE", "ANOTHER"} {
		url, err := server.Schema(context.Background())
		ts.Check(err)
		ts.Setenv(name, url)
	}
	f, err := os.OpenFile(ts.Getenv("CONFIG"), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = fmt.Fprintf(f, "\n[queue]\ndatabase = %q\n", ts.Getenv("DATABASE"))
	ts.Check(errors.Join(err, f.Close()))
}

// plantIn files the i-th complaint and takes it to a state.
func plantIn(ctx context.Context, store *queue.Store, i int, state queue.State) error {
	begin := queue.Held
	if state == queue.Form {
		begin = queue.Form
	}
	id, err := plant(ctx, store, i, begin, fmt.Sprintf("cheap pills n%d", i))
	if err != nil || state == begin {
		return err
	}
	_, err = store.Decide(ctx, queue.Decision{Action: queue.ActionApproved, Actor: "user:seed",
		Sender: queue.Sender{From: "abuse@isp.test", Host: "mx.isp.test", Agent: "test"}}, id)
	if err != nil || state == queue.Ready {
		return err
	}
	claim, err := store.ClaimComplaint(ctx, time.Minute)
	if err != nil {
		return err
	}
	o := queue.Outcome{State: state, Taken: claim.Complaint.To, Reason: "relay took it"}
	if state != queue.Sent {
		o = queue.Outcome{State: state, Reason: "451 later", NextAttempt: time.Now().Add(time.Hour)}
	}
	return store.Record(ctx, claim, o)
}

func plant(ctx context.Context, store *queue.Store, i int, state queue.State, subject string) (int64, error) {
	client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{45, 66, byte(77 + i%3), byte(1 + i)}), 40123)
	m := trace.Message{
		Session:  &trace.Session{Client: client, PTR: "h.evil.test", HELO: "evil.test", QueueID: "4Xyz", Host: "mx.isp.test", Time: time.Now()},
		MailFrom: "pills@evil.test", RcptTo: []string{"anna@isp.test"},
		Header: []byte("From: pills@evil.test\r\nTo: anna@isp.test\r\nSubject: pills\r\n"), Body: []byte("Buy\r\n"), BodySize: 5,
	}
	_, err := store.Submit(ctx, queue.Report{Received: time.Now(), Cause: queue.CauseUser,
		Reporter: fmt.Sprintf("user%d@isp.test", i%2), Reason: "spam", Message: m})
	if err != nil {
		return 0, err
	}
	claims, err := store.ClaimReports(ctx, 1, 1<<20, time.Minute)
	if err != nil {
		return 0, err
	}
	claim := claims[0]
	id, _, err := store.File(ctx, claim, queue.Complaint{
		State: state, To: []string{fmt.Sprintf("abuse@net%d.test", i%3)}, Contact: []byte(seedContact),
		Source: client.Addr(), Network: fmt.Sprintf("45.66.%d.0/24", 77+i%3), ASN: uint32(64500 + i%3), Party: "source network",
		Format: "arf", Subject: subject, MessageID: fmt.Sprintf("<%d.seed@mx.isp.test>", claim.Report.ID),
		Incidents: []queue.Incident{{ReportID: claim.Report.ID, Report: claim.Report, Chain: trace.Follow(&m, trace.Options{})}},
	})
	return id, err
}

// seedContact is a short answer of a registry, with what it said in base64.
const seedContact = `{"addr":"45.66.77.1","network":{"first":"45.66.77.0","last":"45.66.77.255","name":"NET"},"outcome":"found",
"contacts":[{"address":"abuse@net0.test","source":"rdap","role":"abuse","scope":"network","confidence":"high"}],
"reason":"the registry names it","expires":"2026-11-30T00:00:00Z","evidence":[{"source":"rdap","query":"https://rdap.test/ip/45.66.77.1",
"server":"rdap.test","status":"200","at":"2026-11-24T00:00:00Z","raw":"eyJhIjoxfQ==","sha256":"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"}]}`

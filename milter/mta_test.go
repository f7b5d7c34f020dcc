package milter_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	gomilter "github.com/emersion/go-milter"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// mta is an MTA that says exactly what a test wants it to, frame by frame.
type mta struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	// protocol is what the milter asked for.
	protocol gomilter.OptProtocol
}

// offerAll are the protocol flags that Postfix 3.7 and Sendmail 8.17 offer.
const offerAll = 0x1fffff

func dial(t *testing.T, addr string) *mta {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &mta{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// greet dials and negotiates.
func greet(t *testing.T, addr string, offer uint32) *mta {
	t.Helper()
	m := dial(t, addr)
	m.negotiate(offer)
	return m
}

func (m *mta) negotiate(offer uint32) {
	m.t.Helper()
	m.send('O', optneg(offer))
	code, data := m.receive()
	if code != 'O' || len(data) < 12 {
		m.t.Fatalf("negotiation answered with %q, %d octets", code, len(data))
	}
	m.protocol = gomilter.OptProtocol(binary.BigEndian.Uint32(data[8:]))
}

func optneg(offer uint32) []byte {
	data := binary.BigEndian.AppendUint32(nil, 6)
	data = binary.BigEndian.AppendUint32(data, 0x1ff)
	return binary.BigEndian.AppendUint32(data, offer)
}

func frame(code byte, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	return append(append(b, code), data...)
}

// strs is C strings one after another.
func strs(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = append(append(b, p...), 0)
	}
	return b
}

func connectData(host string, family byte, port uint16, addr string) []byte {
	b := append(strs(host), family)
	b = binary.BigEndian.AppendUint16(b, port)
	return append(b, strs(addr)...)
}

func (m *mta) write(b []byte) {
	m.t.Helper()
	if _, err := m.conn.Write(b); err != nil {
		m.t.Fatalf("write to milter: %v", err)
	}
}

func (m *mta) send(code byte, data []byte) {
	m.t.Helper()
	m.write(frame(code, data))
}

// macros sends the macros of a command.
func (m *mta) macros(of byte, pairs ...string) {
	m.t.Helper()
	m.send('D', append([]byte{of}, strs(pairs...)...))
}

func (m *mta) receive() (byte, []byte) {
	m.t.Helper()
	code, data, err := readFrame(m.in)
	if err != nil {
		m.t.Fatalf("read from milter: %v", err)
	}
	return code, data
}

func readFrame(r io.Reader) (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 || n > 1<<20 {
		return 0, nil, fmt.Errorf("answer of %d octets", n)
	}
	data := make([]byte, n-1)
	_, err := io.ReadFull(r, data)
	return head[4], data, err
}

// want reads one answer.
func (m *mta) want(code byte) []byte {
	m.t.Helper()
	got, data := m.receive()
	if got != code {
		m.t.Fatalf("milter answered %q (%q), want %q", got, data, code)
	}
	return data
}

// step sends a command and reads its answer if one is due.
func (m *mta) step(code byte, data []byte, silent gomilter.OptProtocol) {
	m.t.Helper()
	m.send(code, data)
	if m.protocol&silent == 0 {
		m.want('c')
	}
}

// closed expects the end of the connection with nothing before it.
func (m *mta) closed() {
	m.t.Helper()
	if b, err := m.in.ReadByte(); err == nil {
		m.t.Fatalf("milter sent %q, want the end of the connection", b)
	} else if !errors.Is(err, io.EOF) && !isReset(err) {
		m.t.Fatalf("milter did not close: %v", err)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

func (m *mta) connect(host, addr string, port uint16) {
	m.t.Helper()
	m.macros('C', "j", "mx.example.org")
	m.step('C', connectData(host, '4', port, addr), gomilter.OptNoConnReply)
}

func (m *mta) helo(name string) {
	m.t.Helper()
	m.step('H', strs(name), gomilter.OptNoHeloReply)
}

// mail is what a test sends as a message.
type mail struct {
	from   string
	rcpt   []string
	header [][2]string
	body   []string // chunks
}

func (m *mta) envelope(msg mail, macros ...string) {
	m.t.Helper()
	m.macros('M', macros...)
	m.step('M', strs("<"+msg.from+">"), gomilter.OptNoMailReply)
	for _, r := range msg.rcpt {
		m.step('R', strs("<"+r+">"), gomilter.OptNoRcptReply)
	}
}

func (m *mta) header(msg mail, queueID string) {
	m.t.Helper()
	for _, f := range msg.header {
		m.macros('L', "i", queueID)
		m.step('L', strs(f[0], f[1]), gomilter.OptNoHeaderReply)
	}
	m.macros('N', "i", queueID)
	m.send('N', nil)
}

// deliver sends a whole message and returns the milter's last word.
func (m *mta) deliver(msg mail, queueID string, macros ...string) (byte, []byte) {
	m.t.Helper()
	m.envelope(msg, macros...)
	m.header(msg, queueID)
	if code, data := m.receive(); code != 'c' {
		return code, data
	}
	for _, chunk := range msg.body {
		m.macros('B', "i", queueID)
		m.send('B', []byte(chunk))
		if code, _ := m.receive(); code == 's' {
			break
		}
	}
	m.macros('E', "i", queueID)
	m.send('E', nil)
	return m.receive()
}

// recorder is a Submitter that keeps reports in memory.
type recorder struct {
	mu      sync.Mutex
	reports []queue.Report
	submit  func(context.Context, queue.Report) error // may be nil
}

func (r *recorder) Submit(ctx context.Context, report queue.Report) (int64, error) {
	r.mu.Lock()
	submit := r.submit
	r.mu.Unlock()
	if submit != nil {
		if err := submit(ctx, report); err != nil {
			return 0, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, report)
	return int64(len(r.reports)), nil
}

// with sets what happens before a report is kept.
func (r *recorder) with(submit func(context.Context, queue.Report) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.submit = submit
}

func (r *recorder) all() []queue.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]queue.Report(nil), r.reports...)
}

// take returns the reports and forgets them.
func (r *recorder) take() []queue.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	reports := r.reports
	r.reports = nil
	return reports
}

// only returns the one report there is.
func (r *recorder) only(t *testing.T) queue.Report {
	t.Helper()
	all := r.all()
	if len(all) != 1 {
		t.Fatalf("%d reports, want 1", len(all))
	}
	return all[0]
}

// logBuffer collects log lines of several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a running server with what it submits and logs.
type site struct {
	*milter.Server
	*recorder
	log  *logBuffer
	addr string
}

// serve starts a server on a free port; the test's end shuts it down and
// expects that to be quick.
func serve(t *testing.T, cfg milter.Config) *site {
	t.Helper()
	return serveAt(t, cfg, "127.0.0.1:0")
}

// serveAt serves on a port of the test's choice.
func serveAt(t *testing.T, cfg milter.Config, addr string) *site {
	t.Helper()
	s := &site{recorder: &recorder{}, log: &logBuffer{}}
	cfg.Submitter = s.recorder
	cfg.Log = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if s.Server, err = milter.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := listen("inet:" + addr)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// listen opens one socket as it is by default.
func listen(spec string) (net.Listener, error) {
	all, err := milter.Socket{}.Listen(spec)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// eventually waits for something that no message announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// idle waits until the server has no session left.
func (s *site) idle(t *testing.T) {
	t.Helper()
	eventually(t, "no session left", func() bool { return s.Stats().Active == 0 })
}

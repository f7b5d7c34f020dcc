package contact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// port43 asks WHOIS servers (RFC 3912).
type port43 struct {
	boot     *bootstrap
	dialer   *net.Dialer
	courtesy *courtesy
	timeout  time.Duration
	now      func() time.Time
}

func newPort43(p *parts) (asker, error) {
	if len(p.boot.whois) == 0 {
		return nil, nil
	}
	dialer := &net.Dialer{Control: guard(p.AllowPrivate)}
	return &port43{boot: p.boot, dialer: dialer, courtesy: p.courtesy, timeout: p.Timeout, now: p.Now}, nil
}

func (w *port43) ask(ctx context.Context, q question) (Evidence, error) {
	host, text := w.form(q)
	ev := Evidence{Source: q.source, Query: text, Server: host, At: stamp(w.now)}
	if host == "" {
		ev.Server, ev.Status = q.registry, StatusNoServer
		return ev, nil
	}
	if paused, err := w.courtesy.wait(ctx, host, &ev); paused || err != nil {
		return ev, err
	}
	w.get(ctx, w.boot.address(host), &ev)
	if err := ctx.Err(); err != nil {
		return ev, err
	}
	w.courtesy.learn(ctx, host, &ev)
	return ev, nil
}

// form is the server to ask, and how it wants to be asked.
func (w *port43) form(q question) (host, text string) {
	name := q.registry
	if addr, err := netip.ParseAddr(q.about); err == nil && name == "" && q.server == "" {
		name = w.boot.holder(addr)
	}
	host, text = q.server, q.about
	if host == "" {
		host = w.boot.whois[name]
	}
	if r := registryByName(name); r != nil && r.query != "" {
		text = fmt.Sprintf(r.query, text)
	}
	if q.text != "" {
		text = q.text
	}
	return host, text
}

// get puts one line and reads to the end.
func (w *port43) get(ctx context.Context, address string, ev *Evidence) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	conn, err := w.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		ev.Status, ev.Error = failure(err)
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // also ends what hangs
	defer stop()
	raw, err := exchange(conn, ev.Query)
	if err != nil {
		ev.Status, ev.Error = failure(err)
		return
	}
	ev.Status = StatusOK
	ev.record(raw)
	if why := whoisRefusal(ev.Server, raw); why != "" {
		ev.Status, ev.Error = StatusRefused, why
	}
}

func exchange(conn net.Conn, line string) ([]byte, error) {
	if strings.ContainsAny(line, "\r\n\x00") {
		return nil, errors.New("a question of more than one line")
	}
	if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(conn, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		return nil, errTooLarge
	}
	return raw, err
}

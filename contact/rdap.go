package contact

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	maxAnswer    = 1 << 20 // octets; real answers have some 10 KB
	maxRedirects = 5       // RFC 7480 §5.2 leaves the number to the client
	maxRefusal   = 24 * time.Hour
)

var (
	errRedirects = errors.New("more than 5 redirects")
	errPlain     = errors.New("redirect to something other than HTTPS")
	errForbidden = errors.New("leads to an address that is not public")
	errTooLarge  = fmt.Errorf("more than %d octets", maxAnswer)
)

// rdap asks RDAP servers over HTTPS (RFC 7480).
type rdap struct {
	boot     *bootstrap
	client   *http.Client
	courtesy *courtesy
	now      func() time.Time
}

func newRDAP(p *parts) (asker, error) {
	c := p.Config
	roots, err := loadCAs(c.CAFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: c.Timeout, Control: guard(c.AllowPrivate)}
	transport := &http.Transport{ // no Proxy: it would resolve names behind the guard's back
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        2,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &rdap{boot: p.boot, courtesy: p.courtesy, now: c.Now, client: &http.Client{Transport: transport, Timeout: c.Timeout}}, nil
}

// loadCAs reads a PEM file; nil, the system's authorities, when there is none.
func loadCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("authorities for RDAP: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("authorities for RDAP: no certificate in %s", file)
	}
	return roots, nil
}

// guard refuses connections to addresses that are not public. It sees the
// address after the name was resolved, so a name that changes its mind between
// check and use gains nothing.
func guard(allowed []netip.AddrPort) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", errForbidden, address)
		}
		a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
		if slices.Contains(allowed, a) {
			return nil
		}
		if why := special(a.Addr()); why != "" {
			return fmt.Errorf("%w: %s", errForbidden, why)
		}
		return nil
	}
}

// ask puts a question to its server when the server may be asked.
func (r *rdap) ask(ctx context.Context, q question) (Evidence, error) {
	ev := Evidence{Source: q.source, Query: q.url, At: stamp(r.now)}
	if q.url == "" {
		path, base := r.place(q)
		if base == "" {
			ev.Query, ev.Server, ev.Status = path, q.registry, StatusNoServer
			return ev, nil
		}
		ev.Query = base + path
	}
	u, err := httpsURL(ev.Query)
	if err != nil {
		ev.Status, ev.Error = StatusNoServer, err.Error()
		return ev, nil
	}
	ev.Server = u.Hostname()
	if paused, err := r.courtesy.wait(ctx, u.Host, &ev); paused || err != nil {
		return ev, err
	}
	r.get(ctx, u, &ev)
	if err := ctx.Err(); err != nil {
		return ev, err
	}
	r.courtesy.learn(ctx, u.Host, &ev)
	return ev, nil
}

// place is the path of a question (RFC 9082 §3.1) and the server for it.
func (r *rdap) place(q question) (path, base string) {
	if addr, err := netip.ParseAddr(q.about); err == nil {
		return "ip/" + addr.String(), r.boot.server(addr, q.registry)
	}
	if number, ok := strings.CutPrefix(q.about, "AS"); ok {
		return "autnum/" + number, r.boot.originServer(number)
	}
	return "domain/" + q.about, r.boot.domainServer(q.about)
}

// stamp is the time as it survives JSON.
func stamp(now func() time.Time) time.Time { return now().UTC().Truncate(time.Millisecond) }

// httpsURL reads a URL of an answer. Registries have long written http:// for
// servers that speak HTTPS; plain HTTP is never used.
func httpsURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	return u, toHTTPS(u)
}

func toHTTPS(u *url.URL) error {
	if u.Scheme == "http" && (u.Port() == "" || u.Port() == "80") {
		u.Scheme, u.Host = "https", u.Hostname()
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errPlain
	}
	return nil
}

// get fetches u into ev, following redirects.
func (r *rdap) get(ctx context.Context, u *url.URL, ev *Evidence) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		ev.Status, ev.Error = StatusNoServer, err.Error()
		return
	}
	req.Header.Set("Accept", "application/rdap+json, application/json;q=0.9")
	req.Header.Set("User-Agent", "spamreport-milter")
	client := *r.client
	client.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if err := toHTTPS(next.URL); err != nil {
			return err
		}
		if ev.Redirects = append(ev.Redirects, next.URL.String()); len(ev.Redirects) > maxRedirects {
			return errRedirects
		}
		ev.Server = next.URL.Hostname()
		return nil
	}
	res, err := client.Do(req)
	if err != nil {
		ev.Status, ev.Error = failure(err)
		return
	}
	defer res.Body.Close()
	ev.Status = strconv.Itoa(res.StatusCode)
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(raw) > maxAnswer {
		raw, err = nil, errTooLarge
	}
	if err != nil {
		ev.Status, ev.Error = failure(err)
		return
	}
	ev.record(raw)
	ev.RetryAt = retryAfter(res.Header.Get("Retry-After"), ev.At)
}

func (ev *Evidence) record(raw []byte) {
	sum := sha256.Sum256(raw)
	ev.Raw, ev.SHA256 = raw, hex.EncodeToString(sum[:])
}

// failure puts an error of the HTTP client into the words of Evidence.
func failure(err error) (status, detail string) {
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	var wrapped *url.Error
	if detail = err.Error(); errors.As(err, &wrapped) {
		detail = wrapped.Err.Error() // the URL stands in Query
	}
	switch {
	case errors.Is(err, errForbidden):
		return StatusForbidden, detail
	case errors.Is(err, errRedirects), errors.Is(err, errPlain):
		return StatusRedirects, detail
	case errors.Is(err, errTooLarge):
		return StatusTooLarge, detail
	case errors.As(err, &certificate):
		return StatusCertificate, detail
	case errors.As(err, &timeout) && timeout.Timeout():
		return StatusTimeout, "no whole answer in time"
	}
	return StatusUnreachable, detail
}

// retryAfter reads the header of RFC 9110 §10.2.3, seconds or a date. A server
// can't send us away for more than a day.
func retryAfter(value string, now time.Time) time.Time {
	var at time.Time
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		at = now.Add(time.Duration(min(seconds, 1<<20)) * time.Second)
	} else if at, err = http.ParseTime(value); err != nil || !at.After(now) {
		return time.Time{}
	}
	if latest := now.Add(maxRefusal); at.After(latest) {
		return latest
	}
	return at.UTC()
}

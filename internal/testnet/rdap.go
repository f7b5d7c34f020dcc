package testnet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// RDAP is a registry over HTTPS (RFC 9082): it answers ip/ADDRESS with the most
// specific network added and other paths with what was added for them, else with 404.
type RDAP struct {
	URL  string // base URL with a final slash, as in a bootstrap file
	Addr string // host:port

	server   *http.Server
	mu       sync.Mutex
	networks []Network
	paths    map[string][]byte
	failure  Failure
	requests []string
}

// Network is an answer and the addresses it is given for.
type Network struct {
	Prefix   netip.Prefix
	Body     []byte // RDAP JSON, from a builder or recorded
	Redirect string // base URL of another registry to send the client to instead
}

// Failure spoils an answer. It gets the right body, empty when there is none.
type Failure func(w http.ResponseWriter, q *http.Request, body []byte)

// StartRDAP starts a registry on a free port with a certificate of ca.
func StartRDAP(ca *CA) (*RDAP, error) {
	config, err := ca.serverTLS()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for RDAP: %w", err)
	}
	r := &RDAP{URL: "https://" + l.Addr().String() + "/rdap/", Addr: l.Addr().String(), paths: map[string][]byte{}}
	r.server = &http.Server{
		Handler: r, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	go r.server.ServeTLS(l, "", "") // ends with Close; a broken listener shows in the client
	return r, nil
}

// Close ends the server; a client then finds nobody listening.
func (r *RDAP) Close() error { return r.server.Close() }

// Add gives answers for networks; of two that contain an address the longer
// prefix answers, of two equal ones the later.
func (r *RDAP) Add(networks ...Network) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.networks = append(r.networks, networks...)
}

// AddPath gives the answer for another path: "entity/HANDLE", "autnum/64500".
func (r *RDAP) AddPath(path string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paths[path] = body
}

// Fail spoils every following answer until Recover.
func (r *RDAP) Fail(f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = f
}

// Recover ends the failure.
func (r *RDAP) Recover() { r.Fail(nil) }

// Requests returns the paths asked for so far, without the base.
func (r *RDAP) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// WriteBootstrap writes ipv4.json and ipv6.json (RFC 9224) to dir, which name
// this registry for the whole address space.
func (r *RDAP) WriteBootstrap(dir string) error {
	for name, all := range map[string]string{"ipv4.json": "0.0.0.0/0", "ipv6.json": "::/0"} {
		b, err := json.MarshalIndent(map[string]any{
			"version": "1.0", "publication": "2024-01-01T00:00:00Z",
			"services": [][][]string{{{all}, {r.URL}}},
		}, "", " ")
		if err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("write the bootstrap: %w", err)
		}
	}
	return nil
}

func (r *RDAP) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := strings.TrimPrefix(q.URL.Path, "/rdap/")
	body, redirect, failure := r.find(path)
	switch {
	case failure != nil:
		failure(w, q, body)
	case redirect != "":
		http.Redirect(w, q, redirect+path, http.StatusFound)
	case body == nil:
		Status(http.StatusNotFound)(w, q, nil)
	default:
		w.Header().Set("Content-Type", "application/rdap+json")
		w.Write(body)
	}
}

// find records the request and looks up its answer.
func (r *RDAP) find(path string) (body []byte, redirect string, f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, path)
	text, ok := strings.CutPrefix(path, "ip/")
	if !ok {
		return r.paths[path], "", r.failure
	}
	bits := -1
	for _, n := range r.networks {
		if holds(n.Prefix, text) && n.Prefix.Bits() >= bits {
			body, redirect, bits = n.Body, n.Redirect, n.Prefix.Bits()
		}
	}
	return body, redirect, r.failure
}

// holds reports whether p contains all of an address or prefix in text form.
func holds(p netip.Prefix, text string) bool {
	if a, err := netip.ParseAddr(text); err == nil {
		return p.Contains(a)
	}
	q, err := netip.ParsePrefix(text)
	return err == nil && p.Contains(q.Addr()) && p.Bits() <= q.Bits()
}

// Status answers with an HTTP status and an RDAP error object (RFC 9083 §6).
// Pairs of header name and value may follow.
func Status(code int, header ...string) Failure {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/rdap+json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"errorCode": %d, "title": %q}`, code, http.StatusText(code))
	}
}

// Down takes the connection and drops it without an answer.
func Down(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }

// Slow sends the header and then nothing more while the client waits. It must
// not return in the end: that would complete the answer, and a client that is
// just closing can still take it.
func Slow(w http.ResponseWriter, q *http.Request, _ []byte) {
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	<-q.Context().Done()
	panic(http.ErrAbortHandler)
}

// HTML answers 200 with a page for people, as proxies and moved services do.
func HTML(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/html")
	io.WriteString(w, "<!DOCTYPE html><title>Maintenance</title><p>abuse@html.test")
}

// Truncated sends the first half of the answer as if it were all.
func Truncated(w http.ResponseWriter, _ *http.Request, body []byte) { w.Write(body[:len(body)/2]) }

// Megabytes sends the answer with 8 MiB of white space before its last octet.
func Megabytes(w http.ResponseWriter, _ *http.Request, body []byte) {
	body = bytes.TrimSpace(body)
	w.Write(body[:len(body)-1])
	w.Write(bytes.Repeat([]byte(" "), 8<<20))
	w.Write(body[len(body)-1:])
}

// RedirectLoop sends the client to another path of this server, for ever.
func RedirectLoop(w http.ResponseWriter, q *http.Request, _ []byte) {
	http.Redirect(w, q, "https://"+q.Host+q.URL.Path+"/", http.StatusFound)
}

// Other answers every question with the same body, right or wrong.
func Other(body []byte) Failure {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.Write(body) }
}

package testnet

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func whois(addr, query string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	io.WriteString(conn, query+"\r\n")
	b, err := io.ReadAll(conn)
	return string(b), err
}

func TestWHOIS(t *testing.T) {
	s, err := StartWHOIS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	const text = "% Abuse contact for '62.0.0.0/8' is 'abuse@isp.test'\r\n"
	s.Answer("-b 62.1.2.3", text)

	if got, err := whois(s.Addr, "-b 62.1.2.3"); err != nil || got != text {
		t.Errorf("answer = %q, %v", got, err)
	}
	if got, err := whois(s.Addr, "62.1.2.3"); err != nil || !strings.Contains(got, "no entries") {
		t.Errorf("unknown query = %q, %v", got, err)
	}
	s.Fail(WHOISHang)
	if got, err := whois(s.Addr, "-b 62.1.2.3"); !os.IsTimeout(err) || got != "" {
		t.Errorf("hang = %q, %v", got, err)
	}
	s.Fail(WHOISCut)
	if got, err := whois(s.Addr, "-b 62.1.2.3"); len(got) > len(text)/2 || err == nil {
		t.Errorf("cut = %q, %v, want at most half and a reset", got, err)
	}
	s.Fail(WHOISEndless)
	if got, err := whois(s.Addr, "-b 62.1.2.3"); err != nil || len(got) < 8<<20 {
		t.Errorf("endless = %d octets, %v", len(got), err)
	}
	s.Recover()
	if got, err := whois(s.Addr, "-b 62.1.2.3"); err != nil || got != text {
		t.Errorf("after recovery = %q, %v", got, err)
	}
	if n := len(s.Queries()); n != 6 {
		t.Errorf("%d queries recorded, want 6", n)
	}
}

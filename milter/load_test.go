package milter_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// BenchmarkThousandSessions has a thousand MTA connections at once, each in the
// middle of a tagged message with a body of 1 MB, all ending together. It reports
// the most memory that the process has had, and fails above the promised bounds.
func BenchmarkThousandSessions(b *testing.B) {
	const sessions, size = 1000, 1 << 20
	chunk := frame('B', []byte(strings.Repeat("0123456789012345678901234567890\r\n", 1986))) // 64 KB
	for b.Loop() {
		at := freePort(b)
		d := startChild(b, at, b.TempDir())
		idle, _ := d.memory(b)
		begin := time.Now()
		var all []net.Conn
		for i := range sessions {
			all = append(all, openMessage(b, at, i))
		}
		for sent := 0; sent < size; sent += len(chunk) - 5 {
			for _, conn := range all {
				if _, err := conn.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
			for _, conn := range all {
				if code, _, err := readFrame(conn); err != nil || code != 'c' && code != 's' {
					b.Fatalf("body answered %q, %v", code, err)
				}
			}
		}
		for _, conn := range all {
			conn.Write(frame('E', nil))
		}
		later := 0
		for _, conn := range all {
			code, _, err := readFrame(conn)
			if err != nil || code != 'a' && code != 'y' {
				b.Fatalf("end answered %q, %v", code, err)
			}
			if code == 'y' {
				later++
			}
			conn.Close()
		}
		_, most := d.memory(b)
		d.kill()
		b.ReportMetric(idle, "idle-MiB")
		b.ReportMetric(most, "most-MiB")
		b.ReportMetric(float64(later), "deferred")
		b.ReportMetric(time.Since(begin).Seconds(), "s")
		if idle >= 40 || most >= 256 {
			b.Errorf("%.0f MiB idle, %.0f MiB at most; 40 and 256 were promised", idle, most)
		}
	}
}

// openMessage begins a tagged message.
func openMessage(b *testing.B, at string, n int) net.Conn {
	conn, err := net.Dial("tcp", at)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	for _, f := range [][]byte{
		frame('O', optneg(offerAll)), frame('C', connectData("h", '4', 1, "192.0.2.1")),
		frame('M', strs("<a@example.com>")), frame('L', strs("X-Spam-Flag", " YES")), frame('L', strs("Subject", fmt.Sprint(n))), frame('N', nil),
	} {
		if _, err := conn.Write(f); err != nil {
			b.Fatal(err)
		}
	}
	for _, want := range []byte{'O', 'c'} {
		if code, _, err := readFrame(conn); err != nil || code != want {
			b.Fatalf("answered %q, %v; want %q", code, err, want)
		}
	}
	return conn
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkDaemonMemory runs the daemon for some seconds on the large queue that
// `make scale` has left in SCALE_DIR, with approved complaints to send, lists the
// queue beside it, and reports the most memory that the daemon had.
func BenchmarkDaemonMemory(b *testing.B) {
	dir := os.Getenv("SCALE_DIR")
	if dir == "" {
		b.Skip("SCALE_DIR names no directory with a large queue: make scale")
	}
	world, err := newInternet(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer world.Close()
	config := filepath.Join(b.TempDir(), "config.toml")
	text := fmt.Sprintf("state_dir = %q\n\n", dir) + testConfig(world)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	daemon := exec.CommandContext(ctx, "spamreport-milter", "--config", config, "serve")
	if err := daemon.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { daemon.Process.Kill(); daemon.Wait() }()
	for range 20 {
		time.Sleep(time.Second)
		list := exec.CommandContext(ctx, "spamreport-milter", "--config", config, "queue", "list", "--text", "pills", "-n", "200")
		if out, err := list.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", daemon.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			b.ReportMetric(kib/1024, "MiB-daemon")
		}
	}
	b.ReportMetric(0, "ns/op")
}

package milter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"spamreport-milter/milter"
	"spamreport-milter/queue"
)

// octets makes a body that is different everywhere.
func octets(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d\r\n", i)
	}
	return b.String()[:n]
}

// A body that is larger than what is kept in memory comes out of its file as it
// went in, and the file has no name that could stay behind.
func TestLargeBody(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, milter.Config{SpoolDir: dir, BodyLimit: 500_000})
	m := connected(t, s)
	for _, size := range []int{1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000, 600_000} {
		text := octets(size)
		m.envelope(spam)
		m.header(spam, "ID")
		m.want('c')
		for chunk := range chunks(text, 60_000) {
			m.send('B', []byte(chunk))
			if code, _ := m.receive(); code == 's' {
				break
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("files %v, %v", left, err)
		}
		m.send('E', nil)
		m.want('a')
		all := s.take()
		if len(all) != 1 || string(all[0].Message.Body) != text[:min(size, 500_000)] {
			t.Errorf("%d octets: body differs", size)
		}
	}
	if st := s.Stats(); st.Spilled != 3 {
		t.Errorf("%d bodies went to files, want 3", st.Spilled)
	}
}

func chunks(text string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(text) > 0 {
			k := min(n, len(text))
			if !yield(text[:k]) {
				return
			}
			text = text[k:]
		}
	}
}

func TestNowhereToSpill(t *testing.T) {
	s := serve(t, milter.Config{SpoolDir: "/nonexistent"})
	m := connected(t, s)
	large := spam
	large.body = []string{octets(60_000), octets(60_000)}
	if code, data := m.deliver(large, "ID"); code != 'y' || !bytes.HasPrefix(data, []byte("451 4.3.0")) {
		t.Errorf("answered %q %q", code, data)
	}
	if code, _ := m.deliver(ham, "ID"); code != 'a' {
		t.Errorf("ham answered %q", code)
	}
	m.deliver(spam, "NEXT")
	s.only(t)
}

// When memory is used up, ordinary mail passes and tagged mail is put off; when it
// is there again, all is as before.
func TestMemoryUsedUp(t *testing.T) {
	const memory = 300 << 10
	s := serve(t, milter.Config{Memory: memory, BodyLimit: 50 << 10, HeaderLimit: 200_000, SpoolDir: t.TempDir()})
	hog := func(tag bool) *mta {
		m := connected(t, s)
		m.envelope(spam)
		for i := range 19 {
			m.step('L', strs("X-Long", octets(10_000+i)), 0x80)
		}
		if tag {
			m.step('L', strs("X-Spam-Flag", " YES"), 0x80)
		}
		return m
	}
	first := hog(true)
	first.send('N', nil)
	first.want('c')
	ordinary, tagged := hog(false), hog(true)
	ordinary.send('N', nil)
	ordinary.want('a')
	tagged.send('N', nil)
	tagged.want('c')
	if _, code, answer := tagged.ending("x"); code != 'y' || !strings.HasPrefix(answer, "451 ") {
		t.Errorf("tagged answered %q %q", code, answer)
	}
	if st := s.Stats(); st.Unexamined != 2 {
		t.Errorf("stats %+v", st)
	}
	if !strings.Contains(s.log.String(), "no memory left for a header") {
		t.Error("no log line tells")
	}
	first.ending("x")
	if code, _ := hog(true).afterHeader(); code != 'c' {
		t.Errorf("afterwards: %q", code)
	}
	if got := len(s.all()); got != 1 {
		t.Errorf("%d reports, want 1", got)
	}
}

func (m *mta) afterHeader() (byte, []byte) {
	m.send('N', nil)
	return m.receive()
}

// Many large messages at their ends take turns in memory.
func TestLargeBodiesTakeTurns(t *testing.T) {
	const size = 300 << 10
	s := serve(t, milter.Config{Memory: 700 << 10, HeaderLimit: 10_000, BodyLimit: size, SpoolDir: t.TempDir()})
	var mu sync.Mutex
	now, most := 0, 0
	s.with(func(context.Context, queue.Report) error {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
		return nil
	})
	var all []*mta
	for range 10 {
		m := connected(t, s)
		m.envelope(spam)
		m.header(spam, "ID")
		m.want('c')
		for chunk := range chunks(octets(size), 60_000) {
			m.send('B', []byte(chunk))
			m.want('c')
		}
		all = append(all, m)
	}
	for _, m := range all {
		m.send('E', nil)
	}
	for _, m := range all {
		m.want('a')
	}
	if most > 2 {
		t.Errorf("%d bodies in memory at once, there is room for 2", most)
	}
	if got := len(s.all()); got != 10 {
		t.Errorf("%d reports, want 10", got)
	}
}

func TestTooLittleMemory(t *testing.T) {
	_, err := milter.New(milter.Config{Submitter: &recorder{}, Memory: 1 << 20, BodyLimit: 1 << 20})
	if err == nil || !strings.Contains(err.Error(), "raise memory") {
		t.Errorf("New: %v", err)
	}
}

func TestFrameRate(t *testing.T) {
	s := serve(t, milter.Config{FrameRate: 1000})
	m := connected(t, s)
	begin := time.Now()
	for range 2500 {
		m.send('A', nil)
	}
	if code, _ := m.deliver(spam, "ID"); code != 'a' {
		t.Errorf("answered %q", code)
	}
	if d := time.Since(begin); d < time.Second {
		t.Errorf("2,500 frames took %v at 1,000 a second", d)
	}
	if st := s.Stats(); st.Throttled < 1 {
		t.Errorf("stats %+v", st)
	}
}

// Another configuration is for new sessions; those under way go on.
func TestReload(t *testing.T) {
	s := serve(t, milter.Config{})
	old := connected(t, s)
	reload := func(cfg milter.Config) error {
		cfg.Submitter = s.recorder
		return s.Reload(cfg)
	}
	if err := reload(milter.Config{Rules: []milter.Rule{{Field: "X-Bogosity", Value: "Spam"}}}); err != nil {
		t.Fatal(err)
	}
	fresh := connected(t, s)
	bogus := spam
	bogus.header = [][2]string{{"X-Bogosity", " Spam, tests=bogofilter"}}
	for _, tt := range []struct {
		m    *mta
		msg  mail
		want int
	}{{old, bogus, 0}, {old, spam, 1}, {fresh, spam, 0}, {fresh, bogus, 1}} {
		s.take()
		tt.m.deliver(tt.msg, "ID")
		if got := len(s.all()); got != tt.want {
			t.Errorf("%d reports, want %d", got, tt.want)
		}
	}
	if err := reload(milter.Config{Rules: []milter.Rule{{}}}); err == nil {
		t.Error("a bad configuration was taken")
	}
	if err := s.Reload(milter.Config{}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("no submitter: %v", err)
	}
	s.take()
	connected(t, s).deliver(bogus, "ID")
	s.only(t)
}

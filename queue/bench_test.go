package queue

import (
	"database/sql"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSubmit stores different reports of 20 KB of real spam from 32 goroutines on both
// engines, and for comparison commits as many rows of that size one by one into an
// SQLite file through database/sql, all in the same run. The ratios are how much
// faster Submit is than that, and PostgreSQL than SQLite.
func BenchmarkSubmit(b *testing.B) {
	_, url := ownServer(b, true)
	file := openAt(b, filepath.Join(b.TempDir(), "queue.db"), nil)
	shared := openAt(b, url, nil)
	peer := openAt(b, filepath.Join(b.TempDir(), "peer.db"), nil)
	intoStore := func(s *Store) func(Report) error {
		return func(r Report) error { _, err := s.Submit(b.Context(), r); return err }
	}
	b.SetBytes(20 << 10)
	b.ResetTimer()
	sqlite := inParallel(b, intoStore(file))
	b.StopTimer()
	postgres := inParallel(b, intoStore(shared))
	single := inParallel(b, func(r Report) error { return singleRow(peer.writer.DB, r) })
	b.ReportMetric(float64(b.N)/sqlite.Seconds(), "reports/s")
	b.ReportMetric(float64(b.N)/postgres.Seconds(), "reports/s-PostgreSQL")
	b.ReportMetric(float64(b.N)/single.Seconds(), "single-row-commits/s")
	b.ReportMetric(single.Seconds()/sqlite.Seconds(), "ratio")
	b.ReportMetric(sqlite.Seconds()/postgres.Seconds(), "ratio-PostgreSQL")
}

// inParallel runs b.N reports through a function from 32 goroutines.
func inParallel(b *testing.B, run func(Report) error) time.Duration {
	text := realMail(b)
	const size = 20 << 10
	var serial atomic.Int64
	next := func() Report {
		n := serial.Add(1)
		r := sampleReport(int(n))
		at := int(n*1009) % (len(text) - size)
		r.Message.Body, r.Message.RcptTo = text[at:at+size], []string{"anna@example.org"}
		return r
	}
	const goroutines = 32
	start := time.Now()
	left := int64(b.N)
	errs := make(chan error, goroutines)
	for range goroutines {
		go func() {
			for atomic.AddInt64(&left, -1) >= 0 {
				if err := run(next()); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range goroutines {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// realMail is the text of real spam, one after the other.
func realMail(b *testing.B) (text []byte) {
	files, err := filepath.Glob("../trace/testdata/corpus/*.eml")
	if err != nil || len(files) == 0 {
		b.Fatal("no corpus: ", err)
	}
	for _, f := range files {
		one, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		text = append(text, one...)
	}
	return text
}

// singleRow is the least that keeps a mail: one row, one commit.
func singleRow(db *sql.DB, r Report) error {
	_, err := db.Exec(`INSERT INTO mail (hash, header, body, coding) VALUES ($1, $2, $3, '')`,
		mailHash(r.Message.Header, r.Message.Body), r.Message.Header, r.Message.Body)
	return err
}

// BenchmarkContactFor looks addresses up among 100,000 networks.
func BenchmarkContactFor(b *testing.B) {
	for _, family := range []struct {
		name string
		at   func(n uint32) netip.Addr
	}{
		{"IPv4", func(n uint32) netip.Addr {
			return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n<<8)))
		}},
		{"IPv6", func(n uint32) netip.Addr {
			a := [16]byte{0x20, 0x01}
			binary.BigEndian.PutUint32(a[2:], n)
			return netip.AddrFrom16(a)
		}},
	} {
		b.Run(family.name, func(b *testing.B) {
			s := openAt(b, filepath.Join(b.TempDir(), "queue.db"), nil)
			const networks = 100_000
			fillContacts(b, s, networks, family.at)
			for b.Loop() {
				answer, err := s.ContactFor(b.Context(), family.at(rand.Uint32N(networks)))
				if answer == nil || err != nil {
					b.Fatal(answer, err)
				}
			}
		})
	}
}

func fillContacts(b *testing.B, s *Store, n uint32, at func(uint32) netip.Addr) {
	tx, err := s.writer.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		first, _ := mapped(at(i))
		last, _ := mapped(at(i + 1).Prev())
		block := cover(first, last)
		_, err := tx.Exec(`INSERT INTO contacts (base, bits, first, last, expires, answer) VALUES ($1, $2, $3, $4, $5, 'x')`,
			addrKey(block.Addr()), block.Bits(), addrKey(first), addrKey(last), micros(time.Now().Add(time.Hour)))
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

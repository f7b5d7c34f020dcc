package queue

import (
	"database/sql"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSubmit stores different reports of 20 KB from 32 goroutines, and for
// comparison commits as many rows of that size one by one through database/sql
// in the same run. The ratio is how much faster Submit is.
func BenchmarkSubmit(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "queue.db"), nil)
	peer := openAt(b, filepath.Join(b.TempDir(), "peer.db"), nil)
	mail := make([]byte, 20<<10)
	for i := range mail {
		mail[i] = byte('a' + rand.IntN(26))
	}
	var serial atomic.Uint64
	next := func() Report {
		body := append([]byte(nil), mail...)
		binary.BigEndian.PutUint64(body, serial.Add(1))
		r := sampleReport(1)
		r.Message.Body, r.Message.RcptTo = body, []string{"anna@example.org"}
		return r
	}
	const goroutines = 32
	inParallel := func(run func() error) time.Duration {
		start := time.Now()
		left := int64(b.N)
		errs := make(chan error, goroutines)
		for range goroutines {
			go func() {
				for atomic.AddInt64(&left, -1) >= 0 {
					if err := run(); err != nil {
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
	b.SetBytes(int64(len(mail)))
	b.ResetTimer()
	ours := inParallel(func() error {
		_, err := s.Submit(b.Context(), next())
		return err
	})
	b.StopTimer()
	theirs := inParallel(func() error { return singleRow(peer.writer, next()) })
	b.ReportMetric(float64(b.N)/ours.Seconds(), "reports/s")
	b.ReportMetric(float64(b.N)/theirs.Seconds(), "single-row-commits/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
}

// singleRow is the least that keeps a mail: one row, one commit.
func singleRow(db *sql.DB, r Report) error {
	_, err := db.Exec(`INSERT INTO mail (hash, header, body) VALUES ($1, $2, $3)`,
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

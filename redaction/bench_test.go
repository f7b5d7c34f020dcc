package redaction_test

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
	"time"

	"spamreport-milter/redaction"
)

// BenchmarkMessage redacts real messages, with the recipients that they name; its
// peer deflates them, as a mail store does.
func BenchmarkMessage(b *testing.B) {
	messages := corpus(b)
	size := 0
	for i := range messages {
		size += len(messages[i].Header) + len(messages[i].Body)
	}
	var ours, peer time.Duration
	w, _ := flate.NewWriter(io.Discard, flate.BestSpeed)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		for i := range messages {
			m := &messages[i]
			redaction.New(key, redaction.Recipients(m)).Message(m.Header, m.Body)
		}
		between := time.Now()
		for i := range messages {
			w.Reset(io.Discard)
			w.Write(messages[i].Header)
			w.Write(messages[i].Body)
			w.Close()
		}
		ours, peer = ours+between.Sub(begin), peer+time.Since(between)
	}
	b.ReportMetric(float64(size)*float64(b.N)/1e6/ours.Seconds(), "MB/s-ours")
	b.ReportMetric(float64(peer)/float64(ours), "times-deflate")
}

// BenchmarkGrowth redacts texts that were made to be slow, of one size and of eight
// times that: the growth, times per octet, is 1 where time grows with the length
// alone.
func BenchmarkGrowth(b *testing.B) {
	for name, unit := range map[string]string{
		"signs": "=", "soft breaks": "= \r\n", "half words": "=?a?q?", "words": "=?a?q?user@isp.test?=",
		"per cent": "%25", "entities": "&#6", "mailboxes": "user@isp.test", "domains": "@isp.test", "tags": "+isp.test",
		"parts": "Content-Transfer-Encoding: base64\r\n\r\nAA==\r\n--\r\n", "paddings": "AA==",
		"nested": "Content-Transfer-Encoding: base64\r\n\r\n", "NUL": "\x00=", "backslashes": `\u00`,
	} {
		b.Run(name, func(b *testing.B) {
			r := redaction.New(key, []string{"user@isp.test"})
			took := func(n int) time.Duration {
				text := bytes.Repeat([]byte(unit), n/len(unit))
				begin := time.Now()
				r.Message([]byte("Content-Transfer-Encoding: base64\r\n"), text)
				r.Message(text, text)
				return time.Since(begin)
			}
			const small, large = 1 << 15, 1 << 18
			var few, many time.Duration
			b.SetBytes(2 * (small + large))
			for b.Loop() {
				few += took(small)
				many += took(large)
			}
			b.ReportMetric(float64(many)/float64(few)*small/large, "growth")
		})
	}
}

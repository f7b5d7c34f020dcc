package forward_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spamreport-milter/forward"
)

// shapes are how mail programs hand on the message in testdata/original.eml. In
// each file a line @ORIGINAL@, @BASE64@, @QP@ or @HEADER@ stands for it.
var shapes = []struct {
	file  string
	want  []forward.How
	alone bool // handed on by a program: no user
}{
	{"thunderbird", []forward.How{forward.Attached}, false},
	{"outlook", []forward.How{forward.Attached}, false},
	{"outlook-web", []forward.How{forward.Attached}, false},
	{"apple-mail", []forward.How{forward.Attached}, false},
	{"gmail", []forward.How{forward.Attached}, false},
	{"k-9", []forward.How{forward.Attached}, false},
	{"roundcube", []forward.How{forward.Attached}, false},
	{"two-at-once", []forward.How{forward.Attached, forward.Attached}, false},
	{"digest", []forward.How{forward.Attached}, false},
	{"signed", []forward.How{forward.Attached}, false},
	{"mutt-bounce", []forward.How{forward.Redirected}, false},
	{"sieve-redirect", []forward.How{forward.Redirected}, true},
	{"feedback-report", []forward.How{forward.Feedback}, true},
	{"feedback-header", []forward.How{forward.Feedback}, true},
	{"inline", nil, false},
	{"bounce", nil, true},
	{"not-a-message", nil, false},
}

func crlf(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }

// load returns a shape with the original in its place.
func load(t testing.TB, file string) (header, body, original []byte) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
		if err != nil {
			t.Fatal(err)
		}
		return crlf(b)
	}
	original = read("original")
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	w.Write(original)
	w.Close()
	code := base64.StdEncoding.EncodeToString(original)
	var lines strings.Builder
	for ; len(code) > 76; code = code[76:] {
		lines.WriteString(code[:76] + "\r\n")
	}
	head, _, _ := bytes.Cut(original, []byte("\r\n\r\n"))
	text := read(file)
	for mark, content := range map[string][]byte{
		"@ORIGINAL@": original, "@BASE64@": []byte(lines.String() + code), "@QP@": qp.Bytes(), "@HEADER@": append(head, "\r\n"...),
	} {
		if file == "mutt-bounce" || file == "sieve-redirect" {
			text = bytes.ReplaceAll(text, []byte(mark+"\r\n"), content)
		}
		text = bytes.ReplaceAll(text, []byte(mark), content)
	}
	h, b, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	if file == "feedback-header" {
		original = append(head, "\r\n"...)
	}
	return append(bytes.Clone(h), "\r\n"...), b, original
}

var hand = forward.Hand{To: []string{"report@example.org"}, User: []string{"user@example.org"}}

func TestShapes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) != len(shapes)+1 {
		t.Errorf("%d files in testdata, %d shapes: %v", len(files), len(shapes), err)
	}
	for _, tt := range shapes {
		t.Run(tt.file, func(t *testing.T) {
			header, body, original := load(t, tt.file)
			h := hand
			if tt.alone {
				h.User = nil
			}
			got, err := forward.Originals(header, body, h)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("%d originals, %v; want %d", len(got), err, len(tt.want))
			}
			for i, o := range got {
				if o.How != tt.want[i] || !bytes.Equal(o.Octets, original) {
					t.Errorf("%s original\n%q, want %s\n%q", o.How, o.Octets, tt.want[i], original)
				}
				if o.HeaderOnly != (tt.file == "feedback-header") {
					t.Errorf("header only: %v", o.HeaderOnly)
				}
			}
		})
	}
}

// What a spammer put below his own Received field must not be taken for the
// user's redirecting, nor what he attached for the user's report.
func TestSendersTricks(t *testing.T) {
	_, _, original := load(t, "original")
	ours := "Received: from evil (unknown [203.0.113.9]) by mx.example.org id 1; Fri, 20 Nov 2026 12:00:00 +0000\r\n"
	forged := "Resent-From: <user@example.org>\r\nReceived: from v ([198.51.100.7]) by mx.example.org id 2; Fri, 20 Nov 2026 12:00:00 +0000\r\nFrom: <w@a.example>\r\n"
	got, err := forward.Originals([]byte(ours+forged), []byte("text\r\n"), forward.Hand{To: hand.To})
	if err != nil || len(got) != 1 || !strings.HasPrefix(string(got[0].Octets), ours) {
		t.Errorf("cut at the sender's own Resent field: %+v, %v", got, err)
	}
	// From the user himself by all that can be seen: not clear who wrote it.
	header := ours + "From: <user@example.org>\r\nTo: <user@example.org>\r\n"
	if got, _ := forward.Originals([]byte(header), []byte("text\r\n"), hand); len(got) != 0 {
		t.Errorf("took %+v", got)
	}
	if bytes.Count(original, []byte("message/rfc822")) != 1 {
		t.Error("the sample has lost what its sender attached")
	}
}

func TestBounds(t *testing.T) {
	var nested bytes.Buffer
	for i := range 100_000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	header, body, _ := bytes.Cut(nested.Bytes(), []byte("\r\n\r\n"))
	many := strings.Repeat("--x\r\nContent-Type: message/rfc822\r\n\r\nFrom: a\r\n\r\nb\r\n", 1000)
	parts := strings.Repeat("--x\r\n\r\n", 1_000_000)
	for name, tt := range map[string]struct {
		header, body []byte
		want         int
	}{
		"nested": {append(header, "\r\n"...), body, 0},
		"many":   {[]byte("Content-Type: multipart/mixed; boundary=x\r\n"), []byte(many), 50},
		"parts":  {[]byte("Content-Type: multipart/mixed; boundary=x\r\n"), []byte(parts), 0},
	} {
		begin := time.Now()
		got, err := forward.Originals(tt.header, tt.body, hand)
		if !errors.Is(err, forward.ErrTooMany) || len(got) != tt.want {
			t.Errorf("%s: %d originals, %v", name, len(got), err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

// FuzzOriginals: what is found stands in the input, decoded or not, and its size
// is bounded by that of the input.
func FuzzOriginals(f *testing.F) {
	for _, s := range shapes {
		header, body, _ := load(f, s.file)
		f.Add(header, body)
	}
	f.Fuzz(func(t *testing.T, header, body []byte) {
		got, _ := forward.Originals(header, body, hand)
		total := 0
		for _, o := range got {
			total += len(o.Octets)
			switch {
			case o.How == forward.Redirected:
				if !bytes.HasSuffix(o.Octets, append([]byte("\r\n"), body...)) {
					t.Fatalf("redirected body altered: %q", o.Octets)
				}
			case !bytes.Contains(bytes.ToLower(body), []byte("base64")) && !bytes.Contains(bytes.ToLower(body), []byte("quoted-printable")) &&
				!bytes.Contains(bytes.ToLower(header), []byte("content-transfer-encoding")):
				if !bytes.Contains(body, o.Octets) {
					t.Fatalf("%q does not stand in the message", o.Octets)
				}
			}
		}
		if total > len(header)+len(body)+2 {
			t.Fatalf("%d octets out of %d", total, len(header)+len(body))
		}
	})
}

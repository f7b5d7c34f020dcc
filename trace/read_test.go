package trace

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, in             string
		header, body, sender string
		size                 int64
	}{
		{"CRLF", "From: a@b\r\nSubject: x\r\n\r\nbody\r\n", "From: a@b\r\nSubject: x\r\n", "body\r\n", "", 6},
		{"LF", "From: a@b\n\nbody\n", "From: a@b\n", "body\n", "", 5},
		{"no body", "From: a@b\n", "From: a@b\n", "", "", 0},
		{"no line end", "From: a@b", "From: a@b", "", "", 0},
		{"cut", "From: a@b\n\n12345678901", "From: a@b\n", "1234567890", "", 11},
		{"From line", "From x@y.example Fri Sep  6 18:13:52 2002\nFrom: a@b\n\n1\n", "From: a@b\n", "1\n", "x@y.example", 2},
		{"Return-Path", "From x@y Fri Sep  6 18:13:52 2002\nReturn-Path: <r@p>\nFrom: a@b\n\n", "Return-Path: <r@p>\nFrom: a@b\n", "", "r@p", 0},
		{"one message whatever the body says", "From: a@b\n\n\nFrom x Fri Sep  6 18:13:52 2002\n", "From: a@b\n", "\nFrom x Fr", "", 33},
		{"broken line inside", "From: a@b\nnonsense\nReceived: x\n\n", "From: a@b\nnonsense\nReceived: x\n", "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Read(iotest.OneByteReader(strings.NewReader(c.in)), 10)
			if err != nil {
				t.Fatal(err)
			}
			if string(m.Header) != c.header || string(m.Body) != c.body || m.MailFrom != c.sender || m.BodySize != c.size {
				t.Errorf("header %q body %q sender %q size %d", m.Header, m.Body, m.MailFrom, m.BodySize)
			}
			if m.Truncated() != (c.size > 10) {
				t.Errorf("truncated: %v", m.Truncated())
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "empty lines": "\n\n\n", "text": "Dear Sir,\nFrom: a@b\n", "binary": "\x7fELF\x02\x01\x01\x00: \n",
		"other fields": "name: x\nversion: 1\n", "a header without end": "From: a@b\n" + strings.Repeat("X: y\n", maxHeader/5+1),
	} {
		if m, err := Read(strings.NewReader(in), 10); !errors.Is(err, ErrNoMessage) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	fault := errors.New("disk on fire")
	if _, err := Read(iotest.ErrReader(fault), 10); !errors.Is(err, fault) || errors.Is(err, ErrNoMessage) {
		t.Errorf("a fault of the reader: %v", err)
	}
}

func TestMailbox(t *testing.T) {
	in := "From one@x Fri Sep  6 18:13:52 2002\nFrom: 1@x\n\nFrom here on it is text.\n\nFrom the heart\n\n" +
		"From two@x Fri Sep  6 18:13:53 2002\nthis is no message\n\n" +
		"From - Fri Sep  6 18:13:54 2002\r\nFrom: 3@x\r\n\r\nlast\r\n"
	b := NewMailbox(strings.NewReader(in), 100)
	var got []string
	for {
		m, err := b.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, m.MailFrom+"|"+string(m.Header)+"|"+string(m.Body))
	}
	want := []string{
		"one@x|From: 1@x\n|From here on it is text.\n\nFrom the heart\n\n",
		ErrNoMessage.Error(),
		"|From: 3@x\r\n|last\r\n",
	}
	if strings.Join(got, "\n--\n") != strings.Join(want, "\n--\n") {
		t.Errorf("got %q", got)
	}
}

// TestReadKeepsOctets holds Read to the octets of real files.
func TestReadKeepsOctets(t *testing.T) {
	for _, file := range []string{"testdata/corpus/67da9d097d92.eml", "testdata/corpus/07ac4d194897.eml"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := readMessage(t, file)
		if text := string(raw); !strings.Contains(text, string(m.Header)) || !strings.HasSuffix(text, string(m.Body)) {
			t.Errorf("%s: octets changed", file)
		}
	}
}

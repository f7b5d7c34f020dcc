package trace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrNoMessage means that the input does not begin with the header section of a
// mail message.
var ErrNoMessage = errors.New("no mail message: it does not begin with header fields such as Received or From")

// maxHeader is far more than any server takes, and bounds the memory per message.
const maxHeader = 16 << 20

// Read reads one saved message with CRLF or LF line ends. An mbox "From " line
// before it is left out, its address kept as MailFrom unless Return-Path names
// one. The octets stay as they are; of the body at most limit octets are kept
// and the rest is counted. What is no message gives ErrNoMessage.
func Read(r io.Reader, limit int64) (*Message, error) {
	b := NewMailbox(r, limit)
	b.single = true
	m, err := b.Next()
	if err == io.EOF {
		return nil, ErrNoMessage
	}
	return m, err
}

// Mailbox reads the messages of an mbox (RFC 4155) one after the other, or the
// one message of a plain file, in memory bounded by the header and the limit.
type Mailbox struct {
	r      *bufio.Reader
	limit  int64
	single bool   // further "From " lines belong to the body
	sender string // of the "From " line that ended the message before
	ended  bool
}

// NewMailbox returns a Mailbox that keeps at most limit octets of each body.
func NewMailbox(r io.Reader, limit int64) *Mailbox {
	return &Mailbox{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// Next returns the next message, or io.EOF behind the last. After ErrNoMessage it
// can be called again, for the message behind the faulty one.
func (b *Mailbox) Next() (*Message, error) {
	if b.ended {
		return nil, io.EOF
	}
	m := &Message{MailFrom: b.sender}
	b.sender = ""
	seen, err := b.readHeader(m)
	if err == nil {
		err = b.readBody(m)
	}
	if err == io.EOF {
		b.ended, err = true, nil
		if !seen {
			return nil, io.EOF
		}
	}
	switch {
	case err != nil:
		b.ended = true
		return nil, fmt.Errorf("reading a message: %w", err)
	case len(m.Header) > maxHeader:
		return nil, fmt.Errorf("%w; more than %d MiB without an empty line", ErrNoMessage, maxHeader>>20)
	case !isMessage(m.Header):
		return nil, ErrNoMessage
	}
	if from, ok := returnPath(string(m.Header)); ok {
		m.MailFrom = from
	}
	return m, nil
}

// readHeader reads up to and including the empty line behind the header section.
// It leaves out empty lines and "From " lines before the first field; seen is
// false if there was nothing else.
func (b *Mailbox) readHeader(m *Message) (seen bool, err error) {
	start := true // of a line
	for {
		chunk, err := b.chunk()
		whole := len(chunk) > 0 && chunk[len(chunk)-1] == '\n'
		empty := start && len(bytes.TrimRight(chunk, "\r\n")) == 0
		switch {
		case len(chunk) == 0:
		case empty && len(m.Header) > 0:
			return true, err
		case empty:
		case start && len(m.Header) == 0 && isFromLine(chunk):
			m.MailFrom, _ = fromLine(chunk)
			seen = true
		case len(m.Header) <= maxHeader:
			m.Header = append(m.Header, chunk...)
			seen = true
		}
		start = whole
		if err != nil {
			return seen, err
		}
	}
}

// readBody reads up to the next "From " line behind an empty one, or to the end.
func (b *Mailbox) readBody(m *Message) error {
	start, blank := true, true
	for {
		chunk, err := b.chunk()
		if start && blank && !b.single && bytes.HasPrefix(chunk, []byte("From ")) {
			if sender, ok := fromLine(chunk); ok {
				b.sender = sender
				return nil
			}
		}
		m.BodySize += int64(len(chunk))
		if room := b.limit - int64(len(m.Body)); room > 0 {
			m.Body = append(m.Body, chunk[:min(int64(len(chunk)), room)]...)
		}
		blank = start && len(bytes.TrimRight(chunk, "\r\n")) == 0
		start = len(chunk) > 0 && chunk[len(chunk)-1] == '\n'
		if err != nil {
			return err
		}
	}
}

// chunk returns the next line, or a part of one that is longer than the buffer.
// It is valid until the next call.
func (b *Mailbox) chunk() ([]byte, error) {
	line, err := b.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		err = nil
	}
	return line, err
}

func isFromLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))
}

// fromLine reads "From bob@example.org Fri Sep  6 18:13:52 2002". A line without
// a date is an ordinary line of text.
func fromLine(line []byte) (sender string, ok bool) {
	_, rest := cutWord(string(line))
	sender, date := cutWord(rest)
	if sender == "MAILER-DAEMON" || sender == "-" {
		sender = ""
	}
	_, ok = parseDate(date)
	return sender, ok
}

// isMessage asks for one of the fields that mail has and other files don't.
func isMessage(header []byte) bool {
	line, _, _ := bytes.Cut(header, []byte("\n"))
	if name, _, ok := bytes.Cut(line, []byte(":")); !ok || bytes.ContainsAny(bytes.TrimRight(name, " \t"), " \t") {
		return false
	}
	for h := string(header); ; {
		f, rest, ok := nextField(h)
		if !ok {
			return false
		}
		switch strings.ToLower(f.name) {
		case "received", "from", "return-path", "message-id", "delivered-to", "to", "subject", "date", "sender":
			return true
		}
		h = rest
	}
}

// returnPath reads the topmost Return-Path field (RFC 5321 §4.4).
func returnPath(header string) (string, bool) {
	for {
		f, rest, ok := nextField(header)
		if !ok {
			return "", false
		}
		if strings.EqualFold(f.name, "Return-Path") {
			return strings.Trim(unfold(f.value), "<>"), true
		}
		header = rest
	}
}

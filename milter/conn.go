package milter

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	gomilter "github.com/emersion/go-milter"
)

const (
	// maxFrame is the library's own limit. MTAs send body in chunks of 64 KB
	// and a header field as one frame.
	maxFrame = 1 << 20
	// frameTimeout is how long a frame may take once it has begun, and how long
	// an MTA may take to begin: it sends whole frames, and the first at once.
	frameTimeout = 30 * time.Second
	// writeTimeout is how long an MTA may take to make room for an answer of a
	// few octets.
	writeTimeout = 10 * time.Second
)

// errQuit ends a session as it should end.
var errQuit = errors.New("session over")

// conn stands between the library and the MTA. The library has no timeouts,
// answers some malformed frames where no answer is due, which would shift all
// later answers by one, and logs through the global log. So conn reads whole
// frames under deadlines, hands on well-formed ones only, logs what ended the
// session, and shows the library nothing but an orderly end of file.
type conn struct {
	net.Conn
	srv *Server
	set *settings // as they were when the connection was made
	in  *bufio.Reader

	// idle is the deadline between frames; busy says that a message is under
	// way, which a shutdown waits for.
	idle time.Duration
	busy func() bool
	gone func() // called when the session is over

	// frame is what the library has not read yet of the current frame.
	frame []byte
	small [1024]byte // room for most frames
	large *[]byte    // room for this one, of largeFrames
	// tail is body that came inside the end-of-message frame. The protocol
	// allows it, early versions of Postfix did it, and the library drops it.
	tail []byte
	// last says that the session ends with the next answer.
	last bool
	rate rate

	close    sync.Once
	closeErr error
}

func newConn(srv *Server, nc net.Conn) *conn {
	set := srv.set.Load()
	return &conn{
		Conn: nc,
		srv:  srv,
		set:  set,
		in:   bufio.NewReaderSize(nc, 4096),
		idle: set.IdleTimeout,
		busy: func() bool { return false },
		gone: func() {},
	}
}

// Read gives the library the octets of the current frame, or the next one.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.frame) == 0 {
		if err := c.next(); err != nil {
			c.report(err)
			return 0, io.EOF
		}
	}
	n := copy(p, c.frame)
	if c.frame = c.frame[n:]; len(c.frame) == 0 {
		c.release()
	}
	return n, nil
}

// Write sends an answer. A failure shows at the next Read: to the library it
// would be one more line for the global log.
func (c *conn) Write(p []byte) (int, error) {
	err := c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = c.Conn.Write(p)
	}
	if err != nil {
		c.report(fmt.Errorf("answer: %w", err))
		c.last = true
	}
	return len(p), nil
}

// Close ends the session and takes it off the server's list.
func (c *conn) Close() error {
	c.close.Do(func() {
		c.closeErr = c.Conn.Close()
		c.gone()
		c.srv.remove(c)
	})
	return c.closeErr
}

// next reads frames until there is one for the library.
func (c *conn) next() error {
	for {
		if c.last {
			return errQuit
		}
		if err := c.await(c.idle); err != nil {
			return err
		}
		c.throttle()
		frame, err := c.readFrame()
		if err != nil {
			return err
		}
		if err := wellFormed(frame); err != nil {
			return err
		}
		if !unused(frame) {
			c.keepTail(frame)
			c.frame = frame
			return nil
		}
		c.release()
	}
}

// await returns when a frame begins.
func (c *conn) await(idle time.Duration) error {
	for {
		if c.in.Buffered() == 0 {
			if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
				return err
			}
		}
		// After the deadline is set, for Shutdown moves it after it has set
		// draining: one of the two is seen.
		if c.srv.draining.Load() && !c.busy() {
			return errQuit
		}
		_, err := c.in.Peek(1)
		switch {
		case err == nil:
			return nil
		case isTimeout(err) && c.srv.draining.Load():
			continue
		case isTimeout(err):
			return fmt.Errorf("MTA silent for %v: %w", idle, err)
		default:
			return err
		}
	}
}

// readFrame returns one frame with its length in front. It is valid until the
// next call.
func (c *conn) readFrame() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(frameTimeout)); err != nil {
		return nil, err
	}
	head, err := c.in.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("frame cut short: %w", err)
	}
	n := binary.BigEndian.Uint32(head)
	if n == 0 || n > maxFrame {
		return nil, fmt.Errorf("frame of %d octets", n)
	}
	frame := c.room(int(n) + 4)
	if _, err := io.ReadFull(c.in, frame); err != nil {
		return nil, fmt.Errorf("frame cut short: %w", err)
	}
	return frame, nil
}

// largeFrames is room for pieces of body. The library copies each at once, so a
// few rooms serve all sessions.
var largeFrames = sync.Pool{New: func() any {
	b := make([]byte, 4+1+64<<10)
	return &b
}}

// room returns n octets for a frame.
func (c *conn) room(n int) []byte {
	if n <= len(c.small) {
		return c.small[:n]
	}
	c.large = largeFrames.Get().(*[]byte)
	if n > len(*c.large) {
		c.release()
		return make([]byte, n)
	}
	return (*c.large)[:n]
}

// release gives the room of a frame back that has been read to its end.
func (c *conn) release() {
	c.frame = nil
	if c.large != nil {
		largeFrames.Put(c.large)
		c.large = nil
	}
}

func (c *conn) keepTail(frame []byte) {
	c.tail = nil
	if gomilter.Code(frame[4]) == gomilter.CodeEOB && len(frame) > 5 {
		c.tail = bytes.Clone(frame[5:])
	}
}

// report says in one line why a session ended early.
func (c *conn) report(err error) {
	if c.last || errors.Is(err, errQuit) || errors.Is(err, net.ErrClosed) {
		return
	}
	// Between frames and messages an MTA may go without a word.
	if err == io.EOF && !c.busy() {
		return
	}
	c.srv.stats.broken.Add(1)
	c.set.Log.Warn("milter session broken off", "mta", c.RemoteAddr().String(), "in_message", c.busy(), "err", err)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

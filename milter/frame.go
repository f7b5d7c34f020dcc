package milter

import (
	"bytes"
	"encoding/binary"
	"fmt"

	gomilter "github.com/emersion/go-milter"
)

// shapes tells for each command that an MTA may send what its data must look
// like. They are the checks that the library leaves out.
var shapes = map[gomilter.Code]func(data []byte) bool{
	gomilter.CodeOptNeg: func(d []byte) bool { return len(d) >= 12 },
	gomilter.CodeMacro:  func(d []byte) bool { return len(d) >= 1 },
	gomilter.CodeConn:   isConnect,
	gomilter.CodeHelo:   anyData,
	gomilter.CodeMail:   holdsString,
	gomilter.CodeRcpt:   beginsWithString,
	gomilter.CodeData:   anyData,
	gomilter.CodeHeader: isHeader,
	gomilter.CodeEOH:    anyData,
	gomilter.CodeBody:   anyData,
	gomilter.CodeEOB:    anyData,
	gomilter.CodeAbort:  anyData,
	gomilter.CodeQuit:   anyData,
}

// wellFormed returns an error for a frame, length in front, that no MTA sends.
func wellFormed(frame []byte) error {
	command := gomilter.Code(frame[4])
	shape, known := shapes[command]
	if !known {
		return fmt.Errorf("unknown command %q", rune(command))
	}
	if !shape(frame[5:]) {
		return fmt.Errorf("malformed command %q of %d octets", rune(command), len(frame)-4)
	}
	return nil
}

// unused reports whether the frame holds macros that Postfix sends again and
// again, before each header field and each piece of body: nothing in them is
// not sent at end of header too.
func unused(frame []byte) bool {
	if gomilter.Code(frame[4]) != gomilter.CodeMacro {
		return false
	}
	of := gomilter.Code(frame[5])
	return of == gomilter.CodeHeader || of == gomilter.CodeBody
}

func anyData([]byte) bool { return true }

// holdsString accepts an empty string too: so Postfix names the sender of a bounce
// that it makes itself, where a client would have said "<>".
func holdsString(d []byte) bool { return bytes.IndexByte(d, 0) >= 0 }

func beginsWithString(d []byte) bool { return bytes.IndexByte(d, 0) > 0 }

// isHeader accepts two strings, the first not empty. MTAs handle header fields
// as C strings, so no NUL of a message gets here: Postfix cuts the value there.
func isHeader(d []byte) bool {
	name, value, ok := bytes.Cut(d, []byte{0})
	return ok && len(name) > 0 && len(value) > 0 && bytes.IndexByte(value, 0) == len(value)-1
}

// isConnect accepts host name, family, and for the internet port and address.
func isConnect(d []byte) bool {
	_, d, ok := bytes.Cut(d, []byte{0})
	if !ok || len(d) == 0 {
		return false
	}
	switch gomilter.ProtoFamily(d[0]) {
	case gomilter.FamilyInet, gomilter.FamilyInet6:
		return len(d) > 3
	default:
		return true
	}
}

// offer is what an MTA lets a milter ask for.
type offer struct {
	actions  gomilter.OptAction
	protocol gomilter.OptProtocol
}

// wantedProtocol spares the MTA what is of no use here, and the answers that
// are always "continue". SKIP ends a body that is over the limit; leading space
// makes header values exact. Only a report address can be refused, and only then
// the MTA has to wait for an answer to RCPT.
func (set *settings) wantedProtocol() gomilter.OptProtocol {
	p := gomilter.OptNoUnknown | gomilter.OptNoData |
		gomilter.OptNoConnReply | gomilter.OptNoHeloReply | gomilter.OptNoMailReply |
		gomilter.OptNoHeaderReply | gomilter.OptSkip | gomilter.OptHeaderLeadingSpace
	if set.Reports == nil {
		p |= gomilter.OptNoRcptReply
	}
	return p
}

// wantedActions are what may be done to a message: nothing, but for the seal, and
// for recipients that are addresses of ours.
func (set *settings) wantedActions() gomilter.OptAction {
	a := gomilter.OptSetSymList
	if set.Seal != nil {
		a |= gomilter.OptAddHeader | gomilter.OptChangeHeader
	}
	if set.Reports != nil || set.Replies != nil {
		a |= gomilter.OptRemoveRcpt
	}
	return a
}

// readOffer reads the MTA's first frame and leaves it for the library, which
// answers it without looking: so only what was offered is asked for.
func (c *conn) readOffer() (offer, error) {
	if err := c.await(frameTimeout); err != nil {
		return offer{}, err
	}
	frame, err := c.readFrame()
	if err != nil {
		return offer{}, err
	}
	if gomilter.Code(frame[4]) != gomilter.CodeOptNeg {
		return offer{}, fmt.Errorf("command %q before negotiation", rune(frame[4]))
	}
	if err := wellFormed(frame); err != nil {
		return offer{}, err
	}
	c.frame = frame
	return offer{
		actions:  gomilter.OptAction(binary.BigEndian.Uint32(frame[9:])),
		protocol: gomilter.OptProtocol(binary.BigEndian.Uint32(frame[13:])),
	}, nil
}

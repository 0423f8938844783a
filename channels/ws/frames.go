package ws

import (
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf8"

	"hark/protocol"
)

// The first byte of a frame that is whole, and has no extension: FIN and the opcode
// (RFC 6455 §5.2).
const (
	finText  = 0x81
	finClose = 0x88
	finPing  = 0x89
	finPong  = 0x8a

	masked = 0x80 // of the second byte, of all that a client sends

	minFrame   = 2 + 4   // bytes of a whole frame of a client without a payload
	maxControl = 2 + 125 // bytes of a whole control frame of a server
)

// closeFrame returns the Close frame with a code and the beginning of reason
// that fits. A code that RFC 6455 §7.4 keeps off the wire, such as 1006, gives
// a frame without code and reason.
func closeFrame(code protocol.CloseCode, reason string) []byte {
	if !onWire(code) {
		return []byte{finClose, 0}
	}
	reason = protocol.CutReason(reason)
	b := make([]byte, 0, 4+len(reason))
	b = append(b, finClose, byte(2+len(reason)))
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return append(b, reason...)
}

// onWire reports whether a close frame may carry code: 1004 to 1006 and 1015
// are reserved, and the ranges below 1000 and from 1016 to 2999 have no use.
func onWire(code protocol.CloseCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// cutFrame returns the opcode with FIN, and the payload, unmasked in place, of the text,
// ping or pong that b begins with, and the frame's length. That is 0 when b begins with
// something else, or with a part of one, or with one that no client may send, or a text
// longer than limit.
func cutFrame(b []byte, limit int) (op byte, payload []byte, n int) {
	if len(b) < minFrame || b[1] < masked {
		return 0, nil, 0
	}
	head, size := 2, int(b[1]-masked)
	switch b[0] {
	case finPing, finPong:
		if size > maxControl-2 {
			return 0, nil, 0
		}
	case finText:
		if size == 126 {
			head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
		} else if size == 127 { // a length of 64 bits is for more than is read at a time
			return 0, nil, 0
		}
		if size > limit {
			return 0, nil, 0
		}
	default:
		return 0, nil, 0
	}
	if n = head + 4 + size; len(b) < n {
		return 0, nil, 0
	}
	payload = b[head+4 : n]
	unmask(payload, binary.LittleEndian.Uint32(b[head:]))
	return b[0], payload, n
}

// unmask takes a mask off b (RFC 6455 §5.3); its first byte is the lowest of mask.
func unmask(b []byte, mask uint32) {
	wide := uint64(mask)<<32 | uint64(mask)
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
}

// pong returns the answer to a ping.
func pong(payload []byte) []byte {
	return append([]byte{finPong, byte(len(payload))}, payload...)
}

// validClose returns frame, unless it is a Close frame whose reason is no UTF-8:
// coder gives a peer's own words back to it, but RFC 6455 §8.1 asks to fail the
// connection over them.
func validClose(frame []byte) []byte {
	if frame[0] == finClose && len(frame) > 4 && !utf8.Valid(frame[4:]) {
		return closeFrame(protocol.CloseInvalidPayload, "")
	}
	return frame
}

// frameLen returns the length of the first frame in b, header included. b
// begins with a whole frame without a mask.
func frameLen(b []byte) int {
	switch n := int(b[1]); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + n
	}
}

// frameEnd returns the first end of a frame in b that is not before at. b is
// whole frames.
func frameEnd(b []byte, at int) int {
	end := 0
	for end < at {
		end += frameLen(b[end:])
	}
	return end
}

var errNoControlFrame = errors.New("ws: only whole control frames of a server may be written")

// An assembler makes whole control frames of a stream of bytes, so that it
// does not matter in how many pieces they are written. Between frames it holds
// nothing.
type assembler struct {
	held []byte // the beginning of a frame
}

// next takes bytes from the front of p. It returns a frame once one is whole,
// as a copy the caller may keep, and what is left of p.
func (a *assembler) next(p []byte) (frame, rest []byte, err error) {
	if a.held == nil {
		a.held = make([]byte, 0, min(len(p), maxControl))
	}
	p = a.fill(p, 2)
	if len(a.held) < 2 {
		return nil, p, nil
	}
	if op := a.held[0]; op != finClose && op != finPing && op != finPong || a.held[1] > maxControl-2 {
		return nil, nil, errNoControlFrame
	}
	size := frameLen(a.held)
	a.held = slices.Grow(a.held, size-len(a.held))
	p = a.fill(p, size)
	if len(a.held) < size {
		return nil, p, nil
	}
	frame, a.held = a.held, nil
	return frame, p, nil
}

// fill moves bytes from p until n are held, and returns the rest of p.
func (a *assembler) fill(p []byte, n int) []byte {
	n = min(max(n-len(a.held), 0), len(p))
	a.held = append(a.held, p[:n]...)
	return p[n:]
}

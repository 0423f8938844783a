package protocol

import (
	"encoding/binary"
	"iter"
)

// headerSpace is the longest header of a frame without a mask: 2 bytes and a length of 8 (RFC 6455 §5.2).
const headerSpace = 10

// A Frame is the bytes of one event, encoded once and shared by all who get it. Nobody modifies them.
// The zero Frame has none.
type Frame struct {
	buf []byte // headerSpace bytes and the JSON; the header stands right before the JSON
}

// newFrame returns the reserved bytes, with room for n bytes of JSON to append.
func newFrame(n int) []byte { return make([]byte, headerSpace, headerSpace+n) }

// finishFrame writes the header of the JSON that was appended to newFrame's bytes, and takes them over.
func finishFrame(b []byte) Frame {
	const finText = 0x81 // FIN and opcode 1; what a server sends has no mask
	switch n := len(b) - headerSpace; headerLen(n) {
	case 2:
		b[8], b[9] = finText, byte(n)
	case 4:
		b[6], b[7] = finText, 126
		binary.BigEndian.PutUint16(b[8:], uint16(n))
	default:
		b[0], b[1] = finText, 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
	return Frame{buf: b}
}

// headerLen returns the length of the header before n bytes.
func headerLen(n int) int {
	switch {
	case n < 126:
		return 2
	case n < 1<<16:
		return 4
	}
	return headerSpace
}

// Wire returns the whole websocket frame. The caller must not modify it.
func (f Frame) Wire() []byte {
	if f.IsZero() {
		return nil
	}
	return f.buf[headerSpace-headerLen(len(f.buf)-headerSpace) : len(f.buf) : len(f.buf)]
}

// JSON returns the frame's text without its header. The caller must not modify it.
func (f Frame) JSON() []byte {
	if f.IsZero() {
		return nil
	}
	return f.buf[headerSpace:len(f.buf):len(f.buf)]
}

// IsZero reports whether f is the zero Frame.
func (f Frame) IsZero() bool { return f.buf == nil }

// A Batch is frames in the order in which they are sent, joined so that a websocket takes them in one write.
// It is a small value that is passed by copy, and never changes. The zero Batch has no frames.
type Batch struct {
	wire []byte // the frames, which say themselves where they end
	n    int
}

// Join returns the frames as a batch. One frame is taken as it is, without a copy or an allocation; more are copied once.
// Zero frames are left out and not counted.
func Join(frames ...Frame) Batch {
	var size, n int
	var last []byte
	for _, f := range frames {
		if !f.IsZero() {
			last = f.Wire()
			size += len(last)
			n++
		}
	}
	if n <= 1 {
		return Batch{last, n}
	}
	wire := make([]byte, 0, size)
	for _, f := range frames {
		wire = append(wire, f.Wire()...)
	}
	return Batch{wire, n}
}

// Wire returns all the frames' bytes. The caller must not modify them.
func (b Batch) Wire() []byte { return b.wire }

// Len returns the number of frames.
func (b Batch) Len() int { return b.n }

// All returns the JSON text of each frame, for transports that frame in another way. They must not be modified.
func (b Batch) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := b.wire; len(rest) > 0; {
			head, end := cut(rest)
			if !yield(rest[head:end:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// Without returns b without the frames whose numbers are in skip, which count from 0 and must ascend: the variant for a
// socket that caused some of them. Numbers outside of the batch are ignored.
func (b Batch) Without(skip ...int) Batch {
	if len(skip) == 0 {
		return b
	}
	wire := make([]byte, 0, len(b.wire))
	kept, i := 0, 0
	for rest := b.wire; len(rest) > 0; i++ {
		_, end := cut(rest)
		for len(skip) > 0 && skip[0] < i {
			skip = skip[1:]
		}
		if len(skip) == 0 || skip[0] != i {
			wire = append(wire, rest[:end]...)
			kept++
		}
		rest = rest[end:]
	}
	if kept == 0 {
		return Batch{}
	}
	return Batch{wire, kept}
}

// cut returns where the JSON of the first frame in wire begins and where it ends. wire holds whole frames only.
func cut(wire []byte) (head, end int) {
	switch n := int(wire[1]); n {
	case 126:
		return 4, 4 + int(binary.BigEndian.Uint16(wire[2:]))
	case 127:
		return headerSpace, headerSpace + int(binary.BigEndian.Uint64(wire[2:]))
	default:
		return 2, 2 + n
	}
}

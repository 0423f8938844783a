package ws

import (
	"sync"
	"time"
)

const (
	// chunkSize is the most that a drain writes at once, in bytes, and the size
	// of its buffer for small frames.
	chunkSize = 16 << 10
	// writeWait is how long a chunk may take before the peer counts as stuck.
	writeWait = 10 * time.Second
)

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// drain writes what is pending until nothing is. There is at most one per
// outbox. It ends when the queue is empty, when a chunk took writeWait, and
// when the connection is closed.
//
// Call tree:
//
//	drain
//	  next          what the last write took is let go; the next chunk, or the end
//	  conn.Write    blocks, under a deadline
//	  finish        what was to be done once the queue is empty
func (o *outbox) drain() {
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	var n int
	var err error
	for {
		chunk, then := o.next(n, err, buf[:])
		if chunk == nil {
			o.finish(then)
			return
		}
		n, err = o.conn.Write(chunk)
	}
}

// next lets go of the n bytes that were written, and returns what is to be
// written now: a part of the queue, or of buf. With nil the drain is over, and
// then is to be done.
func (o *outbox) next(n int, err error, buf []byte) (chunk []byte, then ending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == closed {
		return nil, stay // it was ended from outside, and pending is gone
	}
	if err != nil {
		o.endLocked(true)
		return nil, stay
	}
	o.advanceLocked(n)
	if len(o.pending) == 0 {
		o.pending, o.draining = nil, false
		o.conn.SetWriteDeadline(time.Time{})
		if o.then == leave {
			o.phase = closed
		}
		return nil, o.then
	}
	chunk = o.chunkLocked(buf)
	o.busy = len(chunk)
	o.conn.SetWriteDeadline(time.Now().Add(writeWait))
	return chunk, stay
}

// advanceLocked moves the front of the queue by n bytes. The caller must hold
// mu.
func (o *outbox) advanceLocked(n int) {
	o.busy = 0
	o.sent += n
	o.bytes -= n
	for len(o.pending) > 0 && o.sent >= len(o.pending[0]) {
		o.sent -= len(o.pending[0])
		o.bytes -= entryCost
		o.pending[0] = nil
		o.pending = o.pending[1:]
	}
}

// chunkLocked returns the next bytes of the queue, which is not empty: a large
// frame as it is, small ones joined in buf, because copying them costs less
// than a system call for each. The caller must hold mu.
func (o *outbox) chunkLocked(buf []byte) []byte {
	front := o.pending[0][o.sent:]
	if len(front) >= len(buf) || len(o.pending) == 1 {
		return front[:min(len(front), len(buf))]
	}
	n := copy(buf, front)
	for _, b := range o.pending[1:] {
		if n == len(buf) {
			break
		}
		n += copy(buf[n:], b)
	}
	return buf[:n]
}

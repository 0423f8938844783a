package ws

import (
	"net"
	"time"
)

// How a connection ends.
//
//	peer closes    coder queues the answer and closes wire: release
//	we close       control queues the Close frame; the reader sees the peer's
//	               answer, and coder closes wire: release
//	we reject      (a message that is too big, ...) control queues the Close
//	               frame; linger, because the peer may be in the middle of a
//	               message; release
//	peer is gone   read error: release
//	peer is stuck  expire, closeWait after the Close frame was queued or the
//	               connection was released; or a chunk that took writeWait

// longAgo is a read deadline that ends every read.
var longAgo = time.Unix(1, 0)

// armLocked makes sure that the connection ends within closeWait from the
// first call on. The caller must hold mu.
func (o *outbox) armLocked() {
	if o.timer == nil {
		o.timer = time.AfterFunc(closeWait, o.expire)
	}
}

// expire ends the connection, because the peer took too long.
func (o *outbox) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	// With nothing pending the kernel may still deliver the Close frame. It
	// would keep what a slow reader left in it for minutes, though.
	o.endLocked(o.slow || len(o.pending) > 0)
}

// endLocked closes the connection now and lets go of what is pending; reset:
// the kernel too drops what it has not sent. The caller must hold mu.
func (o *outbox) endLocked(reset bool) {
	o.phase, o.draining = closed, false
	o.pending, o.sent, o.busy, o.bytes = nil, 0, 0, 0
	if o.timer != nil {
		o.timer.Stop()
	}
	conn := o.conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn() // TLS would write a farewell first, and may block in it
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		tcp.SetLinger(0)
	}
	conn.Close()
	o.wakeLocked() // nobody else would tell the reader
}

// release lets go of the connection: a blocked read returns at once and no read
// will wait again, what is pending goes out, then the connection is closed.
func (o *outbox) release() {
	o.mu.Lock()
	if o.phase == closed {
		o.mu.Unlock()
		return
	}
	o.deaf = true
	o.conn.SetReadDeadline(longAgo)
	o.wakeLocked()
	o.armLocked()
	o.then = leave
	idle := !o.draining
	if o.phase = closing; idle {
		o.phase = closed
	}
	o.mu.Unlock()
	if idle {
		o.finish(leave)
	}
}

// setReadDeadline sets coder's read deadline of the connection, unless reads
// have been ended for good.
func (o *outbox) setReadDeadline(t time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bounded = !t.IsZero()
	if o.deaf {
		return nil
	}
	return o.conn.SetReadDeadline(t)
}

// pause sets a read deadline that ends only a pause of the reader. It returns
// false where the deadline has a meaning already.
func (o *outbox) pause(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.deaf && !o.bounded && o.conn.SetReadDeadline(t) == nil
}

// wake gives a parked connection its reader back.
func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakeLocked()
}

// wakeLocked is wake. The caller must hold mu.
func (o *outbox) wakeLocked() {
	if o.parked != nil {
		o.parked.resume()
		o.parked = nil
	}
}

// linger waits until the peer ends its direction, at most closeWait, and
// discards what it still sends. Input left unread would turn our close into a
// reset, and that can overtake the Close frame. It does nothing unless a Close
// frame is queued and the connection not yet released. The caller is the only
// reader.
func (o *outbox) linger() {
	o.mu.Lock()
	if o.phase != closing || o.deaf {
		o.mu.Unlock()
		return
	}
	o.then = shut
	idle := !o.draining
	o.mu.Unlock()
	if idle {
		o.finish(shut)
	}
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	for {
		if _, err := o.conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// finish does what was to be done once nothing is pending. The caller must not
// hold mu: with TLS either may take a while.
func (o *outbox) finish(then ending) {
	switch then {
	case shut:
		if c, ok := o.conn.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		}
	case leave:
		o.conn.Close()
		o.mu.Lock()
		defer o.mu.Unlock()
		o.timer.Stop()
	}
}

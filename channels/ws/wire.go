package ws

import (
	"net"
	"time"
)

// A wire is a Conn's connection as coder/websocket sees it. Reads pass through,
// control frames are queued in the outbox like everything else, and Close lets
// what is queued go out first. It is safe for concurrent use as far as coder
// goes: one Read at a time, one Write at a time.
type wire struct{ c *Conn }

var _ net.Conn = wire{}

// Read reads what the reader has in hand, then the connection.
func (w wire) Read(p []byte) (int, error) {
	in, o := w.c.in, &w.c.out
	if in == nil {
		return o.conn.Read(p) // it has ended
	}
	if len(in.rest) > 0 {
		return in.take(p), nil
	}
	for {
		n, err := o.conn.Read(p)
		if n > 0 {
			in.heard = true
			return n, nil
		}
		if err = in.retry(o, err); err != nil {
			return 0, err
		}
	}
}

// Write queues the control frames in p, which may begin and end inside of one.
// It never blocks, and never fails on a connection that has ended: coder is on
// its way out then.
func (w wire) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		frame, next, err := w.c.frames.next(rest)
		if err != nil {
			return len(p) - len(rest), err
		}
		if frame != nil {
			w.c.out.control(validClose(frame))
		}
		rest = next
	}
	return len(p), nil
}

// Close ends a blocked Read at once, and the connection when what is queued
// has been written, or after 2 s.
func (w wire) Close() error {
	w.c.out.release()
	return nil
}

func (w wire) LocalAddr() net.Addr  { return w.c.out.conn.LocalAddr() }
func (w wire) RemoteAddr() net.Addr { return w.c.out.conn.RemoteAddr() }

// SetDeadline is SetReadDeadline: writes are queued.
func (w wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetReadDeadline bounds reads until Close, which ends them for good.
func (w wire) SetReadDeadline(t time.Time) error { return w.c.out.setReadDeadline(t) }

// SetWriteDeadline does nothing: a Write never waits.
func (w wire) SetWriteDeadline(time.Time) error { return nil }

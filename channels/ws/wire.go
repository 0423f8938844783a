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

// Read reads from the connection: first what net/http had read of it already.
func (w wire) Read(p []byte) (int, error) {
	if len(w.c.early) > 0 {
		n := copy(p, w.c.early)
		if w.c.early = w.c.early[n:]; len(w.c.early) == 0 {
			w.c.early = nil
		}
		return n, nil
	}
	return w.c.out.conn.Read(p)
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

package persistent

import (
	"bytes"
	"context"
	"errors"
	"net"
	"time"
)

// giveBack lets the server have the connection, with what has been read of it.
func (c *conn) giveBack() {
	given := c.accepted
	if n := c.in.Buffered(); n > 0 {
		early, _ := c.in.Peek(n)
		given = &replay{c.accepted, bytes.Clone(early)}
	}
	_ = given.SetDeadline(time.Time{})
	c.on.requests = 0
	_ = c.kept.server.Serve(newOnce(c.on.ctx, given)) // returns at once; an error is that of once
}

// A replay is a connection of which something has been read already.
type replay struct {
	net.Conn
	early []byte
}

// Accepted returns the connection as it was accepted, for who takes it over: a
// websocket's transport needs its socket. It returns r itself while what has been read
// is still to be read again; net/http does so at once.
func (r *replay) Accepted() net.Conn {
	if len(r.early) > 0 {
		return r
	}
	return r.Conn
}

// CloseWrite ends our direction, if that can be ended alone.
func (r *replay) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Read implements net.Conn.
func (r *replay) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		r.early = r.early[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// A once is a listener that accepts one connection, once more.
type once struct {
	ctx  context.Context // of the connection, as it was accepted first
	conn chan net.Conn   // never closed
}

func newOnce(ctx context.Context, c net.Conn) once {
	o := once{ctx, make(chan net.Conn, 1)}
	o.conn <- c
	return o
}

// Accept implements net.Listener.
func (o once) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	default:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (o once) Addr() net.Addr { return address{} }

// Close implements net.Listener. A server that has ended accepts nothing. Shutdown may
// call it while Serve accepts.
func (o once) Close() error {
	select {
	case c := <-o.conn:
		return c.Close()
	default:
		return nil
	}
}

// An address is that of no socket.
type address struct{}

// Network implements net.Addr.
func (address) Network() string { return "persistent" }

// String implements net.Addr.
func (address) String() string { return "a connection that was given back" }

package ws

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// coder keeps the buffers that Hijack returns for the life of the connection.
// The reader's is for headers and small messages, larger payloads bypass it;
// the writer's takes the largest control frame in one piece.
const (
	readBuffer  = 512
	writeBuffer = maxControl + 1
)

// accept answers the upgrade request r and takes its connection over. After an
// error coder has answered with a status of 4xx or 501.
//
// Any Origin may connect: apps identify clients by signatures, not by cookies.
// There is no compression and no subprotocol.
func accept(w http.ResponseWriter, r *http.Request, run func(func()) bool, limit int) (*Conn, *websocket.Conn, error) {
	c := new(Conn)
	if h, ok := hijacker(w); ok {
		w = &takeover{w, h, func(conn net.Conn, early []byte) net.Conn {
			c.early = early
			c.out.attach(conn, run, limit)
			return wire{c}
		}}
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		OnPingReceived:     func(context.Context, []byte) bool { c.alive(); return true },
		OnPongReceived:     func(context.Context, []byte) { c.alive() },
	})
	return c, ws, err
}

// hijacker returns the Hijacker of w or of what it wraps, as
// http.ResponseController finds it.
func hijacker(w http.ResponseWriter) (http.Hijacker, bool) {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return t, true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil, false
		}
	}
}

// A takeover is a ResponseWriter whose Hijack puts our connection in place of
// the server's, and small buffers in place of its two of 4 KiB.
type takeover struct {
	http.ResponseWriter
	hijacker http.Hijacker
	wrap     func(conn net.Conn, early []byte) net.Conn
}

// Hijack takes the connection, with what had been read of it already.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := t.hijacker.Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	conn = t.wrap(conn, bytes.Clone(early))
	return conn, bufio.NewReadWriter(bufio.NewReaderSize(conn, readBuffer), bufio.NewWriterSize(conn, writeBuffer)), nil
}

// WriteHeaderNow writes the 101 of a writer that holds it back. gin's does,
// and coder asks the outermost writer only.
func (t *takeover) WriteHeaderNow() {
	if w, ok := t.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}

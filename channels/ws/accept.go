package ws

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// coderBuffer is the size of each of the two buffers that Hijack returns and
// that coder keeps for the life of the connection, in bytes: the least that
// bufio takes. Headers of frames go through them; what is larger does not.
const coderBuffer = 16

// accept answers the upgrade request r and takes its connection over. After an
// error coder has answered with a status of 4xx or 501.
//
// Any Origin is accepted: whether it may connect, the hub says, which knows the
// app. There is no compression and no subprotocol.
func accept(w http.ResponseWriter, r *http.Request, run func(func()) bool, limit int) (*Conn, error) {
	c := new(Conn)
	if h, ok := hijacker(w); ok {
		w = &takeover{w, h, func(conn net.Conn, early, answer []byte) (net.Conn, *bufio.ReadWriter) {
			if len(early) > 0 {
				c.in = newIntake(bytes.Clone(early))
			}
			c.out.attach(conn, answer, run, limit)
			c.ahead = bufio.NewReaderSize(wire{c}, coderBuffer)
			return wire{c}, bufio.NewReadWriter(c.ahead, bufio.NewWriterSize(wire{c}, coderBuffer))
		}}
	}
	var err error
	c.ws, err = websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		OnPingReceived:     func(context.Context, []byte) bool { c.alive(); return true },
		OnPongReceived:     func(context.Context, []byte) { c.alive() },
	})
	return c, err
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
// the server's, and small buffers in place of its two of 4 KiB. It keeps the
// 101 back, so that it leaves with the first message.
type takeover struct {
	http.ResponseWriter
	hijacker http.Hijacker
	wrap     func(conn net.Conn, early, answer []byte) (net.Conn, *bufio.ReadWriter)
}

// WriteHeader writes the status of an error.
func (t *takeover) WriteHeader(status int) {
	if status != http.StatusSwitchingProtocols {
		t.ResponseWriter.WriteHeader(status)
	}
}

// Hijack takes the connection, with what had been read of it already and with
// the answer to its request.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := t.hijacker.Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	if given, ok := conn.(interface{ Accepted() net.Conn }); ok {
		conn = given.Accepted() // httpapi/persistent had it, and gave it back to net/http
	}
	conn, rw = t.wrap(conn, early, t.answer())
	return conn, rw, nil
}

// answer returns the response of RFC 6455 §4.2.2.
func (t *takeover) answer() []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = t.Header().Write(&b) // to memory
	b.WriteString("\r\n")
	return b.Bytes()
}

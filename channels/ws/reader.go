package ws

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/coder/websocket"

	"hark/protocol"
)

// startReading hands what arrives to s until the connection ends; a nil s was
// refused, and only the end is waited for. It returns at once. When run starts
// nothing any more, because the hub has ended, the connection is closed and its
// end is waited for here: at most closeWait.
//
// Call tree:
//
//	startReading
//	  run(read)
//	    receive            until an error or an end
//	      ws.Reader        waits; answers pings and closes through wire
//	      readMessage      into a pooled buffer
//	      socket.Receive
//	    socket.End
//	    outbox.linger      when the Close frame was ours
//	    ws.CloseNow        wire.Close, outbox.release
func (c *Conn) startReading(ws *websocket.Conn, s socket) {
	limit := maxRefused
	if c.socket = s; s != nil {
		limit = s.MessageLimit()
	}
	if limit == math.MaxInt {
		ws.SetReadLimit(-1)
	} else {
		ws.SetReadLimit(int64(limit))
	}
	if !c.out.run(func() { c.read(ws, limit) }) {
		c.Close(protocol.CloseOverCapacity, protocol.CloseOverCapacity.Reason())
		c.read(ws, limit)
	}
}

// maxRefused bounds a message of a client that was refused, in bytes. It is
// discarded anyway.
const maxRefused = 4 << 10

// read is a connection's reader goroutine.
func (c *Conn) read(ws *websocket.Conn, limit int) {
	c.receive(ws, limit)
	if c.socket != nil {
		c.socket.End()
	}
	c.out.linger()
	ws.CloseNow()
}

// receive brings messages to the socket. It returns when the connection has
// ended or is to end.
func (c *Conn) receive(ws *websocket.Conn, limit int) {
	for {
		// Background, because any other context costs coder allocations for
		// each message, and because its end would close the connection.
		kind, r, err := ws.Reader(context.Background())
		if err != nil || c.out.isClosing() {
			return
		}
		if kind != websocket.MessageText {
			c.Close(protocol.CloseUnsupported, protocol.CloseUnsupported.Reason())
			return
		}
		if !c.receiveMessage(r, limit) {
			return
		}
	}
}

// receiveMessage brings one message to the socket, or returns false.
func (c *Conn) receiveMessage(r io.Reader, limit int) bool {
	buf := messages.Get().(*[]byte)
	b, err := readMessage((*buf)[:0], r, limit)
	if err == nil {
		c.socket.Receive(b)
	}
	if cap(b) <= keptMessage {
		*buf = b
	}
	messages.Put(buf)
	return err == nil
}

const (
	// newMessage is the size of a fresh message buffer, in bytes; nearly all
	// messages are smaller.
	newMessage = 4 << 10
	// keptMessage is the size up to which a grown one is used again.
	keptMessage = 64 << 10
)

// messages are buffers for whole messages. A connection has one from a
// message's header to its end; none while it is idle.
var messages = sync.Pool{New: func() any { return new(make([]byte, 0, newMessage)) }}

// readMessage appends what r has to b. The buffer grows with what has come, not
// with what a header announces, and not past what may come: r ends with an
// error after limit+1 bytes.
func readMessage(b []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			size := 2 * cap(b)
			if size > limit {
				size = limit + 2
			}
			b = append(make([]byte, 0, size), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// alive tells the socket that a frame came which is no message.
func (c *Conn) alive() {
	if c.socket != nil {
		c.socket.Alive()
	}
}

package ws

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"github.com/coder/websocket"

	"hark/protocol"
)

// startReading hands what arrives to s until the connection ends; a nil s was
// refused, and only the end is waited for. It returns at once. The connection
// is parked until something comes, or has a goroutine of its own where that
// cannot be. When run starts nothing any more, because the hub has ended, the
// connection is closed and its end is waited for here: at most closeWait.
//
// Call tree:
//
//	startReading
//	  park                 until there is something to read: readAgain
//	  run(readAlways)      where there is no parking
//	    receive            until an error or an end, or the patience ends: park
//	      intake.fill      waits
//	      take             a frame that is there as a whole: a text, a ping, a pong
//	      ws.Reader        any other message's header; the peer's close through wire
//	      readMessage      into a pooled buffer
//	      deliver          socket.Receive
//	    finish
//	      socket.End
//	      outbox.linger    when the Close frame was ours
//	      ws.CloseNow      wire.Close, outbox.release
func (c *Conn) startReading(s socket, parking *parking, patience time.Duration) {
	c.socket = s
	c.out.greet()
	limit := int64(-1)
	if n := c.messageLimit(); n < math.MaxInt {
		limit = int64(n)
	}
	c.ws.SetReadLimit(limit)
	switch {
	case patience > 0 && c.out.raw != nil && parking.enter(c, patience, c.out.run):
		if c.in != nil || !c.park() {
			c.resume()
		}
	case c.out.run(c.readAlways):
	default:
		c.Close(protocol.CloseOverCapacity, protocol.CloseOverCapacity.Reason())
		c.readAlways()
	}
}

// maxRefused bounds a message of a client that was refused, in bytes. It is
// discarded anyway.
const maxRefused = 4 << 10

func (c *Conn) messageLimit() int {
	if c.socket == nil {
		return maxRefused
	}
	return c.socket.MessageLimit()
}

// readAlways reads on a goroutine that the connection keeps.
func (c *Conn) readAlways() {
	if c.in == nil {
		c.in = newIntake(nil)
	}
	c.read(forever)
}

// readAgain reads from when there is something to read to when there is no
// more. One message alone is not waited for the next: after thousands have come
// back and subscribed, that would be thousands of goroutines.
func (c *Conn) readAgain() {
	if c.in == nil {
		c.in = newIntake(nil)
	}
	poller := c.parking.poller
	var patience time.Duration
	now := poller.now()
	if now < c.warm {
		patience = poller.patience
	}
	c.warm = now + poller.patience
	c.read(patience)
}

// read is a connection's reader, until the connection has ended or is parked.
func (c *Conn) read(patience time.Duration) {
	for c.receive(patience) {
		if c.park() {
			return
		}
		patience = forever // the next read says that the connection has ended
	}
	c.finish()
}

// receive brings messages to the socket. It returns true when nothing has come
// for too long, and false when the connection has ended or is to end.
func (c *Conn) receive(patience time.Duration) (idle bool) {
	for {
		if c.ahead.Buffered() == 0 { // coder has used what it has read
			if len(c.in.rest) == 0 {
				if err := c.in.fill(&c.out, patience); err != nil {
					return errors.Is(err, errIdle)
				}
			}
			if op, payload, n := cutFrame(c.in.rest, c.messageLimit()); n > 0 {
				c.in.rest = c.in.rest[n:]
				if !c.take(op, payload) {
					return false
				}
				continue
			}
		}
		// Background, because any other context costs coder allocations for
		// each message, and because its end would close the connection.
		kind, r, err := c.ws.Reader(context.Background())
		if err != nil || c.out.isClosing() {
			return false
		}
		if kind != websocket.MessageText {
			c.Close(protocol.CloseUnsupported, protocol.CloseUnsupported.Reason())
			return false
		}
		if !c.receiveMessage(r) {
			return false
		}
	}
}

// take handles a frame that came as a whole, between messages, or returns false when the
// connection is to end. coder would do the same with a text, more slowly; and in the
// read after a ping it would stay until the next message begins, so that the connection
// could not be parked.
func (c *Conn) take(op byte, payload []byte) bool {
	switch op {
	case finText:
		if c.out.isClosing() {
			return false
		}
		c.deliver(payload)
	case finPing:
		c.alive()
		c.out.control(pong(payload))
	case finPong:
		c.alive()
	}
	return true
}

// finish ends what is left of the connection, and tells the socket.
func (c *Conn) finish() {
	if c.socket != nil {
		c.socket.End()
	}
	c.in.stop(&c.out)
	c.out.linger()
	c.ws.CloseNow()
	c.ws = nil // coder's finalizer would keep both of us for ever
	c.in.free()
	c.in = nil
	if c.parking != nil {
		c.parking.leave(c)
	}
}

// receiveMessage brings one message to the socket, or returns false.
func (c *Conn) receiveMessage(r io.Reader) bool {
	buf := messages.Get().(*[]byte)
	b, err := readMessage((*buf)[:0], r, c.messageLimit())
	if err == nil {
		c.deliver(b)
	}
	if cap(b) <= keptMessage {
		*buf = b
	}
	messages.Put(buf)
	return err == nil
}

// deliver hands one message to the socket. b is the caller's again when it returns.
func (c *Conn) deliver(b []byte) {
	if c.ahead.Buffered() > 0 || len(c.in.rest) > 0 {
		c.socket.ReceiveMore(b)
	} else {
		c.socket.Receive(b)
	}
}

const (
	// newMessage is the size of a fresh message buffer, in bytes; nearly all
	// messages are smaller.
	newMessage = 4 << 10
	// keptMessage is the size up to which a grown one is used again.
	keptMessage = 64 << 10
)

// messages are buffers for messages that coder reads. A connection has one from such a
// message's header to its end.
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

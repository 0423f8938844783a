package ws

import (
	"bufio"
	"time"

	"github.com/coder/websocket"

	"hark/channels"
	"hark/protocol"
)

// A Conn is one websocket. It keeps the promises of channels.Conn; the HTTP
// handler makes it and its reader ends it.
type Conn struct {
	out outbox

	// Static once reading has started.
	socket  socket   // whom messages go to; nil: refused
	parking *parking // where it is parked while it is silent; nil: it has a goroutine always
	number  uint64   // there

	// Owned by the reader.
	ws      *websocket.Conn
	ahead   *bufio.Reader // coder's
	in      *intake       // nil while parked
	watched bool          // has been parked
	warm    time.Duration // the poller's time until which something that comes is not the first

	// Owned by coder, which writes one frame at a time.
	frames assembler
}

var (
	_ channels.Conn   = (*Conn)(nil)
	_ channels.Pinger = (*Conn)(nil)

	_ channels.Gatherer = (*Conn)(nil)
)

// A socket is what a Conn needs of a channels.Socket.
type socket interface {
	Receive(b []byte)
	ReceiveMore(b []byte)
	Alive()
	End()
	MessageLimit() int
}

// Send writes the frames of b in order, or queues what the kernel does not
// take. It keeps a reference to b's bytes until they are out. See
// channels.Conn for the errors.
func (c *Conn) Send(b protocol.Batch) error {
	wire := b.Wire()
	if len(wire) == 0 {
		return nil
	}
	return c.out.send(wire)
}

// SendAll is Send for each of batches, with one write where they are small. See
// channels.Gatherer.
func (c *Conn) SendAll(batches []protocol.Batch) error { return c.out.sendAll(batches) }

// Close queues a Close frame behind what was accepted before. The connection
// ends with the peer's answer, or after 2 s. Only the first call counts, and
// none after the peer or the outbox has closed. Codes that may not be on the
// wire, such as 1006, are sent as a Close frame without a code.
func (c *Conn) Close(code protocol.CloseCode, reason string) {
	c.out.control(closeFrame(code, reason))
}

// Ping queues a websocket ping, which every client's stack answers by itself.
func (c *Conn) Ping() { c.out.control(pingFrame) }

var pingFrame = []byte{finPing, 0}

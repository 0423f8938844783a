package channels

import (
	"errors"

	"hark/protocol"
)

// A Conn sends to one client. It is told what arrives: transports push into
// the Socket (Receive, Alive, End), so an idle connection needs no goroutine.
//
//   - Send takes the frames of b in order and never blocks: what the kernel
//     takes is written, the rest is kept by reference in the Conn's outbox.
//     b is shared with other Conns; nobody may write to it, now or later.
//   - A Conn whose outbox passes its bound drops what waits, closes itself
//     with 4100 and answers ErrSlow once. From then on, and after Close, Send
//     answers ErrClosed.
//   - Close sends what was accepted before it, then the close code and reason,
//     and ends the connection within 2 s, whether the peer reads or not. It
//     never blocks. Only the first call counts.
//   - When the connection has ended, for whatever reason, the transport calls
//     Socket.End, once.
//
// All methods may be called concurrently. The suite conntest holds every
// transport to this.
type Conn interface {
	Send(b protocol.Batch) error
	Close(code protocol.CloseCode, reason string)
}

// A Pinger is a Conn that can send a ping of its transport. Clients that speak
// protocol 4 know no pusher:ping and get that instead.
type Pinger interface {
	Ping()
}

// A Gatherer is a Conn that can send several batches with one write. SendAll
// is Send for each of them in order, and answers ErrSlow for all if they pass
// the bound together. The slice is the caller's again afterwards.
type Gatherer interface {
	SendAll(batches []protocol.Batch) error
}

var (
	// ErrSlow says that the client did not read fast enough: the Conn's outbox
	// passed its bound and the Conn is closing itself with 4100.
	ErrSlow = errors.New("channels: the client reads too slowly and is being closed")
	// ErrClosed says that the Conn takes nothing more.
	ErrClosed = errors.New("channels: the connection is closed")
)

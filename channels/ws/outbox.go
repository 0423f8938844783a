package ws

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"hark/channels"
	"hark/channels/sock"
	"hark/protocol"
)

const (
	// defaultLimit bounds what an outbox holds, in bytes.
	defaultLimit = 1 << 20
	// entryCost is what a waiting slice counts for beside its bytes, so that
	// many tiny frames cannot hold a multiple of the bound.
	entryCost = 24
	// closeWait is how long a Close frame may take to get out and be answered.
	closeWait = 2 * time.Second
)

// slowFrame ends the connection of a client that does not read.
var slowFrame = closeFrame(protocol.CloseOverCapacity, "Over capacity: the client reads too slowly")

// An outbox is the one ordered and bounded path of a connection to the wire.
// While the kernel takes everything, a send is one system call under the lock,
// and nothing is kept. What the kernel does not take waits by reference, and a
// drain goroutine writes it; as long as that runs, others only append.
//
// Where there is no non-blocking write (TLS, net.Pipe) everything goes through
// the drain.
//
// All methods may be called concurrently and, but for linger, never block.
type outbox struct {
	// Static after attach.
	conn  net.Conn
	raw   syscall.RawConn       // nil: conn has no non-blocking write
	try   func(fd uintptr) bool // o.tryWrite, bound once so that a write allocates nothing
	run   func(func()) bool     // starts the drain on a goroutine that the hub waits for
	limit int                   // bytes that may wait, entryCost included

	mu sync.Mutex
	// Guarded by mu.
	answer   []byte // to the handshake; nil once it is out
	phase    phase
	then     ending
	slow     bool        // the bound was passed
	deaf     bool        // reads have been ended; no read deadline may be set any more
	bounded  bool        // coder has set a read deadline
	draining bool        // a drain runs; while none does, pending is empty
	parked   resumer     // the connection's reader, while it has no goroutine
	pending  [][]byte    // what waits: whole frames, shared, never written to
	sent     int         // bytes at the front of pending that are out
	busy     int         // bytes behind them that the drain is writing
	bytes    int         // what pending counts for
	timer    *time.Timer // ends the connection; set once phase is closing
	tryBytes []byte      // tryWrite's argument and results
	tryN     int
	tryErr   error
}

// A resumer is started again once there is something to read, or nothing ever.
type resumer interface{ resume() }

// A phase is how far the end of a connection has come.
type phase uint8

const (
	open    phase = iota
	closing       // a Close frame is queued, or the transport let go: nothing more is taken
	closed        // closed, or about to be by whoever has set this
)

// An ending is what is done once nothing is pending any more.
type ending uint8

const (
	stay  ending = iota
	shut         // end our direction only, to see the peer end its own
	leave        // close the connection
)

// attach takes conn over, and answers the handshake, if there was one: together
// with the first frame where it can, else now. It is called once, before everything else.
func (o *outbox) attach(conn net.Conn, answer []byte, run func(func()) bool, limit int) {
	o.conn, o.run, o.limit = conn, run, limit
	if raw, ok := sock.Raw(conn); ok {
		o.raw, o.try, o.answer = raw, o.tryWrite, answer
		return
	}
	if len(answer) == 0 {
		return
	}
	conn.SetWriteDeadline(time.Now().Add(writeWait))
	if _, err := conn.Write(answer); err != nil {
		conn.Close() // nothing may follow half an answer
	}
	conn.SetWriteDeadline(time.Time{})
}

// greet sends the answer to the handshake if nothing else has been sent.
func (o *outbox) greet() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answer != nil && o.phase == open {
		o.putLocked(nil, 0)
	}
}

// send queues b, whole frames that nobody modifies from now on. Over the bound
// it answers channels.ErrSlow and closes the connection with 4100 instead.
func (o *outbox) send(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sendLocked(b, 0)
}

// sendLocked is send for b of which n bytes are out already. The caller must
// hold mu.
func (o *outbox) sendLocked(b []byte, n int) error {
	if o.phase != open {
		return channels.ErrClosed
	}
	if o.fullLocked(len(b) - n) {
		o.slow = true
		o.dropLocked()
		o.closeLocked(slowFrame)
		return channels.ErrSlow
	}
	return o.putLocked(b, n)
}

// control queues a whole control frame, which is the outbox's from now on.
// After a Close frame, which may be frame itself, nothing is taken any more. A
// full outbox drops pings and pongs: the peer does not read, and a bound that
// a flood of pings could pass would be none.
func (o *outbox) control(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.phase != open:
	case frame[0] == finClose:
		o.closeLocked(frame)
	case !o.fullLocked(len(frame)):
		o.putLocked(frame, 0)
	}
}

// isClosing reports whether a Close frame has been queued, or more.
func (o *outbox) isClosing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.phase != open
}

// closeLocked queues the last frame, whatever waits before it. The caller must
// hold mu.
func (o *outbox) closeLocked(frame []byte) {
	o.phase = closing
	o.armLocked()
	o.putLocked(frame, 0)
}

// fullLocked reports whether n bytes more pass the bound. When nothing waits
// they never do: a single batch over the bound could otherwise not be sent at
// all, and its receiver would come back for it for ever. The caller must hold
// mu.
func (o *outbox) fullLocked(n int) bool {
	return o.bytes > 0 && o.bytes+n+entryCost > o.limit
}

// putLocked writes b, of which n bytes are out already, as far as the kernel
// takes it, and queues the rest. The caller must hold mu.
func (o *outbox) putLocked(b []byte, n int) error {
	if o.raw != nil && !o.draining {
		more, err := o.tryLocked(b[n:])
		if err != nil {
			o.endLocked(true)
			return channels.ErrClosed
		}
		if n += more; n == len(b) {
			return nil
		}
	}
	o.pending = append(o.pending, b)
	o.sent += n
	o.bytes += len(b) - n + entryCost
	if o.draining {
		return nil
	}
	o.draining = true
	if !o.run(o.drain) {
		o.endLocked(true)
		return channels.ErrClosed
	}
	return nil
}

// tryLocked writes to the kernel what it takes at once and returns how much
// that was. The caller must hold mu.
func (o *outbox) tryLocked(b []byte) (int, error) {
	answer := o.answer
	if answer != nil {
		b, o.answer = append(answer, b...), nil
	}
	o.tryBytes = b
	err := o.raw.Write(o.try)
	if err == nil {
		err = o.tryErr
	}
	o.tryBytes = nil
	if o.tryN < len(answer) && err == nil {
		err = errUnread
	}
	return o.tryN - len(answer), err
}

// errUnread ends a connection at its beginning.
var errUnread = errors.New("ws: the client has not read what it was sent before its handshake")

// tryWrite is tryLocked's system call. It answers true always: do not wait.
func (o *outbox) tryWrite(fd uintptr) bool {
	for {
		n, err := sock.Write(int(fd), o.tryBytes)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.EAGAIN) {
			err = nil
		}
		o.tryN, o.tryErr = max(n, 0), err
		return true
	}
}

// dropLocked drops what waits, but for the frame that is partly out and what
// the drain is writing at the moment. The caller must hold mu.
func (o *outbox) dropLocked() {
	out := o.sent + o.busy
	o.bytes = -o.sent
	for i, b := range o.pending {
		if out < len(b) {
			b = b[:frameEnd(b, out)]
			o.pending[i] = b
		}
		if len(b) == 0 {
			clear(o.pending[i:])
			o.pending = o.pending[:i]
			return
		}
		o.bytes += len(b) + entryCost
		out -= min(out, len(b))
	}
}

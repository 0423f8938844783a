package ws

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"hark/channels/sock"
)

// An intake is what a goroutine needs that reads a connection: a buffer for
// what has come and coder has not taken. A parked connection has none.
type intake struct {
	rest    []byte // not taken yet: a part of buf, or what net/http had read
	short   bool   // the last read took all that had come
	waiting bool   // a deadline is set on the connection
	heard   bool   // something came since it was

	try func(fd uintptr) bool // in.tryRead, bound once as reading allocates nothing then
	now bool                  // its argument: do not wait
	n   int                   // its results
	err error
	buf [readBuffer]byte
}

// readBuffer is the size of an intake, in bytes: large enough for most
// messages. The bytes of larger ones go past it.
const readBuffer = 1 << 10

var intakes = sync.Pool{New: func() any {
	in := new(intake)
	in.try = in.tryRead
	return in
}}

// newIntake returns an intake that holds early, which may be nil.
func newIntake(early []byte) *intake {
	in := intakes.Get().(*intake)
	in.rest = early
	return in
}

// free gives the intake back.
func (in *intake) free() {
	in.rest, in.short, in.waiting, in.err = nil, false, false, nil
	intakes.Put(in)
}

// take moves bytes to p.
func (in *intake) take(p []byte) int {
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n
}

// errIdle says that nothing has come and that nobody waits any longer.
var errIdle = errors.New("ws: nothing to read")

// forever is a patience without an end.
const forever time.Duration = -1

// fill reads what has come, and waits for it if nothing has: until patience has
// passed since the last byte, at most twice as long, then it answers errIdle.
// This is the only place where a wait may end without an end of the connection:
// coder's contract is that any error of a read does.
func (in *intake) fill(o *outbox, patience time.Duration) error {
	if patience == 0 {
		return in.fillNow(o)
	}
	for {
		if patience > 0 && !in.waiting {
			in.waiting, in.heard = o.pause(time.Now().Add(patience)), false
		}
		n, err := in.read(o)
		if n > 0 {
			in.rest, in.heard = in.buf[:n], true
			return nil
		}
		if err = in.retry(o, err); err != nil {
			return err
		}
		if !in.heard {
			return errIdle
		}
	}
}

// read waits for what comes, and for the connection's deadline.
func (in *intake) read(o *outbox) (int, error) {
	if o.raw == nil {
		return o.conn.Read(in.buf[:])
	}
	in.now = false
	err := o.raw.Read(in.try)
	switch {
	case err != nil:
		return 0, err
	case in.err == nil && in.n == 0:
		return 0, io.EOF
	}
	return in.n, in.err
}

// retry returns nil when err is only that the patience with a silent connection
// has ended; the deadline is cleared then.
func (in *intake) retry(o *outbox, err error) error {
	if !in.waiting || !errors.Is(err, os.ErrDeadlineExceeded) || !o.pause(time.Time{}) {
		return err
	}
	in.waiting = false
	return nil
}

// stop makes reads wait for as long as it takes.
func (in *intake) stop(o *outbox) {
	if in.waiting {
		o.pause(time.Time{})
		in.waiting = false
	}
}

// fillNow is fill without waiting. What comes while the bytes of a first read
// are being looked at makes the poller speak up.
func (in *intake) fillNow(o *outbox) error {
	if in.short {
		return errIdle
	}
	in.now = true
	if err := o.raw.Read(in.try); err != nil {
		return err
	}
	switch {
	case errors.Is(in.err, syscall.EAGAIN):
		return errIdle
	case in.err != nil:
		return in.err
	case in.n == 0:
		return io.EOF
	}
	in.rest, in.short = in.buf[:in.n], in.n < len(in.buf)
	return nil
}

// tryRead is the system call of read and fillNow. It answers false to wait.
func (in *intake) tryRead(fd uintptr) bool {
	for {
		in.n, in.err = sock.Read(int(fd), in.buf[:])
		if in.err == nil {
			return true
		}
		if !errors.Is(in.err, syscall.EINTR) {
			return in.now || !errors.Is(in.err, syscall.EAGAIN)
		}
	}
}

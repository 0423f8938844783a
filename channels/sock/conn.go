package sock

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
)

// Raw returns the socket of c, if c is a TCP or a Unix connection.
func Raw(c net.Conn) (syscall.RawConn, bool) {
	var file syscall.Conn
	switch c := c.(type) {
	case *net.TCPConn:
		file = c
	case *net.UnixConn:
		file = c
	default:
		return nil, false
	}
	raw, err := file.SyscallConn()
	return raw, err == nil
}

// Wrap returns c with the calls of this package, if c is a TCP or a Unix connection,
// and else c itself. Deadlines, errors and concurrent use are those of a net.Conn; what
// c can do beyond that is hidden. c must not be used any more beside it.
func Wrap(c net.Conn) net.Conn {
	raw, ok := Raw(c)
	if !ok {
		return c
	}
	w := &conn{Conn: c, raw: raw}
	w.in.try, w.out.try = w.tryRead, w.tryWrite
	return w
}

// Silent reports whether c, which Wrap has returned, is open as far as is known here and
// nothing waits to be read from it. Where that cannot be seen it is true.
func Silent(c net.Conn) bool {
	w, ok := c.(*conn)
	if !ok {
		return true
	}
	silent := false
	err := w.raw.Control(func(fd uintptr) {
		var first [1]byte
		_, err := Peek(int(fd), first[:])
		silent = errors.Is(err, syscall.EAGAIN)
	})
	return silent && err == nil
}

// A conn is a connection that Wrap returns.
type conn struct {
	net.Conn
	raw     syscall.RawConn
	in, out transfer
}

// A transfer is a Read or a Write. It is kept from one to the next, since the function
// that raw calls would be made anew for each.
type transfer struct {
	mu sync.Mutex
	// Guarded by mu.
	bytes []byte
	n     int
	err   error
	try   func(fd uintptr) bool // static
}

// run does a transfer of p in one direction of raw.
func (t *transfer) run(p []byte, direction func(func(uintptr) bool) error) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes, t.n, t.err = p, 0, nil
	err := direction(t.try)
	t.bytes = nil
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		failed.Op = strings.TrimPrefix(failed.Op, "raw-") // it is new, and nobody else's
	}
	return t.n, cmp.Or(err, t.err)
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.run(p, c.raw.Read)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.run(p, c.raw.Write)
	return n, err
}

// tryRead answers false to wait.
func (c *conn) tryRead(fd uintptr) bool {
	t := &c.in
	for {
		n, err := Read(int(fd), t.bytes)
		switch {
		case err == nil:
			t.n = n
			return true
		case errors.Is(err, syscall.EAGAIN):
			return false
		case !errors.Is(err, syscall.EINTR):
			t.err = c.failed("read", err)
			return true
		}
	}
}

// tryWrite answers false to wait.
func (c *conn) tryWrite(fd uintptr) bool {
	t := &c.out
	for t.n < len(t.bytes) {
		n, err := Write(int(fd), t.bytes[t.n:])
		switch {
		case err == nil:
			t.n += n
		case errors.Is(err, syscall.EAGAIN):
			return false
		case !errors.Is(err, syscall.EINTR):
			t.err = c.failed("write", err)
			return true
		}
	}
	return true
}

// failed is the error of a system call as a net.Conn has it.
func (c *conn) failed(call string, err error) error {
	return &net.OpError{
		Op: call, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(call, err),
	}
}

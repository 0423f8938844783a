package persistent

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"hark/channels/sock"
)

const (
	// headSize is how long a request's head may be that is served here, in bytes: what
	// net/http reads at once.
	headSize = 4 << 10
	// least is how many bytes have to come for a request to have begun, as in net/http.
	least = 4
	// unreadSize is how much of a body is read that the handler has left, so that the
	// connection can go on. lingerTime is how long one is read on that cannot, so that
	// the client sees its answer before the end. Both are net/http's.
	unreadSize = 256 << 10
	lingerTime = 500 * time.Millisecond
	// lastCall is how long a connection that waits for a request still does when its server
	// ends: what is on its way is answered, instead of lost.
	lastCall = 20 * time.Millisecond
)

// A conn is a connection that was taken over.
type conn struct {
	// Static after construction.
	kept *Connections
	on   *seen

	// Set by serve before anybody else knows of the connection: as it was accepted, and
	// wrapped.
	accepted, conn net.Conn
	ctx            context.Context // what its requests' contexts come from
	cancel         context.CancelFunc

	// Owned by serve.
	in     *bufio.Reader
	head   bytes.Reader // of a request, as a parser reads it
	body   *body
	answer answer
	host   string
	remote string

	mu sync.Mutex
	// Guarded by mu.
	started bool // accepted, conn, ctx and cancel are set
	waiting bool // for a request
	cutOff  bool
}

// serve takes the connection over with its second request, and serves it until it ends
// or is given back.
func (c *conn) serve(h http.Hijacker, first *http.Request) {
	accepted, rw, err := h.Hijack()
	if err != nil { // the server does not let it go
		panic(http.ErrAbortHandler)
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	if r, ok := accepted.(*replay); ok { // it was given back before
		accepted = r.Accepted()
	}
	c.start(accepted, first)
	defer c.cancel()
	c.in = rw.Reader // net/http's, of headSize: it is there anyway
	c.in.Reset(&replay{c.conn, bytes.Clone(early)})
	c.answer.header = make(http.Header)
	c.host, c.remote = first.Host, first.RemoteAddr
	given := false
	defer func() {
		if !given {
			accepted.Close()
		}
	}()
	for r := c.own(first); r != nil; { // handle gives each its context
		if !c.exchange(r) {
			return
		}
		if r, given = c.next(); given {
			c.giveBack()
		}
	}
}

func (c *conn) start(accepted net.Conn, first *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted, c.conn, c.started = accepted, sock.Wrap(accepted), true
	c.ctx, c.cancel = context.WithCancel(first.Context())
	if c.cutOff {
		c.endLocked()
	}
}

// next reads the next request. It returns nil if there will be none, or if net/http has
// to have it.
func (c *conn) next() (r *http.Request, foreign bool) {
	if !c.await() {
		return nil, false
	}
	c.skipLines()
	read, _ := c.in.Peek(c.in.Buffered())
	end := bytes.Index(read, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, true
	}
	head := read[:end+4]
	r, ok := c.parse(head)
	if !ok {
		return nil, true
	}
	r.RemoteAddr = c.remote
	if !isPlain(r) || r.Host != c.host || !hasOneHost(head) || !isValid(r.Header) || !c.kept.whole(r) {
		return nil, true
	}
	_, _ = c.in.Discard(len(head)) // they are there
	return c.own(r), false
}

// parsers are the buffers that heads are parsed in: a connection that waits has none.
var parsers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headSize) }}

// parse returns the request of a head, and whether it is all of it.
func (c *conn) parse(head []byte) (*http.Request, bool) {
	parser := parsers.Get().(*bufio.Reader)
	defer parsers.Put(parser)
	c.head.Reset(head)
	parser.Reset(&c.head)
	r, err := http.ReadRequest(parser)
	return r, err == nil && parser.Buffered() == 0 && c.head.Len() == 0
}

// skipLines passes over what some clients send behind a body that is not part of it, as
// net/http does (RFC 9112 §2.2).
func (c *conn) skipLines() {
	read, _ := c.in.Peek(least)
	_, _ = c.in.Discard(len(read) - len(bytes.TrimLeft(read, "\r\n")))
}

// hasOneHost reports whether one line of a head is its Host: of several the parser would
// take the first.
func hasOneHost(head []byte) bool {
	hosts := 0
	for line := range bytes.Lines(head) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("host")) {
			hosts++
		}
	}
	return hosts == 1
}

// isValid reports whether a server may take these headers (RFC 9110 §5.1, §5.5). The
// parser leaves it to the server.
func isValid(headers http.Header) bool {
	for name, values := range headers {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, isInvalidValue) {
			return false
		}
	}
	return true
}

func isInvalidValue(value string) bool { return !httpguts.ValidHeaderFieldValue(value) }

// await waits for a request to come. It returns false if none will.
func (c *conn) await() bool {
	if c.in.Buffered() >= least {
		return true
	}
	c.mu.Lock()
	c.waiting = true
	timeout := c.kept.idle()
	if c.kept.ending.Load() {
		timeout = lastCall
	}
	_ = c.conn.SetReadDeadline(after(timeout)) // a connection that has ended says so when it is read
	c.mu.Unlock()
	_, err := c.in.Peek(least)
	c.mu.Lock()
	c.waiting = false
	c.mu.Unlock()
	return err == nil
}

// interrupt has the connection end soon if it waits for a request.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		_ = c.conn.SetReadDeadline(time.Now().Add(lastCall))
	}
}

// cut ends the connection, whatever is under way, or as soon as it has been taken over.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutOff = true
	if c.started {
		c.endLocked()
	}
}

// endLocked ends the connection. The caller must hold mu.
func (c *conn) endLocked() {
	c.cancel()
	_ = c.accepted.Close()
}

// after is the end of a timeout that begins now; zero, for none, if there is none.
func after(timeout time.Duration) time.Time {
	if timeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(timeout)
}

// own has r's body read from here on.
func (c *conn) own(r *http.Request) *http.Request {
	c.body = &body{in: c.in, left: r.ContentLength}
	r.Body = http.NoBody
	if r.ContentLength > 0 {
		r.Body = c.body
	}
	if int64(c.in.Buffered()) < r.ContentLength {
		_ = c.conn.SetReadDeadline(after(c.kept.server.ReadTimeout))
	}
	return r
}

// exchange has r handled and answers it. It returns false if the connection cannot go
// on.
func (c *conn) exchange(r *http.Request) bool {
	a := &c.answer
	c.handle(r)
	more := !a.last() && c.body.skip() && !c.kept.ending.Load()
	if t := c.kept.server.WriteTimeout; t > 0 {
		_ = c.conn.SetWriteDeadline(after(t))
	}
	_, err := c.conn.Write(a.encode(more))
	a.reset()
	if err != nil {
		return false
	}
	if c.body.left > 0 {
		c.linger()
	}
	return more
}

// handle has r's context and its body end with its handler, as in net/http.
func (c *conn) handle(r *http.Request) {
	ctx, end := context.WithCancel(c.ctx)
	defer end()
	c.kept.next.ServeHTTP(&c.answer, r.WithContext(ctx))
	_ = c.body.Close()
}

// linger ends our direction and reads what the client still sends: if it were cut off
// instead, it might not see its answer.
func (c *conn) linger() {
	if end, ok := c.accepted.(interface{ CloseWrite() error }); ok && end.CloseWrite() == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, c.in)
	}
}

package persistent

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Connections are those of a server that are served here.
type Connections struct {
	// Static after construction.
	server *http.Server
	next   http.Handler
	whole  func(*http.Request) bool

	ending  atomic.Bool
	running sync.WaitGroup // grows only while ending is false

	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu
}

// Keep has the connections of s served here. It replaces its Handler, its BaseContext and
// its ConnContext, so these must be set before, and s must not be serving yet.
//
// whole says of a request whether it may be answered here. Its handler gets a
// ResponseWriter that sends the answer in one piece once it returns, and can do nothing
// that is optional: no Flush, no Hijack, no trailers. Nor does the context of its request
// end when the client goes. The timeouts of s count as in net/http, and so does its
// Shutdown, but that Wait waits for what is being answered here, and for what is on its way:
// a connection that waits for a request does so for 20 ms more.
//
// To s a connection that is served here has been hijacked: ConnState is told StateHijacked,
// and StateNew if it is given back; SetKeepAlivesEnabled(false) does not end it, and neither
// does Close. Wait, with a context that has ended, does what Close would.
func Keep(s *http.Server, whole func(*http.Request) bool) *Connections {
	k := &Connections{server: s, next: s.Handler, whole: whole, conns: make(map[*conn]struct{})}
	if k.next == nil {
		k.next = http.DefaultServeMux
	}
	base, before := s.BaseContext, s.ConnContext
	s.BaseContext = func(l net.Listener) context.Context {
		if o, ok := l.(once); ok {
			return o.ctx
		}
		if base != nil {
			return base(l)
		}
		return context.Background()
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if _, ok := ctx.Value(seenKey{}).(*seen); ok { // it was given back
			return ctx
		}
		if before != nil {
			ctx = before(ctx, c)
		}
		on := new(seen)
		on.ctx = context.WithValue(ctx, seenKey{}, on)
		return on.ctx
	}
	s.Handler = k
	s.RegisterOnShutdown(k.end)
	return k
}

// A seen is what is known of a connection, whoever serves it. Its requests come one after
// the other.
type seen struct {
	ctx      context.Context // of the connection, for as long as it lasts
	requests int             // that might have been served here, since net/http has it
}

type seenKey struct{}

// ServeHTTP implements http.Handler.
func (k *Connections) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	on, _ := r.Context().Value(seenKey{}).(*seen)
	if on == nil || !isPlain(r) || !k.whole(r) {
		k.next.ServeHTTP(w, r)
		return
	}
	on.requests++
	h, ok := w.(http.Hijacker)
	if on.requests < 2 || !ok {
		k.next.ServeHTTP(w, r)
		return
	}
	c := k.add(on)
	if c == nil {
		k.next.ServeHTTP(w, r)
		return
	}
	defer k.remove(c)
	c.serve(h, r)
}

// isPlain reports whether all that there is to r is its path, its headers, and a body
// of a length that they say.
func isPlain(r *http.Request) bool {
	connection := r.Header["Connection"]
	return r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.Method == http.MethodPost && r.TLS == nil &&
		r.Host != "" && r.URL.Host == "" &&
		r.ContentLength >= 0 && len(r.TransferEncoding) == 0 && !r.Close &&
		(len(connection) == 0 || len(connection) == 1 && strings.EqualFold(connection[0], "keep-alive")) &&
		r.Header["Expect"] == nil && r.Header["Upgrade"] == nil && r.Header["Trailer"] == nil
}

// add returns a new connection, or nil if there may be none any more.
func (k *Connections) add(on *seen) *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending.Load() {
		return nil
	}
	c := &conn{kept: k, on: on}
	k.conns[c] = struct{}{}
	k.running.Add(1)
	return c
}

func (k *Connections) remove(c *conn) {
	k.mu.Lock()
	delete(k.conns, c)
	k.mu.Unlock()
	k.running.Done()
}

// end has every connection end soon, or once nothing is being answered on it.
func (k *Connections) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ending.Store(true)
	for c := range k.conns {
		c.interrupt()
	}
}

// Wait waits, after the server's Shutdown, for the answers that are under way. When ctx
// ends it cuts them off: their requests' contexts end, and the reason is returned.
func (k *Connections) Wait(ctx context.Context) error {
	k.end()
	gone := make(chan struct{})
	go func() {
		k.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	k.mu.Lock()
	for c := range k.conns {
		c.cut()
	}
	k.mu.Unlock()
	<-gone
	return context.Cause(ctx)
}

// idle is how long a connection may wait for its next request; 0: for ever.
func (k *Connections) idle() time.Duration { return cmp.Or(k.server.IdleTimeout, k.server.ReadTimeout) }

package ws_test

import (
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/ws"
)

// A server serves a Handler without a hub.
type server struct {
	*ws.Handler
	// dial makes a connection to it.
	dial func() net.Conn
	// admit decides about a new Conn; nil: everyone is admitted.
	admit func(channels.Conn) ws.Socket
	// limit is how many bytes a message may have.
	limit int
	// ended makes run refuse, as a hub does once it has ended.
	ended atomic.Bool
	// bubble says that time is the test's own.
	bubble bool

	t       *testing.T
	sockets chan *socket

	mu    sync.Mutex
	idle  *sync.Cond
	tasks int // handlers and what they started. Guarded by mu
}

// task counts n more or fewer tasks.
func (s *server) task(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks += n
	s.idle.Broadcast()
}

// wait returns when the tasks have ended.
func (s *server) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.tasks > 0 {
		s.idle.Wait()
	}
}

// A socket is a channels.Socket that writes down what it is told, with its
// Conn.
type socket struct {
	channels.Conn
	server   *server
	limit    int
	messages chan string
	alive    chan struct{}
	ended    chan struct{} // closed by End
	ends     atomic.Int32  // calls of End
	// receive, if set, is called in Receive.
	receive func(b []byte)
}

func (s *socket) MessageLimit() int { return s.limit }
func (s *socket) Alive()            { s.alive <- struct{}{} }
func (s *socket) End() {
	if s.ends.Add(1) == 1 {
		close(s.ended)
	}
}
func (s *socket) ReceiveMore(b []byte) { s.Receive(b) }

func (s *socket) Receive(b []byte) {
	if s.receive != nil {
		s.receive(b)
	}
	s.messages <- string(b)
}

// awaitParked returns when k has no goroutine.
func awaitParked(k *socket) {
	for !ws.Parked(k.Conn) {
		runtime.Gosched()
	}
}

const messageLimit = 64 << 10

func (s *server) run(f func()) bool {
	if s.ended.Load() {
		return false
	}
	s.task(1)
	go func() {
		defer s.task(-1)
		f()
	}()
	return true
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.task(1)
	defer s.task(-1)
	s.Handler.Serve(w, r, s.run, func(c channels.Conn) ws.Socket {
		if s.admit != nil {
			return s.admit(c)
		}
		// Room for everything that a test lets happen, so that the reader never
		// waits for it.
		k := &socket{
			Conn: c, server: s, limit: s.limit,
			messages: make(chan string, 1000), alive: make(chan struct{}, 1000), ended: make(chan struct{}),
		}
		s.sockets <- k
		return k
	})
}

// serve serves what ln accepts until the test ends.
func serve(t testing.TB, ln net.Listener, h http.Handler) {
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		srv.Serve(ln)
		close(done)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
}

// newServer serves what ln accepts until the test ends, and then waits for
// every goroutine that the Handler has started.
func newServer(t *testing.T, ln net.Listener, dial func() net.Conn) *server {
	s := unserved(t, dial)
	serve(t, ln, s)
	return s
}

// unserved returns a server for serve, for tests whose clients are not of this
// process: its fields can be set before one may come.
func unserved(t *testing.T, dial func() net.Conn) *server {
	s := &server{Handler: ws.New(nil), dial: dial, limit: messageLimit, t: t, sockets: make(chan *socket, 1000)}
	s.idle = sync.NewCond(&s.mu)
	t.Cleanup(s.wait)
	return s
}

// connect makes a connection, and returns both ends.
func (s *server) connect() (*socket, *client) {
	s.t.Helper()
	c := newClient(s.t, s.dial(), upgrade("/app/key?protocol=7"))
	return <-s.sockets, c
}

// smallBuffers is what the kernel is asked to buffer in each direction, in
// bytes: so little that it refuses early.
const smallBuffers = 4 << 10

// serveTCP serves on loopback with small buffers.
func serveTCP(t *testing.T) *server {
	t.Helper()
	ln, dial := listenTCP(t)
	return newServer(t, ln, dial)
}

// servePipe serves over net.Pipe, which has no buffer at all. For bubbles.
func servePipe(t *testing.T) *server {
	ln, dial := listenPipe()
	s := newServer(t, ln, dial)
	s.bubble = true
	return s
}

// A mode is a way in which connections over TCP are read.
type mode struct {
	name      string
	parkAfter time.Duration
}

var modes = []mode{
	{"a goroutine each", -1},
	{"parked when silent", 0},
	{"parked after each message", 1},
}

// overTCP runs test on loopback, in every mode.
func overTCP(t *testing.T, test func(t *testing.T, s *server)) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			s := serveTCP(t)
			s.ParkAfter = mode.parkAfter
			test(t, s)
		})
	}
}

// bubble runs test over net.Pipe with time of its own.
func bubble(t *testing.T, name string, test func(t *testing.T, s *server)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, servePipe(t)) })
	})
}

// everywhere runs test in a bubble, and over TCP in every mode.
func everywhere(t *testing.T, name string, test func(t *testing.T, s *server)) {
	bubble(t, name, test)
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		overTCP(t, test)
	})
}

// settle returns when everything that can happen has happened, which can be
// known in a bubble only.
func (s *server) settle() {
	if s.bubble {
		synctest.Wait()
	}
}

// wantTook checks how long something took since start: exactly in a bubble.
func (s *server) wantTook(start time.Time, want time.Duration) {
	s.t.Helper()
	slack := time.Duration(0)
	if !s.bubble {
		slack = 10 * time.Second
	}
	if d := time.Since(start); d < want-slack/100 || d > want+slack {
		s.t.Errorf("it took %v to end, want %v", d, want)
	}
}

// listenTCP listens on loopback, for connections with small buffers.
func listenTCP(t *testing.T) (net.Listener, func() net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallBuffers)
		})
		return err
	}}
	return smallListener{ln}, func() net.Conn {
		t.Helper()
		c, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// A smallListener makes connections with a small send buffer.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(smallBuffers)
	}
	return c, err
}

// listenPipe listens for connections that are made of net.Pipe.
func listenPipe() (net.Listener, func() net.Conn) {
	ln := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	return ln, func() net.Conn {
		c, other := net.Pipe()
		ln.conns <- other
		return c
	}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

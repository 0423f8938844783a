package persistent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/httpapi/persistent"
)

const other = "GET / HTTP/1.1\r\nHost: hark.test\r\n\r\n"

// A deep is a connection that knows how far below its reader it is.
type deep struct {
	net.Conn
	calls *atomic.Int64 // of the last Read
}

func (d deep) Read(p []byte) (int, error) {
	d.calls.Store(int64(runtime.Callers(0, make([]uintptr, 1000))))
	return d.Conn.Read(p)
}

// TestChangingHands: a connection that is taken over and given back again and again is
// read as it was the first time.
func TestChangingHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		s := &http.Server{Handler: http.HandlerFunc(answerAtOnce)}
		_, client := serveOn(t, s, func(c net.Conn) net.Conn { return deep{c, &calls} })
		var first int64
		for round := range 100 {
			for _, request := range []string{other, post(path, ""), post(path, "")} {
				client.send(request)
				client.receive()
			}
			synctest.Wait()
			if n := calls.Load(); round == 0 {
				first = n
			} else if n != first {
				t.Fatalf("after %d rounds a read is %d calls deep, want %d", round+1, n, first)
			}
		}
	})
}

// TestAccepted: who takes over a connection that was given back finds what was accepted.
func TestAccepted(t *testing.T) {
	listener := listen(t)
	taken := make(chan net.Conn, 1)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		taken <- c
	})}
	persistent.Keep(s, func(*http.Request) bool { return true })
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	defer func() {
		s.Close()
		<-ended
	}()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	if _, err := io.WriteString(near, first+first+other); err != nil {
		t.Fatal(err)
	}
	c := <-taken
	defer c.Close()
	given, ok := c.(interface{ Accepted() net.Conn })
	if !ok {
		t.Fatalf("the connection is a %T, want one that knows what was accepted", c)
	}
	if _, ok := given.Accepted().(*net.TCPConn); !ok {
		t.Errorf("what was accepted is a %T, want a *net.TCPConn", given.Accepted())
	}
	if _, ok := c.(interface{ CloseWrite() error }); !ok {
		t.Errorf("a %T cannot end one direction", c)
	}
}

type numberKey struct{}

// TestContext: BaseContext and ConnContext are asked once for each connection, whoever
// serves it, and all its requests have what they said.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bases, conns := 0, 0
		var listener net.Listener
		s := &http.Server{
			BaseContext: func(l net.Listener) context.Context {
				bases++
				listener = l
				return t.Context()
			},
			ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
				conns++
				return context.WithValue(ctx, numberKey{}, conns)
			},
		}
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(numberKey{}) != 1 || r.Context().Value(http.ServerContextKey) != s || r.RemoteAddr != "pipe" {
				w.WriteHeader(http.StatusTeapot)
			}
			if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || a.String() != "pipe" {
				w.WriteHeader(http.StatusTeapot)
			}
		})
		_, client := serve(t, s)
		for i, request := range []string{first, other, other, first, first, first, other} {
			client.send(request)
			if got := client.receive().StatusCode; got != http.StatusOK {
				t.Errorf("the context of request %d has not what it should", i)
			}
		}
		if _, ok := listener.(pipes); bases != 1 || conns != 1 || !ok {
			t.Errorf("BaseContext was asked %d times, last for a %T, ConnContext %d times, want once each", bases, listener, conns)
		}
	})
}

// TestContextEnds: a request's context ends when its handler returns, as in net/http.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() })}
		_, client := serve(t, s)
		for range 2 {
			client.send(first)
			client.receive()
			if ctx.Err() == nil {
				t.Error("the context of a request that was answered has not ended")
			}
		}
	})
}

// TestLateReader: a handler that goes on reading after its answer, as those below
// http.TimeoutHandler do, reads nothing of the next request.
func TestLateReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan error, 1)
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/late":
				go func() {
					time.Sleep(time.Second)
					n, err := r.Body.Read(make([]byte, 10))
					if n > 0 {
						err = errors.New("it has read something")
					}
					late <- err
				}()
			case "/slow":
				time.Sleep(2 * time.Second)
				fallthrough
			default:
				_, _ = io.Copy(w, r.Body)
			}
		})}
		_, client := serve(t, s)
		client.send(post("/late", "abc"))
		client.receive()
		client.send(post("/slow", "def"))
		if _, got := client.receiveBody(); got != "def" {
			t.Errorf("the next request has the body %q, want %q", got, "def")
		}
		if err := <-late; !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("who reads after its answer has the error %v, want %v", err, http.ErrBodyReadAfterClose)
		}
	})
}

// TestMemory: what a large answer took is not kept with the connection.
func TestMemory(t *testing.T) {
	const size, clients = 4 << 20, 8
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/much" {
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		}
	})}
	persistent.Keep(s, func(*http.Request) bool { return true })
	listener, ended := listen(t), make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	defer func() {
		s.Close()
		<-ended
	}()
	for range clients {
		near, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		c := newClient(t, near)
		for _, request := range []string{first, first, post("/much", "")} {
			c.send(request)
			c.receive()
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > clients*size/2 {
		t.Errorf("%d MiB are in use after %d answers of %d MiB each", m.HeapAlloc>>20, clients, size>>20)
	}
}

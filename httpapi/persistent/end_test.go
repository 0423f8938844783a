package persistent_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/httpapi/persistent"
)

// A pipes is a listener whose clients are in memory.
type pipes struct {
	dialed chan net.Conn // never closed
	ended  chan struct{} // closed by Close, which is called once
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.ended)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// A client is one end of a connection, on which two requests were answered: it has been
// taken over.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newClient(t *testing.T, c net.Conn) *client { return &client{t, c, bufio.NewReader(c)} }

// serve runs s for a test in a bubble, and returns a client.
func serve(t *testing.T, s *http.Server) (*persistent.Connections, *client) {
	return serveOn(t, s, func(c net.Conn) net.Conn { return c })
}

// serveOn is serve with what wrap makes of the server's end of the connection.
func serveOn(t *testing.T, s *http.Server, wrap func(net.Conn) net.Conn) (*persistent.Connections, *client) {
	kept := persistent.Keep(s, func(*http.Request) bool { return true })
	c := dial(t, s, wrap)
	for range 2 {
		c.send(first)
		c.receive()
	}
	return kept, c
}

// dial runs s for a test, and returns a client that has asked nothing yet.
func dial(t *testing.T, s *http.Server, wrap func(net.Conn) net.Conn) *client {
	listener, ended := pipes{make(chan net.Conn), make(chan struct{})}, make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	near, far := net.Pipe()
	listener.dialed <- wrap(far)
	t.Cleanup(func() {
		near.Close()
		s.Close()
		<-ended
	})
	return newClient(t, near)
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("sending %q: %v", text, err)
	}
}

func (c *client) receive() *http.Response {
	c.t.Helper()
	r, _ := c.receiveBody()
	return r
}

func (c *client) receiveBody() (*http.Response, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("half an answer: %v", err)
	}
	return r, string(body)
}

// wantEnd waits for the end of the connection.
func (c *client) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Errorf("the connection ends with %q, %v, want only its end", rest, err)
	}
}

func answerAtOnce(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusRequestTimeout)
	}
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name   string
		server *http.Server
		send   string // and then nothing
		status int    // 0: the connection ends without an answer
		after  time.Duration
	}{
		{"idle", &http.Server{IdleTimeout: 2 * time.Minute, ReadTimeout: time.Minute}, "", 0, 2 * time.Minute},
		{"idle as long as a request may take", &http.Server{ReadTimeout: time.Minute}, "", 0, time.Minute},
		{"no request", &http.Server{IdleTimeout: 2 * time.Minute}, "POS", 0, 2 * time.Minute},
		{"half a body", &http.Server{IdleTimeout: time.Hour, ReadTimeout: time.Minute}, strings.TrimSuffix(first, "}"), http.StatusRequestTimeout, time.Minute},
		{"half a head", &http.Server{IdleTimeout: time.Hour, ReadHeaderTimeout: 10 * time.Second}, "POST /eve", http.StatusBadRequest, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.server.Handler = http.HandlerFunc(answerAtOnce)
				_, client := serve(t, c.server)
				began := time.Now()
				client.send(c.send)
				if c.status != 0 {
					if got := client.receive().StatusCode; got != c.status {
						t.Errorf("the answer is %d, want %d", got, c.status)
					}
				}
				client.wantEnd()
				if took := time.Since(began); took != c.after {
					t.Errorf("the connection ended after %v, want %v", took, c.after)
				}
			})
		})
	}
}

// TestWriteTimeout ends a connection whose client does not read its answer.
func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: http.HandlerFunc(answerAtOnce), WriteTimeout: 30 * time.Second}
		_, client := serve(t, s)
		client.send(first)
		time.Sleep(30*time.Second + time.Nanosecond)
		synctest.Wait()
		client.wantEnd()
	})
}

// slowly answers some time after it was asked, if its context has not ended.
func slowly(in time.Duration) http.Handler {
	requests := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests <= 2 {
			return
		}
		select {
		case <-time.After(in):
		case <-r.Context().Done():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

// lastCall is how long an idle connection lasts when its server ends.
const lastCall = 20 * time.Millisecond

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: http.HandlerFunc(answerAtOnce)}
		kept, client := serve(t, s)
		began := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(s.Shutdown(t.Context()), kept.Wait(t.Context())) }()
		client.wantEnd()
		if err := <-ended; err != nil || time.Since(began) != lastCall {
			t.Errorf("a server with an idle connection ends after %v, %v; want %v", time.Since(began), err, lastCall)
		}
	})
}

// TestLastCall: what is on its way to a server that ends is answered.
func TestLastCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: http.HandlerFunc(answerAtOnce)}
		kept, client := serve(t, s)
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(s.Shutdown(t.Context()), kept.Wait(t.Context())) }()
		time.Sleep(lastCall - 1)
		client.send(first)
		if r := client.receive(); r.StatusCode != http.StatusOK || !r.Close {
			t.Errorf("the answer is %s, last %t; want it whole, and that it is the last", r.Status, r.Close)
		}
		client.wantEnd()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestShutdownWaits: what is under way is answered.
func TestShutdownWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: slowly(3 * time.Second)}
		kept, client := serve(t, s)
		began := time.Now()
		client.send(first)
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(s.Shutdown(t.Context()), kept.Wait(t.Context())) }()
		if r := client.receive(); r.StatusCode != http.StatusOK || !r.Close {
			t.Errorf("the answer is %s, last %t; want it whole, and that it is the last", r.Status, r.Close)
		}
		client.wantEnd()
		if err := <-ended; err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("the server ends after %v, %v; want after what was under way", time.Since(began), err)
		}
	})
}

// TestShutdownCuts: what takes too long is cut off, and told so.
func TestShutdownCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: slowly(time.Hour)}
		kept, client := serve(t, s)
		began := time.Now()
		client.send(first)
		errCut := errors.New("cut")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errCut)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(s.Shutdown(ctx), kept.Wait(ctx)) }()
		client.wantEnd()
		if err := <-ended; !errors.Is(err, errCut) || time.Since(began) != 5*time.Second {
			t.Errorf("the server ends after %v, %v; want %v after 5s", time.Since(began), err, errCut)
		}
	})
}

// TestCutAtOnce: what is cut off while it is being taken over ends too.
func TestCutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errCut := errors.New("cut")
		ctx, cut := context.WithCancelCause(t.Context())
		cut(errCut)
		ended := make(chan error, 1)
		var kept *persistent.Connections
		s := &http.Server{Handler: http.HandlerFunc(answerAtOnce)}
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateHijacked {
				go func() { ended <- kept.Wait(ctx) }()
				synctest.Wait()
			}
		}
		kept = persistent.Keep(s, func(*http.Request) bool { return true })
		client := dial(t, s, func(c net.Conn) net.Conn { return c })
		client.send(first)
		client.receive()
		began := time.Now()
		client.send(strings.TrimSuffix(first, "}"))
		client.wantEnd()
		if err := <-ended; err != errCut || time.Since(began) != 0 {
			t.Errorf("Wait returns %v after %v, want %v at once", err, time.Since(began), errCut)
		}
	})
}

// TestEndedServer: a connection that net/http should have ends with it.
func TestEndedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http.Server{Handler: slowly(time.Second)}
		kept, client := serve(t, s)
		go func() { client.send(first + "GET / HTTP/1.1\r\nHost: hark.test\r\n\r\n") }()
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(s.Shutdown(t.Context()), kept.Wait(t.Context())) }()
		if r := client.receive(); !r.Close {
			t.Error("the answer does not say that it is the last")
		}
		client.wantEnd()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestShutdownMeanwhile: a server may end while it is given a connection back, which it
// then accepts or closes.
func TestShutdownMeanwhile(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	listener, closed := persistent.Once(far), make(chan error, 1)
	go func() { closed <- listener.Close() }()
	if c, err := listener.Accept(); err == nil {
		c.Close()
	} else if !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept has the error %v, want %v", err, net.ErrClosed)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client reads %d bytes, %v; want its end", n, err)
	}
}

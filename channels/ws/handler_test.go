package ws_test

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/channels/ws"
	"hark/protocol"
)

func TestAppKey(t *testing.T) {
	for _, test := range []struct {
		path, key string
		ok        bool
	}{
		{"/app/abc", "abc", true},
		{"/some/prefix/app/abc", "abc", true},
		{"/token=x/app/abc", "abc", true},
		{"/app/app", "app", true},
		{"/app/app/app", "app", true},
		{"/app/", "", false},
		{"/app", "", false},
		{"/app/abc/", "", false},
		{"/app/abc/more", "", false},
		{"/myapp/abc", "", false},
		{"/apps/abc", "", false},
		{"app/abc", "", false},
		{"/abc", "", false},
		{"/", "", false},
		{"", "", false},
	} {
		if key, ok := ws.AppKey(test.path); key != test.key || ok != test.ok {
			t.Errorf("AppKey(%q) = %q, %t, want %q, %t", test.path, key, ok, test.key, test.ok)
		}
	}
}

func TestIsUpgrade(t *testing.T) {
	for _, test := range []struct {
		name   string
		header http.Header
		want   bool
	}{
		{"a browser's", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, true},
		{"Firefox's", http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}}, true},
		{"in capitals", http.Header{"Connection": {"UPGRADE"}, "Upgrade": {"WebSocket"}}, true},
		{"in two headers", http.Header{"Connection": {"keep-alive", "upgrade"}, "Upgrade": {"h2c, websocket"}}, true},
		{"without Upgrade", http.Header{"Connection": {"Upgrade"}}, false},
		{"to something else", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}, false},
		{"without Connection", http.Header{"Upgrade": {"websocket"}}, false},
		{"none", http.Header{}, false},
	} {
		if got := ws.IsUpgrade(&http.Request{Header: test.header}); got != test.want {
			t.Errorf("IsUpgrade of a request %s = %t", test.name, got)
		}
	}
}

// TestNoHandshake: what is no proper handshake is answered in HTTP.
func TestNoHandshake(t *testing.T) {
	hub := hubtest.Start(t, hubtest.Config())
	for _, test := range []struct {
		name, method, path string
		header             map[string]string // over those of a handshake; "" removes one
		want               int
	}{
		{"a page opened in a browser", "GET", "/app/key", map[string]string{"Upgrade": ""}, 426},
		{"the same behind a prefix", "GET", "/x/app/key", map[string]string{"Connection": "keep-alive"}, 426},
		{"another method", "POST", "/app/key", map[string]string{"Upgrade": ""}, 426},
		{"another page", "GET", "/", map[string]string{"Upgrade": ""}, 404},
		{"no key", "GET", "/app/key", map[string]string{"Sec-WebSocket-Key": ""}, 400},
		{"a bad key", "GET", "/app/key", map[string]string{"Sec-WebSocket-Key": "short"}, 400},
		{"no version", "GET", "/app/key", map[string]string{"Sec-WebSocket-Version": ""}, 400},
		{"an old version", "GET", "/app/key", map[string]string{"Sec-WebSocket-Version": "8"}, 400},
		{"an upgrade by POST", "POST", "/app/key", nil, 405},
		{"a server that cannot be hijacked", "GET", "/app/key", nil, 501},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.path, nil)
			for k, v := range map[string]string{
				"Connection": "Upgrade", "Upgrade": "websocket",
				"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
			} {
				r.Header.Set(k, v)
			}
			for k, v := range test.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			ws.New(hub).ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("%s %s is answered with %d, want %d", test.method, test.path, w.Code, test.want)
			}
			if w.Code == 426 && w.Header().Get("Upgrade") != "websocket" {
				t.Error("a 426 does not say what to upgrade to")
			}
		})
	}
}

// withHub runs test with a Handler for a running hub, everywhere.
func withHub(t *testing.T, name string, test func(t *testing.T, connect func(path string, extra ...string) *client)) {
	run := func(t *testing.T, ln net.Listener, dial func() net.Conn, parkAfter time.Duration) {
		h := ws.New(hubtest.Start(t, hubtest.Config()))
		h.ParkAfter = parkAfter
		serve(t, ln, h)
		test(t, func(path string, extra ...string) *client {
			t.Helper()
			return newClient(t, dial(), upgrade(path, extra...))
		})
	}
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ln, dial := listenPipe()
			run(t, ln, dial, 0)
		})
		for _, mode := range modes {
			t.Run(mode.name, func(t *testing.T) {
				t.Parallel()
				ln, dial := listenTCP(t)
				run(t, ln, dial, mode.parkAfter)
			})
		}
	})
}

func (c *client) wantEvent(name string) {
	c.t.Helper()
	text, err := c.Next()
	if err != nil {
		c.t.Fatalf("%v, want %s", err, name)
	}
	if m, err := protocol.Decode(text); err != nil || m.Name != name {
		c.t.Fatalf("received %s, want %s", text, name)
	}
}

func TestHandler(t *testing.T) {
	withHub(t, "a client is connected", func(t *testing.T, connect func(string, ...string) *client) {
		c := connect("/app/"+hubtest.Key+"?protocol=7&client=js&version=8.6.0&flash=false", "Origin: https://elsewhere.example")
		c.wantEvent("pusher:connection_established")
		c.say(fin(opText, `{"event":"pusher:ping","data":{}}`))
		c.wantEvent("pusher:pong")
		c.say(fin(opText, `{"event":"pusher:subscribe","data":{"channel":"orders"}}`))
		c.wantEvent("pusher_internal:subscription_succeeded")
	})
	withHub(t, "extensions and subprotocols are not agreed on", func(t *testing.T, connect func(string, ...string) *client) {
		c := connect("/app/"+hubtest.Key+"?protocol=7", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-WebSocket-Protocol: pusher")
		c.wantEvent("pusher:connection_established")
	})
	for _, test := range []struct {
		name, path string
		code       protocol.CloseCode
	}{
		{"an unknown key", "/app/nobodys?protocol=7", 4001},
		{"no protocol", "/app/" + hubtest.Key, 4008},
		{"a protocol that is no number", "/app/" + hubtest.Key + "?protocol=", 4006},
		{"an old protocol", "/app/" + hubtest.Key + "?protocol=3", 4007},
		{"no key", "/app/?protocol=7", 4005},
		{"another path", "/apps/1001/events", 4005},
		{"the root", "/", 4005},
	} {
		withHub(t, test.name+" is refused with a code", func(t *testing.T, connect func(string, ...string) *client) {
			c := connect(test.path)
			c.wantEvent("pusher:error")
			if reason := c.wantClosed(test.code); reason == "" {
				t.Error("there is no reason")
			}
		})
		withHub(t, test.name+" is refused although the client talks on", func(t *testing.T, connect func(string, ...string) *client) {
			c := connect(test.path)
			c.say(fin(opPing, "")) // its answer would come before the error, or after the close
			c.say(fin(opText, strings.Repeat("x", 10000)))
			c.wantEvent("pusher:error")
			c.wantClosed(test.code)
		})
	}
}

// TestHandlerAfterHub: a client that comes when the hub has ended is told so,
// even though nothing can be started for it any more.
func TestHandlerAfterHub(t *testing.T) { overTCP(t, handlerAfterHub) }

func handlerAfterHub(t *testing.T, s *server) {
	s.ended.Store(true)
	k, c := s.connect()
	if reason := c.wantClosed(protocol.CloseOverCapacity); reason == "" {
		t.Error("there is no reason")
	}
	<-k.ended
}

// TestEarlyBytes: what a client sends right behind its handshake is read,
// whether net/http had read it already or not.
func TestEarlyBytes(t *testing.T) {
	for _, size := range []int{1, 100, 1000, 3000, 20000} {
		t.Run("", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servePipe(t)
				long := strings.Repeat("x", size)
				early := append(fin(opText, long), fin(opText, "second")...)
				c := s.dial()
				defer c.Close()
				go c.Write(append([]byte(upgrade("/app/key")), early...))
				go bytes.NewBuffer(nil).ReadFrom(c)
				k := <-s.sockets
				for _, want := range []string{long, "second"} {
					if got := <-k.messages; got != want {
						t.Errorf("received %d bytes, want %d", len(got), len(want))
					}
				}
			})
			overTCP(t, func(t *testing.T, s *server) {
				long := strings.Repeat("x", size)
				c := newClient(t, s.dial(), upgrade("/app/key"), append(fin(opText, long), fin(opText, "second")...)...)
				k := <-s.sockets
				for _, want := range []string{long, "second"} {
					if got := <-k.messages; got != want {
						t.Errorf("received %d bytes, want %d", len(got), len(want))
					}
				}
				wantEndedOnce(t, k, c)
			})
		})
	}
}

// TestHandlerReturns: the handler does not stay for the connection's life, and
// a writer that holds its status back, as gin's does, is no obstacle.
func TestHandlerReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servePipe(t)
		returned := make(chan struct{})
		ln, dial := listenPipe()
		serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.ServeHTTP(holdingWriter{w}, r)
			close(returned)
		}))
		c := newClient(t, dial(), upgrade("/app/key"))
		k := <-s.sockets
		<-returned
		k.Send(text(1))
		c.want(opText, string(payload(text(1))))
		wantEndedOnce(t, k, c)
	})
}

// A holdingWriter keeps the status until there is a body.
type holdingWriter struct{ http.ResponseWriter }

func (w holdingWriter) WriteHeader(int)             {}
func (w holdingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestRefusedConn: what a hub said before it refused arrives.
func TestRefusedConn(t *testing.T) { overTCP(t, refusedConn) }

func refusedConn(t *testing.T, s *server) {
	s.admit = func(c channels.Conn) ws.Socket {
		c.Send(text(1))
		c.Close(protocol.CloseUnknownApp, "no such app")
		return nil
	}
	c := newClient(t, s.dial(), upgrade("/app/key"), fin(opText, "who are you?")...)
	c.want(opText, string(payload(text(1))))
	if reason := c.wantClosed(protocol.CloseUnknownApp); reason != "no such app" {
		t.Errorf("the reason was %q", reason)
	}
}

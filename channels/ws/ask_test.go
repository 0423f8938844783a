package ws_test

import (
	"bufio"
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

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/channels/ws"
)

// An asking server has an app whose users are known by a cookie, and whose
// application may fail.
type asking struct {
	t     *testing.T
	dial  func() net.Conn
	fails atomic.Int64 // how often yet
	told  atomic.Int64 // calls of OnAuthFailed
}

// Authenticate implements authz.Authenticator.
func (a *asking) Authenticate(_ context.Context, r *http.Request) (authz.Identity, error) {
	if a.fails.Add(-1) >= 0 {
		return authz.Identity{}, errors.New("connection refused")
	}
	cookie, err := r.Cookie("sid")
	switch {
	case err != nil:
		return authz.Identity{}, nil
	case cookie.Value == "7":
		return authz.Identity{ID: "ada"}, nil
	}
	return authz.Identity{}, authz.ErrUnauthenticated
}

// whileAsking runs test in a bubble and on loopback.
func whileAsking(t *testing.T, strict bool, hold time.Duration, test func(t *testing.T, a *asking)) {
	run := func(t *testing.T, listen func() (net.Listener, func() net.Conn)) {
		a := &asking{t: t}
		config := hubtest.Config()
		config.HoldUpgrade = hold
		config.Apps[0].Authenticator = a
		if strict {
			config.Apps[0].Authenticator = authz.RequireUser(a)
		}
		hub, err := channels.New(config)
		if err != nil {
			t.Fatal(err)
		}
		hub.OnAuthFailed(func(context.Context, channels.AuthFailure) { a.told.Add(1) })
		hub.OnConnecting(func(_ context.Context, r *channels.ConnectRequest) (channels.Welcome, error) {
			who := r.Identity().ID + "@" + r.HTTP.Host
			return channels.Welcome{Events: []channels.Event{{Name: "connection-init", Data: who}}}, nil
		})
		hubtest.Run(t, hub)
		ln, dial := listen()
		serve(t, ln, ws.New(hub))
		a.dial = dial
		test(t, a)
	}
	t.Run("in a bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { run(t, listenPipe) })
	})
	t.Run("on loopback", func(t *testing.T) {
		run(t, func() (net.Listener, func() net.Conn) { return listenTCP(t) })
	})
}

func (a *asking) connect(extra ...string) *client {
	a.t.Helper()
	return newClient(a.t, a.dial(), upgrade("/app/"+hubtest.Key+"?protocol=7", extra...))
}

// Who is let in is welcomed before anything else; who is not is told so in the
// websocket, where a browser can read it, and does not come back.
func TestAuthenticatedUpgrade(t *testing.T) {
	whileAsking(t, false, 0, func(t *testing.T, a *asking) {
		c := a.connect("Cookie: sid=7")
		c.wantEvent("pusher:connection_established")
		c.want(opText, `{"event":"connection-init","data":"ada@hark"}`)
		guest := a.connect()
		guest.wantEvent("pusher:connection_established")
		guest.want(opText, `{"event":"connection-init","data":"@hark"}`)

		wrong := a.connect("Cookie: sid=8")
		wrong.wantEvent("pusher:error")
		wrong.wantClosed(4009)

		foreign := a.connect("Cookie: sid=7", "Origin: https://evil.example")
		foreign.wantEvent("pusher:error")
		if reason := foreign.wantClosed(4009); !strings.Contains(reason, "https://evil.example") {
			t.Errorf("the reason %q does not say which origin to allow", reason)
		}
		own := a.connect("Cookie: sid=7", "Origin: https://hark")
		own.wantEvent("pusher:connection_established")
		for a.told.Load() != 2 {
			runtime.Gosched()
		}
	})
}

func TestStrictUpgrade(t *testing.T) {
	whileAsking(t, true, 0, func(t *testing.T, a *asking) {
		guest := a.connect()
		guest.wantEvent("pusher:error")
		guest.wantClosed(4009)
		a.connect("Cookie: sid=7").wantEvent("pusher:connection_established")
	})
}

// When the application cannot be asked the upgrade is answered in HTTP: later.
func TestUpgradeUnavailable(t *testing.T) {
	whileAsking(t, false, 100*time.Millisecond, func(t *testing.T, a *asking) {
		a.fails.Store(1000)
		conn := a.dial()
		defer conn.Close()
		start := time.Now()
		go io.WriteString(conn, upgrade("/app/"+hubtest.Key+"?protocol=7", "Cookie: sid=7"))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || took < 100*time.Millisecond {
			t.Errorf("answered after %v with %s and Retry-After %q, want 503 after 100 ms", took, res.Status, res.Header.Get("Retry-After"))
		}
		for _, header := range []string{"Upgrade", "Sec-WebSocket-Accept"} {
			if res.Header.Get(header) != "" {
				t.Errorf("a 503 with %s", header)
			}
		}
	})
}

// An upgrade that is held is answered as if nothing had been, and what the client
// has sent meanwhile is not lost.
func TestHeldUpgrade(t *testing.T) {
	whileAsking(t, false, 0, func(t *testing.T, a *asking) {
		a.fails.Store(2)
		early := fin(opText, `{"event":"pusher:subscribe","data":{"channel":"orders"}}`)
		c := newClient(t, a.dial(), upgrade("/app/"+hubtest.Key+"?protocol=7", "Cookie: sid=7"), early...)
		c.wantEvent("pusher:connection_established")
		c.wantEvent("connection-init")
		c.wantEvent("pusher_internal:subscription_succeeded")
	})
}

// A client that goes while it is held is not asked about any longer.
func TestHeldClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		config := hubtest.Config()
		config.Apps[0].Authenticator = authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
			asked.Add(1)
			return authz.Identity{}, authz.ErrUnavailable
		})
		ln, dial := listenPipe()
		serve(t, ln, ws.New(hubtest.Start(t, config)))
		conn := dial()
		io.WriteString(conn, upgrade("/app/"+hubtest.Key+"?protocol=7"))
		time.Sleep(time.Second)
		conn.Close()
		time.Sleep(time.Second)
		before := asked.Load()
		time.Sleep(10 * time.Second)
		if n := asked.Load(); before == 0 || n != before {
			t.Errorf("asked %d times, and %d more after the client had gone", before, n-before)
		}
	})
}

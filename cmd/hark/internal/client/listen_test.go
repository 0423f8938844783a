package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/cmd/hark/internal/client"
	"hark/protocol"
)

// A peer is the server's side of one connection, played by a test.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := p.conn.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Error(err)
	}
}

func (p *peer) establish(id string) {
	p.send(string(protocol.ConnectionEstablished(protocol.SocketID(id), 50*time.Second).AppendJSON(nil)))
}

// next returns the client's next message; the zero one when the client has gone.
func (p *peer) next() protocol.Message {
	_, text, err := p.conn.Read(context.Background())
	if err != nil {
		return protocol.Message{}
	}
	m, err := protocol.Decode(text)
	if err != nil {
		p.t.Errorf("the client sent %q: %v", text, err)
	}
	return m
}

// script plays one function for each connection that is made, in order. Further ones are refused with 4001.
func script(t *testing.T, plays ...func(p *peer)) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow() //nolint:errcheck // the play may have closed it
		if r.URL.Path != "/app/app-key" || r.URL.Query().Get("protocol") != "7" {
			t.Errorf("the client asks for %s", r.URL)
		}
		mu.Lock()
		play := func(p *peer) { p.conn.Close(4001, "the play is over") }
		if len(plays) > 0 {
			play, plays = plays[0], plays[1:]
		}
		mu.Unlock()
		play(&peer{t, conn})
	})
}

// heard is what a Listener of these tests saw and said.
type heard struct {
	events, notes []string
	began         time.Time
}

// listen runs a Listener against a script, in a bubble, until it ends by itself.
func listen(t *testing.T, l *client.Listener, plays ...func(p *peer)) (heard, error) {
	t.Helper()
	h := heard{began: time.Now()}
	l.URL = target("http://hark")
	l.HTTP = serveInMemory(t, script(t, plays...))
	if l.Handle == nil {
		l.Handle = func(e client.Event) error {
			h.events = append(h.events, strings.TrimSpace(e.Name+" "+e.Channel))
			return nil
		}
	}
	l.Note = func(text string) {
		h.notes = append(h.notes, fmt.Sprintf("%v: %s", time.Since(h.began), text))
	}
	err := l.Listen(t.Context())
	return h, err
}

func TestSubscribesSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []protocol.Subscribe
		h, err := listen(t, &client.Listener{
			Channels: []string{"news", "private-a", "presence-b"},
			Who:      &client.Member{UserID: "ann", UserInfo: []byte(`{"name":"Ann"}`)},
		}, func(p *peer) {
			p.establish("1.2")
			for range 3 {
				s, err := protocol.ParseSubscribe(p.next().Data)
				if err != nil {
					t.Error(err)
				}
				got = append(got, s)
			}
			for _, s := range got {
				p.send(string(protocol.SubscriptionSucceeded(s.Channel).AppendJSON(nil)))
			}
			p.send(`{"event":"pusher:ping","data":"{}"}`)
			if m := p.next(); m.Name != protocol.EventPong {
				t.Errorf("a ping is answered by %q", m.Name)
			}
			p.send(`{"event":"e","channel":"news","data":"1"}`)
			p.conn.Close(4001, "App key app-key not in this cluster")
		})
		if e, ok := errors.AsType[*client.ServerError](err); !ok || !e.Unauthorized() || e.Text != "App key app-key not in this cluster" {
			t.Errorf("got %v, want the server's words", err)
		}
		for i, s := range got {
			var want protocol.Subscribe
			switch i {
			case 0:
				want = protocol.Subscribe{Channel: "news"}
			case 1:
				want = protocol.Subscribe{Channel: "private-a", Auth: s.Auth}
			case 2:
				const data = `{"user_id":"ann","user_info":{"name":"Ann"}}`
				want = protocol.Subscribe{Channel: "presence-b", Auth: s.Auth, ChannelData: data, HasChannelData: true}
			}
			if diff := cmp.Diff(want, s); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if i > 0 {
				if err := authz.NewVerifier(authz.Keys{key}).VerifyChannel("1.2", s); err != nil {
					t.Error(err)
				}
			}
		}
		want := []string{
			"pusher:connection_established", "pusher_internal:subscription_succeeded news",
			"pusher_internal:subscription_succeeded private-a", "pusher_internal:subscription_succeeded presence-b",
			"pusher:ping", "e news",
		}
		if diff := cmp.Diff(want, h.events); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestReconnects(t *testing.T) {
	closeWith := func(code websocket.StatusCode) func(p *peer) {
		return func(p *peer) {
			p.establish("1.2")
			p.conn.Close(code, "bye")
		}
	}
	synctest.Test(t, func(t *testing.T) {
		h, err := listen(t, &client.Listener{},
			closeWith(4200),
			func(p *peer) { p.conn.Close(4100, "full") },
			func(p *peer) { p.conn.Close(4100, "full") },
			closeWith(1001),
			func(p *peer) { p.establish("1.2"); p.conn.CloseNow() },
			closeWith(4301), // nobody closes with this; a client stays away from whoever does
		)
		if e, ok := errors.AsType[*client.ServerError](err); !ok || e.Code != 4301 {
			t.Errorf("got %v, want the end with 4301", err)
		}
		want := []string{
			"0s: connecting again at once (the server says: 4200 bye)",
			"0s: connecting again in 1s (the server says: 4100 full)",
			"1s: connecting again in 2s (the server says: 4100 full)",
			"3s: connecting again in 1s (the server says: 1001 bye)",
			"4s: connecting again in 1s (connection lost: ",
		}
		if len(h.notes) != len(want) {
			t.Fatalf("got notes %q, want %q", h.notes, want)
		}
		for i := range want {
			if !strings.HasPrefix(h.notes[i], want[i]) {
				t.Errorf("got note %q, want %q", h.notes[i], want[i])
			}
		}
	})
}

// A server that has nothing to say is asked after its activity_timeout, and left 30 s later if it does not answer.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		h, _ := listen(t, &client.Listener{}, func(p *peer) {
			p.establish("1.2")
			if m := p.next(); m.Name != protocol.EventPing || time.Since(began) != 50*time.Second {
				t.Errorf("got %q after %v, want a ping after 50s", m.Name, time.Since(began))
			}
			p.send(`{"event":"pusher:pong","data":"{}"}`)
			if m := p.next(); m.Name != protocol.EventPing || time.Since(began) != 100*time.Second {
				t.Errorf("got %q after %v, want a ping after 100s", m.Name, time.Since(began))
			}
			if m := p.next(); m.Name != "" {
				t.Errorf("got %q, want the client gone", m.Name)
			}
		})
		if want := []string{"2m10s: connecting again at once (the server does not answer)"}; !cmp.Equal(want, h.notes) {
			t.Errorf("got notes %q, want %q", h.notes, want)
		}
	})
}

func TestRefusals(t *testing.T) {
	unsigned := func(then func(p *peer)) func(p *peer) {
		return func(p *peer) {
			p.establish("1.2")
			p.next()
			p.send(`{"event":"pusher:error","data":{"code":null,"message":"Invalid signature: ..."}}`)
			then(p)
			p.next() // until the client goes
		}
	}
	for _, tt := range []struct {
		name     string
		channel  string
		play     func(p *peer)
		want     string
		unauth   bool
		duration time.Duration
	}{
		{
			name:    "by a message of its own, as Hark does",
			channel: "presence-x",
			play: unsigned(func(p *peer) {
				p.send(`{"event":"pusher:subscription_error","channel":"presence-x","data":"{\"type\":\"LimitReached\",\"error\":\"full\",\"status\":413}"}`)
			}),
			want: "the server says: 413 full",
		},
		{
			name:     "by a pusher:error alone, as Pusher does",
			channel:  "private-x",
			play:     unsigned(func(*peer) {}),
			want:     "the server says: 401 Invalid signature: ...",
			unauth:   true,
			duration: time.Second,
		},
		{
			name:    "before the connection is established",
			channel: "x",
			play: func(p *peer) {
				p.send(`{"event":"pusher:error","data":{"code":4004,"message":"Account over quota, in more words"}}`)
				p.conn.Close(4004, "Account over quota")
			},
			want: "the server says: 4004 Account over quota, in more words",
		},
		{
			name:    "for who asks",
			channel: "x",
			play: func(p *peer) {
				p.send(`{"event":"pusher:error","data":{"code":4009,"message":"no"}}`)
				p.conn.Close(4009, "no")
			},
			want:   "the server says: 4009 no",
			unauth: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, err := listen(t, &client.Listener{Channels: []string{tt.channel}, Who: &client.Member{UserID: "1"}}, tt.play)
				e, ok := errors.AsType[*client.ServerError](err)
				if !ok || e.Error() != tt.want || e.Unauthorized() != tt.unauth {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if d := time.Since(h.began); d != tt.duration {
					t.Errorf("it took %v, want %v", d, tt.duration)
				}
			})
		})
	}
}

func TestEnds(t *testing.T) {
	wait := func(p *peer) { p.establish("1.2"); p.next() }
	t.Run("when it is told to", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			l := &client.Listener{
				URL: target("http://hark"), HTTP: serveInMemory(t, script(t, wait)),
				Handle: func(client.Event) error { return nil }, Note: func(text string) { t.Error(text) },
			}
			if err := l.Listen(ctx); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("with the error of Handle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			enough := errors.New("enough")
			if _, err := listen(t, &client.Listener{Handle: func(client.Event) error { return enough }}, wait); !errors.Is(err, enough) {
				t.Errorf("got %v, want %v", err, enough)
			}
		})
	})
	t.Run("when nobody is there at first", func(t *testing.T) {
		l := &client.Listener{URL: target("http://127.0.0.1:1"), Note: func(text string) { t.Error(text) }}
		err := l.Listen(t.Context())
		if _, ok := errors.AsType[*client.ConnectError](err); !ok {
			t.Errorf("got %v, want a ConnectError", err)
		}
		if want := "cannot connect to ws://127.0.0.1:1/app/app-key: dial tcp 127.0.0.1:1: connect: connection refused"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
	t.Run("when it is no channels server", func(t *testing.T) {
		l := &client.Listener{
			URL: target("http://hark"), HTTP: serveInMemory(t, http.NotFoundHandler()), Note: func(text string) { t.Error(text) },
		}
		err := l.Listen(t.Context())
		if e, ok := errors.AsType[*client.ServerError](err); !ok || e.Status != http.StatusNotFound || e.Text != "404 page not found" {
			t.Errorf("got %v, want the server's words with 404", err)
		}
	})
}

package channels_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// observeAll notes everything that observers are told. Who is meant is the value
// "who" of the socket.
func observeAll(w *world) {
	who := func(s *channels.Socket) any { return s.Value("who") }
	ended := func(e channels.End) string {
		by := [...]string{"client", "server", "revoked", "shutdown"}[e.By]
		if e.Code != 0 {
			return fmt.Sprintf("by %s with %d", by, e.Code)
		}
		return "by " + by
	}
	w.OnConnected(func(_ context.Context, s *channels.Socket) {
		if s.Value("who") == nil {
			s.SetValue("who", "?")
		}
		w.note("connected")
	})
	w.OnDisconnected(func(_ context.Context, s *channels.Socket, e channels.End) {
		w.note("%s disconnected %s", who(s), ended(e))
	})
	w.OnError(func(_ context.Context, s *channels.Socket, err error) { w.note("%s error", who(s)) })
	w.OnMessage(func(_ context.Context, s *channels.Socket, channel string, e channels.Event) {
		w.note("%s message %s on %q: %s", who(s), e.Name, channel, e.Data)
	})
	w.OnJoined("private-{x}", func(_ context.Context, sub *channels.Subscription, c authz.Captures) {
		w.note("%s joined %s", who(sub.Socket()), c["x"])
	})
	w.OnUnsubscribed("private-{x}", func(_ context.Context, sub *channels.Subscription, c authz.Captures, e channels.End) {
		w.note("%s left %s %s", who(sub.Socket()), c["x"], ended(e))
	})
	place := func(word string) func(context.Context, channels.Place, authz.Captures) {
		return func(_ context.Context, p channels.Place, c authz.Captures) {
			w.note("%s/%s %s", p.App, p.Channel, word)
		}
	}
	w.OnOccupied("presence-{room}", place("occupied"))
	w.OnVacated("presence-{room}", place("vacated"))
	w.OnMemberAdded("presence-{room}", func(_ context.Context, _ channels.Place, c authz.Captures, m protocol.Member) {
		w.note("%s came to %s", m.UserID, c["room"])
	})
	w.OnMemberRemoved("presence-{room}", func(_ context.Context, _ channels.Place, c authz.Captures, id string) {
		w.note("%s went from %s", id, c["room"])
	})
}

// Every way in and out is told exactly once, with who has ended it, and
// disconnected is the last that is told of a connection.
func TestObserversOfConnections(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*world, *hubtest.Client)
		want []string
	}{
		{"nothing", func(*world, *hubtest.Client) {}, nil},
		{"the client hangs up", func(_ *world, c *hubtest.Client) { c.Hangup() },
			[]string{"ada disconnected by client"}},
		{"subscribe, unsubscribe", func(_ *world, c *hubtest.Client) {
			c.Subscribe("private-a")
			c.Unsubscribe("private-a")
			c.Unsubscribe("private-a")
		}, []string{"ada joined a", "ada left a by client"}},
		{"subscribe again", func(_ *world, c *hubtest.Client) {
			c.Subscribe("private-a")
			c.Unsubscribe("private-a")
			c.Subscribe("private-a")
			c.Subscribe("private-a")
		}, []string{"ada joined a", "ada left a by client", "ada joined a", "ada error"}},
		{"hang up while subscribed", func(_ *world, c *hubtest.Client) {
			c.Subscribe("private-a")
			c.Subscribe("public")
			c.Hangup()
		}, []string{"ada joined a", "ada left a by client", "ada disconnected by client"}},
		{"a subscribe that is refused", func(_ *world, c *hubtest.Client) {
			c.Say(`{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"app-key:no"}}`)
		}, []string{"ada error"}},
		{"a presence channel that is full", func(w *world, c *hubtest.Client) {
			other := hubtest.Connect(w.t, w.Hub)
			other.Socket().SetValue("who", "bob")
			other.Join("presence-r", "bob")
			synctest.Wait()
			c.Join("presence-r", "ada")
			synctest.Wait()
			other.Unsubscribe("presence-r")
		}, []string{"connected", "1001/presence-r occupied", "bob came to r", "ada error", "bob went from r", "1001/presence-r vacated"}},
		{"bad messages", func(_ *world, c *hubtest.Client) {
			for _, text := range []string{`x`, `[]`, `{"event":5}`, `{}`, `{"event":"nonsense"}`} {
				c.Say("%s", text)
			}
		}, []string{"ada error", "ada error", "ada error", "ada error", "ada error"}},
		{"a client event", func(_ *world, c *hubtest.Client) {
			c.Subscribe("private-a")
			c.Say(`{"event":"client-e","channel":"private-a","data":{"n":1}}`)
			c.Say(`{"event":"client-e","channel":"private-b","data":{"n":1}}`)
		}, []string{"ada joined a", `ada message client-e on "private-a": {"n":1}`, "ada error"}},
		{"a message that is too big", func(_ *world, c *hubtest.Client) {
			c.Subscribe("private-a")
			c.Say("%s", strings.Repeat("[", 1<<20))
		}, []string{"ada joined a", "ada left a by server with 1009", "ada disconnected by server with 1009"}},
		{"the permission is taken back", func(_ *world, c *hubtest.Client) {
			c.Subscribe("private-a")
			c.Socket().Revoke("private-a")
			c.Socket().Revoke("private-a")
			c.Unsubscribe("private-a")
		}, []string{"ada joined a", "ada left a by revoked"}},
		{"silence", func(_ *world, c *hubtest.Client) { time.Sleep(2 * time.Minute) },
			[]string{"ada disconnected by server with 4201"}},
		{"the user is terminated", func(w *world, c *hubtest.Client) {
			c.Signin(`{"id":"ada"}`)
			app, _ := w.App(hubtest.AppID)
			if err := app.Terminate(w.t.Context(), "ada"); err != nil {
				w.t.Error(err)
			}
		}, []string{"ada disconnected by revoked with 4009"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, observeAll, func(c *channels.Config) { c.Apps[0].Limits.Members = 1 })
				c := hubtest.Connect(t, w.Hub)
				c.Socket().SetValue("who", "ada")
				w.expect("connected")
				tt.do(w, c)
				c.Take()
				w.expect(tt.want...)
			})
		})
	}
}

// A slowConn takes nothing more from its second Send on.
type slowConn struct{ sent int }

func (c *slowConn) Send(protocol.Batch) error {
	c.sent++
	if c.sent > 1 {
		return channels.ErrSlow
	}
	return nil
}

func (c *slowConn) Close(protocol.CloseCode, string) {}

// A client that does not read is disconnected by the server.
func TestObserversOfSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, observeAll)
		s := w.Connect(new(slowConn), channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		w.take()
		s.Receive([]byte(`{"event":"pusher:ping","data":{}}`))
		s.End()
		s.End()
		w.expect("? disconnected by server with 4100")
	})
}

// A hub that ends tells who was on it that it has, and Run returns when the
// observers know.
func TestObserversOfDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{t: t}
		h, err := channels.New(hubtest.Config())
		if err != nil {
			t.Fatal(err)
		}
		slow := func() { time.Sleep(time.Second) }
		h.OnUnsubscribed("x", func(_ context.Context, _ *channels.Subscription, _ authz.Captures, e channels.End) {
			slow()
			j.note("left %d %d", e.By, e.Code)
		})
		h.OnDisconnected(func(_ context.Context, _ *channels.Socket, e channels.End) {
			slow()
			j.note("disconnected %d %d", e.By, e.Code)
		})
		stop := runUntil(t, h)
		for range 3 {
			hubtest.Connect(t, h).Subscribe("x")
		}
		synctest.Wait()
		if err := <-stop(); err != nil {
			t.Error(err)
		}
		got := j.take()
		slices.Sort(got)
		gone := fmt.Sprintf("disconnected %d 4200", channels.Shutdown)
		left := fmt.Sprintf("left %d 4200", channels.Shutdown)
		if want := []string{gone, gone, gone, left, left, left}; !slices.Equal(got, want) {
			t.Errorf("noted %q, want %q", got, want)
		}
	})
}

// Observers that hang hold up a hub that ends for a bounded time.
func TestObserversDoNotHoldUpDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		counters := newCounted()
		config.Counters = counters
		h, err := channels.New(config)
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		var told atomic.Int32
		h.OnDisconnected(func(context.Context, *channels.Socket, channels.End) {
			told.Add(1)
			<-release
		})
		for range 9 {
			h.OnDisconnected(func(context.Context, *channels.Socket, channels.End) {
				told.Add(1)
				<-release
			})
		}
		stop := runUntil(t, h)
		hubtest.Connect(t, h)
		start := time.Now()
		<-stop()
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("Run returned after %v", d)
		}
		if n := counters.dropped[channels.DropObserver]; told.Load() != 2 || n != 8 {
			t.Errorf("%d observers were told of the end, %d calls given up", told.Load(), n)
		}
		if h.HooksStuck() == 0 {
			t.Error("no call is said to be stuck")
		}
		close(release)
		synctest.Wait()
		if n := h.HooksStuck(); n != 0 {
			t.Errorf("%d calls are said to be stuck when all have returned", n)
		}
	})
}

// One observer that hangs, and one that panics, delay the later ones of their
// connection, and no other.
func TestObserversApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow *channels.Socket
		release := make(chan struct{})
		w := newWorld(t, func(w *world) {
			w.OnJoined("{x...}", func(_ context.Context, sub *channels.Subscription, _ authz.Captures) {
				if sub.Socket() == slow {
					<-release // not even the end of ctx
				}
			})
			w.OnJoined("{x...}", func(context.Context, *channels.Subscription, authz.Captures) { panic("boo") })
			w.OnUnsubscribed("{x...}", func(_ context.Context, sub *channels.Subscription, c authz.Captures, _ channels.End) {
				w.note("%s left", c["x"])
			})
		})
		a, b := hubtest.Connect(t, w.Hub), hubtest.Connect(t, w.Hub)
		slow = a.Socket()
		a.Subscribe("a")
		a.Unsubscribe("a")
		b.Subscribe("b")
		b.Unsubscribe("b")
		w.expect("b left")
		a.Expect(succeeded("a"))
		time.Sleep(2900 * time.Millisecond)
		w.expect()
		time.Sleep(200 * time.Millisecond)
		w.expect("a left")
		if log := strings.Join(w.log.take(), "\n"); strings.Count(log, "panic: boo") != 2 || !strings.Contains(log, "no answer within 3s") {
			t.Errorf("logged: %s", log)
		}
		close(release)
	})
}

// A connection whose observers hang is told nothing more; the others are.
func TestObserversThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newWorld(t, func(w *world) {
			w.OnMessage(func(_ context.Context, _ *channels.Socket, _ string, e channels.Event) {
				w.note("%s", e.Data)
				if e.Data == "hang" {
					<-release
				}
			})
		}, func(c *channels.Config) { c.Apps[0].Limits.ClientEvents = -1 })
		c, other := w.on("private-x"), w.on("private-x")
		for range 12 {
			send(c, "client-e", "private-x", "hang")
		}
		time.Sleep(40 * time.Second)
		if told, dropped := len(w.take()), w.dropped(channels.DropObserver); told != 8 || dropped != 4 {
			t.Errorf("%d were told, and %d dropped, want 8 and 4", told, dropped)
		}
		send(other, "client-e", "private-x", "1")
		w.expect("1")
		close(release)
		synctest.Wait()
		send(c, "client-e", "private-x", "2")
		w.expect("2")
	})
}

// What is too much for the queue is not told, and counted; what is told is told in
// order, on a bounded number of goroutines.
func TestObserverQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue = 100
		underWay, most := 0, 0
		w := newWorld(t, func(w *world) {
			w.OnMessage(func(_ context.Context, s *channels.Socket, _ string, e channels.Event) {
				w.mu.Lock()
				underWay++
				most = max(most, underWay)
				w.mu.Unlock()
				time.Sleep(time.Second)
				w.mu.Lock()
				underWay--
				w.mu.Unlock()
				w.note("%s %s", s.ID(), e.Data)
			})
		}, func(c *channels.Config) {
			c.ObserverQueue = queue
			c.Apps[0].Limits.ClientEvents = -1
		})
		var clients []*hubtest.Client
		for range 80 {
			clients = append(clients, w.on("private-x"))
		}
		for i := range 3 {
			for _, c := range clients {
				c.Say(`{"event":"client-e","channel":"private-x","data":"%d"}`, i)
				synctest.Wait()
			}
		}
		if n := w.dropped(channels.DropObserver); n != 240-64-queue {
			t.Errorf("%d calls were dropped, want all but 64 under way and %d waiting of 240", n, queue)
		}
		time.Sleep(time.Minute)
		told := w.take()
		if len(told) != 64+queue || most != 64 {
			t.Errorf("%d were told, at most %d at once", len(told), most)
		}
		last := map[string]string{}
		for _, line := range told {
			id, n, _ := strings.Cut(line, " ")
			if n <= last[id] {
				t.Errorf("%s was told of %s after %s", id, n, last[id])
			}
			last[id] = n
		}
	})
}

// A connection with a slow observer takes no more than its share of the queue.
func TestObserverQueueIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var slow *channels.Socket
		w := newWorld(t, func(w *world) {
			w.OnMessage(func(_ context.Context, s *channels.Socket, _ string, e channels.Event) {
				if s == slow {
					<-release
				}
				w.note("%s", e.Data)
			})
		}, func(c *channels.Config) {
			c.ObserverQueue = 100
			c.Apps[0].Limits.ClientEvents = -1
		})
		a, b := w.on("private-x"), w.on("private-x")
		slow = a.Socket()
		for range 200 {
			send(a, "client-e", "private-x", "a")
			synctest.Wait()
		}
		send(b, "client-e", "private-x", "b")
		w.expect("b")
		if n := w.dropped(channels.DropObserver); n != 200-1-25 {
			t.Errorf("%d calls were dropped, want all but the one under way and 25 of 200", n)
		}
		close(release)
		synctest.Wait()
		if n := len(w.take()); n != 26 {
			t.Errorf("%d were told, want 26", n)
		}
	})
}

// Whether a channel is occupied, and who is there, is told in turn, whatever comes
// and goes.
func TestObserversOfPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, observeAll)
		a, tab, b := hubtest.Connect(t, w.Hub), hubtest.Connect(t, w.Hub), hubtest.Connect(t, w.Hub)
		w.take()
		a.Join("presence-r", "ada")
		w.expect("1001/presence-r occupied", "ada came to r")
		tab.Join("presence-r", "ada")
		w.expect()
		b.Join("presence-r", "bob")
		w.expect("bob came to r")
		a.Unsubscribe("presence-r")
		w.expect()
		tab.Unsubscribe("presence-r")
		w.expect("ada went from r")
		a.Join("presence-r", "ada")
		b.Unsubscribe("presence-r")
		w.expect("ada came to r", "bob went from r")
		a.Unsubscribe("presence-r")
		w.expect("ada went from r", "1001/presence-r vacated")
		a.Subscribe("orders")
		w.expect()
	})
}

// On a place that others are on elsewhere, they are told of from the first
// subscription on this node to the last.
func TestObserversOfMembersElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := channels.NewMemory()
		w := newWorld(t, observeAll, func(c *channels.Config) { c.Broker = memory })
		place := channels.Place{App: hubtest.AppID, Channel: "presence-r"}
		elsewhere := func(user string) channels.Occupant {
			o := channels.Occupant{Socket: protocol.SocketID("9." + user), Member: protocol.Member{UserID: user}}
			if _, err := memory.Enter(t.Context(), place, o); err != nil {
				t.Fatal(err)
			}
			return o
		}
		elsewhere("eve")
		c := hubtest.Connect(t, w.Hub)
		w.take()
		c.Join("presence-r", "ada")
		w.expect("1001/presence-r occupied", "eve came to r", "ada came to r")
		max := elsewhere("max")
		w.expect("max came to r")
		if err := memory.Leave(t.Context(), place, max); err != nil {
			t.Fatal(err)
		}
		w.expect("max went from r")
		c.Unsubscribe("presence-r")
		w.expect("eve went from r", "ada went from r", "1001/presence-r vacated")
		elsewhere("max")
		w.expect()
	})
}

// Registering is over when the first client may have come.
func TestRegisteringTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(*world) {})
		for name, f := range map[string]func(){
			"OnConnected":   func() { w.OnConnected(nil) },
			"OnSubscribed":  func() { w.OnSubscribed("x", nil) },
			"Filter":        func() { w.Filter("x", nil) },
			"HandleMessage": func() { w.HandleMessage("x", nil) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s is taken while the hub runs", name)
					}
				}()
				f()
			}()
		}
	})
}

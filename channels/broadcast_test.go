package channels_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// twoApps is a configuration with a second app, "2", whose key is theirKey.
func twoApps() channels.Config {
	config := hubtest.Config()
	second := config.Apps[0]
	second.ID, second.Keys = "2", authz.Keys{{Key: theirKey, Secret: hubtest.Secret}}
	config.Apps = append(config.Apps, second)
	return config
}

const theirKey = "their-key"

func mine(h *channels.Hub) *channels.App {
	app, _ := h.App(hubtest.AppID)
	return app
}

// dial connects a client of the app with a key.
func dial(t *testing.T, h *channels.Hub, key string) *hubtest.Client {
	t.Helper()
	c := hubtest.Dial(t, h, channels.ConnectRequest{Key: key, Protocol: "7", HasProtocol: true})
	c.Take()
	return c
}

// check fails the test over an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, twoApps())
		a, b, theirs := hubtest.Connect(t, h), hubtest.Connect(t, h), dial(t, h, theirKey)
		a.Subscribe("news")
		a.Take()
		const e = `{"event":"e","data":"{\"n\":1}"}`
		say := channels.Event{Name: "e", Data: `{"n":1}`}
		for _, tt := range []struct {
			name   string
			to     channels.Selector
			except []protocol.SocketID
			a, b   []string
		}{
			{"everyone", channels.Everyone(), nil, []string{e}, []string{e}},
			{"but one", channels.Everyone(), []protocol.SocketID{"9.9", a.ID()}, nil, []string{e}},
			{"on a channel", channels.On("news"), nil, []string{e}, nil},
			{"by socket", channels.Sockets(string(b.ID())), nil, nil, []string{e}},
			{"nobody who is here", channels.Sockets("9.9"), nil, nil, nil},
		} {
			if err := mine(h).Broadcast(t.Context(), tt.to, say, tt.except...); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			a.Expect(tt.a...)
			b.Expect(tt.b...)
		}
		for name, to := range map[string]channels.Selector{"zero": {}, "no users": channels.Users()} {
			if err := mine(h).Broadcast(t.Context(), to, say); !errors.Is(err, channels.ErrNoTarget) {
				t.Errorf("%s: %v, want ErrNoTarget", name, err)
			}
		}
		a.Expect()
		theirs.Expect()
	})
}

// One broadcast follows another.
func TestBroadcastsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		a := hubtest.Connect(t, h)
		var want []string
		for i := range 100 {
			check(t, mine(h).Broadcast(t.Context(), channels.Everyone(), channels.Event{Name: "e", Data: fmt.Sprint(i)}))
			want = append(want, fmt.Sprintf(`{"event":"e","data":"%d"}`, i))
		}
		a.Expect(want...)
	})
}

// A diary is what connections were sent, in one order, without what greets them.
type diary struct {
	mu    sync.Mutex
	pages []string
	wires map[*byte]bool // where the bytes of broadcasts lie
}

// A diarist is a Conn that writes into a diary, once it is allowed to.
type diarist struct {
	*diary
	wait <-chan struct{}
}

func (d diarist) Send(b protocol.Batch) error {
	for text := range b.All() {
		switch text := string(text); text {
		case `{"event":"all","data":"1"}`:
			<-d.wait
			d.write("all")
			d.mu.Lock()
			d.wires[&b.Wire()[0]] = true
			d.mu.Unlock()
		case event("e", "x", "1"):
			d.write("e")
		}
	}
	return nil
}

func (d diarist) write(page string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages = append(d.pages, page)
}

func (d diarist) Close(protocol.CloseCode, string) {}

// A broadcast to many lets what happens on a channel pass, and is encoded once.
func TestBroadcastDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		d := &diary{wires: map[*byte]bool{}}
		open, free := make(chan struct{}), make(chan struct{})
		close(free)
		wait := open // of the first one, which holds the flusher up
		for i := range 2000 {
			s := h.Connect(diarist{d, wait}, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
			t.Cleanup(s.End)
			if i < 30 {
				s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
			}
			wait = free
		}
		synctest.Wait()
		done := make(chan error, 1)
		go func() {
			done <- mine(h).Broadcast(t.Context(), channels.Everyone(), channels.Event{Name: "all", Data: "1"})
		}()
		synctest.Wait()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"x"}})
		close(open)
		check(t, <-done)
		synctest.Wait()
		if len(d.pages) != 2030 || len(d.wires) != 1 {
			t.Fatalf("%d frames of %d encodings were sent, want 2030 of one", len(d.pages), len(d.wires))
		}
		if i := slices.Index(d.pages, "e"); i > 2*256 {
			t.Errorf("the event on the channel waited for %d frames of the broadcast", i)
		}
	})
}

func TestTriggerUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		tabs := []*hubtest.Client{hubtest.Connect(t, h), hubtest.Connect(t, h)}
		bob := hubtest.Connect(t, h)
		for _, tab := range tabs {
			tab.Signin(`{"id":"ada"}`)
			tab.Subscribe("#server-to-user-ada")
			tab.Take()
		}
		bob.Signin(`{"id":"bob"}`)
		bob.Subscribe("#server-to-user-bob")
		bob.Take()
		say := channels.Event{Name: "e", Data: "1"}
		check(t, mine(h).TriggerUser(t.Context(), "ada", say))
		for _, tab := range tabs {
			tab.Expect(event("e", "#server-to-user-ada", "1"))
		}
		bob.Expect()
		if err := mine(h).TriggerUser(t.Context(), "", say); !errors.Is(err, channels.ErrNoTarget) {
			t.Errorf("to nobody: %v, want ErrNoTarget", err)
		}
	})
}

// Events for some subscribers keep their place among those for all.
func TestTriggerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		clients := make([]*hubtest.Client, 3)
		for i := range clients {
			clients[i] = hubtest.Connect(t, h)
			clients[i].Subscribe("x")
			clients[i].Take()
		}
		clients[0].Subscribe("news")
		clients[0].Take()
		one := channels.Sockets(string(clients[1].ID()))
		open := gate.close() // so that they come in one batch
		for i, tr := range []channels.Trigger{
			{},
			{Only: channels.On("news")},
			{Without: channels.On("news")},
			{},
			{Only: channels.Everyone(), Without: one, Except: clients[2].ID()},
			{Only: one},
			{},
		} {
			tr.Name, tr.Data, tr.Channels = "e", fmt.Sprint(i), []string{"x"}
			trigger(t, h, tr)
		}
		open()
		for i, want := range [][]string{{"0", "1", "3", "4", "6"}, {"0", "2", "3", "5", "6"}, {"0", "2", "3", "6"}} {
			for j := range want {
				want[j] = event("e", "x", want[j])
			}
			clients[i].Expect(want...)
		}
		for _, tr := range []channels.Trigger{{Only: channels.Users()}, {Without: channels.Roles()}} {
			tr.Name, tr.Channels = "e", []string{"x"}
			if err := mine(h).Trigger(t.Context(), tr); !errors.Is(err, channels.ErrNoTarget) {
				t.Errorf("%+v: %v, want ErrNoTarget", tr, err)
			}
		}
		clients[0].Expect()
	})
}

// What is for some is not told those who come later.
func TestTriggerOnlyIsNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
		a.Subscribe("cache-x")
		a.Take()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"cache-x"}})
		trigger(t, h, channels.Trigger{Name: "e", Data: "2", Channels: []string{"cache-x"}, Only: channels.Sockets(string(a.ID()))})
		a.Expect(event("e", "cache-x", "1"), event("e", "cache-x", "2"))
		b.Subscribe("cache-x")
		b.Expect(succeeded("cache-x"), event("e", "cache-x", "1"))
	})
}

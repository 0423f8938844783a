package channels_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

func trigger(t *testing.T, h *channels.Hub, tr channels.Trigger) {
	t.Helper()
	app, _ := h.App(hubtest.AppID)
	if err := app.Trigger(t.Context(), tr); err != nil {
		t.Fatalf("Trigger: %v", err)
	}
}

func succeeded(channel string) string {
	return fmt.Sprintf(`{"event":"pusher_internal:subscription_succeeded","channel":%q,"data":"{}"}`, channel)
}

func event(name, channel, data string) string {
	return fmt.Sprintf(`{"event":%q,"channel":%q,"data":%q}`, name, channel, data)
}

// Whatever mixture of concurrent triggers, every subscriber hears the same
// sequence, beginning with its subscription_succeeded.
func TestOneOrderForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		early := make([]*hubtest.Client, 20)
		for i := range early {
			early[i] = hubtest.Connect(t, h)
			early[i].Subscribe("orders")
			early[i].Expect(succeeded("orders"))
		}
		var late []*hubtest.Client
		var wg sync.WaitGroup
		for p := range 5 {
			wg.Go(func() {
				for i := range 200 {
					trigger(t, h, channels.Trigger{Name: "e", Data: fmt.Sprintf("%d.%d", p, i), Channels: []string{"orders"}})
				}
			})
		}
		for range 20 {
			c := hubtest.Connect(t, h)
			c.Subscribe("orders")
			late = append(late, c)
		}
		wg.Wait()
		want := early[0].Take()
		if len(want) != 1000 {
			t.Fatalf("the first client got %d events, want 1000", len(want))
		}
		for _, c := range early[1:] {
			c.Expect(want...)
		}
		for i, c := range late {
			got := c.Take()
			if len(got) == 0 || got[0] != succeeded("orders") {
				t.Fatalf("late client %d: first message is not subscription_succeeded: %q", i, got)
			}
			tail := want[len(want)-len(got)+1:]
			if strings.Join(got[1:], "\n") != strings.Join(tail, "\n") {
				t.Errorf("late client %d did not hear an unbroken end of the sequence", i)
			}
		}
	})
}

func TestExcept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
		for _, c := range []*hubtest.Client{a, b} {
			c.Subscribe("x")
			c.Subscribe("y")
			c.Take()
		}
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"x", "y"}, Except: a.ID()})
		trigger(t, h, channels.Trigger{Name: "e", Data: "2", Channels: []string{"x"}})
		trigger(t, h, channels.Trigger{Name: "e", Data: "3", Channels: []string{"x"}, Except: "1.1"})
		a.Expect(event("e", "x", "2"), event("e", "x", "3"))
		if got := b.Take(); len(got) != 4 {
			t.Errorf("b got %q, want all four", got)
		}
	})
}

// Events that pile up are sent as one batch; what one socket must not hear is
// left out of its batch alone, and joins and leaves cut it where they happened.
func TestBatchVariants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		a, b, c, d := hubtest.Connect(t, h), hubtest.Connect(t, h), hubtest.Connect(t, h), hubtest.Connect(t, h)
		for _, s := range []*hubtest.Client{a, b, c} {
			s.Subscribe("x")
			s.Expect(succeeded("x"))
		}
		open := gate.close()
		for i := range 3 {
			trigger(t, h, channels.Trigger{Name: "e", Data: fmt.Sprint(i), Channels: []string{"x"}, Except: b.ID()})
		}
		d.Subscribe("x")
		c.Unsubscribe("x")
		trigger(t, h, channels.Trigger{Name: "e", Data: "3", Channels: []string{"x"}})
		c.Subscribe("x")
		trigger(t, h, channels.Trigger{Name: "e", Data: "4", Channels: []string{"x"}, Except: a.ID()})
		open()
		e := func(n string) string { return event("e", "x", n) }
		a.Expect(e("0"), e("1"), e("2"), e("3"))
		b.Expect(e("3"), e("4"))
		c.Expect(e("0"), e("1"), e("2"), succeeded("x"), e("4"))
		d.Expect(succeeded("x"), e("3"), e("4"))
	})
}

// A client that leaves a channel and comes back while its flusher is busy hears
// what it was still to be sent before its new success, not after; and nothing
// stays of a channel that everybody has left.
func TestResubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		a := hubtest.Connect(t, h)
		a.Subscribe("x")
		a.Expect(succeeded("x"))
		open := gate.close()
		var want []string
		for i := range 300 { // more than one pass takes
			trigger(t, h, channels.Trigger{Name: "e", Data: fmt.Sprint(i), Channels: []string{"x"}})
			want = append(want, event("e", "x", fmt.Sprint(i)))
		}
		a.Unsubscribe("x")
		a.Subscribe("x")
		trigger(t, h, channels.Trigger{Name: "e", Data: "new", Channels: []string{"x"}})
		open()
		a.Expect(append(want, succeeded("x"), event("e", "x", "new"))...)
		for i := range 100 {
			a.Subscribe(fmt.Sprintf("y-%d", i))
			a.Unsubscribe(fmt.Sprintf("y-%d", i))
		}
		a.Hangup()
		synctest.Wait()
		if n := h.Held(); n != 1 {
			t.Errorf("%d channels are held, want that of the gate", n)
		}
	})
}

// A gate is the Conn of some subscribers; its Send waits, so that their flusher
// does.
type gate struct {
	mu     sync.Mutex
	closed chan struct{}
	hub    *channels.Hub
	t      *testing.T
}

func newGate(h *channels.Hub, t *testing.T) *gate {
	g := &gate{hub: h, t: t}
	for range 20 { // more than a publisher serves itself
		s := h.Connect(g, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"gate"}}`))
		t.Cleanup(s.End)
	}
	synctest.Wait()
	return g
}

// close stops the flusher; the function it returns lets it go on.
func (g *gate) close() func() {
	ch := make(chan struct{})
	g.mu.Lock()
	g.closed = ch
	g.mu.Unlock()
	trigger(g.t, g.hub, channels.Trigger{Name: "stop", Channels: []string{"gate"}})
	synctest.Wait()
	return func() {
		g.mu.Lock()
		g.closed = nil
		g.mu.Unlock()
		close(ch)
	}
}

func (g *gate) Send(protocol.Batch) error {
	g.mu.Lock()
	ch := g.closed
	g.mu.Unlock()
	if ch != nil {
		<-ch
	}
	return nil
}

func (g *gate) Close(protocol.CloseCode, string) {}

// A list that is full makes publishers wait; one that cannot wait longer is
// told which channels did not take the event.
func TestFullList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers, config.EntryList = 1, 1000
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		a := hubtest.Connect(t, h)
		a.Subscribe("x")
		a.Expect(succeeded("x"))
		open := gate.close()
		app, _ := h.App(hubtest.AppID)
		data := strings.Repeat("d", 300)
		send := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return app.Trigger(ctx, channels.Trigger{Name: "e", Data: data, Channels: []string{"nobody", "x"}})
		}
		sent := 0
		var err error
		for err == nil && sent < 10 {
			if err = send(); err == nil {
				sent++
			}
		}
		undelivered, ok := errors.AsType[*channels.UndeliveredError](err)
		if !ok || len(undelivered.Channels) != 1 || undelivered.Channels[0] != "x" {
			t.Fatalf("error %v after %d events, want one that names x", err, sent)
		}
		if sent != 2 {
			t.Errorf("%d events of 300 bytes were taken by a list of 1000", sent)
		}
		waited := make(chan error, 1)
		go func() {
			waited <- app.Trigger(t.Context(), channels.Trigger{Name: "last", Data: data, Channels: []string{"x"}})
		}()
		synctest.Wait()
		open()
		if err := <-waited; err != nil {
			t.Errorf("the publisher that waited: %v", err)
		}
		got := a.Take()
		if len(got) != sent+1 || !strings.Contains(got[sent], `"last"`) {
			t.Errorf("got %d messages, want %d", len(got), sent+1)
		}
	})
}

// One event larger than the bound gets through an empty list.
func TestEventOverListBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.EntryList = 100
		h := hubtest.Start(t, config)
		a := hubtest.Connect(t, h)
		a.Subscribe("x")
		a.Take()
		for range 3 {
			trigger(t, h, channels.Trigger{Name: "e", Data: strings.Repeat("d", 500), Channels: []string{"x"}})
		}
		if got := a.Take(); len(got) != 3 {
			t.Errorf("got %d of 3 events", len(got))
		}
	})
}

type counted struct {
	mu      sync.Mutex
	dropped map[channels.DropReason]int
	closed  map[protocol.CloseCode]int
	listed  int
}

func (c *counted) Dropped(r channels.DropReason, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped[r] += n
}

func (c *counted) Closed(code protocol.CloseCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed[code]++
}

func (c *counted) Listed(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed += bytes
}

func newCounted() *counted {
	return &counted{dropped: map[channels.DropReason]int{}, closed: map[protocol.CloseCode]int{}}
}

// A client that does not read is closed; the others get everything.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		counters := newCounted()
		config.Counters = counters
		h := hubtest.Start(t, config)
		slow, well := hubtest.Connect(t, h), hubtest.Connect(t, h)
		slow.Join("presence-x", "slow")
		well.Join("presence-x", "well")
		slow.Take()
		well.Take()
		slow.StopReading()
		for i := range 10 {
			trigger(t, h, channels.Trigger{Name: "e", Data: fmt.Sprint(i), Channels: []string{"presence-x"}})
		}
		if code, _ := slow.Closed(); code != 4100 {
			t.Errorf("closed with %d, want 4100", code)
		}
		got := strings.Join(well.Take(), "\n")
		if n := strings.Count(got, `"event":"e"`); n != 10 {
			t.Errorf("the other client got %d of 10 events", n)
		}
		if !strings.Contains(got, `member_removed`) {
			t.Error("the other client was not told that the slow one has gone")
		}
		if counters.dropped[channels.DropSlow] == 0 || counters.closed[4100] != 1 {
			t.Errorf("counted %v %v", counters.dropped, counters.closed)
		}
		if counters.listed != 0 {
			t.Errorf("the gauge of listed bytes is %d with empty lists", counters.listed)
		}
	})
}

// Two apps with the same names of channels and users hear nothing of each other.
func TestAppsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Apps = append(config.Apps, channels.AppConfig{
			ID: "2", Keys: authz.Keys{{Key: "other-key", Secret: "other"}}, ClientEvents: true,
		})
		h := hubtest.Start(t, config)
		mine := hubtest.Connect(t, h)
		other := hubtest.Dial(t, h, channels.ConnectRequest{Key: "other-key", Protocol: "7", HasProtocol: true})
		mine.Join("presence-x", "ada")
		auth := authz.Key{Key: "other-key", Secret: "other"}.ChannelAuth(other.ID(), "presence-x", `{"user_id":"bob"}`, true)
		other.Say(`{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":%q,"channel_data":"{\"user_id\":\"bob\"}"}}`, auth)
		mine.Take()
		other.Take()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-x"}, Except: other.ID()})
		mine.Say(`{"event":"client-e","channel":"presence-x","data":"1"}`)
		other.Expect()
		app, _ := h.App("2")
		if info, _ := app.Channel(t.Context(), "presence-x"); info.Sockets != 1 || info.Users != 1 {
			t.Errorf("the other app counts %+v", info)
		}
	})
}

package channels_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// say sends what pusher-js sends for send_event(name, data).
func say(c *hubtest.Client, name, data string) { c.Say(`{"event":%q,"data":%s}`, name, data) }

// A custom message is handled, and answered, in order; observers are told after it.
func TestHandleMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.HandleMessage("ping-time", func(_ context.Context, s *channels.Socket, e channels.Event) error {
				w.note("%s asks %s", s.Identity().ID, e.Data)
				if strings.Contains(e.Data, "slow") {
					time.Sleep(time.Second)
				}
				return s.Send(channels.Event{Name: "time", Data: e.Data})
			})
			w.OnMessage(func(_ context.Context, _ *channels.Socket, channel string, e channels.Event) {
				w.note("message %q %s", channel, e.Data)
			})
		})
		c := w.as("7")
		say(c, "ping-time", `{"uid":5}`)
		c.Expect(`{"event":"time","data":"{\"uid\":5}"}`)
		w.expect(`7 asks {"uid":5}`, `message "" {"uid":5}`)
		say(c, "ping-time", `"slow"`)
		say(c, "ping-time", `"quick"`)
		c.Subscribe("private-x")
		c.Say(`{"event":"pusher:ping","data":{}}`)
		c.Expect(succeeded("private-x"), `{"event":"pusher:pong","data":"{}"}`)
		time.Sleep(2 * time.Second)
		c.Expect(`{"event":"time","data":"slow"}`, `{"event":"time","data":"quick"}`)
		var asked, told []string
		for _, line := range w.take() {
			if strings.HasPrefix(line, "7") {
				asked = append(asked, line)
			} else {
				told = append(told, line)
			}
		}
		if want := []string{"7 asks slow", "7 asks quick"}; !slices.Equal(asked, want) {
			t.Errorf("handled %q, want %q", asked, want)
		}
		if want := []string{`message "" slow`, `message "" quick`}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// What is wrong with a custom message is answered with one error, and told once.
func TestMessageErrors(t *testing.T) {
	const unhandled = `{"event":"pusher:error","data":{"code":null,"message":"Message m could not be handled, send it again later"}}`
	nothing := func(context.Context) error { return nil }
	for _, tt := range []struct {
		name   string
		handle func(context.Context) error
		text   string
		want   string
	}{
		{"error", func(context.Context) error { return errors.New("secret") }, `{"event":"m","data":1}`, unhandled},
		{"panic", func(context.Context) error { panic("secret") }, `{"event":"m","data":1}`, unhandled},
		{"no time", func(context.Context) error { time.Sleep(5 * time.Second); return nil }, `{"event":"m","data":1}`, unhandled},
		{"an error for the client", func(context.Context) error {
			return fmt.Errorf("wrapped: %w", &protocol.Error{Code: 4310, Message: "no such thing"})
		}, `{"event":"m","data":1}`, `{"event":"pusher:error","data":{"code":4310,"message":"no such thing"}}`},
		{"no handler", nothing, `{"event":"n","data":1}`,
			`{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket: n"}}`},
		{"with a channel", nothing, `{"event":"m","data":1,"channel":"private-x"}`,
			`{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket: m"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(w *world) {
					w.HandleMessage("m", func(ctx context.Context, _ *channels.Socket, _ channels.Event) error { return tt.handle(ctx) })
					w.OnMessage(func(context.Context, *channels.Socket, string, channels.Event) { w.note("message") })
					w.OnError(func(context.Context, *channels.Socket, error) { w.note("error") })
				})
				c := w.on("private-x")
				c.Say("%s", tt.text)
				time.Sleep(10 * time.Second)
				c.Expect(tt.want)
				w.expect("error")
			})
		})
	}
}

// Custom messages and client events share one rate.
func TestMessageRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.HandleMessage("m", func(_ context.Context, _ *channels.Socket, e channels.Event) error {
				w.note("%s", e.Data)
				return nil
			})
		}, func(c *channels.Config) { c.Apps[0].Limits.ClientEvents = 3 })
		c := w.on("private-x")
		say(c, "m", `1`)
		send(c, "client-e", "private-x", "")
		say(c, "m", `2`)
		say(c, "m", `3`)
		w.expect("1", "2")
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "4301") {
			t.Errorf("told %q", got)
		}
	})
}

func TestHandleMessageNames(t *testing.T) {
	h, err := channels.New(hubtest.Config())
	if err != nil {
		t.Fatal(err)
	}
	ignore := func(context.Context, *channels.Socket, channels.Event) error { return nil }
	h.HandleMessage("taken", ignore)
	for _, name := range []string{"", "taken", "client-e", "pusher:ping", "pusher:e", "pusher_internal:e"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a handler of %q is taken", name)
				}
			}()
			h.HandleMessage(name, ignore)
		}()
	}
}

// What an application says to one socket, it alone hears, in order with the
// channel's events.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(*world) {}, func(c *channels.Config) { c.Flushers = 1 })
		gate := newGate(w.Hub, t)
		c, other := w.on("x", "private-a"), w.on("x")
		s := c.Socket()
		if got := fmt.Sprint(s.Subscriptions()); got != "[private-a x]" {
			t.Errorf("subscriptions %s", got)
		}
		check := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		check("Send", s.Send(channels.Event{Name: "e", Data: `{"n":1}`}), nil)
		c.Expect(`{"event":"e","data":"{\"n\":1}"}`)
		open := gate.close()
		w.trigger("x", 1)
		check("SendOn", s.SendOn("x", channels.Event{Name: "own", Data: "2"}), nil)
		w.trigger("x", 3)
		open()
		c.Expect(event("e", "x", "1"), event("own", "x", "2"), event("e", "x", "3"))
		other.Expect(event("e", "x", "1"), event("e", "x", "3"))
		check("SendOn another channel", s.SendOn("y", channels.Event{Name: "e"}), channels.ErrNotSubscribed)
		for _, name := range []string{"", "pusher:error", "pusher_internal:member_added", strings.Repeat("e", 201)} {
			if s.Send(channels.Event{Name: name}) == nil || s.SendOn("x", channels.Event{Name: name}) == nil {
				t.Errorf("an event named %.30q is sent", name)
			}
		}
		c.Unsubscribe("x")
		check("SendOn after unsubscribe", s.SendOn("x", channels.Event{Name: "e"}), channels.ErrNotSubscribed)
		c.Expect()
		c.StopReading()
		check("Send to who does not read", s.Send(channels.Event{Name: "e"}), channels.ErrSlow)
		check("Send to who has gone", s.Send(channels.Event{Name: "e"}), channels.ErrClosed)
		synctest.Wait()
		if got := s.Subscriptions(); len(got) != 0 {
			t.Errorf("subscriptions %v of a connection that has ended", got)
		}
	})
}

// What is sent to one socket on a channel does not grow its list over the bound.
func TestSendOnFullList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(*world) {}, func(c *channels.Config) { c.Flushers, c.EntryList = 1, 1000 })
		gate := newGate(w.Hub, t)
		c := w.on("x")
		open := gate.close()
		sent := 0
		for range 10 {
			if c.Socket().SendOn("x", channels.Event{Name: "e", Data: strings.Repeat("d", 300)}) == nil {
				sent++
			}
		}
		open()
		if got := c.Take(); sent != 2 || len(got) != sent {
			t.Errorf("%d of 300 bytes were taken by a list of 1000, %d arrived", sent, len(got))
		}
		if n := w.dropped(channels.DropListFull); n != 8 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		h := hubtest.Start(t, hubtest.Config())
		a, b := hubtest.Connect(t, h).Socket(), hubtest.Connect(t, h).Socket()
		a.SetValue(key{}, 1)
		b.SetValue("other", 2)
		if a.Value(key{}) != 1 || b.Value(key{}) != nil || b.Value("other") != 2 {
			t.Error("a value is not where it was put")
		}
		a.SetValue(key{}, nil)
		b.SetValue(key{}, nil)
		if a.Value(key{}) != nil {
			t.Error("a value is there after it was taken back")
		}
	})
}

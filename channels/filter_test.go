package channels_test

import (
	"context"
	"errors"
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

// send sends a client event.
func send(c *hubtest.Client, name, channel, data string) {
	c.Say(`{"event":%q,"channel":%q,"data":%q}`, name, channel, data)
}

// rejected is the pusher:error on a channel.
func rejected(code int, channel, message string) string {
	return fmt.Sprintf(`{"event":"pusher:error","channel":%q,"data":{"code":%d,"message":%q}}`, channel, code, message)
}

type filter = func(context.Context, *channels.ClientEvent) (channels.Verdict, error)

func TestVerdicts(t *testing.T) {
	says := func(v channels.Verdict) filter {
		return func(context.Context, *channels.ClientEvent) (channels.Verdict, error) { return v, nil }
	}
	const unchecked = "Client event client-e could not be checked, send it again later"
	replace := func(name, data string) filter { return says(channels.Replace(channels.Event{Name: name, Data: data})) }
	deliver := func(d ...channels.Delivery) filter { return says(channels.Route(d...)) }
	ok := channels.Event{Name: "routed", Data: "1"}
	for _, tt := range []struct {
		name    string
		filter  filter
		heard   []string // by the other
		told    []string // the sender
		failure bool     // of the filter
	}{
		{"pass", says(channels.Pass()), []string{event("client-e", "private-x", "0")}, nil, false},
		{"replace", replace("client-f", "new"), []string{event("client-f", "private-x", "new")}, nil, false},
		{"drop", says(channels.Drop()), nil, nil, false},
		{"reject", says(channels.Reject(4302, "not now")), nil, []string{rejected(4302, "private-x", "not now")}, false},
		{"reject without a word", says(channels.Reject(0, "")), nil,
			[]string{rejected(4301, "private-x", "Client event client-e was rejected")}, false},
		{"no verdict", says(channels.Verdict{}), nil,
			[]string{rejected(4301, "private-x", "Client event client-e was rejected")}, false},
		{"route", deliver(channels.Delivery{Channel: "private-x", Event: ok}, channels.Delivery{Channel: "private-x", Event: ok}),
			[]string{event("routed", "private-x", "1"), event("routed", "private-x", "1")}, nil, false},
		{"route to nobody", deliver(), nil, nil, false},
		{"route to a channel that nobody is on", deliver(channels.Delivery{Channel: "empty", Event: ok}), nil, nil, false},

		{"error", func(context.Context, *channels.ClientEvent) (channels.Verdict, error) {
			return channels.Pass(), errors.New("boo")
		},
			nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"panic", func(context.Context, *channels.ClientEvent) (channels.Verdict, error) { panic("boo") },
			nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"no time", func(ctx context.Context, _ *channels.ClientEvent) (channels.Verdict, error) {
			time.Sleep(5 * time.Second)
			return channels.Pass(), nil
		}, nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"replace without client-", replace("e", "1"), nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"replace by too much", replace("client-e", strings.Repeat("d", 10241)), nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"replace by a long name", replace("client-"+strings.Repeat("e", 200), ""), nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"route an event of Pusher", deliver(channels.Delivery{Channel: "private-x", Event: ok},
			channels.Delivery{Channel: "private-x", Event: channels.Event{Name: "pusher_internal:member_added"}}),
			nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"route to no channel", deliver(channels.Delivery{Channel: "#user-ada", Event: ok}),
			nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"route except nobody in a list", deliver(channels.Delivery{Channel: "private-x", Event: ok, Except: channels.Users()}),
			nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"a copy of too much", deliver(channels.Delivery{Channel: "private-x", Each: func(authz.Identity) (channels.Event, bool) {
			return channels.Event{Name: "e", Data: strings.Repeat("d", 10241)}, true
		}}), nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"a copy that panics", deliver(channels.Delivery{Channel: "private-x", Event: ok},
			channels.Delivery{Channel: "private-x", Each: func(authz.Identity) (channels.Event, bool) { panic("boo") }}),
			nil, []string{rejected(4301, "private-x", unchecked)}, true},
		{"copies that take too long", deliver(channels.Delivery{Channel: "private-x", Each: func(authz.Identity) (channels.Event, bool) {
			time.Sleep(4 * time.Second)
			return ok, true
		}}), nil, []string{rejected(4301, "private-x", unchecked)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(w *world) {
					w.Filter("private-x", tt.filter)
					w.OnMessage(func(_ context.Context, _ *channels.Socket, channel string, e channels.Event) {
						w.note("message %s %s %s", channel, e.Name, e.Data)
					})
					w.OnError(func(_ context.Context, _ *channels.Socket, err error) { w.note("error") })
				})
				sender, other := w.on("private-x"), w.on("private-x")
				send(sender, "client-e", "private-x", "0")
				time.Sleep(10 * time.Second)
				other.Expect(tt.heard...)
				sender.Expect(tt.told...)
				if tt.told == nil {
					w.expect("message private-x client-e 0")
				} else {
					w.expect("error")
				}
				failures := 0
				if tt.failure {
					failures = 1
				}
				if n, log := w.dropped(channels.DropFilter), w.log.take(); n != failures || len(log) != failures {
					t.Errorf("counted %d, logged %q", n, log)
				}
			})
		})
	}
}

// Filters are asked in order, each with what the one before made of the event, and
// see who has sent it, whatever that says.
func TestFilterChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			add := func(pattern, word string) {
				w.Filter(pattern, func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
					w.note("%s: %s says %s on %v", word, e.Sender.ID, e.Event.Data, e.Captures)
					if e.Event.Data == "stop" {
						return channels.Drop(), nil
					}
					e.Event.Data = "lost"
					return channels.Replace(channels.Event{Name: e.Event.Name, Data: e.Event.Name + " " + word}), nil
				})
			}
			add("presence-{room}", "first")
			add("private-{x}", "other")
			add("{x...}", "second")
		})
		ada, bob := w.as("ada"), w.as("bob")
		ada.Join("presence-r", "ada")
		bob.Join("presence-r", "bob")
		ada.Take()
		bob.Take()
		ada.Say(`{"event":"client-e","channel":"presence-r","data":"I am bob","user_id":"bob"}`)
		bob.Expect(`{"event":"client-e","channel":"presence-r","data":"client-e second","user_id":"ada"}`)
		w.expect("first: ada says I am bob on map[room:r]", "second: ada says client-e first on map[x:presence-r]")
		send(ada, "client-e", "presence-r", "stop")
		bob.Expect()
		w.expect("first: ada says stop on map[room:r]")
		ada.Expect()
	})
}

// What the protocol refuses never gets to a filter.
func TestFilterAfterChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.Filter("{x...}", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				w.note("%s", e.Event.Data)
				return channels.Pass(), nil
			})
		}, func(c *channels.Config) { c.Apps[0].Limits.ClientEvents = 2 })
		c, other := w.on("private-x", "public"), w.on("private-x", "private-y", "public")
		send(c, "notification", "private-x", "unprefixed")
		send(c, "client-e", "private-y", "not subscribed")
		send(c, "client-e", "public", "public")
		send(c, "pusher_internal:member_added", "private-x", "internal")
		if got := c.Take(); len(got) != 4 {
			t.Errorf("told %q", got)
		}
		for i := range 3 {
			send(c, "client-e", "private-x", fmt.Sprint(i))
		}
		w.expect("0", "1")
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], `"code":4301`) {
			t.Errorf("told %q", got)
		}
		other.Expect(event("client-e", "private-x", "0"), event("client-e", "private-x", "1"))
	})
}

// A slow filter holds up what its sender does on that channel, in order, and
// nothing else.
func TestSlowFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.Filter("private-x", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				if e.Event.Data == "slow" {
					time.Sleep(time.Second)
				}
				return channels.Pass(), nil
			})
		})
		ada, bob, other := w.on("private-x", "private-y"), w.on("private-x"), w.on("private-x", "private-y")
		send(ada, "client-e", "private-x", "slow")
		send(ada, "client-e", "private-x", "quick")
		send(ada, "client-e", "private-y", "elsewhere")
		ada.Say(`{"event":"pusher:ping","data":{}}`)
		ada.Unsubscribe("private-x")
		ada.Subscribe("orders")
		send(bob, "client-e", "private-x", "of bob")
		ada.Expect(`{"event":"pusher:pong","data":"{}"}`, succeeded("orders")) // nothing of bob: ada has unsubscribed
		other.Expect(event("client-e", "private-y", "elsewhere"), event("client-e", "private-x", "of bob"))
		time.Sleep(2 * time.Second)
		other.Expect(event("client-e", "private-x", "slow"), event("client-e", "private-x", "quick"))
		ada.Expect()
		send(ada, "client-e", "private-x", "gone")
		if got := ada.Take(); len(got) != 1 || !strings.Contains(got[0], "not subscribed") {
			t.Errorf("told %q", got)
		}
	})
}

// An event is not delivered if its sender has lost the permission by the time it has
// been filtered.
func TestFilterAndRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.Filter("private-x", func(context.Context, *channels.ClientEvent) (channels.Verdict, error) {
				time.Sleep(time.Second)
				return channels.Pass(), nil
			})
		})
		c, other := w.on("private-x"), w.on("private-x")
		send(c, "client-e", "private-x", "1")
		synctest.Wait()
		c.Socket().Revoke("private-x")
		time.Sleep(2 * time.Second)
		other.Expect()
		if got := c.Take(); len(got) != 2 || !strings.Contains(got[0], "subscription_error") || !strings.Contains(got[1], "not subscribed") {
			t.Errorf("told %q", got)
		}
	})
}

// The end of the connection ends the filter, and what was not filtered is not
// delivered.
func TestFilterAndHangup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.Filter("private-x", func(ctx context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				<-ctx.Done()
				w.note("filtered %s: %v", e.Event.Data, ctx.Err())
				return channels.Pass(), nil
			})
			w.OnDisconnected(func(context.Context, *channels.Socket, channels.End) { w.note("disconnected") })
		})
		c, other := w.on("private-x"), w.on("private-x")
		send(c, "client-e", "private-x", "1")
		send(c, "client-e", "private-x", "2")
		synctest.Wait()
		c.Hangup()
		got := w.take()
		slices.Sort(got)
		if want := []string{"disconnected", "filtered 1: context canceled"}; !slices.Equal(got, want) {
			t.Errorf("noted %q, want %q", got, want)
		}
		other.Expect()
		if n := w.dropped(channels.DropFilter); n != 0 {
			t.Errorf("counted %d", n)
		}
	})
}

// typing is a typing indicator: the sender's name is the server's word, and who
// hides is named to those alone who may know.
func typing(dialog bool) func(*world) {
	return func(w *world) {
		w.Filter("private-typing={id}", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
			named := func(name string) channels.Event {
				v, err := channels.NewEvent("client-typing", map[string]any{"displayName": name})
				if err != nil {
					w.t.Error(err)
				}
				return v
			}
			nameless := channels.Event{Name: "client-typing", Data: `{"displayName":null}`}
			identified := "private-typingIdentified=" + e.Captures["id"]
			switch {
			case e.Sender.Guest():
				return channels.Replace(nameless), nil
			case dialog:
				return channels.Route(channels.Delivery{Channel: identified, Event: named(e.Sender.ID)}), nil
			}
			return channels.Route(
				channels.Delivery{Channel: e.Channel, Event: nameless, Except: channels.On(identified)},
				channels.Delivery{Channel: identified, Event: named(e.Sender.ID)},
			), nil
		})
	}
}

func TestTypingIndicator(t *testing.T) {
	const all, some = "private-typing=42", "private-typingIdentified=42"
	for _, dialog := range []bool{false, true} {
		t.Run(fmt.Sprintf("dialog=%v", dialog), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, typing(dialog))
				alice, bob, carol, guest := w.as("alice"), w.as("bob"), w.as("carol"), hubtest.Connect(t, w.Hub)
				for _, c := range []*hubtest.Client{alice, bob, carol, guest} {
					c.Subscribe(all)
					c.Take()
				}
				for _, c := range []*hubtest.Client{alice, carol} {
					c.Subscribe(some)
					c.Take()
				}
				send(alice, "client-typing", all, `{"displayName":"Admin"}`)
				nameless := event("client-typing", all, `{"displayName":null}`)
				if dialog {
					bob.Expect()
				} else {
					bob.Expect(nameless)
				}
				carol.Expect(event("client-typing", some, `{"displayName":"alice"}`))
				alice.Expect()
				guest.Take()
				send(guest, "client-typing", all, `{"displayName":"Admin"}`)
				bob.Expect(nameless)
				carol.Expect(nameless)
				alice.Expect(nameless)
				guest.Expect()
			})
		})
	}
}

// Each user gets a copy of its own, made once for all of its tabs, in order with
// what else is said on the channel; who comes after it was made gets none.
func TestDeliverEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.Filter("private-x", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				return channels.Route(channels.Delivery{
					Channel: "feed", Except: channels.Users("max"),
					Each: func(to authz.Identity) (channels.Event, bool) {
						w.note("for %q", to.ID)
						if to.ID == "bob" {
							time.Sleep(time.Second)
						}
						return channels.Event{Name: "for", Data: to.ID + " " + e.Event.Data}, to.ID != "eve"
					},
				}), nil
			})
		})
		connect := func(id string) *hubtest.Client {
			c := w.as(id)
			c.Subscribe("feed")
			c.Take()
			return c
		}
		sender := connect("ada")
		sender.Subscribe("private-x")
		sender.Take()
		tab, bob1, bob2, eve, muted, guest, guest2 := connect("ada"), connect("bob"), connect("bob"), connect("eve"),
			connect("max"), connect(""), connect("")
		send(sender, "client-e", "private-x", "1")
		synctest.Wait()
		late := connect("bob")
		bob2.Unsubscribe("feed")
		bob2.Subscribe("feed")
		bob2.Take()
		w.trigger("feed", 2)
		time.Sleep(2 * time.Second)
		w.trigger("feed", 3)
		live := []string{event("e", "feed", "2"), event("e", "feed", "3")}
		tab.Expect(live[0], event("for", "feed", "ada 1"), live[1])
		bob1.Expect(live[0], event("for", "feed", "bob 1"), live[1])
		guest.Expect(live[0], event("for", "feed", " 1"), live[1])
		guest2.Expect(live[0], event("for", "feed", " 1"), live[1])
		for _, c := range []*hubtest.Client{sender, bob2, eve, muted, late} {
			c.Expect(live...)
		}
		asked := w.take()
		slices.Sort(asked)
		if want := []string{`for ""`, `for "ada"`, `for "bob"`, `for "eve"`}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
		synctest.Wait()
		if w.counted.listed != 0 {
			t.Errorf("the gauge of listed bytes is %d with empty lists", w.counted.listed)
		}
	})
}

// Deliveries that are not for all keep their place among events that pile up, for
// those whose initial state is loaded too, and those who are still to join.
func TestDeliverInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.OnSubscribed("x", func(context.Context, *channels.Subscription, authz.Captures) ([]channels.Event, error) {
				time.Sleep(time.Second)
				return nil, nil
			})
			w.Filter("private-x", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				d := channels.Delivery{Channel: "x", Event: e.Event, Except: channels.Users("bob")}
				if e.Event.Data == "each" {
					d = channels.Delivery{Channel: "x", Each: func(to authz.Identity) (channels.Event, bool) {
						return channels.Event{Name: "client-e", Data: "for " + to.ID}, true
					}}
				}
				return channels.Route(d), nil
			})
		}, func(c *channels.Config) { c.Flushers = 1 })
		gate := newGate(w.Hub, t)
		sender, ada, bob := w.on("private-x", "x"), w.as("ada"), w.as("bob")
		for _, c := range []*hubtest.Client{ada, bob} {
			c.Subscribe("x")
			c.Take()
		}
		time.Sleep(2 * time.Second)
		max, eve := w.as("max"), w.as("eve")
		eve.Subscribe("x")
		eve.Take()
		open := gate.close()
		max.Subscribe("x")
		w.trigger("x", 1)
		send(sender, "client-e", "private-x", "but bob")
		synctest.Wait()
		w.trigger("x", 2)
		send(sender, "client-e", "private-x", "each") // its copies are made once the flusher can be asked who is there
		open()
		synctest.Wait()
		w.trigger("x", 3)
		all := func(id string) []string {
			return []string{event("e", "x", "1"), event("client-e", "x", "but bob"), event("e", "x", "2"),
				event("client-e", "x", "for "+id), event("e", "x", "3")}
		}
		ada.Expect(all("ada")...)
		bob.Expect(slices.Delete(all("bob"), 1, 2)...)
		eve.Expect()
		time.Sleep(2 * time.Second)
		eve.Expect(all("eve")...)
		max.Expect(append([]string{succeeded("x")}, all("max")...)...)
		sender.Expect(event("e", "x", "1"), event("e", "x", "2"), event("e", "x", "3"))
	})
}

// A napConn takes 10 ms to take something, so that its place rests afterwards.
type napConn struct{ naps atomic.Bool }

func (c *napConn) Send(protocol.Batch) error {
	if c.naps.Load() {
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

func (c *napConn) Close(protocol.CloseCode, string) {}

// Who has subscribed gets a copy, though the flusher has not got round to the
// subscription yet; who has unsubscribed gets none.
func TestDeliverEachWhileResting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.Filter("private-x", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				return channels.Route(channels.Delivery{Channel: "x", Each: func(authz.Identity) (channels.Event, bool) {
					return channels.Event{Name: "copy"}, true
				}}), nil
			})
		}, func(c *channels.Config) { c.Flushers = 1 })
		nap := new(napConn)
		s := w.Connect(nap, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		defer s.End()
		s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
		sender, come, gone := w.on("private-x"), hubtest.Connect(t, w.Hub), w.on("x")
		for range 10 { // more than a publisher serves itself
			w.on("x")
		}
		nap.naps.Store(true)
		w.trigger("x", 1)
		time.Sleep(5 * time.Millisecond)
		w.trigger("x", 2)
		time.Sleep(7 * time.Millisecond) // the pass is over, and the place rests
		come.Subscribe("x")
		gone.Unsubscribe("x")
		send(sender, "client-e", "private-x", "")
		come.Expect()
		time.Sleep(time.Second)
		come.Expect(succeeded("x"), event("copy", "x", ""))
		gone.Expect(event("e", "x", "1"), event("e", "x", "2"))
	})
}

// A list that is full of what is to be delivered holds the filter's lane up, and
// then the sender is told.
func TestDeliverToFullList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := strings.Repeat("d", 300)
		w := newWorld(t, func(w *world) {
			w.Filter("private-x", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				return channels.Route(channels.Delivery{Channel: "x", Event: channels.Event{Name: "e", Data: data}}), nil
			})
		}, func(c *channels.Config) { c.Flushers, c.EntryList = 1, 1000 })
		gate := newGate(w.Hub, t)
		c, other := w.on("private-x"), w.on("x")
		open := gate.close()
		for range 3 {
			send(c, "client-e", "private-x", "1")
		}
		time.Sleep(3 * time.Second)
		c.Expect(`{"event":"pusher:error","data":{"code":null,"message":"Client event client-e was not delivered, send it again later"}}`)
		open()
		if got := other.Take(); len(got) != 2 {
			t.Errorf("%d events arrived", len(got))
		}
	})
}

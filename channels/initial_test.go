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
)

// loads registers a loader for the channel x.
func loads(f func(ctx context.Context, sub *channels.Subscription) ([]channels.Event, error)) func(*world) {
	return func(w *world) {
		w.OnSubscribed("x", func(ctx context.Context, sub *channels.Subscription, _ authz.Captures) ([]channels.Event, error) {
			return f(ctx, sub)
		})
	}
}

func unavailable(channel string) string { return event("hark:state_unavailable", channel, "{}") }

func (w *world) trigger(channel string, data any) {
	w.t.Helper()
	trigger(w.t, w.Hub, channels.Trigger{Name: "e", Data: fmt.Sprint(data), Channels: []string{channel}})
}

// A new subscriber hears succeeded, the initial state, and then what happened
// since it succeeded; the others hear that at once, and nothing of the state.
func TestInitialState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loads(func(context.Context, *channels.Subscription) ([]channels.Event, error) {
			time.Sleep(300 * time.Millisecond)
			total, err := channels.NewEvent("total", 42)
			return []channels.Event{total}, err
		}))
		a := hubtest.Connect(t, w.Hub)
		a.Subscribe("x")
		time.Sleep(time.Second)
		a.Expect(succeeded("x"), event("total", "x", "42"))
		b := hubtest.Connect(t, w.Hub)
		b.Subscribe("x")
		b.Expect(succeeded("x"))
		time.Sleep(100 * time.Millisecond)
		w.trigger("x", 43)
		a.Expect(event("e", "x", "43"))
		b.Expect()
		time.Sleep(time.Second)
		b.Expect(event("total", "x", "42"), event("e", "x", "43"))
		a.Expect()
		w.trigger("x", 44)
		b.Expect(event("e", "x", "44"))
		b.Unsubscribe("x")
		b.Subscribe("x")
		time.Sleep(time.Second)
		b.Expect(succeeded("x"), event("total", "x", "42"))
	})
}

// The cached event or cache_miss, and the count, come before the initial state;
// what members do, and what is sent to this client alone, comes after it.
func TestInitialStateAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.OnSubscribed("{x...}", func(_ context.Context, sub *channels.Subscription, c authz.Captures) ([]channels.Event, error) {
				if err := sub.Socket().SendOn(sub.Channel(), channels.Event{Name: "own", Data: "1"}); err != nil {
					return nil, err
				}
				time.Sleep(time.Second)
				return []channels.Event{{Name: "first", Data: c["x"]}}, nil
			})
			w.OnSubscribed("presence-{x...}", func(_ context.Context, _ *channels.Subscription, c authz.Captures) ([]channels.Event, error) {
				return []channels.Event{{Name: "second", Data: c["x"]}, {Name: "third"}}, nil
			})
		}, func(c *channels.Config) { c.Apps[0].SubscriptionCount = true })
		c := hubtest.Connect(t, w.Hub)
		c.Subscribe("cache-x")
		time.Sleep(2 * time.Second)
		c.Expect(succeeded("cache-x"),
			`{"event":"pusher:cache_miss","channel":"cache-x","data":"{}"}`,
			event("pusher_internal:subscription_count", "cache-x", `{"subscription_count":1}`),
			event("first", "cache-x", "cache-x"), event("own", "cache-x", "1"))
		a, b := hubtest.Connect(t, w.Hub), hubtest.Connect(t, w.Hub)
		a.Join("presence-x", "ada")
		synctest.Wait()
		b.Join("presence-x", "bob")
		time.Sleep(2 * time.Second)
		got := a.Take()
		if len(got) == 0 || !strings.Contains(got[0], "succeeded") {
			t.Fatalf("got %q", got)
		}
		if want := []string{event("first", "presence-x", "presence-x"), event("second", "presence-x", "x"), event("third", "presence-x", ""),
			event("own", "presence-x", "1"), event("pusher_internal:member_added", "presence-x", `{"user_id":"bob","user_info":{}}`),
		}; !slices.Equal(got[1:], want) {
			t.Errorf("got %q, want %q", got[1:], want)
		}
	})
}

func TestInitialStateUnavailable(t *testing.T) {
	many := make([]channels.Event, 1001)
	for i := range many {
		many[i].Name = "e"
	}
	for name, load := range map[string]func(context.Context) ([]channels.Event, error){
		"an error": func(context.Context) ([]channels.Event, error) {
			return []channels.Event{{Name: "no"}}, errors.New("boo")
		},
		"a panic":         func(context.Context) ([]channels.Event, error) { panic("boo") },
		"no time":         func(ctx context.Context) ([]channels.Event, error) { <-ctx.Done(); return nil, ctx.Err() },
		"a late answer":   func(context.Context) ([]channels.Event, error) { time.Sleep(5 * time.Second); return many[:1], nil },
		"too many events": func(context.Context) ([]channels.Event, error) { return many, nil },
		"too much data": func(context.Context) ([]channels.Event, error) {
			return []channels.Event{{Name: "e", Data: strings.Repeat("d", 600<<10)}}, nil
		},
		"a name of Pusher": func(context.Context) ([]channels.Event, error) { return []channels.Event{{Name: "pusher:error"}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loads(func(ctx context.Context, _ *channels.Subscription) ([]channels.Event, error) {
					time.Sleep(time.Second)
					return load(ctx)
				}))
				c := hubtest.Connect(t, w.Hub)
				c.Subscribe("x")
				c.Expect(succeeded("x"))
				w.trigger("x", 1)
				time.Sleep(2500 * time.Millisecond)
				w.trigger("x", 2)
				time.Sleep(time.Second)
				c.Expect(unavailable("x"), event("e", "x", "1"), event("e", "x", "2"))
				if n := w.dropped(channels.DropInitial); n != 1 {
					t.Errorf("counted %d", n)
				}
				if log := w.log.take(); len(log) != 1 {
					t.Errorf("logged %q", log)
				}
				time.Sleep(5 * time.Second)
				c.Expect()
			})
		})
	}
}

// Too much to hold ends the holding, and then the loader.
func TestInitialStateOverflow(t *testing.T) {
	for _, tt := range []struct {
		name        string
		size, holds int // of an event; how many can be held
	}{
		{"events", 1, 256},
		{"bytes", 10_000, 26},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(w *world) {
					loads(func(ctx context.Context, _ *channels.Subscription) ([]channels.Event, error) {
						<-ctx.Done()
						w.note("over")
						return []channels.Event{{Name: "late"}}, nil
					})(w)
				})
				other := hubtest.Connect(t, w.Hub)
				other.Subscribe("other")
				c := hubtest.Connect(t, w.Hub)
				c.Subscribe("x")
				c.Expect(succeeded("x"))
				data := strings.Repeat("d", tt.size)
				want := []string{unavailable("x")}
				for range tt.holds {
					w.trigger("x", data)
					want = append(want, event("e", "x", data))
				}
				c.Expect()
				w.expect()
				w.trigger("x", data)
				c.Expect(append(want, event("e", "x", data))...)
				w.expect("over")
				if n := w.dropped(channels.DropInitial); n != 1 {
					t.Errorf("counted %d", n)
				}
				w.trigger("x", 2)
				time.Sleep(30 * time.Second)
				c.Expect(event("e", "x", "2"))
			})
		})
	}
}

// A subscription that ends while its state is loaded ends at once, for the client
// and for the loader, and a new one has a loader of its own.
func TestUnsubscribeWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		release := make(chan struct{})
		w := newWorld(t, func(w *world) {
			loads(func(ctx context.Context, _ *channels.Subscription) ([]channels.Event, error) {
				mine := n.Add(1)
				if mine == 1 {
					<-release // not even the end of ctx
				} else {
					time.Sleep(time.Second)
				}
				w.note("%d: %v", mine, ctx.Err())
				return []channels.Event{{Name: "state", Data: fmt.Sprint(mine)}}, nil
			})(w)
			w.OnUnsubscribed("x", func(context.Context, *channels.Subscription, authz.Captures, channels.End) { w.note("left") })
		})
		c := hubtest.Connect(t, w.Hub)
		c.Subscribe("x")
		w.trigger("x", 1)
		c.Expect(succeeded("x"))
		c.Unsubscribe("x")
		w.expect("left")
		w.trigger("x", 2)
		c.Subscribe("x")
		w.trigger("x", 3)
		c.Expect(succeeded("x"))
		time.Sleep(2 * time.Second)
		w.expect("2: <nil>")
		c.Expect(event("state", "x", "2"), event("e", "x", "3"))
		close(release)
		w.expect("1: context canceled")
		c.Expect()
		c.Unsubscribe("x")
		c.Subscribe("x")
		c.Take()
		c.Hangup()
		time.Sleep(2 * time.Second)
		w.expect("left", "left", "3: context canceled")
		if n := w.dropped(channels.DropInitial); n != 0 {
			t.Errorf("%d of what nobody waited for is counted", n)
		}
	})
}

// A connection loads eight states at once, and what else it asks for does not wait.
func TestLoadersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			w.OnSubscribed("slow-{n}", func(context.Context, *channels.Subscription, authz.Captures) ([]channels.Event, error) {
				w.note("load")
				time.Sleep(time.Second)
				return nil, nil
			})
		})
		c := hubtest.Connect(t, w.Hub)
		for i := range 20 {
			c.Subscribe(fmt.Sprintf("slow-%d", i))
		}
		c.Subscribe("fast")
		c.Unsubscribe("slow-19")
		if got := c.Take(); len(got) != 21 {
			t.Errorf("%d of 21 subscribes succeeded at once", len(got))
		}
		for i, want := range []int{8, 8, 3} {
			if got := len(w.take()); got != want {
				t.Errorf("after %d s %d loaders were called, want %d", i, got, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// Whatever goes on on the channel meanwhile, and however the flushers divide it,
// nothing is lost and nothing is heard twice.
func TestInitialStateIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(w *world) {
			var calls atomic.Int32
			loads(func(context.Context, *channels.Subscription) ([]channels.Event, error) {
				n := calls.Add(1)
				time.Sleep(time.Duration(n%7) * 10 * time.Millisecond)
				events := make([]channels.Event, n%300)
				for i := range events {
					events[i] = channels.Event{Name: "state", Data: fmt.Sprint(i)}
				}
				return events, nil
			})(w)
		})
		var all []*hubtest.Client
		const events = 400
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range events {
				w.trigger("x", i)
				time.Sleep(time.Millisecond)
			}
		}()
		for range 40 {
			c := hubtest.Connect(t, w.Hub)
			c.Subscribe("x")
			all = append(all, c)
			time.Sleep(7 * time.Millisecond)
		}
		<-done
		time.Sleep(time.Second)
		for n, c := range all {
			got := c.Take()
			if len(got) == 0 || got[0] != succeeded("x") {
				t.Fatalf("client %d: the first is not succeeded: %.200q", n, got)
			}
			got = got[1:]
			state := 0
			for state < len(got) && got[state] == event("state", "x", fmt.Sprint(state)) {
				state++
			}
			live := got[state:]
			if len(live) == 0 {
				t.Fatalf("client %d heard no event", n)
			}
			for i, text := range live {
				if want := event("e", "x", fmt.Sprint(events-len(live)+i)); text != want {
					t.Fatalf("client %d: after %d of the state, event %d is %s, want %s", n, state, i, text, want)
				}
			}
		}
	})
}

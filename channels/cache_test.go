package channels_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
)

func cacheMiss(channel string) string { return event("pusher:cache_miss", channel, "{}") }

func TestCache(t *testing.T) {
	for _, channel := range []string{"cache-x", "private-cache-x", "private-encrypted-cache-x", "presence-cache-x"} {
		t.Run(channel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hubtest.Start(t, hubtest.Config())
				join := func(c *hubtest.Client) {
					if strings.HasPrefix(channel, "presence") {
						c.Join(channel, "ada")
					} else {
						c.Subscribe(channel)
					}
				}
				second := func(want string) {
					t.Helper()
					c := hubtest.Connect(t, h)
					join(c)
					got := c.Take()
					if len(got) != 2 || !strings.Contains(got[0], "subscription_succeeded") || got[1] != want {
						t.Errorf("got %q, want success and then %s", got, want)
					}
					c.Hangup()
					synctest.Wait()
				}
				second(cacheMiss(channel))
				trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{channel}})
				second(event("e", channel, "1"))
				a := hubtest.Connect(t, h)
				join(a)
				a.Take()
				trigger(t, h, channels.Trigger{Name: "e", Data: "2", Channels: []string{channel}, Except: a.ID()})
				a.Say(`{"event":"client-e","channel":%q,"data":"3"}`, channel)
				a.Take()
				second(event("e", channel, "2"))
				a.Hangup()
				time.Sleep(30*time.Minute - time.Second)
				second(event("e", channel, "2"))
				time.Sleep(2 * time.Second)
				second(cacheMiss(channel))
			})
		})
	}
}

// Whatever is triggered while clients join: each hears the last event before it
// came, and then every later one, none twice.
func TestCacheAtomicWithJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		trigger(t, h, channels.Trigger{Name: "e", Data: "0", Channels: []string{"cache-x"}})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 500 {
				trigger(t, h, channels.Trigger{Name: "e", Data: fmt.Sprint(i + 1), Channels: []string{"cache-x"}})
			}
		})
		clients := make([]*hubtest.Client, 50)
		for i := range clients {
			clients[i] = hubtest.Connect(t, h)
			clients[i].Subscribe("cache-x")
		}
		wg.Wait()
		for _, c := range clients {
			got := c.Take()[1:]
			for i, m := range got {
				if want := event("e", "cache-x", fmt.Sprint(501-len(got)+i)); m != want {
					t.Fatalf("event %d of %d is %s, want %s", i, len(got), m, want)
				}
			}
		}
	})
}

func TestCachedInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Apps[0].CacheTTL = time.Minute
		h := hubtest.Start(t, config)
		app, _ := h.App(hubtest.AppID)
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"cache-x"}})
		time.Sleep(20 * time.Second)
		info, err := app.Channel(t.Context(), "cache-x")
		if err != nil || info.Cached.Data != "1" || time.Until(info.Cached.Until) != 40*time.Second || info.Sockets != 0 {
			t.Errorf("%+v, %v", info, err)
		}
		time.Sleep(40 * time.Second)
		if info, _ := app.Channel(t.Context(), "cache-x"); info.Cached != (channels.Cached{}) {
			t.Errorf("after its time: %+v", info.Cached)
		}
	})
}

func TestSubscriptionCount(t *testing.T) {
	count := func(n int) string {
		return event("pusher_internal:subscription_count", "x", fmt.Sprintf(`{"subscription_count":%d}`, n))
	}
	start := func(t *testing.T) *channels.Hub {
		config := hubtest.Config()
		config.Apps[0].SubscriptionCount = true
		return hubtest.Start(t, config)
	}
	t.Run("every change is told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := start(t)
			a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
			a.Subscribe("x")
			a.Expect(succeeded("x"), count(1))
			b.Subscribe("x")
			b.Expect(succeeded("x"), count(2))
			a.Expect(count(2))
			b.Unsubscribe("x")
			a.Expect(count(1))
			b.Subscribe("x")
			a.Expect(count(2))
			b.Hangup()
			a.Expect(count(1))
			a.Join("presence-x", "ada")
			if got := a.Take(); len(got) != 1 {
				t.Errorf("a presence channel told %q", got)
			}
		})
	})
	t.Run("the last is told where there is a backlog", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			config := hubtest.Config()
			config.Apps[0].SubscriptionCount = true
			config.Flushers = 1
			h := hubtest.Start(t, config)
			gate := newGate(h, t)
			a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
			a.Subscribe("x")
			a.Take()
			open := gate.close()
			for range 10 {
				b.Subscribe("x")
				b.Unsubscribe("x")
			}
			trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"x"}})
			b.Subscribe("x")
			open()
			a.Expect(event("e", "x", "1"), count(2))
			if got := b.Take(); got[len(got)-1] != count(2) {
				t.Errorf("the one who came heard %q last", got[len(got)-1])
			}
		})
	})
	t.Run("at most every 5 s above 100", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := start(t)
			a := hubtest.Connect(t, h)
			a.Subscribe("x")
			var others []*hubtest.Client
			for range 149 {
				c := hubtest.Connect(t, h)
				c.Subscribe("x")
				others = append(others, c)
			}
			got := a.Take()
			if len(got) != 101 || got[100] != count(100) {
				t.Fatalf("%d messages, the last is %s; want the counts up to 100", len(got), got[len(got)-1])
			}
			others[148].Expect(succeeded("x"), count(150))
			time.Sleep(4 * time.Second)
			a.Expect()
			time.Sleep(2 * time.Second)
			a.Expect(count(150))
			others[0].Unsubscribe("x")
			time.Sleep(20 * time.Second)
			a.Expect(count(149))
			time.Sleep(20 * time.Second)
			a.Expect()
		})
	})
}

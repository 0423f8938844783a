package channels_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
)

// A revoked subscription ends behind what was published before, for everybody to
// see, and the client can begin anew.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		c, other := hubtest.Connect(t, h), hubtest.Connect(t, h)
		other.Join("presence-x", "bob")
		c.Join("presence-x", "ada")
		c.Take()
		other.Take()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-x"}})
		c.Socket().Revoke("presence-x")
		c.Socket().Revoke("presence-x")
		trigger(t, h, channels.Trigger{Name: "e", Data: "2", Channels: []string{"presence-x"}})
		c.Expect(event("e", "presence-x", "1"), ended("presence-x"))
		other.Expect(event("e", "presence-x", "1"),
			`{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\"user_id\":\"ada\"}"}`,
			event("e", "presence-x", "2"))
		c.Say(`{"event":"client-e","channel":"presence-x","data":"1"}`)
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "not subscribed") {
			t.Errorf("a client event afterwards: %q", got)
		}
		c.Unsubscribe("presence-x")
		c.Expect()
		c.Join("presence-x", "ada")
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], `[\"bob\",\"ada\"]`) {
			t.Errorf("anew: %q", got)
		}
	})
}

// A subscribe that is under way when it is revoked comes to nothing, wherever it
// is: before the policies, or before a broker that is away.
func TestRevokeUnderWay(t *testing.T) {
	t.Run("policies are asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := &asker{d: authz.Allow(), slow: 2 * time.Second}
			h := asked(t, a)
			c := hubtest.As(t, h, "a")
			c.Subscribe("private-x")
			time.Sleep(time.Second)
			c.Socket().Revoke("private-x")
			c.Expect(notAuthorized("private-x")...)
			time.Sleep(5 * time.Second)
			c.Expect()
			if h.Held() != 0 {
				t.Error("the channel is there")
			}
			c.Subscribe("private-x")
			time.Sleep(3 * time.Second)
			c.Expect(succeeded("private-x"))
		})
	})
	t.Run("the broker is away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, broker := startRemote(t, time.Millisecond)
			broker.setDown(true)
			c := hubtest.Connect(t, h)
			c.Join("presence-x", "ada")
			time.Sleep(10 * time.Second)
			c.Socket().Revoke("presence-x")
			time.Sleep(3 * time.Second)
			c.Expect(ended("presence-x"))
			broker.setDown(false)
			time.Sleep(5 * time.Second)
			c.Expect()
			if info, _ := broker.Info(t.Context(), channels.Place{App: hubtest.AppID, Channel: "presence-x"}); info.Sockets != 0 || h.Held() != 0 {
				t.Errorf("left behind: %+v", info)
			}
		})
	})
}

// Whatever revokes, unsubscribes and subscribes at the same time, what the client
// heard last is what the broker knows.
func TestRevokeMeetsClient(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond} {
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := hubtest.Config()
				broker := newRemote(delay)
				if delay > 0 {
					config.Broker = broker
				}
				h := hubtest.Start(t, config)
				c := hubtest.Connect(t, h)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range 300 {
						c.Socket().Revoke("private-x")
						time.Sleep(300 * time.Microsecond)
					}
				}()
				for i := range 300 {
					c.Subscribe("private-x")
					if i%3 == 0 {
						time.Sleep(500 * time.Microsecond)
					}
					if i%2 == 0 {
						c.Unsubscribe("private-x")
					}
				}
				<-done
				time.Sleep(10 * time.Second)
				c.Unsubscribe("private-x")
				time.Sleep(10 * time.Second)
				c.Take()
				c.Subscribe("private-x")
				time.Sleep(time.Second)
				c.Expect(succeeded("private-x"))
				trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-x"}})
				c.Expect(event("e", "private-x", "1"))
				info, err := mustApp(h).Channel(t.Context(), "private-x")
				if err != nil || info.Sockets != 1 {
					t.Errorf("%+v %v, want one socket", info, err)
				}
				c.Unsubscribe("private-x")
				time.Sleep(time.Second)
				if info, _ := mustApp(h).Channel(t.Context(), "private-x"); info.Sockets != 0 || h.Held() != 0 {
					t.Errorf("left behind: %+v, %d channels", info, h.Held())
				}
			})
		})
	}
}

// A subscribe that meets a revocation gets one answer: a client that was refused is
// not told so twice, nor let in after that.
func TestRevokeIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := authz.NewRegistry()
		g.Handle("private-{x...}", policy(authz.Allow(), nil))
		config := hubtest.Delegated(g, crew)
		config.Apps[0].Limits.Channels = 3000
		h := hubtest.Start(t, config)
		app := mustApp(h)
		c := hubtest.As(t, h, "a")
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					check(t, app.Revoke(context.Background(), channels.Sockets(string(c.ID())), "private-{x...}", ""))
				}
			}
		}()
		said := make(map[string]string)
		for i := range 3000 {
			name := fmt.Sprintf("private-%d", i)
			check(t, app.Keep(t.Context(), c.ID(), name, authz.Grant{Identity: crew["a"], Moment: app.Moment()}))
			c.Subscribe(name)
		}
		close(stop)
		<-done
		for _, text := range c.Take() {
			_, rest, _ := strings.Cut(text, `"channel":"`)
			name, _, _ := strings.Cut(rest, `"`)
			switch {
			case strings.Contains(text, "subscription_succeeded"):
				said[name] += "yes "
			case strings.Contains(text, "subscription_error"):
				said[name] += "no "
			}
		}
		if len(said) != 3000 {
			t.Errorf("%d subscribes were answered, want all 3000", len(said))
		}
		for name, answers := range said {
			if answers != "yes " && answers != "no " && answers != "yes no " {
				t.Fatalf("%s: %q", name, answers)
			}
		}
	})
}

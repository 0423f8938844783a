package channels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// ended is what a client is told whose subscription is ended.
func ended(channel string) string {
	return string(protocol.NotAuthorized(channel).Event().Frame().JSON())
}

// An identity that is over closes the connection, so that the client comes back at
// once and is authenticated anew, whichever way it had come to speak for the user.
func TestExpiryCloses(t *testing.T) {
	for name, come := range map[string]func(t *testing.T, h *channels.Hub, id authz.Identity) *hubtest.Client{
		"upgrade": func(t *testing.T, h *channels.Hub, _ authz.Identity) *hubtest.Client { return hubtest.As(t, h, "e") },
		"signin": func(t *testing.T, h *channels.Hub, id authz.Identity) *hubtest.Client {
			c := hubtest.Connect(t, h)
			grant(t, h, c, "", authz.Grant{Identity: id})
			c.Signin(`{"id":"eve"}`)
			return c
		},
		"channel": func(t *testing.T, h *channels.Hub, id authz.Identity) *hubtest.Client {
			c := hubtest.Connect(t, h)
			grant(t, h, c, "presence-x", authz.Grant{Identity: id})
			c.Join("presence-x", "eve")
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				id := authz.Identity{ID: "eve", ExpiresAt: time.Now().Add(20 * time.Second)}
				h := hubtest.Start(t, hubtest.Delegated(open(), hubtest.Users{"e": id}))
				c := come(t, h, id)
				time.Sleep(19 * time.Second)
				if code, _ := c.Closed(); code != 0 {
					t.Errorf("closed with %d before its time", code)
				}
				time.Sleep(2 * time.Second)
				if code, reason := c.Closed(); code != 4200 || !strings.Contains(reason, "expired") {
					t.Errorf("closed with %d %q, want 4200", code, reason)
				}
			})
		})
	}
}

// With GuestOnExpiry the connection stays, and loses what it had as the user: what
// needed permission ends, and no signature from before brings it back.
func TestGuestOnExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w witness
		eve := authz.Identity{ID: "eve", ExpiresAt: time.Now().Add(20 * time.Second)}
		g := authz.NewRegistry()
		g.Handle("private-{x...}", authz.SignedIn())
		g.Handle("presence-{x...}", authz.SignedIn())
		unavailable := policy(authz.Decision{}, authz.ErrUnavailable)
		g.Handle("private-away", unavailable)
		config := hubtest.Delegated(g, hubtest.Users{"e": eve})
		config.Apps[0].GuestOnExpiry = true
		config.Apps[0].Watchlists = true
		h := startWith(t, config, w.watch)
		friend, c := hubtest.Connect(t, h), hubtest.As(t, h, "e")
		friend.Signin(`{"id":"bob","watchlist":["eve"]}`)
		c.Signin(`{"id":"eve","watchlist":["bob"]}`)
		c.Join("presence-x", "eve")
		for _, channel := range []string{"private-x", "#server-to-user-eve", "public", "private-away"} {
			c.Subscribe(channel)
		}
		c.Take()
		friend.Take()
		w.expect(t, "eve by upgrade", "bob by signin")

		grant(t, h, c, "private-y", authz.Grant{Identity: authz.Identity{ID: "eve"}})
		time.Sleep(30 * time.Second)
		got := c.Take()
		slices.Sort(got)
		want := []string{ended("private-x"), ended("presence-x"), ended("#server-to-user-eve")}
		want = append(want, notAuthorized("private-away")...)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		friend.Expect(watchlist(nil, []string{"eve"}))
		if id := c.Socket().Identity(); !id.Guest() {
			t.Errorf("the socket speaks for %q, want nobody", id.ID)
		}
		if code, reason := c.Closed(); code != 0 {
			t.Fatalf("closed with %d %s", code, reason)
		}
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-x", "presence-x", "#server-to-user-eve", "public"}})
		c.Expect(event("e", "public", "1"))
		app, _ := h.App(hubtest.AppID)
		if err := app.Terminate(t.Context(), "eve"); err != nil {
			t.Fatal(err)
		}

		c.Subscribe("private-x") // asked as a guest
		c.Expect(notAuthorized("private-x")...)
		c.Subscribe("private-y") // whatever was granted before
		c.Expect(notAuthorized("private-y")...)
		c.Signin(`{"id":"eve"}`)
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "Not authorized to sign in as eve") {
			t.Errorf("the signature from before: %q", got)
		}
		w.told = nil
		grant(t, h, c, "", authz.Grant{Identity: authz.Identity{ID: "eve"}})
		c.Signin(`{"id":"eve"}`)
		c.Expect(signedIn(`{"id":"eve"}`))
		friend.Expect(watchlist([]string{"eve"}, nil))
		w.expect(t, "eve by signin")
		c.Subscribe("private-x")
		c.Expect(succeeded("private-x"))
		if code, _ := c.Closed(); code != 0 {
			t.Errorf("closed with %d", code)
		}
	})
}

// The end of an identity while its signin is under way leaves nobody behind.
func TestGuestWhileSigningIn(t *testing.T) {
	for _, delay := range []time.Duration{1500, 3000, 4500} {
		synctest.Test(t, func(t *testing.T) {
			broker := newRemote(delay * time.Millisecond)
			config := hubtest.Delegated(open(), nil)
			config.Broker = broker
			config.BrokerTimeout = 5 * time.Second
			config.Apps[0].GuestOnExpiry = true
			config.Apps[0].Watchlists = true
			h := hubtest.Start(t, config)
			c := hubtest.Connect(t, h)
			grant(t, h, c, "", authz.Grant{Identity: authz.Identity{ID: "eve", ExpiresAt: time.Now().Add(2 * time.Second)}})
			c.Signin(`{"id":"eve","watchlist":["ada","bob"]}`)
			time.Sleep(time.Minute)
			if all, _ := broker.Occupied(t.Context(), hubtest.AppID, ""); len(all) != 0 || h.Held() != 0 {
				t.Errorf("after %v a call: left behind %v, and %d channels", delay*time.Millisecond, all, h.Held())
			}
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("closed with %d", code)
			}
		})
	}
}

// What was granted for a time is asked about again, and ends when the answer is no.
func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w witness
		a := &asker{d: authz.Allow().For(10 * time.Second)}
		h := asked(t, a, w.watch)
		c, other := hubtest.As(t, h, "a"), hubtest.As(t, h, "b")
		for _, client := range []*hubtest.Client{other, c} {
			client.Subscribe("presence-x")
		}
		other.Take()
		c.Take()
		a.take()
		w.expect(t, "ada by upgrade", "bob by upgrade")
		for range 3 {
			time.Sleep(11 * time.Second)
			got := a.take()
			if len(got) != 2 || got[0].Cause != authz.Recheck || got[0].Identity.Guest() || got[0].Socket == "" {
				t.Errorf("asked %+v, want a recheck of both", got)
			}
			c.Expect()
		}
		a.say(authz.Deny("no more"), nil)
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-x"}})
		time.Sleep(11 * time.Second)
		got := c.Take()
		if len(got) < 2 || got[0] != event("e", "presence-x", "1") || got[len(got)-1] != ended("presence-x") {
			t.Errorf("got %q, want an event, and at last the end", got)
		}
		info, _ := mustApp(h).Channel(t.Context(), "presence-x")
		if info.Sockets != 0 || h.Held() != 0 {
			t.Errorf("%+v: both should be off the channel", info)
		}
		w.told = nil
		c.Say(`{"event":"client-e","channel":"presence-x","data":"1"}`)
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "not subscribed") {
			t.Errorf("a client event afterwards: %q", got)
		}
		c.Unsubscribe("presence-x")
		c.Expect()
		a.say(authz.Allow(), nil)
		c.Subscribe("presence-x")
		c.Expect(count("ada", `{"n":1}`))
		a.take()
		time.Sleep(time.Minute)
		if n := len(a.take()); n != 0 {
			t.Errorf("asked %d times again about what was granted without an end", n)
		}
	})
}

func mustApp(h *channels.Hub) *channels.App {
	app, _ := h.App(hubtest.AppID)
	return app
}

// A grant's time begins when it was granted, not when it is redeemed.
func TestTTLOfGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Deny("no")}
		h := asked(t, a)
		c := hubtest.Connect(t, h)
		grant(t, h, c, "private-x", authz.Grant{Identity: authz.Identity{ID: "ada", Roles: []string{"r"}}, TTL: 20 * time.Second})
		time.Sleep(15 * time.Second)
		c.Subscribe("private-x")
		c.Expect(succeeded("private-x"))
		time.Sleep(4 * time.Second)
		c.Expect()
		time.Sleep(2 * time.Second)
		c.Expect(ended("private-x"))
		if got := a.take(); len(got) != 1 || !got[0].Identity.HasRole("r") {
			t.Errorf("asked %+v, want once for who it was granted to", got)
		}
	})
}

// While the policies cannot be asked again a subscription stays, for a while.
func TestRecheckGrace(t *testing.T) {
	for _, back := range []time.Duration{50 * time.Second, 80 * time.Second} {
		t.Run(fmt.Sprint(back), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &asker{d: authz.Allow().For(10 * time.Second)}
				h := asked(t, a)
				c := hubtest.As(t, h, "a")
				c.Subscribe("private-x")
				c.Take()
				a.say(authz.Decision{}, authz.ErrUnavailable)
				start := time.Now()
				for range int(back / (10 * time.Second)) {
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if time.Since(start) > 65*time.Second {
						break
					}
					c.Say(`{"event":"client-e","channel":"private-x","data":"1"}`)
					trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-x"}})
					c.Expect(event("e", "private-x", "1"))
				}
				a.say(authz.Allow(), nil)
				time.Sleep(20 * time.Second)
				if back < time.Minute {
					c.Expect()
				} else {
					c.Expect(ended("private-x"))
				}
				if n := len(a.take()); n > 16 {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// A recheck that nobody has to wait for: the client's own events pass meanwhile.
func TestRecheckHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow()}
		h := asked(t, a)
		c, other := hubtest.As(t, h, "a"), hubtest.As(t, h, "b")
		c.Subscribe("private-x")
		other.Subscribe("private-x")
		c.Take()
		other.Take()
		a.take()
		a.mu.Lock()
		a.slow = 2 * time.Second
		a.mu.Unlock()
		for range 10 { // one is under way, and one waits
			c.Socket().Recheck("private-x")
			synctest.Wait()
		}
		c.Say(`{"event":"client-e","channel":"private-x","data":"1"}`)
		other.Expect(event("client-e", "private-x", "1"))
		a.say(authz.Deny("no"), nil)
		time.Sleep(5 * time.Second)
		c.Expect(ended("private-x"))
		if n := len(a.take()); n != 2 {
			t.Errorf("asked %d times, want twice", n)
		}
	})
}

// Several things of a socket end, each in its time; and a recheck that is under way
// ends with the connection.
func TestSeveralEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow().For(10 * time.Second)}
		g := authz.NewRegistry()
		g.Handle("private-{x...}", a)
		eve := authz.Identity{ID: "eve", ExpiresAt: time.Now().Add(70 * time.Second)}
		h := hubtest.Start(t, hubtest.Delegated(g, hubtest.Users{"e": eve}))
		c := hubtest.As(t, h, "e")
		c.Subscribe("private-x")
		for i := range 6 {
			grant(t, h, c, fmt.Sprintf("private-%d", i), authz.Grant{Identity: eve})
			time.Sleep(10 * time.Second)
			c.Say(`{"event":"pusher:pong","data":{}}`)
		}
		if n := len(a.take()); n < 6 || n > 7 {
			t.Errorf("asked %d times in a minute, want every 10 s", n)
		}
		c.Subscribe("private-4")
		if n := len(a.take()); n != 0 {
			t.Errorf("a grant of 20 s ago is not there any more")
		}
		a.mu.Lock()
		a.slow = time.Minute
		a.mu.Unlock()
		c.Socket().Recheck("private-x")
		synctest.Wait()
		time.Sleep(12 * time.Second)
		if code, _ := c.Closed(); code != 4200 {
			t.Errorf("closed with %d, want 4200", code)
		}
		a.take()
		time.Sleep(time.Minute)
		if n := len(a.take()); n != 0 || h.Held() != 0 {
			t.Errorf("asked %d times afterwards, and %d channels are left", n, h.Held())
		}
	})
}

// Times that are as good as for ever are no reason to look again and again.
func TestForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow().For(1<<63 - 1)}
		g := authz.NewRegistry()
		g.Handle("private-x", a)
		c := hubtest.As(t, hubtest.Start(t, hubtest.Delegated(g, hubtest.Users{
			"a": {ID: "ada", ExpiresAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		})), "a")
		c.Subscribe("private-x")
		time.Sleep(40 * time.Second)
		c.Expect(succeeded("private-x"))
		if n := len(a.take()); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
	})
}

// A subscription that is granted to an identity which ends before the socket's own
// goes on as that of the socket's.
func TestGrantOutlivedByIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow()}
		h := asked(t, a)
		c := hubtest.As(t, h, "a")
		grant(t, h, c, "private-x", authz.Grant{Identity: authz.Identity{ID: "ada", ExpiresAt: time.Now().Add(10 * time.Second)}})
		c.Subscribe("private-x")
		c.Expect(succeeded("private-x"))
		time.Sleep(20 * time.Second)
		c.Expect()
		if n := len(a.take()); n != 1 {
			t.Errorf("asked %d times, want once when the grant's identity ended", n)
		}
		// Of a user whom the socket does not speak for, nothing is left.
		d := hubtest.Connect(t, h)
		d.Subscribe("private-z")
		d.Expect(succeeded("private-z"))
		grant(t, h, d, "private-x", authz.Grant{Identity: authz.Identity{ID: "ada"}})
		d.Subscribe("private-x")
		grant(t, h, d, "private-y", authz.Grant{Identity: authz.Identity{ID: "bob", ExpiresAt: time.Now().Add(10 * time.Second)}})
		d.Subscribe("private-y")
		d.Expect(succeeded("private-x"), succeeded("private-y"))
		time.Sleep(20 * time.Second)
		d.Expect(ended("private-y"))
	})
}

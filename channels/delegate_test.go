package channels_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// policy is a Policy that always says the same.
func policy(d authz.Decision, err error) authz.Policy {
	return authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { return d, err })
}

// asker is a Policy that writes down what it is asked, and answers as it is told.
type asker struct {
	mu    sync.Mutex
	asked []authz.Request
	d     authz.Decision
	err   error
	slow  time.Duration
}

func (a *asker) say(d authz.Decision, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.d, a.err = d, err
}

func (a *asker) Authorize(ctx context.Context, r authz.Request) (authz.Decision, error) {
	a.mu.Lock()
	a.asked = append(a.asked, r)
	d, err, slow := a.d, a.err, a.slow
	a.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return authz.Decision{}, context.Cause(ctx)
		}
	}
	return d, err
}

// take returns what was asked since the last call.
func (a *asker) take() []authz.Request {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

var crew = hubtest.Users{"a": {ID: "ada", Info: []byte(`{"n":1}`)}, "b": {ID: "bob"}}

// asked starts a hub whose only policy is a.
func asked(t *testing.T, a *asker, register ...func(*channels.Hub)) *channels.Hub {
	g := authz.NewRegistry()
	g.Handle("private-{x...}", a)
	g.Handle("presence-{x...}", a)
	return startWith(t, hubtest.Delegated(g, crew), register...)
}

func count(user, info string) string {
	return event("pusher_internal:subscription_succeeded", "presence-x",
		fmt.Sprintf(`{"presence":{"count":1,"ids":[%q],"hash":{%q:%s}}}`, user, user, info))
}

// Without a grant the policies are asked, for whom the socket speaks for.
func TestPoliciesAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w witness
		a := &asker{d: authz.Allow()}
		h := asked(t, a, w.watch)
		ada, guest := hubtest.As(t, h, "a"), hubtest.Connect(t, h)
		w.expect(t, "ada by upgrade")
		for _, channel := range []string{"private-x", "private-cache-x", "private-encrypted-x", "presence-y"} {
			ada.Subscribe(channel)
			got := a.take()
			if len(got) != 1 || got[0].Channel != channel || got[0].Identity.ID != "ada" || got[0].Socket != ada.ID() ||
				got[0].App != hubtest.AppID || got[0].Cause != authz.Join || got[0].HTTP != nil {
				t.Errorf("%s: asked %+v", channel, got)
			}
			if got := ada.Take(); len(got) == 0 || !strings.Contains(got[0], "subscription_succeeded") {
				t.Errorf("%s: got %q", channel, got)
			}
		}
		ada.Subscribe("public")
		ada.Expect(succeeded("public"))
		guest.Subscribe("private-x")
		guest.Expect(succeeded("private-x"))
		guest.Subscribe("presence-x") // guests are on no presence channel, and no policy is asked
		guest.Expect(notAuthorized("presence-x")...)
		guest.Join("presence-x", "ada") // nor as whom they were signed before
		guest.Expect(notAuthorized("presence-x")...)
		if got := a.take(); len(got) != 1 || !got[0].Identity.Guest() {
			t.Errorf("asked %+v, want once for a guest", got)
		}
		w.expect(t, `failed: presence-x of "" in app 1001`, `failed: presence-x of "" in app 1001`)

		a.say(authz.Deny("for a reason"), nil)
		ada.Subscribe("private-z")
		ada.Expect(notAuthorized("private-z")...)
		ada.Subscribe("private-z") // the refused one is not in the way
		ada.Expect(notAuthorized("private-z")...)
		ada.Say(`{"event":"pusher:subscribe","data":{"channel":"private-w","auth":"app-key:wrong"}}`)
		if got := ada.Take(); len(got) != 2 || !strings.Contains(got[1], `\"status\":401`) {
			t.Errorf("got %q, want 401", got)
		}
		if n := len(a.take()); n != 2 {
			t.Errorf("asked %d times, want twice: not for a wrong signature", n)
		}
	})
}

// A channel that no policy is for is refused in the words of one that is denied.
func TestNoPolicyIsNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := authz.NewRegistry()
		g.Handle("private-known", policy(authz.Deny("secret reason"), nil))
		h := hubtest.Start(t, hubtest.Delegated(g, crew))
		c := hubtest.As(t, h, "a")
		for _, channel := range []string{"private-known", "private-nosuch"} {
			c.Subscribe(channel)
			c.Expect(notAuthorized(channel)...)
		}
		if h.Held() != 0 {
			t.Errorf("%d channels are there, want none", h.Held())
		}
	})
}

// The member is who it is granted to, with the info that was signed.
func TestMemberIsTheIdentity(t *testing.T) {
	ada := authz.Identity{ID: "ada", Info: []byte(`{"n":1}`)}
	tests := []struct {
		name, token, data string
		grant             *authz.Grant
		want              []string
	}{
		{"channel_data of the user", "a", `{"user_id":"ada","user_info":{"n":2}}`, nil, []string{count("ada", `{"n":2}`)}},
		{"no channel_data", "a", "", nil, []string{count("ada", `{"n":1}`)}},
		{"channel_data of another", "a", `{"user_id":"bob"}`, nil, notAuthorized("presence-x")},
		{"a grant with channel_data", "", `{"user_id":"ada","user_info":{"n":3}}`, &authz.Grant{Identity: ada}, []string{count("ada", `{"n":3}`)}},
		{"a grant without", "", "", &authz.Grant{Identity: ada, Info: []byte(`{"n":4}`)}, []string{count("ada", `{"n":4}`)}},
		{"a grant, and channel_data of another", "", `{"user_id":"bob"}`, &authz.Grant{Identity: ada}, notAuthorized("presence-x")},
		{"a grant for another than the socket", "b", "", &authz.Grant{Identity: ada}, notAuthorized("presence-x")},
		{"a guest's grant", "", "", &authz.Grant{}, notAuthorized("presence-x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := asked(t, &asker{d: authz.Allow()})
				c := hubtest.Dial(t, h, hubtest.Request(tt.token))
				c.Take()
				if tt.grant != nil {
					grant(t, h, c, "presence-x", *tt.grant)
				}
				if tt.data == "" {
					c.Subscribe("presence-x")
				} else {
					c.Subscribe("presence-x", tt.data)
				}
				c.Expect(tt.want...)
			})
		})
	}
}

// A policy's info is what members see where none was signed.
func TestInfoOfPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow().WithInfo(map[string]int{"n": 9})}
		c := hubtest.As(t, asked(t, a), "a")
		c.Subscribe("presence-x")
		c.Expect(count("ada", `{"n":9}`))
		c.Unsubscribe("presence-x")
		// One that could not be a member's is asked for until it can.
		a.say(authz.Allow().WithInfo(map[string]string{"n": strings.Repeat("x", 2000)}), nil)
		c.Subscribe("presence-x")
		c.Expect()
		a.say(authz.Allow(), nil)
		time.Sleep(3 * time.Second)
		c.Expect(count("ada", `{"n":1}`))
	})
}

// A grant is redeemed once, within its time.
func TestGrants(t *testing.T) {
	ada := authz.Identity{ID: "ada"}
	tests := []struct {
		name  string
		grant authz.Grant
		wait  time.Duration
		asks  bool
	}{
		{"fresh", authz.Grant{Identity: ada}, 0, false},
		{"just in time", authz.Grant{Identity: ada}, 59 * time.Second, false},
		{"too late", authz.Grant{Identity: ada}, 60 * time.Second, true},
		{"its ttl over", authz.Grant{Identity: ada, TTL: 10 * time.Second}, 10 * time.Second, true},
		{"its ttl not over", authz.Grant{Identity: ada, TTL: 10 * time.Second}, 9 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &asker{d: authz.Allow()}
				h := asked(t, a)
				c := hubtest.Connect(t, h)
				grant(t, h, c, "private-x", tt.grant)
				time.Sleep(tt.wait)
				c.Subscribe("private-x")
				if got := c.Take(); len(got) == 0 || got[len(got)-1] != succeeded("private-x") {
					t.Errorf("got %q", got)
				}
				asked := a.take()
				if n := len(asked); (n == 1) != tt.asks {
					t.Errorf("the policy was asked %d times, want that it is asked: %t", n, tt.asks)
				}
				if len(asked) > 0 && asked[0].Cause != authz.Join {
					t.Error("it was let in, and the policy asked after that")
				}
				c.Unsubscribe("private-x")
				c.Subscribe("private-x")
				if n := len(a.take()); n != 1 {
					t.Errorf("the second time it was asked %d times, want once", n)
				}
			})
		})
	}
}

// Of two grants for a channel the newer counts, however late the older comes; a
// guest's grant is none for somebody; and an expired identity is none.
func TestGrantsThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow()}
		h := asked(t, a)
		app, _ := h.App(hubtest.AppID)
		c, user := hubtest.Connect(t, h), hubtest.As(t, h, "a")
		for moment, id := range map[uint64]string{2: "ada", 1: "bob"} {
			g := authz.Grant{Identity: authz.Identity{ID: id}, Moment: moment}
			if err := app.Keep(t.Context(), c.ID(), "private-x", g); err != nil {
				t.Fatal(err)
			}
		}
		c.Subscribe("private-x")
		c.Take()
		if id := c.Socket().Identity().ID; id != "ada" || len(a.take()) > 0 {
			t.Errorf("the socket speaks for %q, want ada by the newer grant", id)
		}
		grant(t, h, user, "private-x", authz.Grant{})
		user.Subscribe("private-x")
		if got := a.take(); len(got) != 1 || got[0].Identity.ID != "ada" {
			t.Errorf("asked %+v, want once for ada", got)
		}
		grant(t, h, user, "private-y", authz.Grant{Identity: authz.Identity{ID: "ada", ExpiresAt: time.Now().Add(time.Second)}})
		time.Sleep(2 * time.Second)
		user.Subscribe("private-y")
		if got := a.take(); len(got) != 1 {
			t.Errorf("asked %+v, want once", got)
		}
	})
}

// Grants are kept for sockets that are there, of the app, and not without a bound.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Delegated(open(), crew)
		config.Apps[0].Limits.Channels = 10
		config.Apps = append(config.Apps, channels.AppConfig{ID: "2", Keys: authz.Keys{{Key: "other", Secret: "s"}}})
		h := hubtest.Start(t, config)
		app, _ := h.App(hubtest.AppID)
		other, _ := h.App("2")
		c := hubtest.Connect(t, h)
		ada := authz.Grant{Identity: authz.Identity{ID: "ada"}}
		keep := func(a *channels.App, id protocol.SocketID, channel string, g authz.Grant) error {
			return a.Keep(t.Context(), id, channel, g)
		}
		if keep(other, c.ID(), "private-x", ada) == nil {
			t.Error("kept for another app's socket")
		}
		if keep(app, "1.1", "private-x", ada) == nil {
			t.Error("kept for nobody")
		}
		if keep(app, c.ID(), "private-x", authz.Grant{Identity: authz.Identity{ID: "a da"}}) == nil {
			t.Error("kept for who cannot be a user")
		}
		for i := range 11 {
			if err := keep(app, c.ID(), fmt.Sprintf("private-%d", i), ada); err != nil {
				t.Errorf("grant %d is not kept: %v", i, err)
			}
		}
		if keep(app, c.ID(), "private-11", ada) == nil {
			t.Error("more are kept than there may be channels, and a signin")
		}
		if err := keep(app, c.ID(), "private-1", ada); err != nil {
			t.Errorf("one that takes another's place is not kept: %v", err)
		}
		time.Sleep(authz.GrantTTL + 2*time.Second)
		if err := keep(app, c.ID(), "private-11", ada); err != nil {
			t.Errorf("those whose time is over are not forgotten: %v", err)
		}
		c.Hangup()
		synctest.Wait()
		if keep(app, c.ID(), "private-x", ada) == nil {
			t.Error("kept for a socket that has gone")
		}
	})
}

// While the policies cannot be asked the client hears nothing, since it would not
// ask again after an error. Everything else of it goes on, and what it no longer
// wants comes to nothing.
func TestPoliciesCannotBeAsked(t *testing.T) {
	for name, fault := range map[string]func(*asker){
		"unavailable": func(a *asker) { a.err = authz.ErrUnavailable },
		"its error":   func(a *asker) { a.err = fmt.Errorf("no route to host") },
		"too slow":    func(a *asker) { a.slow = time.Minute },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &asker{d: authz.Allow()}
				fault(a)
				var w witness
				h := asked(t, a, w.watch)
				c := hubtest.As(t, h, "a")
				for i := range 20 {
					c.Subscribe(fmt.Sprintf("private-%d", i))
				}
				c.Subscribe("presence-x")
				c.Subscribe("private-1")
				c.Expect(`{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel private-1"}}`)
				c.Say(`{"event":"client-e","channel":"private-1","data":"1"}`)
				if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "not subscribed") {
					t.Errorf("a client event while the subscribe is under way: %q", got)
				}
				for range 4 {
					time.Sleep(5 * time.Second)
					c.Subscribe("public")
					c.Expect(succeeded("public"))
					c.Unsubscribe("public")
					c.Say(`{"event":"pusher:ping","data":{}}`)
					c.Expect(`{"event":"pusher:pong","data":"{}"}`)
				}
				c.Unsubscribe("private-3")
				c.Unsubscribe("private-4")
				c.Subscribe("private-4")
				a.mu.Lock()
				a.err, a.slow = nil, 0
				a.mu.Unlock()
				time.Sleep(15 * time.Second)
				seen := map[string]int{}
				for _, m := range c.Take() {
					d, err := protocol.Decode([]byte(m))
					if err != nil || d.Name != "pusher_internal:subscription_succeeded" {
						t.Errorf("got %s", m)
					}
					seen[d.Channel]++
				}
				for i := range 20 {
					want := 1
					if i == 3 {
						want = 0
					}
					if n := seen[fmt.Sprintf("private-%d", i)]; n != want {
						t.Errorf("%d successes of private-%d, want %d", n, i, want)
					}
				}
				w.expect(t, "ada by upgrade")
				c.Hangup()
				synctest.Wait()
				if h.Held() != 0 {
					t.Errorf("%d channels are left behind", h.Held())
				}
			})
		})
	}
}

// A policy is not asked by the goroutine that reads the client, at most 8 times at
// once for one, and the call ends when nobody wants its answer any more.
func TestPoliciesInLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, ended atomic.Int64
		g := authz.NewRegistry()
		g.HandleFunc("private-{x...}", func(ctx context.Context, r authz.Request) (authz.Decision, error) {
			under.Add(1)
			defer under.Add(-1)
			<-ctx.Done()
			ended.Add(1)
			return authz.Decision{}, ctx.Err()
		})
		h := hubtest.Start(t, hubtest.Delegated(g, crew))
		c := hubtest.As(t, h, "a")
		for i := range 20 {
			c.Subscribe(fmt.Sprintf("private-%d", i))
		}
		synctest.Wait()
		if under.Load() != 8 {
			t.Errorf("%d calls are under way, want 8", under.Load())
		}
		c.Unsubscribe("private-0")
		synctest.Wait()
		if ended.Load() != 1 || under.Load() != 8 {
			t.Errorf("%d calls have ended with the unsubscribe, and %d are under way, want 1 and 8", ended.Load(), under.Load())
		}
		c.Hangup()
		synctest.Wait()
		if under.Load() != 0 {
			t.Errorf("%d calls go on after the client has gone", under.Load())
		}
	})
}

// A client that has shown a signature is no stranger because nobody can be asked
// about it yet.
func TestAuthorizeWithinAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{err: authz.ErrUnavailable}
		g := authz.NewRegistry()
		g.Handle("private-{x...}", a)
		config := hubtest.Delegated(g, crew)
		config.Apps[0].AuthorizeWithin = 10 * time.Second
		h := hubtest.Start(t, config)
		c, stranger := hubtest.Connect(t, h), hubtest.Connect(t, h)
		c.Subscribe("private-x")
		time.Sleep(30 * time.Second)
		if code, _ := c.Closed(); code != 0 {
			t.Errorf("closed with %d", code)
		}
		if code, _ := stranger.Closed(); code != 4009 {
			t.Errorf("a stranger was closed with %d, want 4009", code)
		}
		a.say(authz.Allow(), nil)
		time.Sleep(2 * time.Second)
		c.Expect(succeeded("private-x"))
		c.Subscribe("private-y")
		a.say(authz.Deny("no"), nil)
		time.Sleep(10 * time.Second)
		if code, _ := c.Closed(); code != 0 {
			t.Errorf("closed with %d", code)
		}
	})
}

// Pending subscribes count for the limit of channels.
func TestPendingCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{err: authz.ErrUnavailable}
		g := authz.NewRegistry()
		g.Handle("private-{x...}", a)
		config := hubtest.Delegated(g, crew)
		config.Apps[0].Limits.Channels = 3
		c := hubtest.As(t, hubtest.Start(t, config), "a")
		c.Subscribe("private-1")
		c.Subscribe("private-2")
		c.Subscribe("public")
		c.Expect(succeeded("public"))
		c.Subscribe("private-3")
		if got := c.Take(); len(got) != 2 || !strings.Contains(got[1], `\"status\":413`) {
			t.Errorf("the fourth: %q, want 413", got)
		}
		c.Unsubscribe("private-1")
		a.say(authz.Allow(), nil)
		c.Subscribe("private-3")
		time.Sleep(3 * time.Second)
		if got := c.Take(); len(got) != 2 {
			t.Errorf("got %q, want two successes", got)
		}
	})
}

// There is nothing of a channel before somebody is let onto it: neither for wrong
// signatures, nor for what is refused or asked about.
func TestNothingGrowsUnauthorized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Deny("no")}
		h := asked(t, a)
		c := hubtest.As(t, h, "a")
		for i := range 500 {
			c.Say(`{"event":"pusher:subscribe","data":{"channel":"private-%d","auth":"app-key:wrong"}}`, i)
			c.Subscribe(fmt.Sprintf("private-%d", i))
		}
		synctest.Wait()
		if h.Held() != 0 {
			t.Errorf("%d channels after refusals", h.Held())
		}
		a.say(authz.Decision{}, authz.ErrUnavailable)
		for i := range 100 {
			c.Subscribe(fmt.Sprintf("private-%d", i))
		}
		synctest.Wait()
		if h.Held() != 0 {
			t.Errorf("%d channels while policies are asked", h.Held())
		}
		for i := range 100 {
			c.Unsubscribe(fmt.Sprintf("private-%d", i))
		}
		a.say(authz.Allow(), nil)
		for i := range 500 {
			c.Subscribe(fmt.Sprintf("private-%d", i))
			c.Unsubscribe(fmt.Sprintf("private-%d", i))
		}
		time.Sleep(5 * time.Second)
		if h.Held() != 0 {
			t.Errorf("%d channels after all was given up", h.Held())
		}
	})
}

// Public channels that nobody has named are closed.
func TestPublicAllow(t *testing.T) {
	for _, tt := range []struct {
		allow []string
		open  []string
		shut  []string
	}{
		{nil, []string{"news", "cache-x"}, nil},
		{[]string{"news.{x...}", "cache-{x}"}, []string{"news.a", "cache-x"}, []string{"news", "other", "cache-x.y"}},
		{[]string{}, nil, []string{"news"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := hubtest.Config()
			config.Apps[0].PublicAllow = tt.allow
			c := hubtest.Connect(t, hubtest.Start(t, config))
			for _, channel := range tt.open {
				c.Subscribe(channel)
				if got := c.Take(); len(got) == 0 || got[0] != succeeded(channel) {
					t.Errorf("%v: %s: got %q", tt.allow, channel, got)
				}
			}
			for _, channel := range tt.shut {
				c.Subscribe(channel)
				c.Expect(notAuthorized(channel)...)
			}
			c.Subscribe("private-x")
			c.Expect(succeeded("private-x"))
			c.Signin(`{"id":"ada"}`)
			c.Take()
			c.Subscribe("#server-to-user-ada")
			c.Expect(succeeded("#server-to-user-ada"))
		})
	}
}

package channels_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// staff are the users of an app whose backend signs.
var staff = hubtest.Users{
	"7":  {ID: "7", Roles: []string{"editor"}},
	"9":  {ID: "9", Roles: []string{"editor"}},
	"11": {ID: "11", Roles: []string{"admin"}},
}

// signing starts a hub whose apps sign for whom they like, and know who connects.
func signing(t *testing.T) *channels.Hub {
	config := twoApps()
	for i := range config.Apps {
		config.Apps[i].Authenticator = staff
	}
	return hubtest.Start(t, config)
}

// theirs connects a client with a token to the second app.
func theirs(t *testing.T, h *channels.Hub, token string) *hubtest.Client {
	t.Helper()
	r := hubtest.Request(token)
	r.Key = theirKey
	c := hubtest.Dial(t, h, r)
	c.Take()
	return c
}

// takenBack is what a client hears whose subscription was revoked.
func takenBack(channel, reason string) string {
	return event("pusher:subscription_error", channel, fmt.Sprintf(`{"type":"AuthError","error":%q,"status":403}`, reason))
}

func TestAppRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := signing(t)
		ada, bob, other := hubtest.As(t, h, "7"), hubtest.As(t, h, "9"), theirs(t, h, "7")
		for _, c := range []*hubtest.Client{ada, bob} {
			c.Subscribe("private-doc.1")
			c.Subscribe("private-else")
			c.Subscribe("news.1")
		}
		ada.Join("presence-doc.1", "7")
		bob.Join("presence-doc.1", "9")
		other.Say(`{"event":"pusher:subscribe","data":{"channel":"private-doc.1","auth":%q}}`,
			authz.Key{Key: theirKey, Secret: hubtest.Secret}.ChannelAuth(other.ID(), "private-doc.1", "", false))
		for _, c := range []*hubtest.Client{ada, bob, other} {
			c.Take()
		}

		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "private-doc.{id}", "You left the project"))
		ada.Expect(takenBack("private-doc.1", "You left the project"))
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-doc.1", "private-else"}})
		ada.Expect(event("e", "private-else", "1"))
		bob.Expect(event("e", "private-doc.1", "1"), event("e", "private-else", "1"))
		ada.Say(`{"event":"client-x","channel":"private-doc.1","data":{}}`)
		ada.Expect(string(protocol.ClientEventNotSubscribed("private-doc.1").Frame().JSON()))
		bob.Expect()

		// On a presence channel the others see her go, once.
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "presence-{x...}", ""))
		ada.Expect(takenBack("presence-doc.1", "Not authorized to subscribe to presence-doc.1"))
		bob.Expect(event("pusher_internal:member_removed", "presence-doc.1", `{"user_id":"7"}`))
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "presence-{x...}", ""))
		ada.Expect()
		bob.Expect()

		// What was signed for this connection opens nothing any more; the client
		// unsubscribes before it tries, as pusher-js has to.
		for _, channel := range []string{"private-doc.1", "private-doc.2"} {
			ada.Unsubscribe(channel)
			ada.Subscribe(channel)
			ada.Expect(notAuthorized(channel)...)
		}
		for range 10 { // as long as it lives
			time.Sleep(30 * time.Second)
			for _, c := range []*hubtest.Client{ada, bob, other} {
				c.Say(`{"event":"pusher:ping","data":{}}`)
				c.Take()
			}
		}
		ada.Join("presence-doc.1", "7")
		ada.Expect(notAuthorized("presence-doc.1")...)
		// A signature for another connection is newer than that, however soon it comes.
		tab := hubtest.As(t, h, "7")
		tab.Subscribe("private-doc.1")
		tab.Expect(succeeded("private-doc.1"))

		// Public channels are open to all.
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "news.1", "x"))
		ada.Expect(takenBack("news.1", "x"))
		ada.Subscribe("news.1")
		ada.Expect(succeeded("news.1"))

		// The other app has the same ids and names, and no part in it.
		other.Expect()
		app, _ := h.App("2")
		check(t, app.Trigger(t.Context(), channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-doc.1"}}))
		other.Expect(event("e", "private-doc.1", "1"))
	})
}

func TestRevokeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := signing(t)
		app, ctx := mine(h), t.Context()
		for name, err := range map[string]error{
			"revoke":         app.Revoke(ctx, channels.Selector{}, "private-x", ""),
			"reauthenticate": app.Reauthenticate(ctx, channels.Users(), 0),
			"terminate":      app.TerminateSelected(ctx, channels.Selector{}, ""),
		} {
			if !errors.Is(err, channels.ErrNoTarget) {
				t.Errorf("%s: %v, want ErrNoTarget", name, err)
			}
		}
		if err := app.Revoke(ctx, channels.Everyone(), "private-{", ""); err == nil || !strings.Contains(err.Error(), "pattern") {
			t.Errorf("a bad pattern: %v", err)
		}
		if err := app.Revoke(ctx, channels.Everyone(), "", ""); err == nil || !strings.Contains(err.Error(), "pattern") {
			t.Errorf("no pattern: %v", err)
		}
		if err := app.Recheck(ctx, channels.Everyone(), "private-x"); !errors.Is(err, channels.ErrNoPolicies) {
			t.Errorf("Recheck without Policies: %v, want ErrNoPolicies", err)
		}
	})
}

// However long the broker takes, what is triggered after a Revoke does not reach who
// was revoked, and a subscribe under way comes to nothing.
func TestRevokeWhileBrokerIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRemote(100 * time.Millisecond)
		config := hubtest.Config()
		config.Broker = broker
		config.Apps[0].Authenticator = staff
		h := hubtest.Start(t, config)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		ada.Join("presence-doc.1", "7")
		bob.Join("presence-doc.1", "9")
		time.Sleep(time.Second)
		ada.Take()
		bob.Take()
		ada.Subscribe("private-doc.1") // under way
		broker.setReply(3 * time.Second)
		ada.Join("presence-doc.2", "7") // its answer comes late
		time.Sleep(time.Millisecond)
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "{x...}", "no"))
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-doc.1", "private-doc.1"}})
		time.Sleep(10 * time.Second)
		got := strings.Join(ada.Take(), "\n")
		for _, channel := range []string{"presence-doc.1", "private-doc.1", "presence-doc.2"} {
			if strings.Count(got, takenBack(channel, "no")) != 1 {
				t.Errorf("ada was not told once that %s is over: %s", channel, got)
			}
		}
		if strings.Contains(got, "succeeded") || strings.Contains(got, `"event":"e"`) {
			t.Errorf("ada heard %s", got)
		}
		heard := bob.Take() // in the order in which the broker got them
		slices.Sort(heard)
		if want := []string{event("e", "presence-doc.1", "1"), event("pusher_internal:member_removed", "presence-doc.1", `{"user_id":"7"}`)}; !slices.Equal(heard, want) {
			t.Errorf("bob heard %q, want %q", heard, want)
		}
		infos, err := broker.Occupied(t.Context(), hubtest.AppID, "")
		if check(t, err); len(infos) != 1 {
			t.Errorf("occupied %v, want what bob is on", infos)
		}
		ada.Subscribe("private-doc.1")
		ada.Expect(notAuthorized("private-doc.1")...)
	})
}

// Whose a subscription is may be known from what is signed for it alone.
func TestRevokeOfGuests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, 100*time.Millisecond)
		early, under, bob := hubtest.Connect(t, h), hubtest.Connect(t, h), hubtest.Connect(t, h)
		bob.Join("presence-x", "9")
		time.Sleep(time.Second)
		bob.Take()
		broker.setReply(time.Second)
		under.Join("presence-x", "7")
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "presence-x", "")) // overtakes the answer
		time.Sleep(2 * time.Second)
		under.Expect(takenBack("presence-x", "Not authorized to subscribe to presence-x"))
		early.Join("presence-x", "7") // signed before, for all that is known
		early.Expect(notAuthorized("presence-x")...)
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-x"}})
		under.Expect()
		late := hubtest.Connect(t, h)
		late.Join("presence-x", "7")
		time.Sleep(2 * time.Second)
		if got := strings.Join(late.Take(), ""); !strings.Contains(got, "succeeded") {
			t.Errorf("signed after it: %s", got)
		}
	})
}

// A broker that cannot be reached cannot tell the other nodes: nobody is told half
// of it.
func TestRevokeWhileBrokerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Millisecond)
		broker.setDown(true)
		if err := mine(h).Revoke(t.Context(), channels.Everyone(), "{x...}", ""); !errors.Is(err, channels.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	})
}

// Past the bound on what is remembered for a connection it gets a new id, and what
// was signed for the old one is worth nothing.
func TestRevokeTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := signing(t)
		ada := hubtest.As(t, h, "7")
		for i := range 3 * 64 {
			check(t, mine(h).Revoke(t.Context(), channels.Users("7"), fmt.Sprintf("private-doc.%d", i%64), ""))
		}
		if code, _ := ada.Closed(); code != 0 {
			t.Fatalf("closed with %d after 64 patterns", code)
		}
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "private-doc.64", ""))
		if code, _ := ada.Closed(); code != 4200 {
			t.Errorf("closed with %d after 65 patterns, want 4200", code)
		}
	})
}

func TestTerminateSelected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := signing(t)
		ada, bob, carol, other := hubtest.As(t, h, "7"), hubtest.As(t, h, "9"), hubtest.As(t, h, "11"), theirs(t, h, "7")
		check(t, mine(h).TerminateSelected(t.Context(), channels.Roles("editor").But(channels.Users("9")), "Banned for a week"))
		if code, reason := ada.Closed(); code != 4009 || reason != "Banned for a week" {
			t.Errorf("closed with %d %q", code, reason)
		}
		check(t, mine(h).TerminateSelected(t.Context(), channels.Users("9"), ""))
		if code, reason := bob.Closed(); code != 4009 || reason != "You got disconnected by the app." {
			t.Errorf("closed with %d %q", code, reason)
		}
		for _, c := range []*hubtest.Client{carol, other} {
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("closed with %d", code)
			}
		}
	})
}

// Who was known before the connection was let in has signed in, as far as Pusher's call goes.
func TestTerminateOfAuthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := signing(t)
		ada, bob, other := hubtest.As(t, h, "7"), hubtest.As(t, h, "9"), theirs(t, h, "7")
		check(t, mine(h).Terminate(t.Context(), "7"))
		if code, reason := ada.Closed(); code != 4009 || reason != "You got disconnected by the app." {
			t.Errorf("closed with %d %q", code, reason)
		}
		for _, c := range []*hubtest.Client{bob, other} {
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("closed with %d", code)
			}
		}
	})
}

// An authority is a Policy that can be changed and asked slowly, and that remembers
// what it said yes to, as one that asks over a network does.
type authority struct {
	mu         sync.Mutex
	allowed    map[string]bool // users
	remembered map[string]bool // likewise; nil: nothing is
	down       bool
	slow       chan struct{} // nil: answers at once
	asked      []string
}

func (a *authority) Authorize(ctx context.Context, r authz.Request) (authz.Decision, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.Identity.ID+" "+r.Cause.String())
	id := r.Identity.ID
	yes := a.allowed[id] || a.remembered[id]
	if slow := a.slow; slow != nil {
		a.mu.Unlock()
		<-slow
		a.mu.Lock()
	}
	switch {
	case a.down:
		return authz.Decision{}, errors.New("the authority is away")
	case !yes:
		return authz.Deny("not on the list"), nil
	}
	if a.remembered != nil {
		a.remembered[id] = true
	}
	return authz.Allow(), nil
}

func (a *authority) forget(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if user == "" {
		clear(a.remembered)
	}
	delete(a.remembered, user)
}

// delegated starts a hub that asks the authority.
func delegated(t *testing.T, a *authority) *channels.Hub {
	g := authz.NewRegistry()
	g.Handle("private-{x...}", a)
	g.Handle("presence-{x...}", a)
	config := hubtest.Delegated(g, staff)
	config.Apps[0].Invalidate = a.forget
	return hubtest.Start(t, config)
}

// granted decides and keeps a grant as an auth endpoint does; between is what happens
// after the decision and before the subscribe.
func granted(t *testing.T, h *channels.Hub, c *hubtest.Client, channel string, between func()) {
	t.Helper()
	moment := mine(h).Moment()
	between()
	g := authz.Grant{Identity: c.Socket().Identity(), Moment: moment}
	check(t, mine(h).Keep(t.Context(), c.ID(), channel, g))
	c.Subscribe(channel)
}

func TestRevokeGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true, "9": true}}
		h := delegated(t, a)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		revoke := func() {
			delete(a.allowed, "7")
			check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "private-doc.{id}", "no"))
		}
		granted(t, h, ada, "private-doc.1", func() {})
		granted(t, h, bob, "private-doc.1", func() {})
		ada.Expect(succeeded("private-doc.1"))
		bob.Expect(succeeded("private-doc.1"))
		revoke()
		ada.Expect(takenBack("private-doc.1", "no"))
		ada.Subscribe("private-doc.1") // with the signature that it has
		ada.Expect(notAuthorized("private-doc.1")...)

		// A grant that was decided before and arrives after.
		granted(t, h, ada, "private-doc.2", revoke)
		ada.Expect(notAuthorized("private-doc.2")...)
		// Another's is none of it, nor is one for another channel.
		granted(t, h, bob, "private-doc.2", revoke)
		bob.Expect(succeeded("private-doc.2"))
		granted(t, h, ada, "private-else", revoke)
		ada.Expect(succeeded("private-else"))

		// One that was decided since is as good as any.
		a.allowed["7"] = true
		granted(t, h, ada, "private-doc.1", func() {})
		ada.Expect(succeeded("private-doc.1"))
		if len(a.asked) != 0 {
			t.Errorf("the policies were asked: %v", a.asked)
		}
	})
}

// Of more revocations than are remembered, the older ones are taken to be for
// everybody: decisions from before them are made again.
func TestRevokeGrantsOfLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true}}
		h := delegated(t, a)
		ada := hubtest.As(t, h, "7")
		revoke := func(n int) func() {
			return func() {
				for range n {
					check(t, mine(h).Revoke(t.Context(), channels.Users("9"), "private-y", ""))
				}
			}
		}
		granted(t, h, ada, "private-x.1", revoke(1024))
		ada.Expect(succeeded("private-x.1"))
		if len(a.asked) != 0 {
			t.Errorf("the policies were asked: %v", a.asked)
		}
		granted(t, h, ada, "private-x.2", revoke(1025))
		ada.Expect(succeeded("private-x.2"))
		if got := fmt.Sprint(a.asked); got != "[7 join]" {
			t.Errorf("asked %s", got)
		}
	})
}

// A yes that was on its way when the permission was taken back does not admit.
func TestRevokeDuringQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true}, slow: make(chan struct{})}
		h := delegated(t, a)
		ada := hubtest.As(t, h, "7")
		ada.Subscribe("private-doc.1")
		ada.Expect()
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "private-doc.1", "no"))
		close(a.slow)
		ada.Expect(notAuthorized("private-doc.1")...)
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-doc.1"}})
		ada.Expect()
		if h.Held() != 0 {
			t.Errorf("%d channels are held", h.Held())
		}
	})
}

// Observers are told that it was a revocation.
func TestRevokeIsObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Apps[0].Authenticator = staff
		var told []string // by one connection, so one after the other
		h := startWith(t, config, func(h *channels.Hub) {
			h.OnUnsubscribed("private-doc.{id}", func(_ context.Context, sub *channels.Subscription, c authz.Captures, why channels.End) {
				told = append(told, fmt.Sprintf("off %s: %v %s", c["id"], why.By == channels.Revoked, why.Reason))
			})
			h.OnDisconnected(func(_ context.Context, s *channels.Socket, why channels.End) {
				told = append(told, fmt.Sprintf("gone %s: %v %d %s", s.Identity().ID, why.By == channels.Revoked, why.Code, why.Reason))
			})
		})
		ada := hubtest.As(t, h, "7")
		ada.Subscribe("private-doc.1")
		ada.Subscribe("private-doc.2")
		ada.Take()
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "private-doc.1", "You left"))
		ada.Unsubscribe("private-doc.1") // as pusher-js has to, before it tries again
		ada.Unsubscribe("private-doc.2")
		ada.Take()
		check(t, mine(h).TerminateSelected(t.Context(), channels.Users("7"), "Banned"))
		synctest.Wait()
		want := []string{"off 1: true You left", "off 2: false ", "gone 7: true 4009 Banned"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// Whoever comes to speak for a user whose connections have just been closed, by what
// was signed before, is closed like them.
func TestClosedUserComesBack(t *testing.T) {
	coming := map[string]func(*hubtest.Client){
		"signin":  func(c *hubtest.Client) { c.Signin(`{"id":"ada"}`) },
		"channel": func(c *hubtest.Client) { c.Join("presence-x", "ada") },
	}
	for name, come := range coming {
		for _, policies := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", with policies ", policies), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := hubtest.Start(t, hubtest.Config())
					if policies {
						h = asked(t, &asker{d: authz.Deny("banned")})
					}
					banned, again, other := hubtest.Connect(t, h), hubtest.Connect(t, h), hubtest.Connect(t, h)
					if policies {
						for _, c := range []*hubtest.Client{banned, again, other} {
							g := authz.Grant{Identity: authz.Identity{ID: "ada"}, Moment: mustApp(h).Moment()}
							check(t, mustApp(h).Keep(t.Context(), c.ID(), "", g))
						}
					}
					check(t, mustApp(h).Reauthenticate(t.Context(), channels.Users("ada"), 0))
					if !policies || name == "signin" {
						come(again)
						if code, _ := again.Closed(); code != protocol.CloseReconnect {
							t.Errorf("after Reauthenticate: closed with %d, want 4200", code)
						}
					}
					check(t, mustApp(h).TerminateSelected(t.Context(), channels.Users("ada"), "banned"))
					come(banned)
					if code, _ := banned.Closed(); code != protocol.CloseUnauthorized && (!policies || name == "signin") {
						t.Errorf("after TerminateSelected: closed with %d, want 4009", code)
					}
					if id := banned.Socket().Identity(); policies && !id.Guest() {
						t.Errorf("it speaks for %q", id.ID)
					}
					other.Signin(`{"id":"bob"}`)
					if code, _ := other.Closed(); code != 0 && !policies {
						t.Errorf("another user: closed with %d", code)
					}
				})
			})
		}
	}
}

// What is remembered of revocations is bounded by its size, too.
func TestRevokeGrantsOfLargeSelectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true}}
		h := delegated(t, a)
		ada := hubtest.As(t, h, "7")
		many := make([]string, 9999)
		for i := range many {
			many[i] = fmt.Sprint("user", i)
		}
		revoke := func(n int) func() {
			return func() {
				for range n {
					check(t, mine(h).Revoke(t.Context(), channels.Users(many...), "private-y", ""))
				}
			}
		}
		granted(t, h, ada, "private-x.1", revoke(12))
		granted(t, h, ada, "private-x.2", revoke(14))
		ada.Expect(succeeded("private-x.1"), succeeded("private-x.2"))
		if got := fmt.Sprint(a.asked); got != "[7 join]" {
			t.Errorf("asked %s, want once: for the grant that is older than what fits", got)
		}
	})
}

// A client may be on channels as one user and speak for another. What is taken back
// from either ends, and no more.
func TestRevokeOfTwoUsers(t *testing.T) {
	ways := map[string]func(t *testing.T) (*channels.Hub, *hubtest.Client){
		"granted": func(t *testing.T) (*channels.Hub, *hubtest.Client) {
			h := asked(t, &asker{d: authz.Allow()})
			c := hubtest.Connect(t, h)
			for _, user := range []string{"ada", "bob"} {
				grant(t, h, c, "presence-"+user, authz.Grant{Identity: authz.Identity{ID: user}})
				c.Subscribe("presence-" + user)
			}
			return h, c
		},
		"signed": func(t *testing.T) (*channels.Hub, *hubtest.Client) {
			h := hubtest.Start(t, hubtest.Config())
			c := hubtest.Connect(t, h)
			c.Join("presence-ada", "ada")
			c.Join("presence-bob", "bob")
			return h, c
		},
		"signed in": func(t *testing.T) (*channels.Hub, *hubtest.Client) {
			h := hubtest.Start(t, hubtest.Config())
			c := hubtest.Connect(t, h)
			c.Join("presence-bob", "bob")
			c.Signin(`{"id":"ada"}`)
			c.Subscribe("presence-ada")
			return h, c
		},
	}
	for way, join := range ways {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, c := join(t)
				if got := c.Socket().Identity().ID; got != "ada" {
					t.Fatalf("the socket speaks for %q", got)
				}
				c.Take()
				bob := channels.Users("cleo").Or(channels.Users("bob").And(channels.SignedIn()))
				check(t, mustApp(h).Revoke(t.Context(), bob, "{all...}", "bye"))
				trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-ada", "presence-bob"}})
				c.Expect(takenBack("presence-bob", "bye"), event("e", "presence-ada", "1"))
				c.Join("presence-bob", "bob") // as it was signed before
				c.Expect(notAuthorized("presence-bob")...)
			})
		})
	}
}

// A selector is asked about whom a guest's subscription is signed for in all its
// parts.
func TestRevokeOfGuestsByNestedSelectors(t *testing.T) {
	ada, bob := channels.Users("ada"), channels.Users("bob")
	tests := []struct {
		to    channels.Selector
		loses bool
	}{
		{ada.And(channels.SignedIn()), true},
		{bob.Or(ada), true},
		{channels.Everyone().But(bob), true},
		{channels.Everyone().But(ada), false},
		{channels.Everyone().But(channels.Guests()), true},
		{ada.And(bob), false},
		{bob.Or(channels.Users("cleo")), false},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hubtest.Start(t, hubtest.Config())
				c := hubtest.Connect(t, h)
				// Not of this very connection, so that it does not remember it.
				to := tt.to.And(channels.On("presence-x").Or(channels.SignedIn()))
				check(t, mustApp(h).Revoke(t.Context(), to, "presence-x", ""))
				c.Join("presence-x", "ada") // signed before, for all that is known
				if got := strings.Join(c.Take(), ""); strings.Contains(got, "subscription_error") != tt.loses {
					t.Errorf("%s, want that it is refused: %t", got, tt.loses)
				}
			})
		})
	}
}

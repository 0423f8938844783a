package channels_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A vault is a broker that keeps grants for other nodes.
type vault struct {
	*channels.Memory
	began uint64 // where the app's commands stand when the hub begins; 0: there were none

	mu   sync.Mutex
	kept map[string]authz.Grant
	err  error
}

func (v *vault) Run(ctx context.Context, s channels.Sink) error {
	if v.began > 0 {
		s.Gap(controlPlace(hubtest.AppID), channels.Snapshot{Position: channels.Position{Seq: v.began}})
	}
	return v.Memory.Run(ctx, s)
}

func (v *vault) KeepGrant(_ context.Context, app string, id protocol.SocketID, channel string, g authz.Grant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kept[app+" "+string(id)+" "+channel] = g
	return v.err
}

func (v *vault) TakeGrant(_ context.Context, app string, id protocol.SocketID, channel string) (authz.Grant, time.Duration, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := app + " " + string(id) + " " + channel
	g, ok := v.kept[key]
	delete(v.kept, key)
	return g, time.Second, ok && v.err == nil, v.err
}

func startVault(t *testing.T, a *asker, began uint64) (*channels.Hub, *vault) {
	v := &vault{Memory: channels.NewMemory(), kept: map[string]authz.Grant{}, began: began}
	g := authz.NewRegistry()
	g.Handle("private-{x...}", a)
	g.Handle("presence-{x...}", a)
	config := hubtest.Delegated(g, crew)
	config.Broker = v
	return startWith(t, config), v
}

// What another node's auth endpoint has granted is redeemed here.
func TestGrantedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Deny("no")}
		h, v := startVault(t, a, 0)
		app, _ := h.App(hubtest.AppID)
		g := authz.Grant{Identity: authz.Identity{ID: "ada", Roles: []string{"admin"}}, Moment: app.Moment()}
		check(t, app.Keep(t.Context(), "1.1", "private-x", g))
		if len(v.kept) != 1 {
			t.Errorf("the broker keeps %v, want the grant of a socket that is elsewhere", v.kept)
		}

		c := hubtest.Connect(t, h)
		check(t, v.KeepGrant(t.Context(), hubtest.AppID, c.ID(), "private-x", g))
		c.Subscribe("private-x")
		c.Expect(succeeded("private-x"))
		if id := c.Socket().Identity(); id.ID != "ada" || !id.HasRole("admin") || len(a.take()) > 0 {
			t.Errorf("the socket speaks for %+v, want ada by the grant", id)
		}
		c.Unsubscribe("private-x")
		c.Subscribe("private-x") // a grant is redeemed once
		c.Expect(notAuthorized("private-x")...)

		bob := g
		bob.Identity.ID = "bob"
		user := hubtest.As(t, h, "a")
		check(t, v.KeepGrant(t.Context(), hubtest.AppID, user.ID(), "private-y", bob))
		user.Subscribe("private-y") // the socket speaks for another
		user.Expect(notAuthorized("private-y")...)
		if got := a.take(); len(got) != 1 {
			t.Errorf("asked %+v, want once, for the second subscribe to private-x", got)
		}
	})
}

// A signin finds what another node has granted, too.
func TestSignedInElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, v := startVault(t, &asker{d: authz.Allow()}, 0)
		app, _ := h.App(hubtest.AppID)
		c := hubtest.Connect(t, h)
		g := authz.Grant{Identity: authz.Identity{ID: "ada", Roles: []string{"admin"}}, Moment: app.Moment()}
		check(t, v.KeepGrant(t.Context(), hubtest.AppID, c.ID(), "", g))
		c.Signin(`{"id":"ada"}`)
		c.Expect(signedIn(`{"id":"ada"}`))
		if id := c.Socket().Identity(); !id.HasRole("admin") {
			t.Errorf("the socket speaks for %+v, want ada with her role", id)
		}
		other := hubtest.Connect(t, h)
		check(t, v.KeepGrant(t.Context(), hubtest.AppID, other.ID(), "", g))
		other.Signin(`{"id":"bob"}`)
		other.Expect(`{"event":"pusher:error","data":{"code":null,"message":"Not authorized to sign in as bob, ask the auth endpoint again"}}`)
	})
}

// Where the broker cannot be asked the policies are.
func TestGrantsOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow()}
		h, v := startVault(t, a, 0)
		v.err = errors.New("away")
		c := hubtest.As(t, h, "a")
		c.Subscribe("private-x")
		c.Expect(succeeded("private-x"))
		if got := a.take(); len(got) != 1 {
			t.Errorf("asked %+v, want once", got)
		}
	})
}

// A node that begins does not know what was taken back before: what had been decided
// by then is decided again. Its connections stay.
func TestBeginsAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow()}
		h, _ := startVault(t, a, 500)
		app, _ := h.App(hubtest.AppID)
		synctest.Wait()
		if m := app.Moment(); m != 501 {
			t.Errorf("the moment is %d, want 501", m)
		}
		c := hubtest.As(t, h, "a")
		for moment, asked := range map[uint64]int{400: 1, 501: 0} {
			channel := map[uint64]string{400: "private-old", 501: "private-new"}[moment]
			check(t, app.Keep(t.Context(), c.ID(), channel, authz.Grant{Identity: authz.Identity{ID: "ada"}, Moment: moment}))
			c.Subscribe(channel)
			c.Expect(succeeded(channel))
			if got := a.take(); len(got) != asked {
				t.Errorf("%s: asked %d times, want %d", channel, len(got), asked)
			}
		}
		if code, _ := c.Closed(); code != 0 {
			t.Errorf("closed with %d", code)
		}
	})
}

package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
)

func TestSteedos(t *testing.T) {
	scenario(t, "ST-1", twoCookies, embedded{
		config: func(c *channels.AppConfig) { c.Authenticator = authz.AuthenticatorFunc(spaceAndToken) },
		hooks:  noteTenants,
	})
	scenario(t, "ST-2, ST-3", tenants, embedded{
		config:   func(c *channels.AppConfig) { c.Authenticator = authz.AuthenticatorFunc(tenantUsers) },
		policies: tenantPolicies,
	}, standalone{app: tenantRules, answers: map[string]answerer{"authenticate": tenantUser}, x2: true})
	scenario(t, "ST-4", manyAtOnce, standalone{
		app: `
    policies:
      - {channel: "private-{room}", callback: true}`,
		callback: "gather: 250ms", // however slowly the page's requests arrive
		answers:  decisions(func(*world, question) (any, bool) { return allowIf(true), true }),
	})
	scenario(t, "ST-5", metadata, embedded{}, standalone{x2: true})
	scenario(t, "ST-6", records, embedded{policies: recordPolicies}, standalone{app: `
    policies:
      - {channel: "private-record.{object}.{id}", signed_in: true}`})
	scenario(t, "ST-7", notifications, embedded{}, standalone{x2: true})
	scenario(t, "ST-10", welcome, embedded{hooks: welcomeAll})
	scenario(t, "ST-11", serverTime, embedded{hooks: tellTime})
	scenario(t, "ST-12", permissionSet, embedded{policies: spaceUsers}, standalone{
		app: `
    policies:
      - {channel: "private-space.{id}", callback: true}
      - {channel: "private-user.{id}", owner: id}`,
		answers: decisions(func(w *world, q question) (any, bool) { return allowIf(q.user() != "7" || !w.left.Load()), true }),
		x2:      true,
	})
	t.Parallel()
}

// spaceAndToken reads two cookies that only together say who it is, and of which tenant.
func spaceAndToken(_ context.Context, r *http.Request) (authz.Identity, error) {
	space, _ := r.Cookie("X-Space-Id")
	token, _ := r.Cookie("X-Auth-Token")
	switch {
	case space == nil && token == nil:
		return authz.Identity{}, nil
	case space != nil && token != nil && space.Value == "acme" && token.Value == "alices":
		return authz.Identity{ID: "acme.7", Tenant: "acme"}, nil
	}
	return authz.Identity{}, authz.ErrUnauthenticated
}

func noteTenants(w *world, hub *channels.Hub) {
	hub.OnConnected(func(_ context.Context, s *channels.Socket) {
		id := s.Identity()
		w.note("connected", "%q of %q", id.ID, id.Tenant)
	})
}

// Whoever brings a tenant without proof of who they are is of no tenant.
func twoCookies(_ *testing.T, w *world) {
	w.dial("", http.Header{"Cookie": {"X-Space-Id=acme; X-Auth-Token=alices"}})
	w.noted("connected", `"acme.7" of "acme"`)
	for _, cookies := range []string{
		"X-Space-Id=acme", "X-Space-Id=acme; X-Auth-Token=x", "X-Space-Id=umbrella; X-Auth-Token=alices", "X-Auth-Token=alices",
	} {
		w.dialOnly("", http.Header{"Cookie": {cookies}}).Closed(4009)
	}
	w.dial("", nil)
	w.noted("connected", `"" of ""`) // and nobody before
}

// tenantUsers takes acme.7 for user 7 of the tenant acme: the ids of two tenants' users differ.
func tenantUsers(_ context.Context, r *http.Request) (authz.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token, ok = strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/app/k1"), "/t/")
	}
	if !ok {
		return authz.Identity{}, nil
	}
	tenant, _, ok := strings.Cut(token, ".")
	if !ok {
		return authz.Identity{}, authz.ErrUnauthenticated
	}
	return authz.Identity{ID: token, Tenant: tenant}, nil
}

func tenantPolicies(_ *world, rules *authz.Registry) {
	rules.Handle("private-tenant.{tenant}.{room...}", authz.InTenant("tenant"))
	rules.Handle("private-tenant.{tenant}.user.{id}", authz.Owner("id"))
	rules.Handle("private-pair.{a}.{b}", authz.SignedIn())
}

const tenantRules = `
    policies:
      - {channel: "private-tenant.{tenant}.{room...}", in_tenant: tenant}
      - {channel: "private-tenant.{tenant}.user.{id}", owner: id}
      - {channel: "private-pair.{a}.{b}", signed_in: true}`

// tenantUser is tenantUsers over HTTP.
func tenantUser(_ *world, q question) (int, any) {
	id, err := tenantUsers(context.Background(), &http.Request{Header: q.header, URL: pathOf(q.Path)})
	if err != nil {
		return http.StatusUnauthorized, nil
	}
	return http.StatusOK, map[string]any{"user": userOf(id)}
}

// What a page subscribes to in one go costs its application a call or two.
func manyAtOnce(t *testing.T, w *world) {
	alice := w.client("7")
	var rooms []string
	for i := range 30 {
		rooms = append(rooms, fmt.Sprint("private-room", i))
	}
	alice.subscribe(rooms...)
	if one, many := len(w.cb.questions("authorize")), len(w.cb.questions("authorize_many")); one+many > 2 {
		t.Errorf("30 subscriptions cost %d authorize and %d authorize_many, want two at most", one, many)
	}
	alice.unsubscribe(rooms[:10]...)
	w.nothingMore(rooms[29], alice) // what came before has been done
	r := w.backend("get", map[string]any{"path": "/channels"})
	if n := strings.Count(r.Body, "private-room"); n != 20 {
		t.Errorf("%d channels are left, want 20: %s", n, r.Body)
	}
}

// Tenants do not hear each other, and nobody hears what is another user's.
func tenants(_ *testing.T, w *world) {
	alice, other := w.client("acme.7"), w.client("umbrella.7")
	alice.subscribe("private-tenant.acme.orders")
	other.subscribe("private-tenant.umbrella.orders")
	for _, channel := range []string{"private-tenant.umbrella.orders", "private-tenant.acme.user.acme;2E9", "private-tenant..orders"} {
		alice.subscribing(channel)
		alice.refused(channel, 403)
	}
	alice.subscribe("private-tenant.acme.user.acme;2E7")
	w.trigger("private-tenant.acme.orders", "changed", 1)
	alice.sees("private-tenant.acme.orders", "changed 1")
	w.nothingMore("private-tenant.umbrella.orders", other)

	// What is put together from parts is taken apart in the same way.
	alice.subscribe("private-pair.a;2Eb.c")
	other.subscribe("private-pair.a.b;2Ec")
	w.trigger("private-pair.a;2Eb.c", "changed", 2)
	alice.sees("private-pair.a;2Eb.c", "changed 2")
	w.nothingMore("private-pair.a.b;2Ec", other)

	// The same number in two tenants is two users.
	for _, c := range []*client{alice, other} {
		c.signin()
	}
	if r := w.backend("sendToUser", "acme.7", "hello", 1); r.Status != 200 {
		w.t.Fatalf("send to a user: %+v", r)
	}
	alice.until("user", "hello 1")
	w.backend("sendToUser", "umbrella.7", "end", 1)
	for other.next("user").String() != "end 1" {
	}
	if heard := other.heard("user"); strings.Contains(heard, "hello") {
		w.t.Errorf("another tenant's user heard:\n%s", heard)
	}
}

// What changes for everybody is told to everybody, guests too.
func metadata(_ *testing.T, w *world) {
	alice, bob, guest := w.client("7"), w.client("9"), w.client("")
	w.broadcast(`{"everyone":true}`, "s:metadata:change", `{"type":"objects","_id":"1"}`)
	for _, c := range []*client{alice, bob, guest} {
		c.sees("pusher", `s:metadata:change {"type":"objects","_id":"1"}`)
	}
}

func recordPolicies(_ *world, rules *authz.Registry) {
	rules.Handle("private-record.{object}.{id}", authz.SignedIn())
}

// Names of events are the application's own.
func records(_ *testing.T, w *world) {
	alice, bob := w.client("7"), w.client("9")
	alice.subscribe("private-record.orders.1")
	bob.subscribe("private-record.orders.2")
	w.trigger("private-record.orders.1", "s:record:orders:change-1", map[string]string{"_id": "1"})
	alice.sees("private-record.orders.1", `s:record:orders:change-1 {"_id":"1"}`)
	w.nothingMore("private-record.orders.2", bob)
}

// One call notifies several users in all of their tabs; who is not there misses nothing but that.
func notifications(_ *testing.T, w *world) {
	alice1, alice2, bob, carol := w.client("7"), w.client("7"), w.client("9"), w.client("11")
	w.broadcast(`{"users":["7","9","404"]}`, "s:notification-change", `{"message":"hello"}`)
	w.broadcast(`{"everyone":true}`, "end", "1")
	for _, c := range []*client{alice1, alice2, bob} {
		c.sees("pusher", `s:notification-change {"message":"hello"}`, "end 1")
	}
	carol.sees("pusher", "end 1")
}

func welcomeAll(_ *world, hub *channels.Hub) {
	hub.OnConnecting(func(context.Context, *channels.ConnectRequest) (channels.Welcome, error) {
		return channels.Welcome{Events: []channels.Event{{Name: "connection-init", Data: `{"version":1}`}}}, nil
	})
}

// Every connection begins with what the application has to say to it.
func welcome(_ *testing.T, w *world) {
	p := startProxy(w.t, w.hosts...)
	guest := w.connectTo(p.address, visitor{})
	guest.connected()
	guest.subscribe("open")
	guest.sees("pusher", `connection-init {"version":1}`)
	p.cut()
	guest.until("connection", "connecting")
	guest.connected()
	guest.sees("pusher", `connection-init {"version":1}`)
	guest.sees("open", succeeded+" {}")
	at := map[string]int{}
	for i, h := range guest.all("") {
		if _, ok := at[h.On+" "+h.Event]; !ok {
			at[h.On+" "+h.Event] = i
		}
	}
	if init := at["pusher connection-init"]; init < at["connection connected"] || init > at["open "+succeeded] {
		w.t.Errorf("connection-init did not come first:\n%s", guest.journal)
	}
}

// spaceUsers lets those into a space who are in it; alice may leave.
func spaceUsers(w *world, rules *authz.Registry) {
	rules.HandleFunc("private-space.{id}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if r.Identity.ID == "7" && w.left.Load() {
			return authz.Deny("has left"), nil
		}
		return authz.Allow(), nil
	})
	rules.Handle("private-user.{id}", authz.Owner("id"))
}

// When a permission may have changed, the policies are asked again about what is subscribed; only what they deny ends.
func permissionSet(t *testing.T, w *world) {
	alice, bob := w.client("7"), w.client("9")
	alice.subscribe("private-space.1", "private-user.7")
	bob.subscribe("private-space.1")
	w.left.Store(true)
	began := time.Now()
	if r := w.control("recheck", map[string]any{"to": map[string]any{"users": []string{"7"}}, "channels": "private-{x...}"}); r.Status != 200 {
		t.Fatalf("recheck: %+v", r)
	}
	alice.refused("private-space.1", 403)
	if took := time.Since(began); took > *soon {
		t.Errorf("alice's subscription ended %v after she was rechecked", took)
	}
	w.trigger("private-space.1", "changed", 1)
	bob.sees("private-space.1", "changed 1")
	w.nothingMore("private-user.7", alice)
	if n := len(alice.all("private-space.1")); n != 2 {
		t.Errorf("alice heard after the end:\n%s", alice.heard("private-space.1"))
	}
}

func tellTime(_ *world, hub *channels.Hub) {
	hub.HandleMessage("ping-time", func(_ context.Context, s *channels.Socket, _ channels.Event) error {
		now, err := channels.NewEvent("pong-time", time.Now().UnixMilli())
		if err != nil {
			return err
		}
		return s.Send(now)
	})
}

// Who asks the server for the time is told it.
func serverTime(t *testing.T, w *world) {
	guest := w.client("")
	before := time.Now().UnixMilli()
	guest.message("ping-time", map[string]any{})
	h := guest.next("pusher")
	var at int64
	if err := unmarshal(string(h.Data), &at); err != nil || h.Event != "pong-time" || at < before || at > time.Now().UnixMilli() {
		t.Errorf("the time is %s", h)
	}
}

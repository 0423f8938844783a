package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
)

func TestDirectus(t *testing.T) {
	scenario(t, "LK-1", observed, embedded{hooks: observers})
	scenario(t, "LK-2 strict", strict, embedded{
		config: func(c *channels.AppConfig) { c.Authenticator = authz.RequireUser(c.Authenticator) },
		hooks:  noteFailures,
	}, standalone{app: "    require_user: true"})
	scenario(t, "LK-2 handshake", handshake, embedded{
		config: func(c *channels.AppConfig) { c.AuthorizeWithin = brief },
		hooks:  noteFailures,
	}, standalone{app: fmt.Sprintf("    authorize_within: %v\n    policies: []", brief)})
	scenario(t, "LK-2 expiry", expiry, embedded{
		config:   func(c *channels.AppConfig) { c.Authenticator = new(shortLived) },
		policies: items,
		hooks:    noteIdentities,
	}, standalone{app: itemRules, answers: map[string]answerer{"authenticate": endsSoon}})
	scenario(t, "LK-2 expiry to guest", expiryToGuest, embedded{
		config: func(c *channels.AppConfig) {
			c.Authenticator, c.GuestOnExpiry = new(shortLived), true
		},
		policies: items,
	}, standalone{app: "    on_expiry: guest" + itemRules, answers: map[string]answerer{"authenticate": endsSoon}})
	scenario(t, "LK-3", customMessages, embedded{hooks: handlers})
	scenario(t, "LK-4", filtered, embedded{policies: items, hooks: filters}, standalone{
		callback: `client_events: ["private-items.{collection}"], event_timeout: 3s`,
		app:      itemRules,
		answers:  map[string]answerer{"client_event": filteredEvent},
	})
	scenario(t, "LK-5", selected, embedded{}, standalone{x2: true})
	scenario(t, "LK-6", enumerated, embedded{policies: items}, standalone{app: itemRules, x2: true})
	scenario(t, "LK-6 death", enumeratedWithoutANode, nodes{standalone{app: itemRules}, 2, 2})
	scenario(t, "LK-7", limits, embedded{
		config:   func(c *channels.AppConfig) { c.Limits.Connections = 3 },
		policies: items,
	}, standalone{app: "    limits: {connections: 3}" + itemRules})
	scenario(t, "LK-8", customAuthentication, embedded{policies: items, hooks: apiKeys})
	scenario(t, "LK-11", correlated, embedded{hooks: handlers}, standalone{
		callback: "messages: [q]",
		answers: map[string]answerer{"message": func(_ *world, q question) (int, any) {
			return http.StatusOK, events("answer", q.Data)
		}},
	})
	t.Parallel()
}

// items opens the collections of items to whoever is signed in.
func items(_ *world, rules *authz.Registry) {
	rules.Handle("private-items.{collection}", authz.SignedIn())
	rules.Handle("presence-items.{collection}", authz.SignedIn())
}

const itemRules = `
    policies:
      - {channel: "private-items.{collection}", signed_in: true}
      - {channel: "presence-items.{collection}", signed_in: true}`

func observers(w *world, hub *channels.Hub) {
	note := func(s *channels.Socket, what string) { w.note(s.Identity().ID, "%s %s", what, s.ID()) }
	hub.OnConnected(func(ctx context.Context, s *channels.Socket) {
		switch s.Identity().ID {
		case "9":
			_ = w.gate("blocked").wait(context.WithoutCancel(ctx))
		case "13":
			panic("on purpose")
		}
		note(s, "connected")
	})
	hub.OnError(func(_ context.Context, s *channels.Socket, _ error) { note(s, "error") })
	hub.OnDisconnected(func(_ context.Context, s *channels.Socket, _ channels.End) { note(s, "disconnected") })
}

// Observers are told in order what happens to a connection, and hold up nobody.
func observed(t *testing.T, w *world) {
	c := w.dial("/t/7", nil)
	c.Write("x")
	c.Expect("pusher:error", "")
	c.Close()
	w.noted("7", "connected "+c.ID, "error "+c.ID, "disconnected "+c.ID)

	bob, dave := w.client("9"), w.client("13")
	w.reached(w.gate("blocked"))
	bob.subscribe("open")
	dave.subscribe("open")
	carol := w.client("11")
	carol.subscribe("open")
	w.trigger("open", "first", 1)
	for _, c := range []*client{bob, dave, carol} {
		c.sees("open", "first 1") // while that observer has not returned
	}
	w.gate("blocked").open()
	_, socket := bob.state()
	bob.disconnect()
	w.noted("9", "connected "+socket, "disconnected "+socket)
}

func noteFailures(w *world, hub *channels.Hub) {
	noteIdentities(w, hub)
	hub.OnAuthFailed(func(_ context.Context, a channels.AuthFailure) {
		switch {
		case errors.Is(a.Err, authz.ErrUnauthenticated):
			w.note("refused", "unauthenticated %q", a.Channel)
		default:
			w.note("refused", "other %q", a.Channel)
		}
	})
}

// Where everybody has to be somebody, a guest is not let in and does not come back.
func strict(t *testing.T, w *world) {
	c := w.dialOnly("", nil)
	if before := c.Closed(4009); len(before) != 1 || before[0].Event != "pusher:error" {
		t.Errorf("a guest was told %+v, want a pusher:error", before)
	}
	guest := w.connect(visitor{})
	guest.until("connection", "disconnected")
	if w.hub != nil {
		w.noted("refused", `unauthenticated ""`, `unauthenticated ""`)
	}
	alice := w.client("7")
	alice.subscribe("open")
	if w.hub != nil {
		w.noted("identity", "7 by upgrade")
	}
}

// Where everybody has to be somebody soon, who signs in stays.
func handshake(t *testing.T, w *world) {
	guest := w.client("")
	bob := w.connect(visitor{Authorization: "Bearer 9"})
	bob.connected()
	bob.signin()
	bob.subscribe("open")
	if w.hub != nil {
		w.noted("identity", "9 by signin")
	}
	guest.until("connection", "disconnected")
	w.nothingMore("open", bob)

	c := w.dial("/t/7", nil)
	if w.hub != nil {
		w.noted("identity", "7 by upgrade")
	}
	c.Send("pusher:signin", "", map[string]string{"auth": "k1:0000", "user_data": `{"id":"7"}`})
	c.Expect("pusher:error", "")
	if w.hub != nil {
		w.noted("refused", `other ""`)
	}
	c.Send("pusher:ping", "", map[string]any{})
	c.Expect("pusher:pong", "")
	if state, _ := bob.state(); state != "connected" {
		t.Errorf("who has signed in is %s", state)
	}
}

// brief is for how long somebody may be who they are, or nobody, before that ends: long enough for a busy machine to do
// meanwhile what has to be done first.
const brief = 5 * time.Second

// A shortLived knows everybody for alice: at the first upgrade for a brief time, and then for good. At its endpoint there
// are guests.
type shortLived struct{ upgrades atomic.Int32 }

func (a *shortLived) Authenticate(_ context.Context, r *http.Request) (authz.Identity, error) {
	id := people["7"]
	if r.Method == http.MethodGet && a.upgrades.Add(1) == 1 {
		id.ExpiresAt = time.Now().Add(brief)
	}
	return id, nil
}

// endsSoon is a shortLived over HTTP.
func endsSoon(w *world, q question) (int, any) {
	id := people["7"]
	if q.For == "upgrade" && len(w.cb.questions("authenticate")) == 1 {
		id.ExpiresAt = time.Now().Add(brief)
	}
	return http.StatusOK, map[string]any{"user": userOf(id)}
}

// With its identity a connection ends, and comes back with a new one.
func expiry(t *testing.T, w *world) {
	began := time.Now()
	alice := w.client("7")
	_, first := alice.state()
	alice.subscribe("private-items.orders")
	alice.until("connection", "connecting")
	// What is due is looked for once a second.
	if took := time.Since(began).Round(time.Millisecond); took < brief || took > brief+time.Second+*soon {
		t.Errorf("the connection of an identity for %v ended after %v", brief, took)
	}
	alice.connected()
	alice.sees("private-items.orders", succeeded+" {}")
	if w.hub != nil {
		w.noted("identity", "7 by upgrade", "7 by upgrade")
	}
	w.trigger("private-items.orders", "created", 1)
	alice.sees("private-items.orders", "created 1")
	if _, second := alice.state(); second == first {
		t.Errorf("the socket is still %s", second)
	}
}

// Or it becomes a guest's, and loses what guests may not have.
func expiryToGuest(t *testing.T, w *world) {
	alice := w.client("7")
	_, first := alice.state()
	alice.subscribe("private-items.orders", "open")
	alice.refused("private-items.orders", 403)
	w.trigger("private-items.orders", "created", 1)
	w.nothingMore("open", alice)
	if state, second := alice.state(); state != "connected" || second != first {
		t.Errorf("the connection is %s as %s, want it to stay as %s", state, second, first)
	}
	if h := alice.heard("private-items.orders"); len(alice.all("private-items.orders")) != 2 {
		t.Errorf("after its end the channel heard more:\n%s", h)
	}
}

// handlers are what this application understands besides channels.
func handlers(w *world, hub *channels.Hub) {
	hub.HandleMessage("typing-indicator", func(_ context.Context, s *channels.Socket, e channels.Event) error {
		w.note("messages", "handled from %s: %s", s.Identity().ID, e.Data)
		return nil
	})
	hub.HandleMessage("q", func(_ context.Context, s *channels.Socket, e channels.Event) error {
		return s.Send(channels.Event{Name: "answer", Data: e.Data})
	})
	hub.HandleMessage("panics", func(context.Context, *channels.Socket, channels.Event) error { panic("on purpose") })
	hub.OnMessage(func(_ context.Context, _ *channels.Socket, channel string, e channels.Event) {
		w.note("messages", "then %q %s", channel, e.Name)
	})
}

// A message that belongs to no channel is handled by whoever has registered for it.
func customMessages(t *testing.T, w *world) {
	alice, bob := w.client("7"), w.client("9")
	alice.message("typing-indicator", map[string]string{"channel": "x"})
	w.noted("messages", `handled from 7: {"channel":"x"}`, `then "" typing-indicator`)
	for _, name := range []string{"panics", "unknown"} {
		alice.message(name, 1)
		if h := alice.next("connection"); h.Event != "error" {
			t.Errorf("%s was answered with %s", name, h)
		}
	}
	alice.message("q", 1)
	alice.until("pusher", "answer 1")
	bob.message("q", 2)
	bob.sees("pusher", "answer 2") // and nothing before
}

// What is answered carries what the client has asked with.
func correlated(_ *testing.T, w *world) {
	alice := w.client("7")
	alice.message("q", map[string]int{"uid": 5})
	alice.sees("pusher", `answer {"uid":5}`)
}

// filters change, refuse and hold up client events.
func filters(w *world, hub *channels.Hub) {
	hub.Filter("private-items.{collection}", func(ctx context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		switch e.Event.Name {
		case "client-forbidden":
			return channels.Reject(4301, "not here"), nil
		case "client-slow":
			return channels.Pass(), w.gate("slow " + e.Event.Data).wait(ctx)
		case "client-edit":
			return channels.Replace(channels.Event{Name: "client-edit", Data: `{"by":"` + e.Sender.ID + `"}`}), nil
		case "client-fails":
			return channels.Pass(), errors.New("on purpose")
		}
		return channels.Pass(), nil
	})
	hub.Filter("private-items.{collection}", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		w.note("second", "%s %s", e.Event.Name, e.Event.Data)
		return channels.Pass(), nil
	})
}

// filteredEvent is the first of filters, over HTTP.
func filteredEvent(w *world, q question) (int, any) {
	switch q.Event {
	case "client-forbidden":
		return http.StatusOK, map[string]any{"verdict": "reject", "code": 4301, "message": "not here"}
	case "client-slow":
		_ = w.gate("slow " + q.Data).wait(context.Background())
	case "client-edit":
		return http.StatusOK, map[string]any{"verdict": "replace", "data": map[string]string{"by": q.user()}}
	case "client-fails":
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, map[string]string{"verdict": "pass"}
}

// Client events pass through filters, in order for one client and channel, at the cost of nobody else.
func filtered(t *testing.T, w *world) {
	const channel = "private-items.orders"
	alice, bob, carol := w.client("7"), w.client("9"), w.client("11")
	for _, c := range []*client{alice, bob, carol} {
		c.subscribe(channel)
	}
	alice.trigger(channel, "client-edit", map[string]string{"by": "somebody else"})
	bob.sees(channel, `client-edit {"by":"7"}`)
	carol.sees(channel, `client-edit {"by":"7"}`)
	if w.hub != nil {
		w.noted("second", `client-edit {"by":"7"}`)
	}

	for _, name := range []string{"client-forbidden", "client-fails"} {
		alice.trigger(channel, name, 1)
		if h := alice.next("connection"); h.Event != "error" || !strings.Contains(h.String(), "4301") {
			t.Errorf("%s was answered with %s, want 4301", name, h)
		}
		if h := alice.next(channel); h.Event != "pusher:error" {
			t.Errorf("%s was answered on the channel with %s", name, h)
		}
	}
	w.nothingMore(channel, alice, bob, carol)

	alice.trigger(channel, "client-slow", 1)
	w.reached(w.gate("slow 1"))
	alice.trigger(channel, "client-next", 2)
	bob.trigger(channel, "client-at-once", 3)
	alice.sees(channel, "client-at-once 3")
	carol.sees(channel, "client-at-once 3")
	w.gate("slow 1").open()
	bob.sees(channel, "client-slow 1", "client-next 2")
	carol.sees(channel, "client-slow 1", "client-next 2")

	// Pings are answered meanwhile, for which pusher-js has no event.
	c := w.dial("/t/7", nil)
	w.subscribe(c, "7", channel)
	c.Send("client-slow", channel, 4)
	w.reached(w.gate("slow 4"))
	c.Send("pusher:ping", "", map[string]any{})
	c.Expect("pusher:pong", "")
	w.gate("slow 4").open()
	bob.sees(channel, "client-slow 4")
}

// Events for some connections, whatever they are subscribed to.
func selected(_ *testing.T, w *world) {
	alice, carol1, carol2, guest := w.client("7"), w.client("11"), w.client("11"), w.client("")
	all := []*client{alice, carol1, carol2, guest}
	for i, c := range []struct {
		to   string
		hear []*client
	}{
		{`{"roles":["admin"]}`, []*client{carol1, carol2}},
		{`{"users":["7"],"roles":["admin"]}`, nil},
		{`{"everyone":true,"except":{"users":["7"]}}`, []*client{carol1, carol2, guest}},
		{`{"signed_in":true}`, []*client{alice, carol1, carol2}},
		{`{"guests":true}`, []*client{guest}},
		{`{"users":["7","13"]}`, []*client{alice}},
	} {
		w.broadcast(c.to, "event", fmt.Sprint(i))
		w.broadcast(`{"everyone":true}`, "end", fmt.Sprint(i))
		for _, client := range c.hear {
			client.sees("pusher", fmt.Sprint("event ", i))
		}
		for _, client := range all {
			client.sees("pusher", fmt.Sprint("end ", i))
		}
	}
}

// Ten client events a second, and no more connections than the app may have.
func limits(t *testing.T, w *world) {
	const channel, rate, sent = "private-items.orders", 10, 100
	bob, c := w.client("9"), w.dial("/t/7", nil)
	bob.subscribe(channel)
	w.subscribe(c, "7", channel)
	began := time.Now()
	for i := range sent {
		c.Send("client-edit", channel, i)
	}
	c.Send("pusher:ping", "", map[string]any{})
	accepted := sent
	for m := c.Next(); m.Event != "pusher:pong"; m = c.Next() {
		accepted--
		var data struct {
			Code int `json:"code"`
		}
		if m.Event != "pusher:error" || unmarshal(string(m.Data), &data) != nil || data.Code != 4301 {
			t.Errorf("a client event too many was answered with %+v, want 4301", m)
		}
	}
	if most := rate * (1 + time.Since(began).Seconds()); accepted < rate || float64(accepted) > most {
		t.Errorf("%d client events were accepted, want from %d to %.1f", accepted, rate, most)
	}
	for i := range rate {
		bob.sees(channel, fmt.Sprint("client-edit ", i))
	}
	for range accepted - rate {
		bob.next(channel)
	}
	w.nothingMore(channel, bob)

	third := w.dial("", nil)
	fourth := w.dialOnly("", nil)
	fourth.Closed(4004)
	third.Send("pusher:ping", "", map[string]any{})
	third.Expect("pusher:pong", "")
}

// apiKeys is a gate with an authentication of its own: a header that names a user.
func apiKeys(_ *world, hub *channels.Hub) {
	hub.OnConnecting(func(_ context.Context, r *channels.ConnectRequest) (channels.Welcome, error) {
		key := r.HTTP.Header.Get("X-Api-Key")
		if key == "" {
			return channels.Welcome{}, nil
		}
		id, ok := people[key]
		if !ok {
			return channels.Welcome{}, authz.ErrDenied
		}
		return channels.Welcome{Identity: &id}, nil
	})
}

// A gate may say who connects; policies and presence go by that.
func customAuthentication(t *testing.T, w *world) {
	bob := w.client("9")
	bob.subscribe("presence-items.orders")
	c := w.dial("", http.Header{"X-Api-Key": {"11"}})
	// No auth endpoint knows of the key: the app signs, and the policies are asked about who the connection is.
	for _, channel := range []string{"private-items.orders", "presence-items.orders"} {
		w.signed(c, channel)
		c.Expect("pusher_internal:subscription_succeeded", channel)
	}
	bob.sees("presence-items.orders", `pusher:member_added {"id":"11","info":{"name":"carol"}}`)

	refused := w.dialOnly("", http.Header{"X-Api-Key": {"nobody"}})
	refused.Closed(4009)
	guest := w.dial("", nil)
	w.signed(guest, "private-items.orders")
	if m := guest.Next(); m.Event != "pusher:error" {
		t.Errorf("a guest's subscribe was answered with %+v", m)
	}
}

package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"hark/authz"
	"hark/channels"
)

func TestFlarum(t *testing.T) {
	scenario(t, "FL-2", ownChannel, embedded{policies: forum, hooks: noteIdentities}, standalone{app: forumRules, x2: true})
	scenario(t, "FL-3", publicForGuests, embedded{
		policies: forum,
		config:   func(c *channels.AppConfig) { c.AuthorizeWithin = brief },
	}, standalone{app: fmt.Sprintf("    authorize_within: %v", brief) + forumRules})
	scenario(t, "FL-8", online, embedded{policies: forum}, standalone{app: forumRules, x2: true})
	var panics atomic.Bool
	scenario(t, "FL-9", func(t *testing.T, w *world) { stackedPolicies(t, w, &panics) }, embedded{policies: stacked(&panics)})
	scenario(t, "FL-10", extensionChannels, embedded{policies: readers})
	scenario(t, "FL-11", typing, embedded{policies: typists, hooks: hideTypists})
	scenario(t, "FL-12", onlySubscribersSend, embedded{policies: forum}, standalone{app: forumRules})
	scenario(t, "FL-18", nothingLeft, embedded{policies: forum, config: func(c *channels.AppConfig) { c.Limits.Channels = 100 }},
		standalone{app: "    limits: {channels: 100}" + forumRules})
	scenario(t, "FL-19", authEndpoint, embedded{policies: forum}, standalone{app: forumRules})
	t.Parallel()
}

// forum is who may join what, where each user has a channel and everybody who is signed in is online.
func forum(_ *world, rules *authz.Registry) {
	rules.Handle("private-user={id}", authz.Owner("id"))
	rules.Handle("private-typing={id}", authz.SignedIn())
	rules.Handle("presence-online", authz.SignedIn())
}

const forumRules = `
    policies:
      - {channel: "private-user={id}", owner: id}
      - {channel: "private-typing={id}", signed_in: true}
      - {channel: presence-online, signed_in: true}`

func noteIdentities(w *world, hub *channels.Hub) {
	hub.OnAuthenticated(func(_ context.Context, s *channels.Socket, by channels.AuthKind) {
		w.note("identity", "%s by %s", s.Identity().ID, by)
	})
}

// A user's own channel is for no other, and being on it says who one is.
func ownChannel(t *testing.T, w *world) {
	// Unknown at the upgrade, known at the auth endpoint.
	alice := w.connect(visitor{Authorization: "Bearer 7"})
	alice.connected()
	alice.subscribe("private-user=7")
	alice.subscribing("private-user=9")
	alice.refused("private-user=9", 403)
	guest := w.client("")
	guest.subscribing("private-user=7")
	guest.refused("private-user=7", 403)
	alice.unsubscribe("private-user=7")
	alice.subscribe("private-user=7")
	w.trigger("private-user=7", "notification", 1)
	alice.sees("private-user=7", "notification 1")
	if w.hub != nil {
		bob := w.connect(visitor{Authorization: "Bearer 9"})
		bob.connected()
		bob.subscribe("private-user=9")
		w.noted("identity", "7 by channel", "9 by channel") // each once
	}
}

// Guests are on public channels, and, where the application wants it, not for long.
func publicForGuests(_ *testing.T, w *world) {
	guest, alice := w.client(""), w.client("7")
	guest.subscribe("public")
	alice.subscribe("public", "private-user=7")
	w.trigger("public", "news", 1)
	guest.sees("public", "news 1")
	alice.sees("public", "news 1")
	guest.until("connection", "disconnected")
	if h := guest.all("connection"); !strings.Contains(fmt.Sprint(h), "4009") {
		w.t.Errorf("the guest's connection: %v, want a close with 4009", h)
	}
	w.nothingMore("public", alice)
	if state, _ := alice.state(); state != "connected" {
		w.t.Errorf("alice's connection is %s", state)
	}
}

// Members are users, subscriptions are tabs: for clients and for backends.
func online(t *testing.T, w *world) {
	const channel = "presence-online"
	alice1, alice2, bob := w.client("7"), w.client("7"), w.client("9")
	alice1.subscribe(channel)
	alice2.subscribe(channel)
	bob.subscribe(channel)
	for _, c := range []*client{alice1, alice2} {
		c.sees(channel, `pusher:member_added {"id":"9","info":{"name":"bob"}}`)
	}
	const want = `{"occupied":true,"user_count":2,"subscription_count":3}`
	if got := w.info(channel, "user_count,subscription_count"); !sameJSON(got, want) {
		t.Errorf("two users in three tabs are %s, want %s", got, want)
	}
	alice1.disconnect()
	w.untilSockets(channel, 2)
	w.nothingMore(channel, alice2, bob)
	alice2.disconnect()
	bob.sees(channel, `pusher:member_removed {"id":"7","info":{"name":"alice"}}`)
	w.nothingMore(channel, bob)
}

func stacked(panics *atomic.Bool) func(*world, *authz.Registry) {
	return func(w *world, rules *authz.Registry) {
		rules.HandleFunc("presence-online", func(_ context.Context, r authz.Request) (authz.Decision, error) {
			w.note("asked", "%s", r.Identity.ID)
			return authz.Allow(), nil
		})
		rules.HandleFunc("presence-online", func(context.Context, authz.Request) (authz.Decision, error) {
			return authz.NoOpinion(), nil
		})
		rules.HandleFunc("presence-online", func(_ context.Context, r authz.Request) (authz.Decision, error) {
			switch {
			case panics.Load():
				panic("on purpose")
			case r.Identity.ID == "9":
				return authz.Deny("suspended"), nil
			}
			return authz.NoOpinion(), nil
		})
	}
}

// Of several policies one has to allow, and none may deny.
func stackedPolicies(_ *testing.T, w *world, panics *atomic.Bool) {
	alice, bob, guest := w.client("7"), w.client("9"), w.client("")
	alice.subscribe("presence-online")
	bob.subscribing("presence-online")
	bob.refused("presence-online", 403)
	guest.subscribing("presence-online")
	guest.refused("presence-online", 403)
	panics.Store(true)
	again := w.client("7")
	again.subscribing("presence-online")
	again.refused("presence-online", 503)
	w.noted("asked", "7", "9", "7") // and not about the guest
}

func readers(_ *world, rules *authz.Registry) {
	member := func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if r.Captures["group"] == "1" && r.Identity.ID == "7" {
			return authz.Allow().WithInfo(map[string]string{"reads": "all"}), nil
		}
		return authz.NoOpinion(), nil
	}
	rules.HandleFunc("private-acme-readers={group}", member)
	rules.HandleFunc("presence-acme-readers={group}", member)
}

// Channels of an extension are what it says they are; others are closed, in the same words.
func extensionChannels(t *testing.T, w *world) {
	alice, bob, guest := w.client("7"), w.client("9"), w.client("")
	alice.subscribe("private-acme-readers=1", "presence-acme-readers=1")
	if h := alice.all("presence-acme-readers=1")[0]; !strings.Contains(h.String(), `{"7":{"reads":"all"}}`) {
		t.Errorf("the members are %s", h)
	}
	for _, c := range []*client{bob, guest} {
		c.subscribing("private-acme-readers=1", "presence-acme-readers=1")
		c.refused("private-acme-readers=1", 403)
		c.refused("presence-acme-readers=1", 403)
	}
	for _, channel := range []string{"private-acme-readers=404", "private-handle=1", "private-online=1"} {
		alice.subscribing(channel)
		alice.refused(channel, 403)
	}
	defer func() {
		if recover() == nil {
			t.Error("a malformed pattern is registered")
		}
	}()
	authz.NewRegistry().Handle("private-{", authz.SignedIn())
}

// typists may type in discussions; moderators know who does.
func typists(_ *world, rules *authz.Registry) {
	everyone := func(context.Context, authz.Request) (authz.Decision, error) { return authz.Allow(), nil }
	rules.HandleFunc("private-typing={id}", everyone)
	rules.HandleFunc("private-dialog={id}", everyone)
	rules.Handle("private-typingIdentified={id}", authz.RoleIn("admin", "editor"))
}

// hideTypists says who types to those who may know, and to the others that somebody does. What the client claims counts
// for nothing.
func hideTypists(_ *world, hub *channels.Hub) {
	names := map[string]string{"7": `"alice"`, "9": `"bob"`, "11": `"carol"`}
	filter := func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		identified := "private-typingIdentified=" + e.Captures["id"]
		var to []channels.Delivery
		if name, ok := names[e.Sender.ID]; ok {
			to = append(to, channels.Delivery{
				Channel: identified,
				Event:   channels.Event{Name: "client-typing", Data: `{"displayName":` + name + `}`},
			})
		}
		if strings.HasPrefix(e.Channel, "private-typing=") { // and not in a dialog
			to = append(to, channels.Delivery{
				Channel: e.Channel,
				Event:   channels.Event{Name: "client-typing", Data: `{"displayName":null}`},
				Except:  channels.On(identified),
			})
		}
		return channels.Route(to...), nil
	}
	hub.Filter("private-typing={id}", filter)
	hub.Filter("private-dialog={id}", filter)
}

// Who types is what the server knows, and told to those who may know.
func typing(_ *testing.T, w *world) {
	const open, dialog, identified = "private-typing=42", "private-dialog=42", "private-typingIdentified=42"
	alice, bob, carol, guest := w.client("7"), w.client("9"), w.client("11"), w.client("")
	for _, c := range []*client{alice, bob, carol, guest} {
		c.subscribe(open, dialog)
	}
	carol.subscribe(identified)
	quiet := func() {
		w.t.Helper()
		w.nothingMore(open, alice, bob, carol, guest)
		w.nothingMore(dialog, alice, bob, carol, guest)
		w.nothingMore(identified, carol)
	}

	claim := map[string]string{"displayName": "Admin"}
	alice.trigger(open, "client-typing", claim)
	bob.sees(open, `client-typing {"displayName":null}`)
	guest.sees(open, `client-typing {"displayName":null}`)
	carol.sees(identified, `client-typing {"displayName":"alice"}`)
	quiet()

	guest.trigger(open, "client-typing", claim)
	alice.sees(open, `client-typing {"displayName":null}`)
	bob.sees(open, `client-typing {"displayName":null}`)
	quiet()

	alice.trigger(dialog, "client-typing", claim)
	carol.sees(identified, `client-typing {"displayName":"alice"}`)
	quiet()
}

// Clients publish only client- events, and only where they are subscribed.
func onlySubscribersSend(t *testing.T, w *world) {
	alice := w.client("7")
	alice.subscribe("private-user=7", "private-typing=1", "presence-online", "public")
	c := w.dial("/t/9", nil)
	c.Send("pusher:subscribe", "", map[string]string{"channel": "public"})
	c.Expect("pusher_internal:subscription_succeeded", "public")
	w.subscribe(c, "9", "presence-online")
	alice.sees("presence-online", `pusher:member_added {"id":"9","info":{"name":"bob"}}`)
	for _, e := range []struct{ event, channel string }{
		{"notification", "private-user=7"},
		{"client-x", "private-user=7"},
		{"client-x", "private-typing=1"},
		{"client-x", "public"},
		{"pusher_internal:member_added", "presence-online"},
		{"notification", "presence-online"},
	} {
		c.Send(e.event, e.channel, map[string]string{"user_id": "7"})
		if m := c.Next(); m.Event != "pusher:error" {
			t.Errorf("%s on %s was answered with %+v", e.event, e.channel, m)
		}
	}
	w.subscribe(c, "9", "private-typing=1")
	c.Send("client-x", "private-typing=1", map[string]int{"n": 1})
	alice.sees("private-typing=1", `client-x {"n":1}`)
	c.Send("client-x", "presence-online", map[string]int{"n": 2})
	alice.sees("presence-online", `client-x {"n":2} by 9`)
	for _, channel := range []string{"private-user=7", "private-typing=1", "presence-online", "public"} {
		w.nothingMore(channel, alice)
	}
}

// What clients come and go through leaves nothing behind, and takes no more than its share.
func nothingLeft(t *testing.T, w *world) {
	alice := w.client("7")
	alice.subscribe("public")
	c := w.dial("/t/9", nil)
	for i := range 500 {
		channel := fmt.Sprint("topic-", i)
		c.Send("pusher:subscribe", "", map[string]string{"channel": channel})
		c.Send("pusher:unsubscribe", "", map[string]string{"channel": channel})
		private := fmt.Sprint("private-typing=", i)
		c.Send("pusher:subscribe", "", map[string]string{"channel": private, "auth": "k1:" + strings.Repeat("0", 64)})
	}
	for errors, refusals, successes := 0, 0, 0; errors+refusals+successes < 3*500; {
		switch m := c.Next(); {
		case m.Event == "pusher:error":
			errors++
		case m.Event == "pusher:subscription_error":
			refusals++
		case m.Event == "pusher_internal:subscription_succeeded" && strings.HasPrefix(m.Channel, "topic-"):
			successes++
		default:
			t.Fatalf("a bad signature was answered with %+v", m)
		}
	}
	if r := w.backend("get", map[string]any{"path": "/channels"}); r.Body != `{"channels":{"public":{}}}` {
		t.Errorf("there are channels left: %s", r.Body)
	}

	subscribe := func(i int) string {
		c.Send("pusher:subscribe", "", map[string]string{"channel": fmt.Sprint("open-", i)})
		m := c.Next()
		if m.Event == "pusher:error" {
			m = c.Next() // which says on what channel
		}
		return m.Event
	}
	for i := range 150 {
		want := "pusher_internal:subscription_succeeded"
		if i >= 100 {
			want = "pusher:subscription_error"
		}
		if got := subscribe(i); got != want {
			t.Fatalf("subscription %d was answered with %s, want %s", i+1, got, want)
		}
	}
	c.Send("pusher:unsubscribe", "", map[string]string{"channel": "open-0"})
	if got := subscribe(100); got != "pusher_internal:subscription_succeeded" {
		t.Errorf("a subscription after another has ended was answered with %s", got)
	}
	w.nothingMore("public", alice)
}

// The auth endpoint answers whatever is asked, and answers it to nobody else.
func authEndpoint(t *testing.T, w *world) {
	alice := w.client("7")
	_, socket := alice.state()
	url := w.auth + "/auth"
	header := func(kind string, more ...string) http.Header {
		h := http.Header{"Content-Type": {kind}, "Authorization": {"Bearer 7"}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	const form, json = "application/x-www-form-urlencoded", "application/json"
	good := "socket_id=" + socket + "&channel_name=private-user%3D7"
	for _, c := range []struct {
		name, kind, body string
		statuses         string
	}{
		{"a form", form, good, "200"},
		{"JSON", json, `{"socket_id":"` + socket + `","channel_name":"private-user=7"}`, "200"},
		{"an unknown subject", form, "socket_id=" + socket + "&channel_name=private-nosuch%3D7", "403"},
		{"no channel", form, "socket_id=" + socket, "400"},
		{"an empty channel", form, "socket_id=" + socket + "&channel_name=", "400"},
		{"a list of channels", json, `{"socket_id":"` + socket + `","channel_name":["private-user=7"]}`, "400 403"},
		{"a number", json, `{"socket_id":"` + socket + `","channel_name":7}`, "400 403"},
		{"a public channel", form, "socket_id=" + socket + "&channel_name=public", "400 403"},
		{"a name that is none", form, "socket_id=" + socket + "&channel_name=private-%2F%00", "400 403"},
		{"a bad socket", form, "socket_id=x:1.1&channel_name=private-user%3D7", "400"},
		{"a socket that signs something else", form, "socket_id=1.1%3Aprivate-user%3D9&channel_name=private-user%3D7", "400"},
		{"no body", form, "", "400"},
		{"a body that is none", json, "{", "400"},
	} {
		got := w.call("POST", url, c.body, header(c.kind))
		if !strings.Contains(c.statuses, fmt.Sprint(got.status)) {
			t.Errorf("%s: %d %s, want %s", c.name, got.status, got.body, c.statuses)
		}
	}

	foreign := w.call("POST", url, good, header(form, "Origin", "https://evil.example"))
	if got := foreign.header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a page of another host may read the answer: %q", got)
	}
	padded := w.call("POST", url+"?callback=x", good, header(form))
	if kind := padded.header.Get("Content-Type"); padded.status == 200 && !strings.HasPrefix(kind, "application/json") {
		t.Errorf("with ?callback=x the answer is %s: %s", kind, padded.body)
	}
	if got := w.call("GET", url+"?callback=x&"+good, "", header("")); got.status == 200 {
		t.Errorf("a GET is answered: %s", got.body)
	}
}

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
)

func TestFrappe(t *testing.T) {
	scenario(t, "FR-2", targets, embedded{}, standalone{})
	scenario(t, "FR-3", userChannels, embedded{policies: userPolicies}, standalone{app: `
    policies:
      - {channel: "private-user.{id}", owner: id}`, x2: true})
	scenario(t, "FR-4", withoutSubscribing, embedded{}, standalone{x2: true})
	scenario(t, "FR-5", documentPermission, standalone{
		app: `
    policies:
      - {channel: "private-doc.{dt}.{name...}", callback: true}`,
		answers: decisions(func(_ *world, q question) (any, bool) {
			return allowIf(q.user() == "7" && q.Params["dt"] == "Sales Order" && q.Params["name"] == "SO/1"), true
		}),
	})
	viewed := standalone{app: `
    policies:
      - {channel: "presence-doc.{type}.{name...}", signed_in: true}`, x2: true}
	scenario(t, "FR-6", viewers, embedded{policies: documents}, viewed)
	scenario(t, "FR-6 death", viewersOfADeadNode, nodes{viewed, 2, 2}, nodes{viewed, 3, 3})
	scenario(t, "FR-10", twoApps, standalone{apps: 2, x2: true, app: `
    policies:
      - {channel: "private-user.{id}", owner: id}
      - {channel: "presence-{x}", signed_in: true}`})
	scenario(t, "FR-11", credentials, standalone{
		app: `
    policies:
      - {channel: "private-me.{name}", callback: true}`,
		answers: withAuthenticate(credentialed, decisions(func(*world, question) (any, bool) { return allowIf(true), true })),
	})
	t.Parallel()
}

// What is for everybody has to be for everybody in so many words.
func targets(t *testing.T, w *world) {
	alice, guest := w.client("7"), w.client("")
	for _, to := range []any{nil, map[string]any{}, map[string]any{"users": []string{}}, "everyone", map[string]any{"nobody": true}} {
		if r := w.control("broadcast", map[string]any{"to": to, "name": "leak", "data": 1}); r.Status != 400 {
			t.Errorf("a broadcast to %v was answered with %+v, want 400", to, r)
		}
	}
	w.broadcast(`{"everyone":true}`, "all", "1")
	alice.sees("pusher", "all 1")
	guest.sees("pusher", "all 1")
}

func userPolicies(_ *world, rules *authz.Registry) {
	rules.Handle("private-user.{id}", authz.Owner("id"))
}

// A user's events reach all tabs of that user, by the user's channel or by being signed in, and nobody else.
func userChannels(t *testing.T, w *world) {
	first, second, bob := w.client("7"), w.client("7"), w.client("9")
	first.subscribe("private-user.7")
	second.subscribe("private-user.7")
	bob.subscribing("private-user.7")
	bob.refused("private-user.7", 403)
	w.trigger("private-user.7", "msgprint", 1)
	for _, c := range []*client{first, second} {
		c.sees("private-user.7", "msgprint 1")
		if id := c.signin(); id != "7" {
			t.Errorf("alice signed in as %s", id)
		}
	}
	bob.signin()
	w.backend("sendToUser", "7", "eval_js", 2)
	w.backend("sendToUser", "9", "eval_js", 3)
	first.until("user", "eval_js 2")
	second.until("user", "eval_js 2")
	bob.until("user", "eval_js 3")
	if heard := bob.heard("user"); strings.Contains(heard, "eval_js 2") {
		t.Errorf("another user heard:\n%s", heard)
	}
}

// An event for those with an attribute needs no channel, and a public channel is for all who are on it.
func withoutSubscribing(t *testing.T, w *world) {
	carol, bob, guest := w.client("11"), w.client("9"), w.client("")
	w.broadcast(`{"attrs":{"user_type":"system"}}`, "msgprint", "1")
	w.broadcast(`{"everyone":true}`, "all", "1")
	carol.sees("pusher", "msgprint 1", "all 1")
	bob.sees("pusher", "all 1")
	guest.sees("pusher", "all 1")
	if w.app != nil {
		err := w.app.Broadcast(t.Context(), channels.Selector{}, channels.Event{Name: "x", Data: "1"})
		if !errors.Is(err, channels.ErrNoTarget) {
			t.Errorf("for nobody in particular: %v, want ErrNoTarget", err)
		}
	}
	all := []*client{carol, bob, guest}
	for _, c := range all {
		c.subscribe("website")
	}
	w.trigger("website", "changed", 1)
	for _, c := range all {
		c.sees("website", "changed 1")
		c.sees("pusher", "changed 1")
	}
}

// The application is asked with what it needs to decide: what the channel is about, and the user's own credentials.
func documentPermission(t *testing.T, w *world) {
	const channel = "private-doc.Sales;20Order.SO;2F1"
	alice, bob := w.client("7"), w.client("9")
	alice.subscribe(channel)
	bob.subscribing(channel)
	bob.refused(channel, 403)
	asked := w.cb.questions("authorize")
	if len(asked) != 2 {
		t.Fatalf("asked %d times, want 2: %+v", len(asked), asked)
	}
	q := asked[0]
	params := map[string]string{"dt": "Sales Order", "name": "SO/1"}
	if q.user() != "7" || q.Channel != channel || q.Cause != "join" || !maps.Equal(q.Params, params) {
		t.Errorf("asked %+v", q)
	}
	if got := q.header.Get("Authorization"); got != "Bearer 7" {
		t.Errorf("asked with Authorization %q", got)
	}
	if got := q.header.Get("X-Forwarded-For"); got != "127.0.0.1" {
		t.Errorf("asked with X-Forwarded-For %q", got)
	}
}

// credentialed is signedIn of an application that is sometimes broken.
func credentialed(w *world, q question) (int, any) {
	switch q.header.Get("Authorization") {
	case "Bearer breaks":
		return http.StatusInternalServerError, nil
	case "Bearer sleeps":
		_ = w.gate("sleeps").wait(context.Background())
	}
	return signedIn(w, q)
}

// An Authorization header goes before a cookie, and neither is needed. Wrong credentials are no guest's, and who cannot be
// asked about is told to come back.
func credentials(t *testing.T, w *world) {
	// What an application decides by is the identity; it is told it with every question.
	asked := func() string { q := w.cb.questions("authorize"); return q[len(q)-1].user() }
	for i, c := range []struct {
		name, authorization, cookie string
		want                        string
	}{
		{"Authorization", "Bearer 7", "", "7"},
		{"Cookie", "", "sid=9", "9"},
		{"both", "Bearer 7", "sid=9", "7"},
		{"neither", "", "", ""},
	} {
		header := http.Header{}
		if c.authorization != "" {
			header.Set("Authorization", c.authorization)
		}
		if c.cookie != "" {
			header.Set("Cookie", c.cookie)
		}
		channel := fmt.Sprint("private-me.", i)

		// At the auth endpoint.
		client := w.connect(visitor{Authorization: c.authorization, Cookie: c.cookie})
		client.connected()
		client.subscribe(channel)
		if got := asked(); got != c.want {
			t.Errorf("%s at the auth endpoint is user %q, want %q", c.name, got, c.want)
		}
		// At the upgrade; the app signs by itself, so that nobody else says who it is.
		raw := w.dial("", header)
		w.signed(raw, channel)
		raw.Expect("pusher_internal:subscription_succeeded", channel)
		if got := asked(); got != c.want {
			t.Errorf("%s at the upgrade is user %q, want %q", c.name, got, c.want)
		}
	}

	alice := w.client("7")
	_, socket := alice.state()
	for user, want := range map[string]int{"forged": 401, "breaks": 503, "sleeps": 503} {
		if got := w.authorize(user, socket, "private-me.x"); got.status != want {
			t.Errorf("Bearer %s at the auth endpoint: %d %s, want %d", user, got.status, got.body, want)
		}
	}
	w.dialOnly("", http.Header{"Authorization": {"Bearer forged"}}).Closed(4009)
	began := time.Now()
	if status := w.upgradeStatus(http.Header{"Authorization": {"Bearer breaks"}}); status != 503 {
		t.Errorf("an upgrade of which nobody knows whose it is: %d, want 503", status)
	}
	if took := time.Since(began); took > 8*time.Second+*soon {
		t.Errorf("it was answered after %v, when pusher-js has given up", took)
	}
}

func documents(_ *world, rules *authz.Registry) {
	rules.Handle("presence-doc.{type}.{name...}", authz.SignedIn())
}

// Who views a document is told as users, however many tabs they have.
func viewers(t *testing.T, w *world) {
	const doc = "presence-doc.Task.1"
	alice1, alice2, bob := w.client("7"), w.client("7"), w.client("9")
	alice1.subscribe(doc)
	alice2.subscribe(doc)
	bob.subscribe(doc)
	alice1.sees(doc, `pusher:member_added {"id":"9","info":{"name":"bob"}}`)
	alice2.sees(doc, `pusher:member_added {"id":"9","info":{"name":"bob"}}`)
	for _, c := range []*client{alice1, alice2, bob} {
		if n := c.members(doc); n != 2 {
			t.Errorf("%s knows of %d members, want 2", c.name, n)
		}
	}
	alice1.disconnect()
	w.untilSockets(doc, 2)
	w.nothingMore(doc, alice2, bob)
	alice2.disconnect()
	bob.sees(doc, `pusher:member_removed {"id":"7","info":{"name":"alice"}}`)
	w.nothingMore(doc, bob)
	if n := bob.members(doc); n != 1 {
		t.Errorf("then there are %d members, want 1", n)
	}
}

// Who was on a node that has died is gone, once.
func viewersOfADeadNode(t *testing.T, w *world) {
	const doc = "presence-doc.Task.1"
	alice, bob := w.client("7"), w.client("9")
	alice.subscribe(doc)
	bob.subscribe(doc)
	if err := w.servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	bob.until(doc, `pusher:member_removed {"id":"7","info":{"name":"alice"}}`)
	w.nothingMore(doc, bob)
	const want = `{"occupied":true,"user_count":1,"subscription_count":1}`
	if got := w.info(doc, "user_count,subscription_count"); !sameJSON(got, want) {
		t.Errorf("then there are %s, want %s", got, want)
	}
}

// Two apps of the same names share servers and nothing else.
func twoApps(t *testing.T, w *world) {
	const own, doc = "private-user.7", "presence-doc"
	second := w.second()
	alice, bob := w.client("7"), w.client("9")
	hers, his := second.client("7"), second.client("9")
	for _, c := range []*client{alice, bob, hers, his} {
		c.subscribe("open")
	}
	alice.subscribe(own)
	hers.subscribe(own)

	// Events, to channels, users and everybody.
	w.trigger(own, "changed", 1)
	alice.sees(own, "changed 1")
	w.broadcast(`{"everyone":true}`, "all", "1")
	alice.signin()
	hers.signin()
	w.backend("sendToUser", "7", "hello", 1)
	alice.until("user", "hello 1")

	// Presence.
	bob.subscribe(doc)
	alice.subscribe(doc)
	bob.sees(doc, `pusher:member_added {"id":"7","info":{"name":"alice"}}`)
	his.subscribe(doc)
	if n := his.members(doc); n != 1 {
		t.Errorf("in the second app there are %d members, want 1", n)
	}

	// A signature of the first app is none in the second.
	raw := second.dial("/t/7", nil)
	w.signed(raw, own)
	if m := raw.Next(); m.Event != "pusher:error" {
		t.Errorf("a signature of another app was answered with %+v", m)
	}

	// What the one takes from its users, and that it ends them.
	if r := w.control("revoke", map[string]any{"to": map[string]any{"users": []string{"7"}}, "channels": own}); r.Status != 200 {
		t.Fatalf("revoke: %+v", r)
	}
	alice.refused(own, 403)
	if r := w.backend("terminateUserConnections", "7"); r.Status != 200 {
		t.Fatalf("terminate: %+v", r)
	}
	alice.until("connection", "disconnected")
	bob.sees(doc, `pusher:member_removed {"id":"7","info":{"name":"alice"}}`)
	second.trigger(own, "changed", 2)
	hers.sees(own, "changed 2")
	second.backend("sendToUser", "7", "end", 2)
	hers.until("user", "end 2")
	second.broadcast(`{"everyone":true}`, "end", "3")
	hers.until("pusher", "end 3")
	his.until("pusher", "end 3")
	second.nothingMore(doc, his)
	second.nothingMore("open", hers, his)
	if got := second.info(doc, "user_count"); !sameJSON(got, `{"occupied":true,"user_count":1}`) {
		t.Errorf("in the second app the channel is %s, want one user", got)
	}
	for _, c := range []*client{hers, his} {
		if heard := c.heard(""); strings.Contains(heard, "changed 1") || strings.Contains(heard, "all 1") || strings.Contains(heard, "hello") ||
			strings.Contains(heard, "disconnected") {
			t.Errorf("%s of the second app heard:\n%s", c.name, heard)
		}
	}
}

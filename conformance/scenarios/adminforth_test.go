package scenarios

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
)

func TestAdminForth(t *testing.T) {
	scenario(t, "AF-1", topics, embedded{policies: propertyCost}, standalone{app: propertyCostRules, x2: true})
	scenario(t, "AF-2", topicAuth, embedded{policies: topicPolicies}, standalone{
		app: propertyCostRules + `
      - {channel: "private-panics.{id}", callback: true}
      - {channel: "private-fails.{id}", callback: true}
      - {channel: "private-sleeps.{id}", callback: true}`,
		answers: decisions(topicDecision),
	})
	scenario(t, "AF-2 no policies", closedByDefault, embedded{}, standalone{app: `
    policies: []`})
	scenario(t, "AF-3", openTopics, embedded{})
	scenario(t, "AF-3 closed", listedTopics, embedded{config: func(c *channels.AppConfig) {
		c.PublicAllow = []string{"opentopic.{x...}"}
	}}, standalone{app: `    public_channels: ["opentopic.{x...}"]`})
	scenario(t, "AF-4", initialState, embedded{policies: totals, hooks: loadTotals}, standalone{
		callback: `subscribed: ["private-total.{id}", "private-slow.{id}", "private-broken.{id}"]`,
		app: `
    policies:
      - {channel: "private-{kind}.{id}", signed_in: true}`,
		answers: map[string]answerer{"subscribed": loadedTotals},
	})
	users := new(sessions)
	scenario(t, "AF-6", func(t *testing.T, w *world) { cookieIdentity(t, w, users) },
		embedded{policies: propertyCost, hooks: noteConnections, sessions: users})
	scenario(t, "AF-7", backAfterACut, embedded{policies: propertyCost}, standalone{app: propertyCostRules, x2: true})
	scenario(t, "AF-7 silence", closedForSilence, embedded{bounds: impatient}, standalone{
		server: "activity_timeout: 1s\npong_wait: 1s",
	})
	scenario(t, "AF-8", unsubscribing, embedded{policies: shows, hooks: noteUnsubscribes})
	scenario(t, "AF-9", exceptTheTab, embedded{}, standalone{})
	scenario(t, "AF-10", malformed, embedded{}, standalone{})
	t.Parallel()
}

// propertyCost opens each property's costs to its owner.
func propertyCost(_ *world, rules *authz.Registry) {
	rules.Handle("private-property-cost.{id}", authz.Owner("id"))
	rules.Handle("presence-staff", authz.SignedIn())
}

const propertyCostRules = `
    policies:
      - {channel: "private-property-cost.{id}", owner: id}
      - {channel: presence-staff, signed_in: true}`

// impatient makes silence end after two seconds.
func impatient(c *channels.Config) {
	c.ActivityTimeout, c.PongWait = time.Second, time.Second
}

// What is triggered on a channel reaches whoever is on it, once.
func topics(_ *testing.T, w *world) {
	alice, bob := w.client("7"), w.client("9")
	alice.subscribe("private-property-cost.7")
	bob.subscribe("private-property-cost.9")
	w.trigger("private-property-cost.7", "total", map[string]int{"totalCost": 5})
	alice.sees("private-property-cost.7", `total {"totalCost":5}`)
	w.nothingMore("private-property-cost.7", alice)
	w.nothingMore("private-property-cost.9", bob)
}

func topicPolicies(w *world, rules *authz.Registry) {
	propertyCost(w, rules)
	rules.HandleFunc("private-panics.{id}", func(context.Context, authz.Request) (authz.Decision, error) {
		panic("on purpose")
	})
	rules.HandleFunc("private-fails.{id}", func(context.Context, authz.Request) (authz.Decision, error) {
		return authz.Allow(), errors.New("on purpose")
	})
	rules.HandleFunc("private-sleeps.{id}", func(ctx context.Context, _ authz.Request) (authz.Decision, error) {
		return authz.Allow(), w.gate("sleeps").wait(context.WithoutCancel(ctx))
	})
}

// topicDecision answers what topicPolicies do, as an application over HTTP.
func topicDecision(w *world, q question) (decision any, ok bool) {
	switch {
	case strings.HasPrefix(q.Channel, "private-fails."):
		return "yes, why not", true
	case strings.HasPrefix(q.Channel, "private-sleeps."):
		return allowIf(true), w.gate("sleeps").wait(context.Background()) == nil
	}
	return nil, false
}

// A policy says who may subscribe; what it cannot say is neither yes nor no; and a refusal costs nothing else.
func topicAuth(t *testing.T, w *world) {
	bob := w.client("9")
	bob.subscribe("private-property-cost.9")
	bob.subscribing("private-property-cost.7")
	bob.refused("private-property-cost.7", 403)
	for _, channel := range []string{"private-panics.1", "private-fails.1"} {
		bob.subscribing(channel)
		bob.refused(channel, 503)
	}
	asked := time.Now()
	bob.subscribing("private-sleeps.1")
	bob.refused("private-sleeps.1", 503)
	if took := time.Since(asked); took < authz.HookTimeout || took > authz.HookTimeout+*soon {
		t.Errorf("a policy that does not answer was given up after %v, want %v", took, authz.HookTimeout)
	}
	bob.subscribing("private-nosuch.1")
	bob.refused("private-nosuch.1", 403)
	_, socket := bob.state()
	denied, unknown := w.authorize("9", socket, "private-property-cost.7"), w.authorize("9", socket, "private-nosuch.1")
	if denied.status != 403 || unknown.status != 403 || denied.body != unknown.body {
		t.Errorf("a denial is %d %s, a channel that nobody knows %d %s", denied.status, denied.body, unknown.status, unknown.body)
	}
	if state, _ := bob.state(); state != "connected" {
		t.Errorf("the connection is %s", state)
	}
	w.nothingMore("private-property-cost.9", bob)
}

// Where there is no policy, nobody gets onto a channel that needs one.
func closedByDefault(_ *testing.T, w *world) {
	alice := w.client("7")
	for _, channel := range []string{"private-property-cost.7", "private-x", "presence-x", "private-cache-x"} {
		alice.subscribing(channel)
		alice.refused(channel, 403)
	}
}

// Public channels are open to guests.
func openTopics(_ *testing.T, w *world) {
	guest := w.client("")
	guest.subscribe("opentopic.menu.7")
	w.trigger("opentopic.menu.7", "changed", 1)
	guest.sees("opentopic.menu.7", "changed 1")
}

// An application may say which public channels there are.
func listedTopics(_ *testing.T, w *world) {
	guest := w.client("")
	guest.subscribe("opentopic.menu.7")
	guest.subscribing("other")
	guest.refused("other", 403)
	w.nothingMore("opentopic.menu.7", guest)
}

func totals(_ *world, rules *authz.Registry) {
	rules.Handle("private-{kind}.{id}", authz.SignedIn())
}

// loadTotals gives every new subscriber the total as it is.
func loadTotals(w *world, hub *channels.Hub) {
	total := []channels.Event{{Name: "total", Data: "42"}}
	hub.OnSubscribed("private-total.{id}", func(context.Context, *channels.Subscription, authz.Captures) ([]channels.Event, error) {
		return total, nil
	})
	slow := func(ctx context.Context, sub *channels.Subscription, _ authz.Captures) ([]channels.Event, error) {
		if sub.Socket().Identity().ID == "9" {
			return total, w.gate("slow").wait(ctx)
		}
		return total, nil
	}
	hub.OnSubscribed("private-slow.{id}", slow)
	hub.OnSubscribed("private-broken.{id}", func(context.Context, *channels.Subscription, authz.Captures) ([]channels.Event, error) {
		return nil, errors.New("on purpose")
	})
}

// loadedTotals is loadTotals over HTTP.
func loadedTotals(w *world, q question) (int, any) {
	switch {
	case strings.HasPrefix(q.Channel, "private-broken."):
		return 500, nil
	case strings.HasPrefix(q.Channel, "private-slow.") && q.user() == "9":
		_ = w.gate("slow").wait(context.Background())
	}
	return 200, events("total", "42")
}

// Who subscribes is told the state, and nobody else is; then what has happened meanwhile, and what happens.
func initialState(_ *testing.T, w *world) {
	alice, again, bob := w.client("7"), w.client("7"), w.client("9")
	alice.subscribe("private-total.7")
	alice.sees("private-total.7", "total 42")
	again.subscribe("private-total.7")
	again.sees("private-total.7", "total 42")
	w.nothingMore("private-total.7", alice, again)

	alice.subscribe("private-slow.7")
	alice.sees("private-slow.7", "total 42")
	bob.subscribing("private-slow.7")
	w.reached(w.gate("slow"))
	w.trigger("private-slow.7", "total", 43)
	alice.sees("private-slow.7", "total 43")
	w.gate("slow").open()
	bob.sees("private-slow.7", succeeded+" {}", "total 42", "total 43")

	alice.subscribe("private-broken.7")
	if h := alice.next("private-broken.7"); h.Event != "hark:state_unavailable" {
		w.t.Errorf("a hook that fails is told as %s", h)
	}
	w.nothingMore("private-broken.7", alice)
}

func noteConnections(w *world, hub *channels.Hub) {
	hub.OnConnected(func(_ context.Context, s *channels.Socket) { w.note("connected", "%q", s.Identity().ID) })
	hub.OnAuthFailed(func(_ context.Context, a channels.AuthFailure) {
		if errors.Is(a.Err, authz.ErrUnauthenticated) {
			w.note("connected", "not let in")
		}
	})
}

// A cookie says who connects, and what it says can change.
func cookieIdentity(t *testing.T, w *world, users *sessions) {
	w.dial("", http.Header{"Cookie": {"sid=7"}})
	w.noted("connected", `"7"`)
	forged := w.dialOnly("", http.Header{"Cookie": {"sid=forged"}})
	if before := forged.Closed(4009); len(before) != 1 || before[0].Event != "pusher:error" {
		t.Errorf("who is not let in is told %+v, want a pusher:error", before)
	}
	w.noted("connected", "not let in")
	// A page of another host would bring the cookie along.
	w.dialOnly("", http.Header{"Cookie": {"sid=7"}, "Origin": {"https://evil.example"}}).Closed(4009)
	w.dial("", http.Header{"Cookie": {"sid=7"}, "Origin": {"http://" + w.host()}})
	w.noted("connected", `"7"`)

	alice, bob := w.client("7"), w.client("9")
	alice.subscribe("private-property-cost.7", "open")
	bob.subscribe("open")
	users.signOut("7")
	began := time.Now()
	if err := w.app.Reauthenticate(t.Context(), channels.Users("7"), 0); err != nil {
		t.Fatal(err)
	}
	alice.until("connection", "connecting")
	alice.connected()
	if took := time.Since(began); took > *soon {
		t.Errorf("the client is back after %v", took)
	}
	alice.refused("private-property-cost.7", 403)
	alice.sees("open", succeeded+" {}")
	w.trigger("private-property-cost.7", "total", 5)
	w.nothingMore("open", alice, bob)
	if h := alice.all("private-property-cost.7"); len(h) != 2 {
		t.Errorf("a guest hears what was for a user: %v", h)
	}
	w.noted("connected", `"7"`, `"9"`, `""`)
}

func shows(_ *world, rules *authz.Registry) {
	rules.Handle("private-show.{resource}.{id}", authz.SignedIn())
	rules.Handle("private-badge", authz.SignedIn())
}

func noteUnsubscribes(w *world, hub *channels.Hub) {
	hub.OnUnsubscribed("private-{x...}", func(_ context.Context, sub *channels.Subscription, _ authz.Captures, why channels.End) {
		by := map[channels.EndedBy]string{channels.ByClient: "client", channels.ByServer: "server", channels.Revoked: "revoked"}[why.By]
		w.note(sub.Channel(), "ended by %s", by)
	})
}

// A page that is left unsubscribes from all that it showed, or the server ends it, and nothing else.
func unsubscribing(t *testing.T, w *world) {
	shown := []string{"private-show.orders.1", "private-show.orders.2"}
	alice, bob := w.client("7"), w.client("9")
	bob.subscribe(shown[0])
	alice.subscribe(shown...)
	alice.subscribe("private-badge")
	only := func(want string) {
		t.Helper()
		w.nothingMore("private-badge", alice)
		if r := w.backend("get", map[string]any{"path": "/channels"}); !sameJSON(r.Body, want) {
			t.Errorf("there are the channels %s, want %s", r.Body, want)
		}
	}
	const left = `{"channels":{"private-badge":{},"private-show.orders.1":{}}}`
	alice.do(request{Do: "unsubscribePrefix", Prefix: "private-show."})
	for _, channel := range shown {
		w.noted(channel, "ended by client")
	}
	only(left)

	alice.subscribe(shown...)
	if err := w.app.Revoke(t.Context(), channels.Users("7"), "private-show.{x...}", "the page is closed"); err != nil {
		t.Fatal(err)
	}
	for _, channel := range shown {
		alice.refused(channel, 403)
		w.noted(channel, "ended by revoked")
	}
	only(left)
	w.trigger(shown[0], "changed", 1)
	bob.sees(shown[0], "changed 1")
	w.nothingMore("private-badge", alice)
	if h := alice.heard(shown[0]); strings.Contains(h, "changed") {
		t.Errorf("after the end alice heard\n%s", h)
	}
}

// Whose TCP connection is cut comes back by itself, to all of its channels.
func backAfterACut(_ *testing.T, w *world) {
	p := startProxy(w.t, w.hosts...)
	alice := w.connectTo(p.address, user("7"))
	alice.connected()
	all := []string{"open", "private-property-cost.7", "presence-staff"}
	alice.subscribe(all...)
	p.cut()
	alice.until("connection", "connecting")
	alice.connected()
	for _, channel := range all {
		alice.until(channel, alice.all(channel)[0].String())
		w.trigger(channel, "total", 5)
		alice.sees(channel, "total 5")
	}
}

// Who does not answer a ping is closed.
func closedForSilence(_ *testing.T, w *world) {
	c := w.dial("", nil)
	before := c.Closed(4201)
	if len(before) == 0 || before[0].Event != "pusher:ping" {
		w.t.Errorf("before the close came %+v, want a ping", before)
	}
}

// The tab that has caused a change is not told of it, the user's other tab is.
func exceptTheTab(_ *testing.T, w *world) {
	first, second := w.client("7"), w.client("7")
	first.subscribe("open")
	second.subscribe("open")
	_, socket := first.state()
	w.backend("trigger", "open", "changed", 1, map[string]string{"socket_id": socket})
	second.sees("open", "changed 1")
	w.nothingMore("open", first, second)
	first.sees("pusher", "sentinel 1")
	second.sees("pusher", "changed 1", "sentinel 1")
	body := map[string]any{"to": map[string]bool{"everyone": true}, "name": "refresh", "data": "2", "except_socket": socket}
	if r := w.control("broadcast", body); r.Status != 200 {
		w.t.Fatalf("broadcast: %+v", r)
	}
	w.broadcast(`{"everyone":true}`, "end", "3")
	first.sees("pusher", "end 3")
	second.sees("pusher", "refresh 2", "end 3")
}

// What is malformed is answered with an error, and costs nobody else anything.
func malformed(t *testing.T, w *world) {
	other := w.client("")
	other.subscribe("open")
	c := w.dial("", nil)
	for _, text := range []string{`x`, `[]`, `{"event":5}`, `{}`} {
		c.Write(text)
		c.Expect("pusher:error", "")
	}
	c.Send("pusher:ping", "", map[string]any{})
	c.Expect("pusher:pong", "")
	c.Write(strings.Repeat("[", 1<<20))
	for {
		if m, err := c.Read(); err != nil {
			break // closed
		} else if m.Event == "pusher:error" {
			continue
		} else {
			t.Errorf("a message that is too long was answered with %+v", m)
		}
	}
	w.nothingMore("open", other)
}

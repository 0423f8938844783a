package callback_test

import (
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
)

// What the answer to authorize means.
func TestAuthorize(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply reply
		want  string
	}{
		{"yes", reply{body: `{"allow":true}`}, "allow"},
		{"yes, with all there is", reply{body: `{"allow":true,"info":{"a":1},"ttl":900,"cache":30,"user":{"id":"9"},"x":[]}`}, "allow"},
		{"yes, with nulls", reply{body: `{"allow":true,"info":null,"ttl":null,"cache":null}`}, "allow"},
		{"no", reply{body: `{"allow":false}`}, "deny"},
		{"no opinion", reply{body: `{"allow":null}`}, "no opinion"},
		{"403", reply{status: 403, body: `{"allow":true}`}, "deny"},
		{"404", reply{status: 404, body: `{"allow":true}`}, "deny"},
		{"401", reply{status: 401, body: `{"allow":true}`}, unauthenticated},
		{"500", reply{status: 500, body: `{"allow":true}`}, unavailable},
		{"503", reply{status: 503}, unavailable},
		{"201", reply{status: 201, body: `{"allow":true}`}, unavailable},
		{"307", reply{status: 307, body: `{"allow":true}`}, unavailable},
		{"400", reply{status: 400}, unavailable},
		{"429", reply{status: 429}, unavailable},
		{"too late", reply{after: 3001 * time.Millisecond, body: `{"allow":true}`}, unavailable},
		{"nothing", reply{}, unavailable},
		{"true", reply{body: `true`}, unavailable},
		{"null", reply{body: `null`}, unavailable},
		{"an array", reply{body: `[{"allow":true}]`}, unavailable},
		{"no allow", reply{body: `{}`}, unavailable},
		{"another name", reply{body: `{"allowed":false}`}, unavailable},
		{"another case", reply{body: `{"Allow":true}`}, unavailable},
		{"a text", reply{body: `{"allow":"true"}`}, unavailable},
		{"a number", reply{body: `{"allow":1}`}, unavailable},
		{"allow twice", reply{body: `{"allow":false,"allow":true}`}, unavailable},
		{"half an answer", reply{body: `{"allow":true`}, unavailable},
		{"info is an array", reply{body: `{"allow":true,"info":[]}`}, unavailable},
		{"ttl is a text", reply{body: `{"allow":true,"ttl":"900"}`}, unavailable},
		{"ttl is 0", reply{body: `{"allow":true,"ttl":0}`}, unavailable},
		{"ttl is next to 0", reply{body: `{"allow":true,"ttl":1e-12}`}, unavailable},
		{"ttl is over", reply{body: `{"allow":true,"ttl":-5}`}, unavailable},
		{"cache is negative", reply{body: `{"allow":true,"cache":-5}`}, unavailable},
		{"not UTF-8", reply{body: "{\"allow\":true,\"x\":\"\xff\"}"}, unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, answering(tt.reply), nil, func(t *testing.T, c *callback.Client) {
				if got := decide(t.Context(), c, join("1.1", "7", "private-a")); got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		})
	}
}

// What the answer to authorize_many means for each channel; it counts as a whole or not at all.
func TestAuthorizeMany(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply reply
		want  []string
	}{
		{"each its own", reply{body: `{"decisions":{"private-a":{"allow":true},"private-b":{"allow":null},"private-x":{"allow":true}},"y":0}`}, []string{"allow", "no opinion", "deny"}},
		{"none", reply{body: `{"decisions":{}}`}, same(3, "deny")},
		{"403", reply{status: 403}, same(3, "deny")},
		{"404", reply{status: 404}, same(3, "deny")},
		{"401", reply{status: 401}, same(3, unauthenticated)},
		{"500", reply{status: 500}, same(3, unavailable)},
		{"as for one", reply{body: `{"allow":true}`}, same(3, unavailable)},
		{"null", reply{body: `{"decisions":null}`}, same(3, unavailable)},
		{"an array", reply{body: `{"decisions":[{"allow":true}]}`}, same(3, unavailable)},
		{"a bare true", reply{body: `{"decisions":{"private-a":true}}`}, same(3, unavailable)},
		{"one is wrong", reply{body: `{"decisions":{"private-a":{"allow":true},"private-x":{}}}`}, same(3, unavailable)},
		{"a channel twice", reply{body: `{"decisions":{"private-a":{"allow":true},"private-a":{"allow":true}}}`}, same(3, unavailable)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answering(tt.reply)
			bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
				got := all(t, c, join("1.1", "7", "private-a"), join("1.1", "7", "private-b"), join("1.1", "7", "private-c"))
				wantResults(t, got, tt.want...)
				a.wantAsked(t, callback.KindAuthorizeMany)
			})
		})
	}
}

// What is granted goes into the grant; the id of a member is the identity's, whatever an answer says.
func TestAuthorizeGrants(t *testing.T) {
	a := answering(reply{body: `{"allow":true,"info":{"name":"Ada"},"ttl":900.5,"user":{"id":"9"}}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		policies := authz.NewRegistry()
		policies.Handle("presence-{x}", c.Policy())
		g, err := policies.Decide(t.Context(), join("1.1", "7", "presence-a"))
		if err != nil || g.Identity.ID != "7" || string(g.Info) != `{"name":"Ada"}` || g.TTL != 900500*time.Millisecond {
			t.Errorf("%+v, %v", g, err)
		}
		a.answers(func(call) reply { return reply{body: `{"allow":true,"ttl":1e300}`} })
		if g, err = policies.Decide(t.Context(), join("1.1", "7", "presence-a")); err != nil || g.TTL < 99*365*24*time.Hour {
			t.Errorf("for ever: %v, %v", g.TTL, err)
		}
	})
}

// What a registry says of a failure tells what to do about it.
func TestErrorsSayWhy(t *testing.T) {
	for _, tt := range []struct {
		reply reply
		want  string
	}{
		{reply{status: 301}, "callback authorize: the application answered 301; no redirect is followed, configure the URL that it leads to"},
		{reply{status: 500}, "callback authorize: the application answered 500"},
		{reply{after: time.Hour}, "callback authorize: no answer within 3s"},
		{reply{body: `{}`}, `callback authorize: the answer cannot be used: "allow" must be true, false or null`},
		{reply{body: `{"allow":true,"ttl":0}`}, `"ttl" must be more than 0 seconds; leave it out if the permission does not lapse`},
		{reply{body: strings.Repeat(" ", 1<<20) + `{}`}, "the answer has more than 1048576 bytes"},
	} {
		bubble(t, answering(tt.reply), nil, func(t *testing.T, c *callback.Client) {
			_, err := c.Policy().Authorize(t.Context(), join("1.1", "7", "private-a"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "app-secret") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// One socket's questions at the same time are one call: 40 at once one, six at a time, as from a browser, seven.
func TestGather(t *testing.T) {
	a := &application{answer: allowAll(20*time.Millisecond, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		requests := make([]authz.Request, 0, 40)
		for i := range 40 {
			requests = append(requests, join("1.1", "7", "private-"+string(rune('A'+i))))
		}
		wantResults(t, all(t, c, requests...), same(40, "allow")...)
		if q := a.wantAsked(t, callback.KindAuthorizeMany)[0]; len(q.names()) != 40 || q.Channel != "" || q.Socket != "1.1" || q.Cause != "join" ||
			q.header.Get("Cookie") != "sid=7" || q.User.ID != "7" || q.Channels[0].Pattern != "{x...}" || q.Channels[0].Params["x"] != q.Channels[0].Channel {
			t.Errorf("the question is %s", q.body)
		}
		for len(requests) > 0 {
			six := requests[:min(6, len(requests))]
			requests = requests[len(six):]
			wantResults(t, all(t, c, six...), same(len(six), "allow")...)
		}
		if n := len(a.asked()); n != 7 {
			t.Errorf("%d calls, want 7", n)
		}
	})
}

// One alone waits for the others no longer than it has to; a call is about 100 channels at most.
func TestGatherBounds(t *testing.T) {
	a := &application{answer: allowAll(0, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		began := time.Now()
		wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
		if took := time.Since(began); took != 15*time.Millisecond {
			t.Errorf("one alone took %v", took)
		}
		a.wantAsked(t, callback.KindAuthorize)
		var requests []authz.Request
		for i := range 250 {
			requests = append(requests, join("1.1", "7", "private-"+strings.Repeat("x", i)))
		}
		wantResults(t, all(t, c, requests...), same(250, "allow")...)
		sizes := map[int]int{}
		for _, q := range a.wantAsked(t, callback.KindAuthorizeMany, callback.KindAuthorizeMany, callback.KindAuthorizeMany) {
			sizes[len(q.names())]++
		}
		if sizes[100] != 2 || sizes[50] != 1 {
			t.Errorf("channels of a call: %v", sizes)
		}
	})
}

// Questions that come one after the other are one call until there is a pause of 15 ms, and for no longer than 60 ms.
func TestGatherWhileMoreCome(t *testing.T) {
	a := &application{answer: allowAll(0, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ask := func(n int, every time.Duration) {
			for i := range n {
				r := join("1.1", "7", "private-"+strings.Repeat("x", i))
				time.AfterFunc(time.Duration(i)*every, func() { wantResults(t, all(t, c, r), "allow") })
			}
			time.Sleep(time.Second)
		}
		ask(3, 14*time.Millisecond)
		if q := a.wantAsked(t, callback.KindAuthorizeMany)[0]; len(q.names()) != 3 {
			t.Errorf("of three in 28 ms it was asked together about %q", q.names())
		}
		ask(2, 16*time.Millisecond)
		a.wantAsked(t, callback.KindAuthorize, callback.KindAuthorize)
		ask(12, 7*time.Millisecond)
		q := a.wantAsked(t, callback.KindAuthorizeMany, callback.KindAuthorizeMany)
		if first, second := len(q[0].names()), len(q[1].names()); first != 9 || second != 3 {
			t.Errorf("of twelve in 77 ms it was asked about %d and %d", first, second)
		}
	})
}

// Questions that differ in who asks, or why, are asked apart.
func TestGatherApart(t *testing.T) {
	a := &application{answer: allowAll(0, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		recheck := join("1.1", "7", "private-a")
		recheck.Cause, recheck.HTTP = authz.Recheck, nil
		cookie := join("1.1", "7", "private-a")
		cookie.HTTP = from("Cookie", "sid=another")
		address := join("1.1", "7", "private-a")
		address.HTTP.RemoteAddr = "203.0.113.1:1"
		roles := join("1.1", "7", "private-a")
		roles.Identity.Roles = []string{"editor"}
		got := all(t, c, join("1.1", "7", "private-a"), join("2.2", "7", "private-a"), join("1.1", "9", "private-a"), recheck, cookie, address, roles)
		wantResults(t, got, same(7, "allow")...)
		if n := len(a.asked()); n != 7 {
			t.Errorf("%d calls, want 7", n)
		}
	})
}

// Two patterns match one channel, and each has a policy: each is answered for itself.
func TestGatherOverlappingPatterns(t *testing.T) {
	a := &application{answer: allowAll(0, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		var requests []authz.Request
		for _, channel := range []string{"private-a", "private-b", "private-c"} {
			for _, pattern := range []string{"private-{x}", "private-{x...}"} {
				r := join("1.1", "7", channel)
				r.Pattern = pattern
				requests = append(requests, r)
			}
		}
		wantResults(t, all(t, c, requests...), same(6, "allow")...)
		for _, q := range a.wantAsked(t, callback.KindAuthorizeMany, callback.KindAuthorizeMany) {
			if len(q.names()) != 3 {
				t.Errorf("channels %q", q.names())
			}
		}
	})
}

// Equal questions are asked once, at once and while one is under way; not those about live subscriptions, whose answers
// may have changed meanwhile.
func TestAuthorizeTogether(t *testing.T) {
	a := &application{answer: allowAll(time.Second, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		for i := range 20 {
			time.AfterFunc(time.Duration(i)*50*time.Millisecond, func() {
				wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
			})
		}
		time.Sleep(5 * time.Second)
		a.wantAsked(t, callback.KindAuthorize)
		recheck := join("1.1", "7", "private-a")
		recheck.Cause = authz.Recheck
		for i := range 3 {
			time.AfterFunc(time.Duration(i)*100*time.Millisecond, func() { wantResults(t, all(t, c, recheck), "allow") })
		}
		time.Sleep(5 * time.Second)
		a.wantAsked(t, callback.KindAuthorize, callback.KindAuthorize, callback.KindAuthorize)
	})
}

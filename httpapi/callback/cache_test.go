package callback_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
)

const one = callback.KindAuthorize

// A yes is remembered for as long as it says, for all sockets of the user; nothing else is.
func TestRememberedYes(t *testing.T) {
	a := &application{answer: allowAll(0, `,"cache":30`)}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ask := func(r authz.Request, want string, kinds ...callback.Kind) {
			t.Helper()
			wantResults(t, all(t, c, r), want)
			a.wantAsked(t, kinds...)
		}
		first := join("1.1", "7", "private-a")
		ask(first, "allow", one)
		a.answers(func(call) reply { return reply{body: `{"allow":false}`} })
		ask(first, "allow")
		ask(join("2.2", "7", "private-a"), "allow")

		// Whatever differs in the question is another question.
		ask(join("1.1", "7", "private-b"), "deny", one)
		ask(join("1.1", "8", "private-a"), "deny", one)
		for _, change := range []func(r *authz.Request){
			func(r *authz.Request) { r.Identity.Tenant = "acme" },
			func(r *authz.Request) { r.Identity.Roles = []string{"editor"} },
			func(r *authz.Request) { r.Identity = authz.Identity{} },
			func(r *authz.Request) { r.Pattern = "private-{x}" },
			func(r *authz.Request) { r.HTTP = from("Cookie", "sid=8") },
			func(r *authz.Request) { r.HTTP = from("Authorization", "sid=7") },
			func(r *authz.Request) { r.HTTP = nil },
			func(r *authz.Request) { r.Cause = authz.Recheck },
		} {
			other := join("1.1", "7", "private-a")
			change(&other)
			ask(other, "deny", one)
		}

		time.Sleep(30*time.Second - 11*15*time.Millisecond - 16*time.Millisecond)
		ask(first, "allow")
		time.Sleep(time.Second)
		ask(first, "deny", one)
	})
}

// A no, no opinion, a refusal and an error are asked about anew, whatever they say: what has just been granted works.
func TestNotRemembered(t *testing.T) {
	for _, body := range []string{`{"allow":false,"cache":30}`, `{"allow":null,"cache":30}`, `{"allow":true,"cache":-1}`, `{"allow":true}`, `{"allow":true,"cache":0}`} {
		a := answering(reply{body: body})
		bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
			all(t, c, join("1.1", "7", "private-a"))
			a.answers(func(call) reply { return reply{status: 403} })
			all(t, c, join("1.1", "7", "private-a"))
			a.answers(allowAll(0, ""))
			wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
			a.wantAsked(t, one, one, one)
		})
	}
}

// No answer is remembered for longer than the configuration, and the package, allow.
func TestMaxCache(t *testing.T) {
	for _, tt := range []struct{ configured, want time.Duration }{{0, 60 * time.Second}, {10 * time.Second, 10 * time.Second}, {-1, 0}} {
		a := &application{answer: allowAll(0, `,"cache":1e9`)}
		bubble(t, a, func(c *callback.Config) { c.MaxCache = tt.configured }, func(t *testing.T, c *callback.Client) {
			r := join("1.1", "7", "private-a")
			all(t, c, r)
			a.asked()
			if tt.want > 0 {
				time.Sleep(tt.want - time.Nanosecond)
				all(t, c, r)
				a.wantAsked(t)
				time.Sleep(time.Nanosecond)
			}
			all(t, c, r)
			a.wantAsked(t, one)
		})
	}
}

// What lapses does so when the application meant it to, though the answer is remembered.
func TestRememberedTTL(t *testing.T) {
	a := &application{answer: allowAll(0, `,"ttl":20,"cache":60,"info":{"n":1}`)}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		policies := authz.NewRegistry()
		policies.Handle("private-{x}", c.Policy())
		ttl := func() time.Duration {
			g, err := policies.Decide(t.Context(), join("1.1", "7", "private-a"))
			if err != nil || string(g.Info) != `{"n":1}` {
				t.Errorf("%+v, %v", g, err)
			}
			return g.TTL
		}
		if got := ttl(); got != 20*time.Second {
			t.Errorf("at first %v", got)
		}
		time.Sleep(15 * time.Second)
		if got := ttl(); got != 5*time.Second {
			t.Errorf("after 15 s %v", got)
		}
		a.wantAsked(t, one)
		time.Sleep(5 * time.Second)
		if got := ttl(); got != 20*time.Second {
			t.Errorf("after 20 s %v", got)
		}
		a.wantAsked(t, one)
	})
}

// What is remembered about a user ends with Invalidate, and so does what is on its way.
func TestInvalidate(t *testing.T) {
	a := &application{answer: allowAll(0, `,"cache":30`)}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		seven, eight := join("1.1", "7", "private-a"), join("2.2", "8", "private-a")
		all(t, c, seven, eight)
		a.wantAsked(t, one, one)
		c.Invalidate("7")
		all(t, c, seven, eight)
		if q := a.wantAsked(t, one)[0]; q.User.ID != "7" {
			t.Errorf("asked about %s", q.User.ID)
		}
		c.Invalidate("")
		all(t, c, seven, eight)
		a.wantAsked(t, one, one)

		// A question that is under way: its answer is not remembered, nor given to who asks after.
		c.Invalidate("7")
		a.answers(allowAll(time.Second, `,"cache":30`))
		go all(t, c, seven)
		time.Sleep(500 * time.Millisecond)
		c.Invalidate("7")
		a.answers(func(call) reply { return reply{body: `{"allow":false}`} })
		wantResults(t, all(t, c, seven), "deny")
		time.Sleep(time.Second)
		wantResults(t, all(t, c, seven), "deny")
		a.wantAsked(t, one, one, one)
	})
}

// Who asks who somebody is after an Invalidate does not get what was asked for before it.
func TestInvalidateDuringAuthenticate(t *testing.T) {
	a := &application{answer: func(call) reply { return reply{after: time.Second, body: `{"user":{"id":"7","roles":["admin"]}}`} }}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		early := make(chan authz.Identity, 1)
		go func() {
			id, _ := c.Authenticator().Authenticate(t.Context(), from("Cookie", "sid=7"))
			early <- id
		}()
		time.Sleep(500 * time.Millisecond)
		c.Invalidate("7")
		a.answers(func(call) reply { return reply{body: `{"user":{"id":"7"}}`} })
		id, err := c.Authenticator().Authenticate(t.Context(), from("Cookie", "sid=7"))
		if err != nil || id.HasRole("admin") {
			t.Errorf("%+v %v, want the user without the role", id, err)
		}
		<-early
		if n := len(a.asked()); n != 2 {
			t.Errorf("asked %d times, want twice", n)
		}
	})
}

// The same for who somebody is.
func TestRememberedIdentity(t *testing.T) {
	a := answering(reply{body: `{"user":{"id":"7"},"cache":30}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ask := func(r *http.Request, calls int) {
			t.Helper()
			c.Authenticator().Authenticate(t.Context(), r)
			if n := len(a.asked()); n != calls {
				t.Errorf("%d calls, want %d", n, calls)
			}
		}
		upgrade := from("Cookie", "sid=7", "Upgrade", "websocket")
		path := from("Cookie", "sid=7")
		path.URL.Path = "/t/another/auth"
		ask(from("Cookie", "sid=7"), 1)
		ask(from("Cookie", "sid=7"), 0)
		ask(upgrade, 1)
		ask(path, 1)
		ask(from("Cookie", "sid=8"), 1)
		ask(from(), 1)
		c.Invalidate("8")
		ask(from("Cookie", "sid=7"), 0)
		c.Invalidate("7")
		ask(from("Cookie", "sid=7"), 1)
		c.Invalidate("")
		ask(from("Cookie", "sid=7"), 1)
		time.Sleep(31 * time.Second)
		ask(from("Cookie", "sid=7"), 1)

		// On its way while the user is invalidated.
		c.Invalidate("7")
		a.answers(func(call) reply { return reply{after: time.Second, body: `{"user":{"id":"7"},"cache":30}`} })
		go c.Authenticator().Authenticate(t.Context(), from("Cookie", "sid=7"))
		time.Sleep(500 * time.Millisecond)
		c.Invalidate("7")
		time.Sleep(time.Second)
		a.wantAsked(t, callback.KindAuthenticate)
		ask(from("Cookie", "sid=7"), 1)

		// Not beyond its end.
		c.Invalidate("7")
		a.answers(func(call) reply {
			return reply{body: fmt.Sprintf(`{"user":{"id":"7"},"cache":30,"expires_at":%d}`, time.Now().Unix()+5)}
		})
		ask(from("Cookie", "sid=7"), 1)
		time.Sleep(3 * time.Second)
		ask(from("Cookie", "sid=7"), 0)
		time.Sleep(3 * time.Second)
		ask(from("Cookie", "sid=7"), 1)
	})
}

// A guest is not remembered: with the same cookie they may be somebody a moment later. What guests may is, by what they
// show; who shows nothing is nobody in particular.
func TestRememberedGuest(t *testing.T) {
	a := answering(reply{body: `{"user":null,"cache":30}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		for range 2 {
			c.Authenticator().Authenticate(t.Context(), from("Cookie", "cart=1"))
		}
		a.wantAsked(t, callback.KindAuthenticate, callback.KindAuthenticate)
		a.answers(allowAll(0, `,"cache":30`))
		for _, tt := range []struct {
			request *http.Request
			calls   int
		}{{from("Cookie", "cart=1"), 1}, {from("Cookie", "cart=1"), 0}, {from("Cookie", "cart=2"), 1},
			{from("Accept-Language", "de"), 1}, {from("Accept-Language", "de"), 1}, {nil, 1}, {nil, 1}} {
			r := join("1.1", "", "private-cart")
			r.HTTP = tt.request
			wantResults(t, all(t, c, r), "allow")
			if n := len(a.asked()); n != tt.calls {
				t.Errorf("%v: %d calls, want %d", tt.request, n, tt.calls)
			}
		}
	})
}

// However many answers there are, so many are remembered; and no large ones.
func TestCacheIsBounded(t *testing.T) {
	a := &application{answer: allowAll(0, `,"cache":60`)}
	bubble(t, a, func(c *callback.Config) { c.CacheEntries = 10 }, func(t *testing.T, c *callback.Client) {
		var requests []authz.Request
		for i := range 50 {
			requests = append(requests, join("1.1", "7", "private-"+strings.Repeat("x", i)))
		}
		all(t, c, requests...)
		a.wantAsked(t, callback.KindAuthorizeMany)
		all(t, c, requests...)
		if n := len(a.wantAsked(t, callback.KindAuthorizeMany)[0].names()); n != 40 {
			t.Errorf("%d were asked about again, want 40", n)
		}
		large := join("1.1", "7", "private-large")
		a.answers(allowAll(0, `,"cache":60,"info":{"x":"`+strings.Repeat("x", 9000)+`"}`))
		for range 2 {
			wantResults(t, all(t, c, large), "allow")
		}
		a.wantAsked(t, one, one)
	})
}

// An answer that comes after its caller has left is remembered all the same, for the next one.
func TestRememberedForNobody(t *testing.T) {
	a := &application{answer: allowAll(2*time.Second, `,"cache":30`)}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := decide(ctx, c, join("1.1", "7", "private-a")); got != unavailable {
			t.Errorf("%q", got)
		}
		time.Sleep(2 * time.Second)
		wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
		a.wantAsked(t, one)
	})
}

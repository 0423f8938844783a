package authz_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"hark/authz"
)

// panics returns what f panics with, in words; "" if it does not.
func panics(f func()) (message string) {
	defer func() {
		if v := recover(); v != nil {
			message = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

// decide asks a new Registry, in which all policies are for private-x, about editor7.
func decide(t *testing.T, policies ...authz.Policy) (authz.Grant, error) {
	t.Helper()
	g := authz.NewRegistry()
	for _, p := range policies {
		g.Handle("private-x", p)
	}
	return g.Decide(t.Context(), authz.Request{Channel: "private-x", Identity: editor7})
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
	for _, other := range []error{authz.ErrDenied, authz.ErrUnauthenticated, authz.ErrUnavailable} {
		if other != want && errors.Is(err, other) {
			t.Errorf("%v is %v too, want only %v", err, other, want)
		}
	}
}

func TestRule1NoGuestOnPresence(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{"presence-x", "presence-cache-x"} {
		g := authz.NewRegistry()
		asked := false
		g.HandleFunc("{all...}", func(context.Context, authz.Request) (authz.Decision, error) {
			asked = true
			return authz.Allow(), nil
		})
		for _, who := range []authz.Identity{guest, guestOfAcme} {
			e := g.Explain(t.Context(), authz.Request{Channel: channel, Identity: who})
			wantError(t, e.Err, authz.ErrDenied)
			if e.Rules != nil || asked {
				t.Errorf("%s: a policy is asked about a guest: %+v", channel, e)
			}
		}
		if _, err := g.Decide(t.Context(), authz.Request{Channel: channel, Identity: editor7}); err != nil || !asked {
			t.Errorf("%s, a user: %v", channel, err)
		}
	}
	// On other channels the policy decides.
	g := authz.NewRegistry()
	g.Handle("private-x", says(authz.Allow(), nil))
	if _, err := g.Decide(t.Context(), authz.Request{Channel: "private-x"}); err != nil {
		t.Errorf("a guest on a private channel: %v", err)
	}
}

func TestRule2NoPattern(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	g.Handle("private-orders.{id}", says(authz.Allow(), nil))
	for _, channel := range []string{"private-nosuch.1", "private-orders.7.8", "private-orders.;zz", "private-orders.7\n", "orders", ""} {
		e := g.Explain(t.Context(), authz.Request{Channel: channel, Identity: editor7})
		wantError(t, e.Err, authz.ErrDenied)
		if len(e.Rules) != 0 {
			t.Errorf("%q: %+v", channel, e.Rules)
		}
	}
	empty := authz.NewRegistry()
	for _, channel := range []string{"private-x", "presence-x"} {
		_, err := empty.Decide(t.Context(), authz.Request{Channel: channel, Identity: editor7})
		wantError(t, err, authz.ErrDenied)
	}
}

// Whoever is answered "no" learns nothing of whether there is such a channel: both are the same error.
func TestNoSuchChannelIsDenied(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	g.Handle("private-secret", says(authz.Deny("not yours"), nil))
	_, denied := g.Decide(t.Context(), authz.Request{Channel: "private-secret", Identity: editor7})
	_, nosuch := g.Decide(t.Context(), authz.Request{Channel: "private-nosuch", Identity: editor7})
	wantError(t, denied, authz.ErrDenied)
	wantError(t, nosuch, authz.ErrDenied)
	// For the log they differ.
	if !strings.Contains(denied.Error(), "policy private-secret: not yours") || !strings.Contains(nosuch.Error(), "no policy is for private-nosuch") {
		t.Errorf("denied: %v; no such channel: %v", denied, nosuch)
	}
}

func TestRule3CannotBeAsked(t *testing.T) {
	t.Parallel()
	allow := says(authz.Allow(), nil)
	boom := authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { panic("boom") })
	for _, tt := range []struct {
		name   string
		policy authz.Policy
		text   string
	}{
		{"an error", says(authz.Decision{}, errDown), "policy private-x: authz: could not be asked, try again: the database is down"},
		{"an error beside an allow", says(authz.Allow(), errDown), "the database is down"},
		{"ErrUnavailable itself", says(authz.Allow(), authz.ErrUnavailable), "policy private-x: authz: could not be asked, try again"},
		{"unavailable and denied at once", says(authz.Allow(), fmt.Errorf("%w %v", authz.ErrUnavailable, authz.ErrDenied)), "denied"},
		{"a panic", boom, "panic: boom\n"},
		{"an info that is no object", says(authz.Allow().WithInfo([]int{1}), nil), "the info of a decision: [1] is not a JSON object"},
		{"an info that is no JSON", says(authz.Allow().WithInfo(func() {}), nil), "the info of a decision: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := decide(t, tt.policy)
			wantError(t, err, authz.ErrUnavailable)
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v, want %s", err, tt.text)
			}
			// It is so whatever the others say.
			for _, other := range []authz.Policy{allow, says(authz.Deny("no"), nil), says(authz.Decision{}, authz.ErrUnauthenticated)} {
				for _, policies := range [][]authz.Policy{{tt.policy, other}, {other, tt.policy}} {
					_, err := decide(t, policies...)
					wantError(t, err, authz.ErrUnavailable)
				}
			}
		})
	}
}

// Two policies that would show others two different infos: nobody can tell which is right.
func TestRule3TwoInfos(t *testing.T) {
	t.Parallel()
	info := func(n int) authz.Policy { return says(authz.Allow().WithInfo(map[string]int{"n": n}), nil) }
	for _, policies := range [][]authz.Policy{{info(1), info(2)}, {info(2), says(authz.Deny("no"), nil), info(1)}} {
		_, err := decide(t, policies...)
		wantError(t, err, authz.ErrUnavailable)
		if !strings.Contains(err.Error(), "the policies private-x and private-x each give another info") {
			t.Errorf("%v", err)
		}
	}
}

// A policy that sleeps for ten seconds gives its answer after exactly three, and it is none.
func TestRule3TooLate(t *testing.T) {
	t.Parallel()
	slow := func(obey bool) authz.Policy {
		return authz.PolicyFunc(func(ctx context.Context, _ authz.Request) (authz.Decision, error) {
			if obey {
				<-ctx.Done()
				return authz.Allow(), ctx.Err()
			}
			time.Sleep(10 * time.Second)
			return authz.Allow(), nil
		})
	}
	for _, tt := range []struct {
		name     string
		policies []authz.Policy
		stuck    int
	}{
		{"one that ignores its context", []authz.Policy{slow(false)}, 1},
		{"one that obeys it", []authz.Policy{slow(true)}, 0},
		{"several share the time", []authz.Policy{slow(false), says(authz.Allow(), nil), slow(true), slow(false)}, 2},
		{"beside a denial", []authz.Policy{says(authz.Deny("no"), nil), slow(false)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := authz.NewRegistry()
				for _, p := range tt.policies {
					g.Handle("private-x", p)
				}
				start := time.Now()
				_, err := g.Decide(t.Context(), authz.Request{Channel: "private-x", Identity: editor7})
				wantError(t, err, authz.ErrUnavailable)
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("it took %v, want 3s", took)
				}
				synctest.Wait()
				if g.Stuck() != tt.stuck {
					t.Errorf("%d policies are stuck, want %d", g.Stuck(), tt.stuck)
				}
				time.Sleep(time.Minute)
				if g.Stuck() != 0 {
					t.Errorf("%d policies are stuck after all have returned", g.Stuck())
				}
			})
		})
	}
}

// A user for whom policies get stuck is refused; another is not, until very many are stuck.
func TestStuckPolicies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := authz.NewRegistry()
		until := make(chan struct{})
		var calls atomic.Int64
		g.HandleFunc("private-x", func(_ context.Context, r authz.Request) (authz.Decision, error) {
			calls.Add(1)
			if r.Identity.ID != "8" {
				<-until
			}
			return authz.Allow(), nil
		})
		ask := func(who authz.Identity) error {
			_, err := g.Decide(t.Context(), authz.Request{Channel: "private-x", Identity: who, Socket: socketID})
			return err
		}
		for i := range 12 {
			start := time.Now()
			wantError(t, ask(editor7), authz.ErrUnavailable)
			if refused := time.Since(start) == 0; refused != (i >= 8) {
				t.Errorf("call %d: refused at once is %v", i, refused)
			}
		}
		if err := ask(plain8); err != nil {
			t.Errorf("another user: %v", err)
		}
		for range 12 { // guests are told apart by their sockets
			wantError(t, ask(guest), authz.ErrUnavailable)
		}
		if got := g.Stuck(); got != 16 {
			t.Errorf("%d policies are stuck, want 8 of user 7 and 8 of the guest's", got)
		}
		if err := ask(plain8); err != nil {
			t.Errorf("another user: %v", err)
		}
		close(until)
		synctest.Wait()
		if err := ask(editor7); err != nil || g.Stuck() != 0 {
			t.Errorf("after all have returned: %v, %d stuck", err, g.Stuck())
		}
		if n := calls.Load(); n != 8+1+8+1+1 {
			t.Errorf("the policy was called %d times, want 19", n)
		}
	})
}

func TestCallerGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := authz.NewRegistry()
	g.HandleFunc("private-x", func(context.Context, authz.Request) (authz.Decision, error) {
		t.Error("asked for a caller who has gone")
		return authz.Allow(), nil
	})
	_, err := g.Decide(ctx, authz.Request{Channel: "private-x", Identity: editor7})
	wantError(t, err, authz.ErrUnavailable)
}

func TestRule4DenyBeatsAllow(t *testing.T) {
	t.Parallel()
	allow, deny := says(authz.Allow(), nil), says(authz.Deny("not yours"), nil)
	for _, policies := range [][]authz.Policy{{deny}, {allow, deny}, {deny, allow}, {allow, deny, allow}} {
		_, err := decide(t, policies...)
		wantError(t, err, authz.ErrDenied)
		if !strings.Contains(err.Error(), "policy private-x: not yours") {
			t.Errorf("%v, want the reason", err)
		}
	}
	denied := says(authz.Allow(), fmt.Errorf("the backend: %w", authz.ErrDenied))
	for _, policies := range [][]authz.Policy{{denied}, {allow, denied}, {denied, allow}} {
		_, err := decide(t, policies...)
		wantError(t, err, authz.ErrDenied)
	}
}

func TestRule4Unauthenticated(t *testing.T) {
	t.Parallel()
	unauthenticated := says(authz.Allow(), fmt.Errorf("the backend: %w", authz.ErrUnauthenticated))
	for _, other := range []authz.Policy{says(authz.Allow(), nil), says(authz.Deny("no"), nil), says(authz.NoOpinion(), nil), says(authz.Allow(), authz.ErrDenied)} {
		for _, policies := range [][]authz.Policy{{unauthenticated, other}, {other, unauthenticated}} {
			_, err := decide(t, policies...)
			wantError(t, err, authz.ErrUnauthenticated)
		}
	}
}

func TestRule5OneAllows(t *testing.T) {
	t.Parallel()
	allow, pass := says(authz.Allow(), nil), says(authz.NoOpinion(), nil)
	for _, policies := range [][]authz.Policy{{allow}, {allow, pass}, {pass, allow}, {pass, allow, pass}, {allow, allow}} {
		got, err := decide(t, policies...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(authz.Grant{Identity: editor7}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestRule6NobodyAllows(t *testing.T) {
	t.Parallel()
	for _, d := range []authz.Decision{
		{}, authz.NoOpinion(), authz.NoOpinion().For(time.Hour), authz.NoOpinion().WithInfo(struct{}{}), authz.Decision{}.For(1),
		authz.Allow().For(-1), authz.Allow().For(-1).For(time.Hour), // it has lapsed
	} {
		for _, policies := range [][]authz.Policy{{says(d, nil)}, {says(d, nil), says(authz.Decision{}, nil)}} {
			_, err := decide(t, policies...)
			wantError(t, err, authz.ErrDenied)
			if !strings.Contains(err.Error(), "no policy allows it") {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestSeveralPatterns(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	g.Handle("private-doc.{type}.{name...}", authz.SignedIn())
	g.Handle("private-doc.salary.{name}", authz.RoleIn("hr"))
	g.Handle("private-doc.{rest...}", says(authz.NoOpinion(), nil))
	for channel, want := range map[string]error{"private-doc.order.7": nil, "private-doc.salary.7": authz.ErrDenied, "private-doc.x": authz.ErrDenied} {
		e := g.Explain(t.Context(), authz.Request{Channel: channel, Identity: editor7})
		if !errors.Is(e.Err, want) {
			t.Errorf("%s: %v, want %v", channel, e.Err, want)
		}
	}
	e := g.Explain(t.Context(), authz.Request{Channel: "private-doc.salary.a;2Fb", Identity: editor7})
	var got []string
	for _, a := range e.Rules {
		got = append(got, fmt.Sprintf("%s %s %v", a.Pattern, a.Captures, a.Decision))
	}
	want := []string{
		"private-doc.{type}.{name...} map[name:a/b type:salary] allow",
		"private-doc.salary.{name} map[name:a/b] deny: has none of the roles hr",
		"private-doc.{rest...} map[rest:salary.a/b] no opinion",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Explain (-want +got):\n%s", diff)
	}
}

// A policy is asked about what the caller asks about, and sees its own pattern and captures.
func TestRequest(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	want := authz.Request{
		App: "1", Channel: "private-a.b", Identity: ada, Socket: socketID, Cause: authz.Recheck, HTTP: httptest.NewRequest("POST", "/pusher/auth", nil),
		Captures: authz.Captures{"stale": "x"}, Pattern: "stale",
	}
	var mu sync.Mutex
	seen := map[string]authz.Request{}
	for _, pattern := range []string{"private-{x}.b", "private-{y...}"} {
		g.HandleFunc(pattern, func(_ context.Context, r authz.Request) (authz.Decision, error) {
			mu.Lock()
			defer mu.Unlock()
			seen[r.Pattern] = r
			return authz.Allow(), nil
		})
	}
	if _, err := g.Decide(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	for pattern, captures := range map[string]authz.Captures{"private-{x}.b": {"x": "a"}, "private-{y...}": {"y": "a.b"}} {
		got := seen[pattern]
		if got.App != want.App || got.Channel != want.Channel || got.Identity.ID != "7" || got.Socket != want.Socket || got.Cause != want.Cause || got.HTTP != want.HTTP {
			t.Errorf("%s is asked %+v", pattern, got)
		}
		if !maps.Equal(got.Captures, captures) {
			t.Errorf("%s captures %q, want %q", pattern, got.Captures, captures)
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d policies were asked", len(seen))
	}
	if join, recheck := authz.Join.String(), authz.Recheck.String(); join != "join" || recheck != "recheck" {
		t.Errorf("the causes are %s and %s", join, recheck)
	}
}

func TestGrant(t *testing.T) {
	t.Parallel()
	type public struct {
		Name string `json:"name"`
	}
	who := editor7
	who.Info = jsontext.Value(`{"name":"of the identity"}`)
	for _, tt := range []struct {
		name     string
		policies []authz.Policy
		info     string
		ttl      time.Duration
	}{
		{"plain", []authz.Policy{says(authz.Allow(), nil)}, string(who.Info), 0},
		{"an info", []authz.Policy{says(authz.Allow().WithInfo(public{"Ada"}), nil)}, `{"name":"Ada"}`, 0},
		{"no info", []authz.Policy{says(authz.Allow().WithInfo(public{"Ada"}).WithInfo(nil), nil)}, string(who.Info), 0},
		{"an info after a bad one", []authz.Policy{says(authz.Allow().WithInfo(5).WithInfo(public{"Ada"}), nil)}, `{"name":"Ada"}`, 0},
		{"a raw info", []authz.Policy{says(authz.Allow().WithInfo(jsontext.Value(`{"a":1.0}`)), nil)}, `{"a":1.0}`, 0},
		{"one info of two policies", []authz.Policy{says(authz.Allow(), nil), says(authz.Allow().WithInfo(public{"Ada"}), nil)}, `{"name":"Ada"}`, 0},
		{"the same info twice", []authz.Policy{
			says(authz.Allow().WithInfo(public{"Ada"}), nil), says(authz.Allow().WithInfo(map[string]any{"name": "Ada"}), nil),
		}, `{"name":"Ada"}`, 0},
		{"no info of who has no opinion", []authz.Policy{says(authz.Allow(), nil), says(authz.NoOpinion().WithInfo(public{"Eve"}), nil)}, string(who.Info), 0},

		{"a time", []authz.Policy{says(authz.Allow().For(time.Minute), nil)}, string(who.Info), time.Minute},
		{"the smallest of the times", []authz.Policy{
			says(authz.Allow().For(time.Hour), nil), says(authz.Allow(), nil), says(authz.Allow().For(time.Second), nil), says(authz.Allow().For(time.Minute), nil),
		}, string(who.Info), time.Second},
		{"no time of who has no opinion", []authz.Policy{says(authz.Allow().For(time.Hour), nil), says(authz.NoOpinion().For(1), nil)}, string(who.Info), time.Hour},
		{"no time of what has lapsed", []authz.Policy{says(authz.Allow().For(time.Hour), nil), says(authz.Allow().For(-1), nil)}, string(who.Info), time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := authz.NewRegistry()
			for _, p := range tt.policies {
				g.Handle("presence-x", p)
			}
			got, err := g.Decide(t.Context(), authz.Request{Channel: "presence-x", Identity: who})
			if err != nil {
				t.Fatal(err)
			}
			want := authz.Grant{Identity: who, Info: jsontext.Value(tt.info), TTL: tt.ttl}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d               authz.Decision
		text            string
		allowed, denied bool
	}{
		{authz.Decision{}, "no opinion", false, false},
		{authz.NoOpinion(), "no opinion", false, false},
		{authz.Allow(), "allow", true, false},
		{authz.Allow().For(0), "allow", true, false},
		{authz.Allow().For(-1), "no opinion", false, false},
		{authz.Deny("r"), "deny: r", false, true},
		{authz.Deny("r").For(-1), "deny: r", false, true},
		{authz.Deny("r").WithInfo(struct{}{}), "deny: r", false, true},
	} {
		if tt.d.String() != tt.text || tt.d.Allowed() != tt.allowed || tt.d.Denied() != tt.denied {
			t.Errorf("%v: allowed %v, denied %v, want %s", tt.d, tt.d.Allowed(), tt.d.Denied(), tt.text)
		}
	}
}

func TestHandlePanics(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		f    func(g *authz.Registry)
		want string
	}{
		{"malformed", func(g *authz.Registry) { g.Handle("private-{id", authz.SignedIn()) }, `the pattern "private-{id" has a { without its }`},
		{"nil", func(g *authz.Registry) { g.Handle("private-x", nil) }, `the policy for "private-x" is nil`},
		{"a nil function", func(g *authz.Registry) { g.HandleFunc("private-x", nil) }, `the policy for "private-x" is nil`},
		{"too late", func(g *authz.Registry) {
			_, _ = g.Decide(t.Context(), authz.Request{Channel: "private-x"})
			g.Handle("private-x", authz.SignedIn())
		}, `the policy for "private-x" comes too late`},
	} {
		if got := panics(func() { tt.f(authz.NewRegistry()) }); !strings.Contains(got, tt.want) {
			t.Errorf("%s: panics with %q, want %q", tt.name, got, tt.want)
		}
	}
}

// An error that is both no answer and a no is no answer, and callers look for that first.
func TestUnavailableAndDenied(t *testing.T) {
	t.Parallel()
	both := says(authz.Allow(), errors.Join(authz.ErrDenied, authz.ErrUnavailable))
	for _, other := range []authz.Policy{says(authz.Allow(), nil), says(authz.Deny("no"), nil), says(authz.Decision{}, authz.ErrUnauthenticated)} {
		if _, err := decide(t, both, other); !errors.Is(err, authz.ErrUnavailable) {
			t.Errorf("%v, want that it could not be asked", err)
		}
	}
}

package authz_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"hark/authz"
)

// Users as policies see them.
var (
	guest   = authz.Identity{}
	editor7 = authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"reader", "editor"}}
	plain8  = authz.Identity{ID: "8", Tenant: "umbrella"}
	// Nobody is signed in, and all the rest fits.
	guestOfAcme = authz.Identity{Tenant: "acme", Roles: []string{"editor"}}
	noTenant    = authz.Identity{ID: "9"}
)

func TestReadyMadePolicies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, pattern, channel string
		policy                 authz.Policy
		who                    authz.Identity
		want                   string // "allow", or the reason
	}{
		{"signed in", "private-x", "private-x", authz.SignedIn(), editor7, "allow"},
		{"a guest", "private-x", "private-x", authz.SignedIn(), guest, "deny: a guest"},
		{"a guest with a tenant", "private-x", "private-x", authz.SignedIn(), guestOfAcme, "deny: a guest"},

		{"owner", "private-user={id}", "private-user=7", authz.Owner("id"), editor7, "allow"},
		{"not the owner", "private-user={id}", "private-user=7", authz.Owner("id"), plain8, "deny: not the user of {id}"},
		{"a guest is no owner", "private-user={id}", "private-user=7", authz.Owner("id"), guest, "deny: not the user of {id}"},
		{"owner, escaped", "private-user={id}", "private-user=ada;40a;2Eorg", authz.Owner("id"), authz.Identity{ID: "ada@a.org"}, "allow"},
		{"owner, of the rest", "private-user={id...}", "private-user=ada@a.org", authz.Owner("id"), authz.Identity{ID: "ada@a.org"}, "allow"},
		{"owner, case", "private-user={id}", "private-user=Ada", authz.Owner("id"), authz.Identity{ID: "ada"}, "deny: not the user of {id}"},

		{"in the tenant", "private-{t}.x", "private-acme.x", authz.InTenant("t"), editor7, "allow"},
		{"in another", "private-{t}.x", "private-acme.x", authz.InTenant("t"), plain8, "deny: not of the tenant of {t}"},
		{"in none", "private-{t}.x", "private-acme.x", authz.InTenant("t"), noTenant, "deny: not of the tenant of {t}"},
		{"a guest of the tenant", "private-{t}.x", "private-acme.x", authz.InTenant("t"), guestOfAcme, "deny: not of the tenant of {t}"},

		{"a role", "private-x", "private-x", authz.RoleIn("admin", "editor"), editor7, "allow"},
		{"no role", "private-x", "private-x", authz.RoleIn("admin", "editor"), plain8, "deny: has none of the roles admin, editor"},
		{"a guest with a role", "private-x", "private-x", authz.RoleIn("editor"), guestOfAcme, "deny: has none of the roles editor"},
		{"none would do", "private-x", "private-x", authz.RoleIn(), editor7, "deny: has none of the roles "},

		{"any, the first", "private-user={id}", "private-user=7", authz.AnyOf(authz.Owner("id"), authz.RoleIn("admin")), editor7, "allow"},
		{"any, the last", "private-user={id}", "private-user=8", authz.AnyOf(authz.Owner("id"), authz.RoleIn("editor")), editor7, "allow"},
		{"any, none", "private-user={id}", "private-user=8", authz.AnyOf(authz.Owner("id"), authz.RoleIn("admin")), editor7,
			"deny: none of: deny: not the user of {id}; deny: has none of the roles admin"},
		{"any of nothing", "private-x", "private-x", authz.AnyOf(), editor7, "deny: none of: "},
		{"any, no opinions", "private-x", "private-x", authz.AnyOf(says(authz.NoOpinion(), nil)), editor7, "deny: none of: no opinion"},
		{"any of any", "private-x", "private-x", authz.AnyOf(authz.AnyOf(authz.SignedIn())), editor7, "allow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := authz.NewRegistry()
			g.Handle(tt.pattern, tt.policy)
			e := g.Explain(t.Context(), authz.Request{Channel: tt.channel, Identity: tt.who})
			if len(e.Rules) != 1 || e.Rules[0].Err != nil || e.Rules[0].Decision.String() != tt.want {
				t.Fatalf("%+v, want %s", e, tt.want)
			}
			if allowed := tt.want == "allow"; (e.Err == nil) != allowed || !allowed && !errors.Is(e.Err, authz.ErrDenied) {
				t.Errorf("%v, want %s", e.Err, tt.want)
			}
		})
	}
}

// says is a policy that always gives one answer.
func says(d authz.Decision, err error) authz.Policy {
	return authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { return d, err })
}

var errDown = errors.New("the database is down")

func TestAnyOfWhatCannotBeAsked(t *testing.T) {
	t.Parallel()
	allow, down := says(authz.Allow(), nil), says(authz.Allow(), errDown)
	boom := authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { panic("boom") })
	badInfo := says(authz.Allow().WithInfo(5), nil)
	no, noError := says(authz.Deny("no"), nil), says(authz.Allow(), authz.ErrDenied)
	unauthenticated := says(authz.Allow(), authz.ErrUnauthenticated)
	for _, tt := range []struct {
		name     string
		policies []authz.Policy
		want     error
	}{
		{"one allows", []authz.Policy{down, boom, badInfo, no, noError, unauthenticated, allow}, nil},
		{"one is down", []authz.Policy{no, down, noError}, authz.ErrUnavailable},
		{"one panics", []authz.Policy{boom, no}, authz.ErrUnavailable},
		{"one has no info to give", []authz.Policy{badInfo, no}, authz.ErrUnavailable},
		{"an error that denies", []authz.Policy{noError}, authz.ErrDenied},
		{"wrong credentials", []authz.Policy{no, unauthenticated, noError}, authz.ErrUnauthenticated},
		{"wrong credentials, and one is down", []authz.Policy{down, unauthenticated}, authz.ErrUnavailable},
		{"one is down, and wrong credentials", []authz.Policy{unauthenticated, down}, authz.ErrUnavailable},
	} {
		g := authz.NewRegistry()
		g.Handle("private-x", authz.AnyOf(tt.policies...))
		_, err := g.Decide(t.Context(), authz.Request{Channel: "private-x", Identity: editor7})
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// The decision of the one that allows is the answer, with all that belongs to it; those behind it are not asked.
func TestAnyOfStopsAtTheFirst(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	g.Handle("private-x", authz.AnyOf(
		says(authz.Deny("no").WithInfo(map[string]int{"n": 1}).For(1), nil),
		says(authz.Allow().WithInfo(map[string]int{"n": 2}).For(2), nil),
		authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) {
			t.Error("the third policy is asked")
			return authz.Allow(), nil
		}),
	))
	got, err := g.Decide(t.Context(), authz.Request{Channel: "private-x", Identity: editor7})
	if err != nil || string(got.Info) != `{"n":2}` || got.TTL != 2 {
		t.Errorf("Decide = %+v, %v", got, err)
	}
}

func TestHandleChecksCaptures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		pattern string
		policy  authz.Policy
		want    string // "": it does not panic
	}{
		{"owner", "private-user={id}", authz.Owner("id"), ""},
		{"owner of the rest", "private-user={id...}", authz.Owner("id"), ""},
		{"owner of another", "private-user={id}", authz.Owner("user"), `the policy for "private-user={id}" needs the capture {user}`},
		{"owner of nothing", "private-x", authz.Owner("id"), `needs the capture {id}`},
		{"tenant", "private-{t}.x", authz.InTenant("tenant"), `needs the capture {tenant}`},
		{"within any", "private-{id}", authz.AnyOf(authz.SignedIn(), authz.AnyOf(authz.Owner("user"))), `needs the capture {user}`},
		{"needs none", "private-x", authz.AnyOf(authz.SignedIn(), authz.RoleIn("a")), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := panics(func() { authz.NewRegistry().Handle(tt.pattern, tt.policy) })
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("Handle panics with %q, want %q", got, tt.want)
			}
		})
	}
	if got := panics(func() { authz.AnyOf(authz.SignedIn(), nil) }); !strings.Contains(got, "a policy of AnyOf is nil") {
		t.Errorf("AnyOf(nil) panics with %q", got)
	}
}

package rules_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/authz/rules"
)

// The users of these tests.
var (
	guest = authz.Identity{}
	alice = authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"editor"}, Attrs: map[string]string{"plan": "pro", "team": "5"}}
	bob   = authz.Identity{ID: "9", Tenant: "umbrella"}
	carol = authz.Identity{ID: "11", Tenant: "acme", Roles: []string{"admin", "staff"}}
	users = map[string]authz.Identity{"guest": guest, "alice": alice, "bob": bob, "carol": carol}
)

// cond are Conditions under a name that is no field's.
type cond = rules.Conditions

// compile makes a policy, which the test wants to be possible.
func compile(t *testing.T, pattern string, r rules.Rule) authz.Policy {
	t.Helper()
	p, err := authz.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rules.Compile(p, r)
	if err != nil {
		t.Fatalf("Compile(%s, %v): %v", pattern, r, err)
	}
	return policy
}

// request is that of an identity for a channel, as a registry makes it.
func request(t *testing.T, pattern, channel string, id authz.Identity) authz.Request {
	t.Helper()
	p, err := authz.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	captures, ok := p.Match(channel)
	if !ok {
		t.Fatalf("%s does not match %s", pattern, channel)
	}
	return authz.Request{App: "1", Channel: channel, Pattern: pattern, Captures: captures, Identity: id}
}

func TestRules(t *testing.T) {
	const pattern, channel = "private-tenant.{tenant}.user.{id}", "private-tenant.acme.user.7"
	for _, tt := range []struct {
		name    string
		rule    rules.Rule
		allowed string // users
		abstain bool   // from the others, whom the rule would deny otherwise
	}{
		{name: "signed in", rule: rules.Rule{Conditions: cond{SignedIn: true}}, allowed: "alice bob carol"},
		{name: "owner", rule: rules.Rule{Conditions: cond{Owner: "id"}}, allowed: "alice"},
		{name: "role", rule: rules.Rule{Conditions: cond{RoleIn: []string{"editor", "staff"}}}, allowed: "alice carol"},
		{name: "tenant", rule: rules.Rule{Conditions: cond{InTenant: "tenant"}}, allowed: "alice carol"},
		{name: "everyone", rule: rules.Rule{Conditions: cond{Everyone: true}}, allowed: "alice bob carol guest"},
		{name: "when", rule: rules.Rule{Conditions: cond{When: `user.tenant == "umbrella"`}}, allowed: "bob"},
		{name: "when is not about guests", rule: rules.Rule{Conditions: cond{When: `user.attrs.plan != "pro"`}}, allowed: "bob carol"},
		{name: "when is about guests beside everyone", rule: rules.Rule{Conditions: cond{Everyone: true, When: `user.attrs.plan != "pro"`}}, allowed: "bob carol guest"},
		{
			name:    "several must all hold",
			rule:    rules.Rule{Conditions: cond{SignedIn: true, RoleIn: []string{"admin", "editor"}, InTenant: "tenant", When: `"staff" in user.roles`}},
			allowed: "carol",
		},
		{name: "any of", rule: rules.Rule{AnyOf: []cond{{Owner: "id"}, {RoleIn: []string{"admin"}}}}, allowed: "alice carol"},
		{name: "several in any of", rule: rules.Rule{AnyOf: []cond{{Owner: "id", RoleIn: []string{"admin"}}, {SignedIn: true, When: `user.id == "9"`}}}, allowed: "bob"},
		{name: "any of beside another", rule: rules.Rule{Conditions: cond{InTenant: "tenant"}, AnyOf: []cond{{SignedIn: true}}}, allowed: "alice carol"},
		{name: "guests in any of", rule: rules.Rule{AnyOf: []cond{{Owner: "id"}, {Everyone: true, When: "user.guest"}}}, allowed: "alice guest"},
		{name: "deny all", rule: rules.Rule{Deny: true}},
		{name: "deny everyone", rule: rules.Rule{Deny: true, Conditions: cond{Everyone: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, pattern, tt.rule)
			for name, id := range users {
				d, err := p.Authorize(t.Context(), request(t, pattern, channel, id))
				want := slices.Contains(strings.Fields(tt.allowed), name)
				if err != nil || d.Allowed() != want || d.Denied() == want {
					t.Errorf("%s: got %v, %v; want allowed %v, or else denied", name, d, err, want)
				}
			}
		})
	}
}

// A rule that denies opens nothing, and nobody gets past it by not signing in.
func TestDeny(t *testing.T) {
	const pattern, channel = "private-x.{id}", "private-x.7"
	for _, tt := range []struct {
		name   string
		rule   rules.Rule
		denied string // users; the rule has no opinion about the others
	}{
		{"when", rules.Rule{Deny: true, Conditions: cond{When: `user.attrs.plan == "pro"`}}, "alice"},
		{"when, about guests", rules.Rule{Deny: true, Conditions: cond{When: `not ("staff" in user.roles)`}}, "alice bob guest"},
		{"role", rules.Rule{Deny: true, Conditions: cond{RoleIn: []string{"admin"}}}, "carol"},
		{"any of", rules.Rule{Deny: true, AnyOf: []cond{{Owner: "id"}, {When: `user.tenant == ""`}}}, "alice guest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, pattern, tt.rule)
			for name, id := range users {
				d, err := p.Authorize(t.Context(), request(t, pattern, channel, id))
				want := slices.Contains(strings.Fields(tt.denied), name)
				if err != nil || d.Denied() != want || d.Allowed() {
					t.Errorf("%s: got %v, %v; want denied %v, or else no opinion", name, d, err, want)
				}
			}
		})
	}
}

func TestFor(t *testing.T) {
	registry := authz.NewRegistry()
	registry.Handle("private-x.{id}", compile(t, "private-x.{id}", rules.Rule{Conditions: cond{Owner: "id"}, For: 15 * time.Minute}))
	g, err := registry.Decide(t.Context(), authz.Request{Channel: "private-x.7", Identity: alice})
	if err != nil || g.TTL != 15*time.Minute {
		t.Errorf("got TTL %v, %v; want 15m", g.TTL, err)
	}
}

// What a caller changes afterwards changes no policy.
func TestCompileKeepsNothing(t *testing.T) {
	roles := []string{"editor"}
	p := compile(t, "private-x", rules.Rule{Conditions: cond{RoleIn: roles}})
	roles[0] = "admin"
	if d, err := p.Authorize(t.Context(), request(t, "private-x", "private-x", carol)); err != nil || !d.Denied() {
		t.Errorf("got %v, %v; want a denial", d, err)
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule rules.Rule
		want []string // "field: begin of the text"
	}{
		{"nothing", rules.Rule{}, []string{": says nothing: give it everyone, signed_in"}},
		{"only a time", rules.Rule{For: time.Minute}, []string{": says nothing"}},
		{"no such capture", rules.Rule{Conditions: cond{Owner: "uid", InTenant: "t"}}, []string{
			`owner: names the capture "uid"; the pattern captures id, rest`, `in_tenant: names the capture "t"`,
		}},
		{"no roles", rules.Rule{Conditions: cond{RoleIn: []string{}}}, []string{"role_in: is empty, so nobody"}},
		{"an empty role", rules.Rule{Conditions: cond{RoleIn: []string{"a", ""}}}, []string{"role_in[1]: is empty"}},
		{"no alternatives", rules.Rule{AnyOf: []cond{}}, []string{"any_of: is empty, so it could never hold"}},
		{"an empty alternative", rules.Rule{AnyOf: []cond{{SignedIn: true}, {}}}, []string{"any_of[1]: says nothing"}},
		{"a wrong alternative", rules.Rule{AnyOf: []cond{{Owner: "x"}, {When: "x"}}}, []string{
			`any_of[0].owner: names the capture "x"`, "any_of[1].when: has a mistake at character 1: the name x is not known",
		}},
		{"everyone and others", rules.Rule{Conditions: cond{Everyone: true, SignedIn: true, RoleIn: []string{"a"}}}, []string{
			"everyone: lets guests in, and signed_in does not; leave one of them out", "everyone: lets guests in, and role_in",
		}},
		{"everyone and any of", rules.Rule{Conditions: cond{Everyone: true}, AnyOf: []cond{{SignedIn: true}}}, []string{"everyone: does not go with any_of"}},
		{"for and deny", rules.Rule{Deny: true, For: time.Minute}, []string{"for: is for what a rule allows"}},
		{"too short", rules.Rule{Conditions: cond{SignedIn: true}, For: time.Millisecond}, []string{"for: must be at least 1s, not 1ms"}},
		{"negative", rules.Rule{Conditions: cond{SignedIn: true}, For: -time.Minute}, []string{"for: must be at least 1s, not -1m0s"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pattern, err := authz.ParsePattern("private-x.{id}.{rest...}")
			if err != nil {
				t.Fatal(err)
			}
			p, err := rules.Compile(pattern, tt.rule)
			problems, ok := errors.AsType[rules.Problems](err)
			if p != nil || !ok || len(problems) != len(tt.want) {
				t.Fatalf("got %v, %v; want no policy and %q", p, err, tt.want)
			}
			for i, problem := range problems {
				if got := problem.Field + ": " + problem.Text; !strings.HasPrefix(got, tt.want[i]) {
					t.Errorf("got %q, want %q", got, tt.want[i])
				}
			}
		})
	}
}

func TestProblemsInWords(t *testing.T) {
	_, err := rules.Compile(authz.Pattern{}, rules.Rule{Conditions: cond{Owner: "id"}, AnyOf: []cond{{}}})
	const want = `authz/rules: owner names the capture "id"; the pattern captures nothing; ` +
		"any_of[0] says nothing: give it everyone, signed_in, owner, role_in, in_tenant or when"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := rules.Compile(authz.Pattern{}, rules.Rule{}); err == nil || !strings.HasPrefix(err.Error(), "authz/rules: the rule says nothing: ") {
		t.Errorf("got %v", err)
	}
}

func TestRuleString(t *testing.T) {
	for want, r := range map[string]rules.Rule{
		"":                        {},
		"deny":                    {Deny: true},
		"everyone, for: 15m0s":    {Conditions: cond{Everyone: true}, For: 15 * time.Minute},
		"signed_in, role_in: a b": {Conditions: cond{SignedIn: true, RoleIn: []string{"a", "b"}}},
		`deny, in_tenant: t, when: user.id == "7", any of (owner: id | signed_in, role_in: a)`: {
			Deny:       true,
			Conditions: cond{InTenant: "t", When: `user.id == "7"`},
			AnyOf:      []cond{{Owner: "id"}, {SignedIn: true, RoleIn: []string{"a"}}},
		},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

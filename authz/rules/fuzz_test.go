package rules_test

import (
	"errors"
	"testing"

	"hark/authz"
	"hark/authz/rules"
)

// FuzzExpression compiles any text and evaluates what compiles: no panic, no policy where there is a problem, no guest let
// in where nobody said so, and the same answer when asked again.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`user.id == params.id && "editor" in user.roles`, `user.attrs.plan == "pro"`, `user.attrs["a"] + channel matches "^a"`,
		`not (channel startsWith 'x') or params.rest not contains "y"`, `user.tenant in ["a", user.id]`, `"a" in user.attrs`, `[[]] == [user.roles]`,
		"let a = 1; a", "all(1..9, # > 1)", "user | f", "(((", "!!!!true", "a?.b?.[c]", "{a: 1}", "if true {1} else {2}", "'\\u{1F600}'", "`raw`", "b'x'", "/* */ true // x",
		"user.roles[0:1]", "1 < 2 < 3", "a not", "::len(x)", "$env['user']", "user.attrs.a.b", "\"\\", "0x", "1e999", ";", "true;",
	} {
		f.Add(s, "7", "acme", "editor", "plan", "pro")
	}
	pattern, err := authz.ParsePattern("private-x.{id}.{rest...}")
	if err != nil {
		f.Fatal(err)
	}
	const channel = "private-x.7.a.b"
	captures, _ := pattern.Match(channel)
	f.Fuzz(func(t *testing.T, source, id, tenant, role, attr, value string) {
		for _, everyone := range []bool{false, true} {
			p, err := rules.Compile(pattern, rules.Rule{Conditions: rules.Conditions{Everyone: everyone, When: source}})
			if source == "" {
				return // no condition
			}
			if problems, ok := errors.AsType[rules.Problems](err); err != nil && (!ok || len(problems) == 0 || p != nil) {
				t.Fatalf("Compile(%q) = %v, %v; want no policy, and Problems", source, p, err)
			}
			if err != nil {
				continue
			}
			who := authz.Identity{ID: id, Tenant: tenant, Roles: []string{role}, Attrs: map[string]string{attr: value}}
			r := authz.Request{Channel: channel, Captures: captures, Identity: who}
			d, err := p.Authorize(t.Context(), r)
			again, errAgain := p.Authorize(t.Context(), r)
			if d.String() != again.String() || (err == nil) != (errAgain == nil) {
				t.Fatalf("%q: %v, %v and then %v, %v", source, d, err, again, errAgain)
			}
			if err != nil && d != (authz.Decision{}) || err == nil && d.Allowed() == d.Denied() {
				t.Fatalf("%q: got %v, %v", source, d, err)
			}
			if d.Allowed() && id == "" && !everyone {
				t.Fatalf("%q lets a guest in", source)
			}
		}
	})
}

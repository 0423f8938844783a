package rules_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"hark/authz"
	"hark/authz/rules"
)

func TestExpressions(t *testing.T) {
	const pattern, channel = "private-doc.{type}.{id}", "private-doc.Sales;20Order.7"
	for _, tt := range []struct {
		source string
		who    string
		want   bool
	}{
		{`user.id == params.id`, "alice", true},
		{`user.id == params.id`, "bob", false},
		{`user.id == params.id && "editor" in user.roles`, "alice", true},
		{`user.id != params.id and "admin" in user.roles`, "carol", true},
		{`user.id == params.id or user.tenant == "acme"`, "carol", true},
		{`user.attrs.plan == "pro"`, "alice", true},
		{`user.attrs.plan == "pro"`, "bob", false},
		{`user.attrs["plan"] == 'pro'`, "alice", true},
		{`user.attrs["te" + "am"] == "5"`, "alice", true},
		{`"plan" in user.attrs`, "alice", true},
		{`"plan" in user.attrs`, "carol", false},
		{`"plan" not in user.attrs`, "carol", true},
		{`user.tenant in ["acme", "umbrella"]`, "bob", true},
		{`user.tenant in ["acme", params.type]`, "bob", false},
		{`user.roles == ["editor"]`, "alice", true},
		{`user.roles == ["editor"]`, "carol", false},
		{`params.type == "Sales Order"`, "bob", true},
		{`channel == "private-doc.Sales;20Order." + params.id`, "bob", true},
		{`channel startsWith "private-doc." and channel endsWith ".7"`, "bob", true},
		{`params.type contains "Order"`, "bob", true},
		{`user.guest`, "guest", true},
		{`!user.guest`, "alice", true},
		{`true`, "bob", true},
		{"user.id ==\n  'x' // or not", "bob", false},

		// What somebody does not have is "", and "" is in nothing.
		{`user.attrs.plan == ""`, "bob", true},
		{`user.attrs.plan == user.attrs.other`, "bob", true},
		{`channel startsWith user.attrs.prefix`, "bob", false},
		{`channel endsWith user.attrs.prefix`, "bob", false},
		{`channel contains user.tenant`, "guest", false},
		{`channel contains ""`, "bob", false},
		{`channel not contains user.tenant`, "guest", true},
	} {
		p := compile(t, pattern, rules.Rule{Conditions: cond{Everyone: true, When: tt.source}})
		d, err := p.Authorize(t.Context(), request(t, pattern, channel, users[tt.who]))
		if err != nil || d.Allowed() != tt.want || d.Denied() == tt.want {
			t.Errorf("%s for %s: got %v, %v; want %v", tt.source, tt.who, d, err, tt.want)
		}
	}
}

func TestExpressionProblems(t *testing.T) {
	for _, tt := range []struct{ source, want string }{
		{``, "says nothing"},
		{` `, "has a mistake at character 1: unexpected token EOF"},
		{`user.id = "7"`, `has a mistake at character 9: unexpected token Operator("=")`},
		{`usr.id == "7"`, "has a mistake at character 1: the name usr is not known; these are: user, params, channel"},
		{`channel.id == "7"`, "has a mistake at character 9: only user, user.attrs and params have something in them"},
		{`usr == "7"`, "has a mistake at character 1: the name usr is not known; these are: user, params, channel"},
		{`user == "7"`, "has a mistake at character 1: say what of user: id, tenant, roles, attrs, guest"},
		{`"7" in params`, "has a mistake at character 8: say what of params: id, rest"},
		{`user.ID == "7"`, "has a mistake at character 6: user has only these: id, tenant, roles, attrs, guest"},
		{`user[params.id] == "7"`, "has a mistake at character 5: user has only these"},
		{`params.uid == "7"`, "has a mistake at character 8: params has only what the pattern captures: id, rest"},
		{`params[user.id] == "7"`, "has a mistake at character 7: params has only"},
		{`user.attrs[usr] == "7"`, "has a mistake at character 12: the name usr is not known"},
		{`user.attrs["a"]["b"] == ""`, "has a mistake at character 16: only user, user.attrs and params have"},
		{`user.roles[0] == "a"`, "has a mistake at character 11: only user, user.attrs and params have"},
		{`$env.user.id == "7"`, "has a mistake at character 11: only user,"},
		{`user?.id == "7"`, "has a mistake at character 7: only names, texts, lists in [ ]"},
		{`user.id`, "expected bool, but got string"},
		{`user.roles == "editor"`, "has a mistake at character 12: invalid operation: == (mismatched types []string and string)"},
		{`"a" in user.id`, "has a mistake at character 5: invalid operation: in (mismatched types string and string)"},
		{`user.guest and user.id`, "has a mistake at character 12: invalid operation: and (mismatched types bool and string)"},
		{`user.id == 7`, "has a mistake at character 12: there are no numbers here"},
		{`user.id == 7.5`, "has a mistake at character 12: there are no numbers here"},
		{`user.tenant == nil`, `has a mistake at character 16: there is no nil here; what somebody does not have is ""`},
		{`user.id < "7"`, "has a mistake at character 9: < is no operator here; these are: ==, !="},
		{`"a" in 1..9`, "has a mistake at character 9: .. is no operator here"},
		{`user.id matches "7"`, "has a mistake at character 9: matches is no operator here"},
		{`-user.id == ""`, "has a mistake at character 1: - is no operator here"},
		{`(user.id ?? "x") == ""`, "has a mistake at character 10: ?? is no operator here"},
		{`len(user.roles) == user.id`, "has a mistake at character 1: there are no functions here"},
		{`all(user.roles, # == "a")`, "has a mistake at character 1: there are no functions here"},
		{`user.id | upper() == "A"`, "has a mistake at character 11: there are no functions here"},
		{`user.id.length() == ""`, "has a mistake at character 9: there are no functions here"},
		{`user.guest ? true : false`, "only names, texts, lists in [ ]"},
		{`let a = user.id + user.id; a + a == ""`, "only names, texts, lists in [ ]"},
		{`true; false`, "has a mistake at character 1: only names, texts, lists in [ ]"},
		{`{"a": true} == user.attrs`, "has a mistake at character 1: only names, texts, lists in [ ]"},
		{`user.id[0:1] == "7"`, "has a mistake at character 8: only names, texts, lists in [ ]"},
		{`user.id == "` + strings.Repeat("a", rules.MaxExpression) + `"`, "is 1037 bytes long; at most 1024 are allowed"},
		{`true` + strings.Repeat(" or true", 110), "compilation failed: expression exceeds maximum allowed nodes"},
		{strings.Repeat("(", 500), "unexpected token EOF"},
		{strings.Repeat("!", 500) + "true", "expression exceeds maximum allowed nodes"},
		{"user.id == '\xff'", "is not UTF-8"},
	} {
		pattern, err := authz.ParsePattern("private-x.{id}.{rest...}")
		if err != nil {
			t.Fatal(err)
		}
		p, err := rules.Compile(pattern, rules.Rule{Conditions: cond{When: tt.source}})
		problems, ok := errors.AsType[rules.Problems](err)
		if p != nil || !ok || len(problems) != 1 || !strings.Contains(problems[0].Text, tt.want) {
			t.Errorf("%s: got %v, want %s", tt.source, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", tt.source, err)
		}
	}
}

// The reasons are for the log and for who writes the rules.
func TestReasons(t *testing.T) {
	for want, r := range map[string]rules.Rule{
		"deny: a guest": {Conditions: cond{When: "user.guest"}},
		"deny: it is not so that user.id == channel":                  {Conditions: cond{Everyone: true, When: "user.id == channel"}},
		"deny: by the rule: deny, when: user.guest":                   {Deny: true, Conditions: cond{When: "user.guest"}},
		"deny: none of: deny: a guest; deny: has none of the roles a": {AnyOf: []cond{{SignedIn: true}, {RoleIn: []string{"a"}}}},
	} {
		d, err := compile(t, "private-x", r).Authorize(t.Context(), request(t, "private-x", "private-x", guest))
		if err != nil || d.String() != want {
			t.Errorf("%v: got %v, %v; want %s", r, d, err, want)
		}
	}
}

// One policy is asked by many at a time. The race detector watches.
func TestConcurrentUse(t *testing.T) {
	const pattern = "private-x.{id}"
	p := compile(t, pattern, rules.Rule{AnyOf: []cond{
		{When: `user.id == params.id and user.tenant in ["acme", "umbrella"]`}, {When: `"7" == user.id + user.tenant`},
	}})
	var wg sync.WaitGroup
	for _, id := range users {
		r := request(t, pattern, "private-x.7", id)
		wg.Go(func() {
			for range 100 {
				if d, err := p.Authorize(t.Context(), r); err != nil || d.Allowed() != (r.Identity.ID == "7") {
					t.Errorf("%q: got %v, %v", r.Identity.ID, d, err)
				}
			}
		})
	}
	wg.Wait()
}

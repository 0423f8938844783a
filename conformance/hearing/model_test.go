package hearing

import (
	"context"
	"slices"
	"strings"

	"hark/authz"
	"hark/protocol"
)

// The world that is played in: two apps whose users, tenants and channels have the same names, so that whatever crosses from
// one to the other is noticed.
var (
	apps    = []string{"1", "2"}
	tenants = []string{"acme", "acme-b"} // one begins like the other
	people  = []authz.Identity{
		{}, // a guest
		{ID: "7", Tenant: "acme", Roles: []string{"editor"}},
		{ID: "9", Tenant: "acme", Roles: []string{"admin"}},
		{ID: "11", Tenant: "acme-b", Roles: []string{"admin", "editor"}},
		{ID: "13", Tenant: "acme-b"},
	}
	names = []string{
		"news", "cache-news",
		"private-user.7", "private-user.9", "private-user.77",
		"private-tenant.acme.b", "private-tenant.acme-b.x", "private-tenant.acme.user.9",
		"private-role", "private-cache-role",
		"presence-office", "presence-acme.1",
		"private-doc.1", "private-doc.2", "presence-doc.1",
		"private-nosuch.1",
	}
	patterns = map[string]func(channel string) bool{ // and what they match
		"private-doc.{id}":             func(c string) bool { return c == "private-doc.1" || c == "private-doc.2" },
		"presence-{x...}":              func(c string) bool { return strings.HasPrefix(c, "presence-") },
		"private-{x...}":               func(c string) bool { return strings.HasPrefix(c, "private-") },
		"private-tenant.{t}.{room...}": func(c string) bool { return strings.HasPrefix(c, "private-tenant.") },
		"private-role":                 func(c string) bool { return c == "private-role" },
	}
)

// An acl is what the application knows about documents, and changes: who may see which. It is of one app.
type acl map[string]map[string]bool // by document and user

// decide says who may be on which channel. It is written apart from the policies that the server is given.
func (a acl) decide(id authz.Identity, channel string) bool {
	kind := protocol.KindOf(channel)
	switch {
	case !kind.NeedsAuth():
		return true
	case kind.IsPresence() && id.ID == "":
		return false
	}
	switch channel {
	case "private-user.7":
		return id.ID == "7"
	case "private-user.9":
		return id.ID == "9"
	case "private-tenant.acme.b":
		return id.Tenant == "acme"
	case "private-tenant.acme-b.x":
		return id.Tenant == "acme-b"
	case "private-tenant.acme.user.9":
		return id.Tenant == "acme" && id.ID == "9"
	case "private-role", "private-cache-role":
		return slices.Contains(id.Roles, "admin")
	case "presence-office":
		return true
	case "presence-acme.1":
		return id.Tenant == "acme"
	case "private-doc.1", "private-doc.2", "presence-doc.1":
		return a[channel[strings.LastIndexByte(channel, '.')+1:]][id.ID]
	}
	return false
}

// A rule is a policy and what it is for.
type rule struct {
	pattern string
	policy  authz.Policy
}

// rules are those of decide as an application would register them.
func rules(allowed func(doc, user string) bool) []rule {
	return []rule{
		{"private-user.{id}", authz.Owner("id")},
		{"private-tenant.{tenant}.{room...}", authz.InTenant("tenant")},
		{"private-tenant.{tenant}.user.{id}", authz.Owner("id")}, // narrows the one above
		{"private-role", authz.RoleIn("admin")},
		{"private-cache-role", authz.RoleIn("admin")},
		{"presence-office", authz.SignedIn()},
		{"presence-acme.1", authz.AnyOf(member("acme"), authz.RoleIn("nobody has it"))},
		{"presence-doc.{id}", document(allowed)},
		{"private-doc.{id}", document(allowed)},
	}
}

// document allows whom the application lets see the document, and has no opinion of others.
func document(allowed func(doc, user string) bool) authz.Policy {
	return authz.PolicyFunc(func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if allowed(r.Captures["id"], r.Identity.ID) {
			return authz.Allow(), nil
		}
		return authz.NoOpinion(), nil
	})
}

// member allows the users of a tenant.
func member(tenant string) authz.Policy {
	return authz.PolicyFunc(func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if r.Identity.Tenant == tenant {
			return authz.Allow(), nil
		}
		return authz.NoOpinion(), nil
	})
}

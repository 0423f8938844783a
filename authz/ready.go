package authz

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A ready is a policy that compares an identity with something, and denies when it does not allow: whoever puts one
// beside other policies narrows what they open.
type ready struct {
	needs string // a capture; "": none
	why   string // it denies
	allow func(r Request) bool
}

// Authorize implements [Policy].
func (p ready) Authorize(_ context.Context, r Request) (Decision, error) {
	if p.allow(r) {
		return Allow(), nil
	}
	return Deny(p.why), nil
}

func (p ready) checkCaptures(pattern Pattern) error {
	if p.needs == "" || slices.Contains(pattern.Names(), p.needs) {
		return nil
	}
	return fmt.Errorf("authz: the policy for %q needs the capture {%s}, which it does not have", pattern, p.needs)
}

// SignedIn allows whoever is not a guest.
func SignedIn() Policy {
	return ready{why: "a guest", allow: func(r Request) bool { return !r.Identity.Guest() }}
}

// Owner allows the user whose id is the capture: Handle("private-user={id}", Owner("id")).
func Owner(capture string) Policy {
	return ready{needs: capture, why: "not the user of {" + capture + "}", allow: func(r Request) bool {
		return !r.Identity.Guest() && r.Identity.ID == r.Captures[capture]
	}}
}

// InTenant allows users whose tenant is the capture.
func InTenant(capture string) Policy {
	return ready{needs: capture, why: "not of the tenant of {" + capture + "}", allow: func(r Request) bool {
		return !r.Identity.Guest() && r.Identity.Tenant != "" && r.Identity.Tenant == r.Captures[capture]
	}}
}

// RoleIn allows users who have one of the roles.
func RoleIn(roles ...string) Policy {
	return ready{why: "has none of the roles " + strings.Join(roles, ", "), allow: func(r Request) bool {
		return !r.Identity.Guest() && slices.ContainsFunc(roles, r.Identity.HasRole)
	}}
}

// AnyOf allows when one of the policies does, and denies when none does. They are asked one after the other, until one
// allows; one that cannot be asked counts only if none allows.
func AnyOf(policies ...Policy) Policy { return anyOf(policies) }

type anyOf []Policy

// Authorize implements [Policy].
func (a anyOf) Authorize(ctx context.Context, r Request) (Decision, error) {
	var unasked error
	var reasons []string
	for _, p := range a {
		d, err := p.Authorize(ctx, r)
		switch {
		case err != nil:
			unasked = err
		case d.Allowed():
			return d, nil
		default:
			reasons = append(reasons, d.String())
		}
	}
	if unasked != nil {
		return Decision{}, unasked
	}
	return Deny("none of: " + strings.Join(reasons, "; ")), nil
}

func (a anyOf) checkCaptures(pattern Pattern) error {
	for _, p := range a {
		if check, ok := p.(captureChecker); ok {
			if err := check.checkCaptures(pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

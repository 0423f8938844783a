package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A comparison is a policy that compares the identity with something, and denies when it does not allow: whoever puts one
// beside other policies narrows what they open.
type comparison struct {
	needs string // a capture; "": none
	why   string // it denies
	allow func(r Request) bool
}

// Authorize implements Policy.
func (c comparison) Authorize(_ context.Context, r Request) (Decision, error) {
	if c.allow(r) {
		return Allow(), nil
	}
	return Deny(c.why), nil
}

func (c comparison) checkCaptures(pattern Pattern) error {
	if c.needs == "" || slices.Contains(pattern.Names(), c.needs) {
		return nil
	}
	return fmt.Errorf("authz: the policy for %q needs the capture {%s}, which it does not have", pattern, c.needs)
}

// SignedIn allows whoever is not a guest.
func SignedIn() Policy {
	return comparison{why: "a guest", allow: func(r Request) bool { return !r.Identity.Guest() }}
}

// Owner allows the user whose id is the capture: Handle("private-user={id}", Owner("id")).
func Owner(capture string) Policy {
	return comparison{needs: capture, why: "not the user of {" + capture + "}", allow: func(r Request) bool {
		return !r.Identity.Guest() && r.Identity.ID == r.Captures[capture]
	}}
}

// InTenant allows users whose tenant is the capture.
func InTenant(capture string) Policy {
	return comparison{needs: capture, why: "not of the tenant of {" + capture + "}", allow: func(r Request) bool {
		return !r.Identity.Guest() && r.Identity.Tenant != "" && r.Identity.Tenant == r.Captures[capture]
	}}
}

// RoleIn allows users who have one of the roles.
func RoleIn(roles ...string) Policy {
	return comparison{why: "has none of the roles " + strings.Join(roles, ", "), allow: func(r Request) bool {
		return !r.Identity.Guest() && slices.ContainsFunc(roles, r.Identity.HasRole)
	}}
}

// AnyOf allows when one of the policies does, and denies when none does. They are asked one after the other until one
// allows; that one's decision is the answer. One that cannot be asked counts only if none allows. It panics if a policy is
// nil.
func AnyOf(policies ...Policy) Policy {
	if slices.Contains(policies, nil) {
		panic("authz: a policy of AnyOf is nil")
	}
	return anyOf(policies)
}

type anyOf []Policy

// Authorize implements Policy.
func (a anyOf) Authorize(ctx context.Context, r Request) (Decision, error) {
	var failed []error
	var reasons []string
	for _, p := range a {
		d, err := authorize(ctx, p, r)
		switch {
		case err != nil && !isNo(err):
			failed = append(failed, unavailable(err))
		case errors.Is(err, ErrUnauthenticated):
			failed = append(failed, err)
		case err != nil:
			reasons = append(reasons, err.Error())
		case d.Allowed():
			return d, nil
		default:
			reasons = append(reasons, d.String())
		}
	}
	if failed != nil {
		return Decision{}, errors.Join(failed...)
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

package rules

import (
	"fmt"
	"strings"
	"time"
)

// A Rule says who may be on the channels of a pattern. The zero Rule says nothing, and is refused by [Compile].
type Rule struct {
	// Deny turns the rule round: it denies those for whom the rest holds.
	Deny bool
	Conditions
	// AnyOf holds if all of one of these do. Nil: there is no such condition.
	AnyOf []Conditions
	// For is after what time an allow lapses, at least a second; 0: it does not.
	For time.Duration
}

// Conditions all have to hold. A field that is zero is no condition.
type Conditions struct {
	// Everyone lets guests in. The conditions below that are for users do not go with it.
	Everyone bool
	// SignedIn is for whoever is not a guest.
	SignedIn bool
	// Owner names a capture: the user's id.
	Owner string
	// RoleIn are roles of which a user needs one.
	RoleIn []string
	// InTenant names a capture: the user's tenant.
	InTenant string
	// When is an expression.
	When string
}

// String returns the rule on one line: "owner: id, for: 15m0s".
func (r Rule) String() string {
	var parts []string
	if r.Deny {
		parts = append(parts, "deny")
	}
	parts = append(parts, r.Conditions.parts()...)
	if r.AnyOf != nil {
		var any []string
		for _, c := range r.AnyOf {
			any = append(any, c.String())
		}
		parts = append(parts, "any of ("+strings.Join(any, " | ")+")")
	}
	if r.For != 0 {
		parts = append(parts, fmt.Sprintf("for: %v", r.For))
	}
	return strings.Join(parts, ", ")
}

// String returns the conditions on one line.
func (c Conditions) String() string { return strings.Join(c.parts(), ", ") }

func (c Conditions) parts() []string {
	var parts []string
	if c.Everyone {
		parts = append(parts, "everyone")
	}
	if c.SignedIn {
		parts = append(parts, "signed_in")
	}
	if c.Owner != "" {
		parts = append(parts, "owner: "+c.Owner)
	}
	if c.RoleIn != nil {
		parts = append(parts, "role_in: "+strings.Join(c.RoleIn, " "))
	}
	if c.InTenant != "" {
		parts = append(parts, "in_tenant: "+c.InTenant)
	}
	if c.When != "" {
		parts = append(parts, "when: "+c.When)
	}
	return parts
}

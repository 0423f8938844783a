package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hark/authz"
)

// A Problem is one mistake in a rule.
type Problem struct {
	Field string // where: "when", "any_of[1].owner"; "" for the rule as a whole
	Text  string
}

// Error returns both.
func (p Problem) Error() string {
	if p.Field == "" {
		return "the rule " + p.Text
	}
	return p.Field + " " + p.Text
}

// Problems are all the mistakes in a rule, at least one.
type Problems []Problem

// Error returns them on one line.
func (ps Problems) Error() string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Error()
	}
	return "authz/rules: " + strings.Join(texts, "; ")
}

// Compile makes a policy of a rule for the channels of the pattern. The error is [Problems]. The policy may be used
// concurrently and keeps nothing of r that the caller could change.
func Compile(pattern authz.Pattern, r Rule) (authz.Policy, error) {
	c := compiler{captures: pattern.Names()}
	p := policy{
		holds: c.conditions(r.Conditions, "", r.Deny),
		deny:  r.Deny,
		ttl:   r.For,
		text:  r.String(),
	}
	if r.AnyOf != nil {
		p.holds = append(p.holds, c.anyOf(r))
	}
	switch {
	case r.Deny && r.For != 0:
		c.problem("for", "is for what a rule allows, and this one denies")
	case r.For != 0 && r.For < time.Second:
		c.problem("for", "must be at least 1s, not %v", r.For)
	}
	if len(p.holds) == 0 && !r.Deny {
		c.problem("", "says nothing: give it everyone, signed_in, owner, role_in, in_tenant, when, any_of or deny")
	}
	if c.problems != nil {
		return nil, c.problems
	}
	return p, nil
}

// A policy is a compiled Rule.
type policy struct {
	holds all
	deny  bool
	ttl   time.Duration
	text  string
}

// Authorize implements [authz.Policy].
func (p policy) Authorize(ctx context.Context, r authz.Request) (authz.Decision, error) {
	d, err := p.holds.Authorize(ctx, r)
	switch {
	case err != nil:
		return authz.Decision{}, err
	case p.deny && d.Allowed():
		return authz.Deny("by the rule: " + p.text), nil
	case p.deny:
		return authz.NoOpinion(), nil
	case d.Allowed():
		return authz.Allow().For(p.ttl), nil
	}
	return d, nil
}

// all allows when each of the policies does, and else is what the first one says that does not.
type all []authz.Policy

// Authorize implements [authz.Policy].
func (a all) Authorize(ctx context.Context, r authz.Request) (authz.Decision, error) {
	for _, p := range a {
		if d, err := p.Authorize(ctx, r); err != nil || !d.Allowed() {
			return d, err
		}
	}
	return authz.Allow(), nil
}

// A compiler collects what is wrong with one rule.
type compiler struct {
	captures []string
	problems Problems
}

func (c *compiler) problem(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Field: field, Text: fmt.Sprintf(format, args...)})
}

// conditions compiles what stands at a place in the rule, "" or "any_of[1].". In a rule that denies, expressions are
// asked about guests as well.
func (c *compiler) conditions(of Conditions, place string, deny bool) all {
	var a all
	if of.Everyone {
		c.checkEveryone(of, place)
		a = append(a, everyone)
	}
	if of.SignedIn {
		a = append(a, authz.SignedIn())
	}
	if of.Owner != "" {
		c.checkCapture(of.Owner, place+"owner")
		a = append(a, authz.Owner(of.Owner))
	}
	if of.RoleIn != nil {
		c.checkRoles(of.RoleIn, place+"role_in")
		a = append(a, authz.RoleIn(slices.Clone(of.RoleIn)...))
	}
	if of.InTenant != "" {
		c.checkCapture(of.InTenant, place+"in_tenant")
		a = append(a, authz.InTenant(of.InTenant))
	}
	if of.When != "" {
		e, err := compileExpression(of.When, c.captures)
		if err != nil {
			c.problem(place+"when", "%v", err)
		}
		a = append(a, when{e, of.Everyone || deny})
	}
	return a
}

// anyOf compiles the alternatives of a rule.
func (c *compiler) anyOf(r Rule) authz.Policy {
	if len(r.AnyOf) == 0 {
		c.problem("any_of", "is empty, so it could never hold")
	}
	if r.Everyone {
		c.problem("everyone", "does not go with any_of; put it into those of its alternatives that are for guests too")
	}
	var alternatives []authz.Policy
	for i, of := range r.AnyOf {
		place := fmt.Sprintf("any_of[%d]", i)
		a := c.conditions(of, place+".", r.Deny)
		if len(a) == 0 {
			c.problem(place, "says nothing: give it everyone, signed_in, owner, role_in, in_tenant or when")
		}
		alternatives = append(alternatives, a)
	}
	return authz.AnyOf(alternatives...)
}

// checkEveryone finds what no guest could ever meet.
func (c *compiler) checkEveryone(of Conditions, place string) {
	for _, other := range []struct {
		name string
		set  bool
	}{
		{"signed_in", of.SignedIn}, {"owner", of.Owner != ""}, {"role_in", of.RoleIn != nil}, {"in_tenant", of.InTenant != ""},
	} {
		if other.set {
			c.problem(place+"everyone", "lets guests in, and %s does not; leave one of them out", other.name)
		}
	}
}

func (c *compiler) checkCapture(name, field string) {
	if !slices.Contains(c.captures, name) {
		c.problem(field, "names the capture %q; the pattern captures %s", name, list(c.captures))
	}
}

func (c *compiler) checkRoles(roles []string, field string) {
	if len(roles) == 0 {
		c.problem(field, "is empty, so nobody could have one of the roles")
	}
	for i, role := range roles {
		if role == "" {
			c.problem(fmt.Sprintf("%s[%d]", field, i), "is empty")
		}
	}
}

// list returns names as a sentence has them.
func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

var everyone = authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { return authz.Allow(), nil })

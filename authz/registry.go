package authz

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hark/protocol"
)

// A Registry holds the policies of an app. Register them before serving; from then on it may be used concurrently.
//
// Who may join a channel is decided in this order:
//
//  1. a guest, on a presence channel: no, and no policy is asked;
//  2. no pattern matches: no;
//  3. a policy cannot be asked: "ask again" ([ErrUnavailable]);
//  4. a policy denies: no;
//  5. a policy allows: yes;
//  6. otherwise: no.
//
// All policies whose pattern matches are asked, at the same time and within the same [HookTimeout].
type Registry struct {
	rules []rule
	calls Calls
}

// A rule is one policy and what it is for.
type rule struct {
	pattern Pattern
	policy  Policy
}

// NewRegistry returns an empty Registry: everything that needs permission is closed.
func NewRegistry() *Registry { return new(Registry) }

// Handle registers a policy for the channels that the pattern matches ([ParsePattern]). Any number of policies may have
// the same pattern. It panics if the pattern is malformed or the policy nil.
func (g *Registry) Handle(pattern string, p Policy) {
	parsed, err := ParsePattern(pattern)
	if err != nil {
		panic(err)
	}
	if p == nil {
		panic(fmt.Sprintf("authz: the policy for %q is nil", pattern))
	}
	if check, ok := p.(captureChecker); ok {
		if err := check.checkCaptures(parsed); err != nil {
			panic(err)
		}
	}
	g.rules = append(g.rules, rule{parsed, p})
}

// A captureChecker is a policy that needs captures of its pattern.
type captureChecker interface{ checkCaptures(Pattern) error }

// HandleFunc is Handle for a function.
func (g *Registry) HandleFunc(pattern string, f func(ctx context.Context, r Request) (Decision, error)) {
	g.Handle(pattern, PolicyFunc(f))
}

// Decide answers r with yes, a Grant without its Moment, or with an error that is [ErrDenied], [ErrUnauthenticated] (a
// policy found the credentials wrong) or [ErrUnavailable]; the error's text is for the log. Captures and Pattern of r are filled in for each policy.
func (g *Registry) Decide(ctx context.Context, r Request) (Grant, error) {
	e := g.Explain(ctx, r)
	if e.Err != nil {
		return Grant{}, e.Err
	}
	return e.Grant, nil
}

// An Explanation is how a decision came about.
type Explanation struct {
	Rules []Answer // of the policies that were asked, in order of registration
	Grant Grant    // what is granted, if Err is nil
	Err   error    // as Decide returns it, with the reason
}

// An Answer is what one policy said.
type Answer struct {
	Pattern  string
	Captures Captures
	Decision Decision
	Err      error // why it could not be asked; nil: it was
}

// Explain is Decide, and says what each policy answered.
func (g *Registry) Explain(ctx context.Context, r Request) Explanation {
	if r.Identity.Guest() && protocol.KindOf(r.Channel).IsPresence() {
		return Explanation{Err: fmt.Errorf("%w: guests are on no presence channel", ErrDenied)}
	}
	e := Explanation{Rules: g.ask(ctx, r)}
	e.Grant, e.Err = conclude(r, e.Rules)
	return e
}

// ask asks every policy whose pattern matches.
func (g *Registry) ask(ctx context.Context, r Request) []Answer {
	var answers []Answer
	var policies []Policy
	for _, rule := range g.rules {
		if captures, ok := rule.pattern.Match(r.Channel); ok {
			answers = append(answers, Answer{Pattern: rule.pattern.String(), Captures: captures})
			policies = append(policies, rule.policy)
		}
	}
	done := make(chan struct{}, len(policies))
	for i, p := range policies {
		one := func() {
			answers[i].Decision, answers[i].Err = g.askOne(ctx, p, r, answers[i])
			done <- struct{}{}
		}
		if i == len(policies)-1 {
			one()
		} else {
			go one()
		}
	}
	for range policies {
		<-done
	}
	return answers
}

func (g *Registry) askOne(ctx context.Context, p Policy, r Request, a Answer) (Decision, error) {
	r.Captures, r.Pattern = a.Captures, a.Pattern
	answered := make(chan Decision, 1) // a policy that is late writes to nobody
	err := g.calls.Do(ctx, func(ctx context.Context) error {
		d, err := p.Authorize(ctx, r)
		if err == nil {
			_, err = d.encodeInfo()
		}
		answered <- d
		return err
	})
	if err != nil {
		return Decision{}, err
	}
	return <-answered, nil
}

// conclude makes one decision of what the policies said.
func conclude(r Request, answers []Answer) (Grant, error) {
	var denied, unasked error
	allowed := false
	g := Grant{Identity: r.Identity, Info: r.Identity.Info}
	for _, a := range answers {
		switch {
		case errors.Is(a.Err, ErrDenied), errors.Is(a.Err, ErrUnauthenticated):
			denied = fmt.Errorf("policy %s: %w", a.Pattern, a.Err)
		case a.Err != nil:
			unasked = fmt.Errorf("%w: policy %s: %w", ErrUnavailable, a.Pattern, a.Err)
		case a.Decision.Denied():
			denied = fmt.Errorf("%w: policy %s: %s", ErrDenied, a.Pattern, a.Decision.reason)
		case a.Decision.Allowed():
			allowed = true
			if info, _ := a.Decision.encodeInfo(); info != nil {
				g.Info = info
			}
			g.TTL = shorter(g.TTL, a.Decision.ttl)
		}
	}
	switch {
	case unasked != nil:
		return Grant{}, unasked
	case denied != nil:
		return Grant{}, denied
	case allowed:
		return g, nil
	case len(answers) == 0:
		return Grant{}, fmt.Errorf("%w: no policy is for %s", ErrDenied, r.Channel)
	}
	return Grant{}, fmt.Errorf("%w: no policy allows it", ErrDenied)
}

// shorter returns the shorter of two times to live, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

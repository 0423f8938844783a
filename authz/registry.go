package authz

import (
	"context"
	"fmt"
	"sync/atomic"

	"hark/protocol"
)

// A Registry holds the policies of an app. Register them before it is asked for the first time; from then on it may be
// used concurrently.
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
// All policies whose pattern matches are asked, at the same time and within the same [HookTimeout]. So nothing depends on
// the order in which they were registered. A policy that returns an error that is [ErrDenied] or [ErrUnauthenticated]
// denies; of the two, the latter is what is answered.
type Registry struct {
	rules []rule // Static once asked is true
	asked atomic.Bool
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
// the same pattern. It panics if the pattern is malformed, the policy is nil or needs a capture that the pattern does not
// have, or the Registry has been asked already.
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
	if g.asked.Load() {
		panic(fmt.Sprintf("authz: the policy for %q comes too late: register policies before anybody is let in", pattern))
	}
	g.rules = append(g.rules, rule{parsed, p})
}

// A captureChecker is a policy that needs captures of its pattern.
type captureChecker interface{ checkCaptures(Pattern) error }

// HandleFunc is Handle for a function.
func (g *Registry) HandleFunc(pattern string, f func(ctx context.Context, r Request) (Decision, error)) {
	if f == nil {
		panic(fmt.Sprintf("authz: the policy for %q is nil", pattern))
	}
	g.Handle(pattern, PolicyFunc(f))
}

// Stuck returns how many policies have outstayed their time and have not returned yet. From 64 on nobody is let in until
// one returns, where those for one user count as 8 at most; somebody for whom 8 are stuck is not let in before.
func (g *Registry) Stuck() int { return g.calls.Stuck() }

// Decide answers r with yes, a Grant without its Moment, or with an error that is [ErrDenied], [ErrUnauthenticated] (a
// policy found the credentials wrong) or [ErrUnavailable]; the error's text is for the log. Captures and Pattern of r are
// filled in for each policy.
func (g *Registry) Decide(ctx context.Context, r Request) (Grant, error) {
	e := g.Explain(ctx, r)
	return e.Grant, e.Err
}

// An Explanation is how a decision came about.
type Explanation struct {
	Rules []Answer // of the policies that were asked, in order of registration
	Grant Grant    // what is granted; zero if Err is not nil
	Err   error    // as Decide returns it, with the reason
}

// An Answer is what one policy said.
type Answer struct {
	Pattern  string
	Captures Captures
	Decision Decision // no opinion if Err is not nil
	Err      error    // why it could not be asked, or how it denied; nil: the Decision counts
}

// Explain is Decide, and says what each policy answered.
func (g *Registry) Explain(ctx context.Context, r Request) Explanation {
	g.asked.Store(true)
	if r.Identity.Guest() && protocol.KindOf(r.Channel).IsPresence() {
		return Explanation{Err: fmt.Errorf("%w: guests are on no presence channel", ErrDenied)}
	}
	e := Explanation{Rules: g.ask(ctx, r)}
	e.Grant, e.Err = conclude(r, e.Rules)
	return e
}

// ask asks every policy whose pattern matches.
func (g *Registry) ask(ctx context.Context, r Request) []Answer {
	ctx, cancel := g.calls.withTimeout(ctx)
	defer cancel()
	var answers []Answer
	var waits []func() (Decision, error)
	for _, rule := range g.rules {
		if captures, ok := rule.pattern.Match(r.Channel); ok {
			r.Captures, r.Pattern = captures, rule.pattern.String()
			answers = append(answers, Answer{Pattern: r.Pattern, Captures: captures})
			waits = append(waits, g.start(ctx, rule.policy, r))
		}
	}
	for i, wait := range waits {
		answers[i].Decision, answers[i].Err = wait()
	}
	return answers
}

// start begins to ask one policy.
func (g *Registry) start(ctx context.Context, p Policy, r Request) (wait func() (Decision, error)) {
	party := r.Identity.ID
	if r.Identity.Guest() {
		party = string(r.Socket)
	}
	answer := make(chan Decision, 1) // a policy that is late writes to nobody
	end := g.calls.start(ctx, party, func(ctx context.Context) error {
		d, err := authorize(ctx, p, r)
		answer <- d
		return err
	})
	return func() (Decision, error) {
		if err := end(); err != nil {
			return Decision{}, err
		}
		return <-answer, nil
	}
}

// authorize asks one policy, whose panic is an error.
func authorize(ctx context.Context, p Policy, r Request) (d Decision, err error) {
	defer func() {
		if v := recover(); v != nil {
			d, err = Decision{}, panicked(v)
		}
	}()
	d, err = p.Authorize(ctx, r)
	if err == nil {
		err = d.err
	}
	return d, err
}

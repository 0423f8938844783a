package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"hark/authz"
	"hark/cmd/hark/internal/config"
	"hark/protocol"
)

// An explanation says how it came about whether somebody may be on a channel.
type explanation struct {
	App     string `json:"app"`
	Channel string `json:"channel"`
	Allowed bool   `json:"allowed"`
	// Status is what the auth endpoint answers; 0: it is not asked, or that cannot be told.
	Status int    `json:"status,omitzero"`
	Reason string `json:"reason,omitzero"`
	// TTL is after how many seconds the policies are asked again; 0: they are not.
	TTL      int64          `json:"ttl,omitzero"`
	Policies []policyAnswer `json:"policies"`

	code int // to exit with
}

// A policyAnswer is what one policy said.
type policyAnswer struct {
	At       string            `json:"at"`
	Channel  string            `json:"channel"`
	Captures map[string]string `json:"captures"`
	Rule     string            `json:"rule,omitzero"`
	Callback string            `json:"callback,omitzero"`
	// Says is "allow", "deny", "no opinion", "would ask" or "error".
	Says   string `json:"says"`
	Reason string `json:"reason,omitzero"`
}

// errNotAsked is what a policy says that would have to ask an application.
var errNotAsked = errors.New("the application is not asked")

// explain asks the app's policies, and concludes what the auth endpoint would. ask makes a policy of the URL of an
// application, as [config.App.Registry] wants it.
func explain(ctx context.Context, app config.App, r authz.Request, ask func(url string) authz.Policy, now time.Time) (explanation, error) {
	x := explanation{App: app.ID, Channel: r.Channel, Policies: []policyAnswer{}}
	kind := protocol.KindOf(r.Channel)
	switch {
	case !kind.NeedsAuth():
		x.Allowed, x.Reason = true, "the channel needs no permission, only those that begin with private- and presence- do"
		return x, nil
	case r.Identity.Expired(now):
		x.refuse(http.StatusUnauthorized, "the identity has expired")
		return x, nil
	case kind.IsEncrypted() && app.Auth.MasterKey == "":
		x.refuse(http.StatusForbidden, "encrypted channels need auth.master_key, which the app does not have")
		return x, nil
	}
	registry, err := app.Registry(ask)
	if err != nil {
		return x, err
	}
	e := registry.Explain(ctx, r)
	x.Policies = answers(app, r.Channel, e.Rules)
	x.conclude(e)
	return x, nil
}

// doNotAsk is for [config.App.Registry].
func doNotAsk(string) authz.Policy {
	return authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) {
		return authz.Decision{}, errNotAsked
	})
}

// answers puts what the policies said beside what they are. The policies that match are those that were asked, in order.
func answers(app config.App, channel string, said []authz.Answer) []policyAnswer {
	all := []policyAnswer{}
	for _, p := range app.Policies {
		pattern, err := authz.ParsePattern(p.Channel)
		if _, matches := pattern.Match(channel); err != nil || !matches || len(all) == len(said) {
			continue
		}
		s := said[len(all)]
		a := policyAnswer{At: p.At, Channel: p.Channel, Captures: s.Captures, Rule: p.Rule.String(), Callback: app.AskedURL(p)}
		switch {
		case errors.Is(s.Err, errNotAsked):
			a.Says = "would ask"
		case s.Err != nil:
			a.Says, a.Reason = "error", withoutKind(s.Err, authz.ErrUnavailable)
		case s.Decision.Denied():
			a.Says, a.Reason = "deny", reasonOf(s.Decision)
		default:
			a.Says = s.Decision.String()
		}
		all = append(all, a)
	}
	return all
}

// conclude says what the auth endpoint answers. Where an application would have to be asked, that is known only if a
// policy denies: then it does not matter what the application says.
func (x *explanation) conclude(e authz.Explanation) {
	notAsked, denied := false, ""
	for _, a := range e.Rules {
		notAsked = notAsked || errors.Is(a.Err, errNotAsked)
		if a.Decision.Denied() {
			denied = fmt.Sprintf("policy %s: %s", a.Pattern, reasonOf(a.Decision))
		}
	}
	switch {
	case notAsked && denied != "":
		x.refuse(http.StatusForbidden, denied)
	case notAsked:
		x.Reason, x.code = "it depends on what the application says", exitFailed
	case e.Err == nil:
		x.Allowed, x.Status, x.TTL = true, http.StatusOK, int64(e.Grant.TTL/time.Second)
	case errors.Is(e.Err, authz.ErrUnavailable):
		x.refuse(http.StatusServiceUnavailable, withoutAdvice(e.Err))
		x.code = exitFailed
	case errors.Is(e.Err, authz.ErrUnauthenticated):
		x.refuse(http.StatusUnauthorized, withoutKind(e.Err, authz.ErrUnauthenticated))
	default:
		x.refuse(http.StatusForbidden, withoutKind(e.Err, authz.ErrDenied))
	}
}

func (x *explanation) refuse(status int, reason string) {
	x.Status, x.Reason, x.code = status, reason, exitCheck
}

// reasonOf returns why a decision denies; "" if it does not.
func reasonOf(d authz.Decision) string {
	_, reason, _ := strings.Cut(d.String(), ": ")
	return reason
}

// withoutKind returns the text of an error without what the status says already.
func withoutKind(err, kind error) string { return strings.TrimPrefix(err.Error(), kind.Error()+": ") }

// withoutAdvice returns the text of an error that is authz.ErrUnavailable without the advice to try again.
func withoutAdvice(err error) string {
	text := withoutKind(err, authz.ErrUnavailable)
	return strings.ReplaceAll(text, ": "+authz.ErrUnavailable.Error()+":", " could not be asked:")
}

// sentence returns the conclusion for people.
func (x *explanation) sentence() string {
	switch {
	case x.Allowed && x.Status == 0:
		return fmt.Sprintf("allowed: %s", x.Reason)
	case x.Allowed && x.TTL > 0:
		return fmt.Sprintf("allowed for %v: the auth endpoint answers %d", time.Duration(x.TTL)*time.Second, x.Status)
	case x.Allowed:
		return fmt.Sprintf("allowed: the auth endpoint answers %d", x.Status)
	case x.Status == 0:
		return fmt.Sprintf("not known: %s", x.Reason)
	case x.Status == http.StatusServiceUnavailable:
		return fmt.Sprintf("not known: the auth endpoint answers %d, %s", x.Status, x.Reason)
	}
	return fmt.Sprintf("not allowed: the auth endpoint answers %d, %s", x.Status, x.Reason)
}

// rows are the table of the policies.
func (x *explanation) rows() [][]string {
	rows := [][]string{{"AT", "CHANNEL", "CAPTURES", "POLICY", "SAYS"}}
	for _, a := range x.Policies {
		var captures []string
		for _, name := range slices.Sorted(maps.Keys(a.Captures)) {
			captures = append(captures, name+"="+a.Captures[name])
		}
		policy, says := a.Rule, a.Says
		if a.Callback != "" {
			policy = "callback: " + a.Callback
		}
		if a.Reason != "" {
			says += ": " + a.Reason
		}
		rows = append(rows, []string{a.At, a.Channel, strings.Join(captures, " "), policy, says})
	}
	return rows
}

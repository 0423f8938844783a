package config

import (
	"errors"
	"strings"

	"hark/authz"
	"hark/authz/rules"
	"hark/protocol"
)

// checkPolicies looks at the policies of an app, and notes where each stands.
func (l *loader) checkPolicies(i int) {
	app := &l.config.Apps[i]
	for j := range app.Policies {
		path := element(element("apps", i)+".policies", j)
		app.Policies[j].At = l.at[path]
		l.checkPolicy(*app, app.Policies[j], path)
	}
}

func (l *loader) checkPolicy(app App, p Policy, path string) {
	l.checkTexts(p, path)
	if p.Channel == "" || l.spoiled(path) {
		return
	}
	pattern, err := authz.ParsePattern(p.Channel)
	switch {
	case err != nil:
		l.wrong(path+".channel", "is no pattern: %s", strings.TrimPrefix(err.Error(), "authz: "))
		return
	case !needsPermission(p.Channel):
		l.wrong(path+".channel", "is for channels that everybody may subscribe to; begin it with private- or presence-")
	case isEncrypted(p.Channel) && app.Auth.MasterKey == "":
		l.wrong(path+".channel", "is for encrypted channels, which need a key: give the app auth.master_key")
	}
	if p.Callback != "" {
		l.checkAsked(app, p, path)
		return
	}
	_, err = rules.Compile(pattern, p.Rule)
	if problems, ok := errors.AsType[rules.Problems](err); ok {
		for _, problem := range problems {
			l.brokenRule(path, problem)
		}
		return
	}
	if !app.canSignIn() && !forGuests(p.Rule) {
		l.wrong(path, "allows nobody, since nobody is more than a guest here; give the app jwt, or callback with authenticate: true")
	}
}

func (l *loader) brokenRule(path string, problem rules.Problem) {
	if problem.Field == "" {
		l.wrong(path, "%s, or callback", problem.Text)
		return
	}
	l.wrong(path+"."+problem.Field, "%s", problem.Text)
}

// checkAsked looks at a policy that asks an application.
func (l *loader) checkAsked(app App, p Policy, path string) {
	path += ".callback"
	switch {
	case p.Rule.String() != "":
		l.wrong(path, "stands beside %s; give the channel a second entry, so that both are asked", p.Rule)
	case p.Callback == "false":
		l.wrong(path, "must be true or a URL; leave it out where nobody is asked")
	case p.Callback == ownURL && app.Callback == nil:
		l.wrong(path, "is true, and the app has no callback with a url to ask")
	case p.Callback != ownURL:
		l.checkURL(path, string(p.Callback))
	}
}

// checkTexts finds what is there and says nothing. It would be no condition, and let more in than somebody who reads the
// file expects.
func (l *loader) checkTexts(p Policy, path string) {
	conditions := func(place string, c rules.Conditions) {
		l.empty(path+place+".owner", c.Owner)
		l.empty(path+place+".in_tenant", c.InTenant)
		l.empty(path+place+".when", c.When)
	}
	conditions("", p.Conditions)
	for i, c := range p.AnyOf {
		conditions(element(".any_of", i), c)
	}
	l.empty(path+".callback", string(p.Callback))
}

// empty finds a key that is there and says nothing.
func (l *loader) empty(path, text string) {
	if l.at[path] != "" && text == "" {
		l.wrong(path, "is empty; write something or remove the line")
	}
}

// spoiled reports whether something is known to be wrong below path, so that the whole says something else than was meant.
func (l *loader) spoiled(path string) bool {
	for below, at := range l.at {
		if strings.HasPrefix(below, path+".") && l.already(at) {
			return true
		}
	}
	return false
}

// needsPermission reports whether a pattern can match a channel that needs permission.
func needsPermission(pattern string) bool {
	begin, _, more := strings.Cut(pattern, "{")
	return protocol.KindOf(begin).NeedsAuth() ||
		more && (strings.HasPrefix("private-", begin) || strings.HasPrefix("presence-", begin))
}

// isEncrypted reports whether a pattern is for encrypted channels alone.
func isEncrypted(pattern string) bool {
	begin, _, _ := strings.Cut(pattern, "{")
	return protocol.KindOf(begin).IsEncrypted()
}

// canSignIn reports whether anything says who somebody is.
func (a App) canSignIn() bool {
	return a.JWT != nil || a.Callback != nil && a.Callback.Authenticate
}

// forGuests reports whether a rule can say something about a guest.
func forGuests(r rules.Rule) bool {
	if r.Deny || r.Everyone {
		return true
	}
	for _, c := range r.AnyOf {
		if c.Everyone {
			return true
		}
	}
	return false
}

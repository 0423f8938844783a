package config

import (
	"fmt"

	"hark/authz"
	"hark/authz/rules"
)

// A Policy says who may be on the channels of a pattern: by a rule, or by asking an application. All policies whose
// pattern matches count: one has to allow, and none may deny. Two conditions of which one is asked are two policies with
// the same pattern.
type Policy struct {
	// Channel is a pattern as [authz.ParsePattern] reads it. It is for channels that begin with private- or presence-:
	// others need no permission.
	Channel string `yaml:"channel" validate:"required"`
	rules.Rule
	// Callback asks an application.
	Callback Asked `yaml:"callback"`

	// At is where it stands, for the operator.
	At string `yaml:"-"`
}

// Asked is a URL that a policy asks: "true" is that of the app's callback, "" means that nobody is asked.
type Asked string

// ownURL is how a policy says that it asks the app's callback.
const ownURL Asked = "true"

// AskedURL returns the URL that a policy of the app asks; "" if it has a rule.
func (a App) AskedURL(p Policy) string {
	if p.Callback == ownURL && a.Callback != nil {
		return a.Callback.URL
	}
	return string(p.Callback)
}

// Registry returns the app's policies, in their order. ask makes one of a URL that is to be asked, and is called once for
// each policy that has one. The error is nil for an App that Load returned.
func (a App) Registry(ask func(url string) authz.Policy) (*authz.Registry, error) {
	registry := authz.NewRegistry()
	for i, p := range a.Policies {
		pattern, err := authz.ParsePattern(p.Channel)
		if err != nil {
			return nil, fmt.Errorf("policies[%d]: %w", i, err)
		}
		if p.Callback != "" {
			registry.Handle(p.Channel, ask(a.AskedURL(p)))
			continue
		}
		policy, err := rules.Compile(pattern, p.Rule)
		if err != nil {
			return nil, fmt.Errorf("policies[%d]: %w", i, err)
		}
		registry.Handle(p.Channel, policy)
	}
	return registry, nil
}

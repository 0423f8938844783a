package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"hark/authz"
	"hark/authz/jwt"
	"hark/channels"
	"hark/cmd/hark/internal/config"
	"hark/httpapi"
)

// An access is how one app finds out who somebody is, and which channels they may join: what its configuration says, made.
// An app whose backend signs for whom it likes has one without anything in it.
type access struct {
	config config.App
	app    channels.AppConfig
	tokens *jwt.Authenticator // nil: nobody has a token
	askers askers
}

// newAccess returns the access of an app. The error is nil for one that [config.Load] returned.
func newAccess(app config.App, log *slog.Logger) (*access, error) {
	a := &access{config: app, app: app.Channels()}
	var err error
	if a.askers, err = newAskers(app, log); err != nil {
		return nil, err
	}
	if a.app.Authenticator, err = a.authenticator(log); err != nil {
		return nil, fmt.Errorf("app %s: %w", app.ID, err)
	}
	if app.Policies != nil {
		if a.app.Policies, err = app.Registry(a.askers.policy); err != nil {
			return nil, fmt.Errorf("app %s: %w", app.ID, err)
		}
	}
	if len(a.askers) > 0 {
		a.app.Invalidate = a.askers.invalidate
	}
	return a, nil
}

// authenticator returns what says who somebody is; nil: nothing does.
func (a *access) authenticator(log *slog.Logger) (authz.Authenticator, error) {
	var who authz.Authenticator
	switch j, c := a.config.JWT, a.config.Callback; {
	case j != nil:
		config := j.Config()
		config.Logger = log
		var err error
		if a.tokens, err = jwt.New(config); err != nil {
			return nil, err
		}
		who = a.tokens
	case c != nil && c.Authenticate:
		who = a.askers[c.URL].Authenticator()
	}
	if a.config.RequireUser && who != nil {
		who = authz.RequireUser(who)
	}
	return who, nil
}

// route returns the app's auth endpoint.
func (a *access) route(hub *channels.Hub) (httpapi.AuthRoute, error) {
	auth := a.config.Auth
	app, _ := hub.App(a.app.ID)
	e := app.EndpointConfig()
	e.Origins = auth.AllowedOrigins
	var err error
	if auth.MasterKey != "" {
		if e.MasterKey, err = authz.ParseMasterKey(string(auth.MasterKey)); err != nil {
			return httpapi.AuthRoute{}, fmt.Errorf("app %s: %w", a.app.ID, err)
		}
	}
	endpoint, err := authz.NewEndpoint(e)
	if err != nil {
		return httpapi.AuthRoute{}, fmt.Errorf("app %s: %w", a.app.ID, err)
	}
	return httpapi.AuthRoute{Channels: auth.ChannelsPath, Users: auth.UsersPath, Endpoint: endpoint}, nil
}

// run keeps the keys of tokens fresh, and lets applications be asked, until ctx ends. Then it waits for what they are being
// asked.
func (a *access) run(ctx context.Context) {
	var running sync.WaitGroup
	if a.tokens != nil {
		running.Go(func() { _ = a.tokens.Run(ctx) }) // it returns nil
	}
	a.askers.run(ctx)
	running.Wait()
}

// accesses are those of all apps.
type accesses []*access

func newAccesses(apps []config.App, log *slog.Logger) (accesses, error) {
	all := make(accesses, len(apps))
	for i, app := range apps {
		var err error
		if all[i], err = newAccess(app, log); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// apps returns the apps as the hub is to know them.
func (all accesses) apps() []channels.AppConfig {
	apps := make([]channels.AppConfig, len(all))
	for i, a := range all {
		apps[i] = a.app
	}
	return apps
}

// routes returns the auth endpoints of the apps that have policies.
func (all accesses) routes(hub *channels.Hub) ([]httpapi.AuthRoute, error) {
	var routes []httpapi.AuthRoute
	for _, a := range all {
		if a.app.Policies == nil {
			continue
		}
		r, err := a.route(hub)
		if err != nil {
			return nil, err
		}
		routes = append(routes, r)
	}
	return routes, nil
}

// run is that of every access.
func (all accesses) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, a := range all {
		running.Go(func() { a.run(ctx) })
	}
	running.Wait()
}

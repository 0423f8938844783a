package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"hark/authz"
	"hark/cmd/hark/internal/config"
	"hark/httpapi/callback"
)

// askers are what asks the applications of one app, by the URL that is asked.
type askers map[string]*callback.Client

// newAskers returns one for each URL in the app's configuration. The error is nil for an app that [config.Load] returned.
func newAskers(app config.App, log *slog.Logger) (askers, error) {
	all := askers{}
	var urls []string
	if app.Callback != nil {
		urls = append(urls, app.Callback.URL)
	}
	for _, p := range app.Policies {
		if url := app.AskedURL(p); url != "" {
			urls = append(urls, url)
		}
	}
	for _, url := range urls {
		if all[url] != nil {
			continue
		}
		c := app.Asking(url)
		c.Logger = log
		client, err := callback.New(c)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", app.ID, err)
		}
		all[url] = client
	}
	return all, nil
}

// policy is what [config.App.Registry] makes policies of.
func (a askers) policy(url string) authz.Policy { return a[url].Policy() }

// invalidate makes them forget what they remember about a user; "": about all.
func (a askers) invalidate(user string) {
	for _, c := range a {
		c.Invalidate(user)
	}
}

// run returns when ctx has ended, and then all calls.
func (a askers) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, c := range a {
		running.Go(func() { _ = c.Run(ctx) }) // it returns nil
	}
	running.Wait()
}

// Package local runs Hark inside this process for the cases of package
// conformance: for its tests, and for a suite that is given no server.
package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/ws"
	"hark/conformance"
	"hark/httpapi"
)

// StandardApp is what cases that ask for nothing else are played against.
func StandardApp() conformance.App {
	return conformance.App{
		ID:           "1001",
		Keys:         []conformance.Key{{Key: "a1b2c3d4e5f6a7b8c9d0", Secret: "0f1e2d3c4b5a69788796"}},
		ClientEvents: true,
	}
}

// Serve serves c on l until stop is called, which returns when everything has
// ended. end begins to send clients away before, as at an orderly shutdown. It
// returns once the server is ready.
func Serve(c conformance.Config, l net.Listener) (end, stop func(), err error) {
	hub, err := channels.New(hubConfig(c))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{
		Handler:           httpapi.New(hub, httpapi.Config{Websocket: ws.New(hub)}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	var running sync.WaitGroup
	running.Go(func() { _ = hub.Run(ctx) })    // the in-memory broker does not fail
	running.Go(func() { _ = server.Serve(l) }) // ends with Close
	for hub.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	return cancel, func() {
		_ = server.Close() // what is still open is the case's own
		cancel()
		running.Wait()
	}, nil
}

// Listen starts a server for one case on a free port of this machine; it is
// what Target.Start asks for.
func Listen(_ context.Context, c conformance.Config) (conformance.Target, func(), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return conformance.Target{}, nil, fmt.Errorf("start a server: %w", err)
	}
	end, stop, err := Serve(c, l)
	if err != nil {
		_ = l.Close() // nothing has come of it
		return conformance.Target{}, nil, fmt.Errorf("start a server: %w", err)
	}
	return conformance.Target{URL: "http://" + l.Addr().String(), End: end}, stop, nil
}

// drain leaves a case the time to look at a server that ends: two dozen
// connections are closed in two halves, three seconds apart.
const drain = 6 * time.Second

func hubConfig(c conformance.Config) channels.Config {
	config := channels.Config{Flushers: 2, Drain: drain, ActivityTimeout: c.ActivityTimeout}
	for _, a := range c.Apps {
		app := channels.AppConfig{
			ID:                a.ID,
			Limits:            a.Limits,
			ClientEvents:      a.ClientEvents,
			Disabled:          a.Disabled,
			SubscriptionCount: a.SubscriptionCount,
			Watchlists:        a.Watchlists,
			CacheTTL:          a.CacheTTL,
			AuthorizeWithin:   a.AuthorizeWithin,
		}
		if a.Alias != "" {
			app.Aliases = []string{a.Alias}
		}
		for _, k := range a.Keys {
			app.Keys = append(app.Keys, authz.Key{Key: k.Key, Secret: authz.Secret(k.Secret)})
		}
		config.Apps = append(config.Apps, app)
	}
	return config
}

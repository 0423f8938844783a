// Package local runs Hark inside this process for the cases of package
// conformance: for its tests, and for a suite that is given no server.
package local

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/authz"
	"hark/channels"
	"hark/channels/redisbroker"
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
// returns once the server is ready, or after half a minute. Each broker has a node of
// its own, and the nodes take connections in turn; a nil one is the in-memory broker.
func Serve(c conformance.Config, l net.Listener, brokers ...channels.Broker) (end, stop func(), err error) {
	hubs := make([]*channels.Hub, len(brokers))
	nodes := make([]http.Handler, len(brokers))
	for i, b := range brokers {
		config := hubConfig(c)
		config.Broker = b
		if hubs[i], err = channels.New(config); err != nil {
			return nil, nil, err
		}
		nodes[i] = httpapi.New(hubs[i], httpapi.Config{Websocket: ws.New(hubs[i])})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, hub := range hubs {
		running.Go(func() { _ = hub.Run(ctx) }) // a case notices when it fails
	}
	server := inTurn(nodes)
	running.Go(func() { _ = server.Serve(l) }) // ends with Close
	stop = func() {
		_ = server.Close() // what is still open is the case's own
		cancel()
		running.Wait()
	}
	if err := ready(hubs); err != nil {
		stop()
		return nil, nil, err
	}
	return cancel, stop, nil
}

// patience is how long a server may take until it is ready.
const patience = 3 * brokerTimeout

// ready waits until all hubs are ready.
func ready(hubs []*channels.Hub) error {
	end := time.Now().Add(patience)
	for _, hub := range hubs {
		for err := hub.Ready(); err != nil; err = hub.Ready() {
			if time.Now().After(end) {
				return fmt.Errorf("it is not ready after %v: %w", patience, err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// inTurn returns a server whose connections belong to nodes in turn.
func inTurn(nodes []http.Handler) *http.Server {
	type key struct{}
	var last atomic.Uint64
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Context().Value(key{}).(http.Handler).ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, key{}, nodes[last.Add(1)%uint64(len(nodes))])
		},
		ReadHeaderTimeout: 10 * time.Second,
	}
}

// Listen starts a server for one case on a free port of this machine; it is
// what Target.Start asks for.
func Listen(_ context.Context, c conformance.Config) (conformance.Target, func(), error) {
	return listen(c, nil)
}

// brokerTimeout is long: cases are not about a Redis that is slow.
const brokerTimeout = 10 * time.Second

// Nodes returns what Target.Start asks for, too: it starts so many servers for
// one case, which share a Redis. Each case has keys of its own there, which stay.
func Nodes(
	where redis.UniversalOptions, number int,
) func(context.Context, conformance.Config) (conformance.Target, func(), error) {
	return func(_ context.Context, c conformance.Config) (conformance.Target, func(), error) {
		prefix := "case-" + rand.Text()
		brokers := make([]channels.Broker, number)
		for i := range brokers {
			b, err := redisbroker.New(redisbroker.Config{
				Redis: where, Prefix: prefix, Timeout: brokerTimeout, Lease: 3 * brokerTimeout,
			})
			if err != nil {
				return conformance.Target{}, nil, err
			}
			brokers[i] = b
		}
		t, stop, err := listen(c, brokers...)
		t.Lags = true
		return t, stop, err
	}
}

func listen(c conformance.Config, brokers ...channels.Broker) (conformance.Target, func(), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return conformance.Target{}, nil, fmt.Errorf("start a server: %w", err)
	}
	end, stop, err := Serve(c, l, brokers...)
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
	config := channels.Config{Flushers: 2, Drain: drain, BrokerTimeout: brokerTimeout, ActivityTimeout: c.ActivityTimeout}
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

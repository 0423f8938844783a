package conformance_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/ws"
	"hark/conformance"
	"hark/httpapi"
)

// Every case of every transcript, each in a bubble and against a server of its
// own, so that minutes of silence take no time.
func TestTranscripts(t *testing.T) {
	all, err := conformance.Transcripts()
	if err != nil {
		t.Fatal(err)
	}
	known := readBaseline(t)
	for name := range known {
		if !slices.ContainsFunc(all, func(t conformance.Transcript) bool {
			return slices.ContainsFunc(t.Cases, func(c conformance.Case) bool { return label(c) == name })
		}) {
			t.Errorf("the baseline names %q, and there is no such case", name)
		}
	}
	for _, transcript := range all {
		t.Run(strings.TrimSuffix(filepath.Base(transcript.File), ".txt"), func(t *testing.T) {
			for _, c := range transcript.Cases {
				t.Run(c.Name, func(t *testing.T) {
					deviates := known[label(c)]
					synctest.Test(t, func(t *testing.T) {
						err := run(t, c)
						if _, failed := errors.AsType[*conformance.Failure](err); failed && deviates {
							t.Logf("as the baseline says: %v", err)
							return
						}
						if err != nil {
							t.Error(err)
						} else if deviates {
							t.Error("passes, and the baseline says that it does not")
						}
					})
				})
			}
		})
	}
}

// label is what the baseline calls a case.
func label(c conformance.Case) string { return filepath.Base(c.File) + ": " + c.Name }

// readBaseline returns the names of the cases that this server is known not to
// pass. Each has a reason below it.
func readBaseline(t *testing.T) map[string]bool {
	text, err := os.ReadFile("baseline.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	name := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '\t':
			if name != "" {
				known[name] = true
			}
		default:
			if name != "" && !known[name] {
				t.Errorf("baseline.txt: %q has no reason", name)
			}
			name = line
		}
	}
	if name != "" && !known[name] {
		t.Errorf("baseline.txt: %q has no reason", name)
	}
	return known
}

// run runs a case against a server of its own. The caller is in a bubble.
func run(t *testing.T, c conformance.Case) error {
	target, stop, err := start(t.Context(), conformance.Config{Apps: []conformance.App{usualApp}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	target.Start = start
	return conformance.Run(t.Context(), target, c)
}

// usualApp is the app of cases that ask for nothing else.
var usualApp = conformance.App{
	ID:           "1001",
	Keys:         []conformance.Key{{Key: "a1b2c3d4e5f6a7b8c9d0", Secret: "0f1e2d3c4b5a69788796"}},
	ClientEvents: true,
}

// start starts a server that is reached without a network.
func start(_ context.Context, c conformance.Config) (conformance.Target, func(), error) {
	hub, err := channels.New(hubConfig(c))
	if err != nil {
		return conformance.Target{}, nil, err
	}
	// What ends the server is stop: it outlives a case that is given up.
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var ended error
	running.Go(func() { ended = hub.Run(ctx) })
	listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: httpapi.New(hub, httpapi.Config{Websocket: ws.New(hub)})}
	running.Go(func() { server.Serve(listener) })
	synctest.Wait()
	stop := func() {
		server.Close()
		cancel()
		running.Wait()
		// net/http waits half a second with a connection on which it has refused
		// a body.
		time.Sleep(time.Second)
		if ended != nil {
			panic(ended)
		}
	}
	return conformance.Target{
		URL: "http://hark.test", Dial: listener.dial, App: c.Apps[0], Settle: synctest.Wait,
	}, stop, hub.Ready()
}

func hubConfig(c conformance.Config) channels.Config {
	config := channels.Config{Flushers: 2, Drain: -1, ActivityTimeout: c.ActivityTimeout}
	for _, a := range c.Apps {
		app := channels.AppConfig{ID: a.ID, ClientEvents: a.ClientEvents, Disabled: a.Disabled, Limits: a.Limits,
			SubscriptionCount: a.SubscriptionCount, Watchlists: a.Watchlists, CacheTTL: a.CacheTTL, AuthorizeWithin: a.AuthorizeWithin}
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

// A pipeListener listens for connections that are made of net.Pipe.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var errClosed = errors.New("the server has ended")

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, other := net.Pipe()
	select {
	case l.conns <- other:
		return c, nil
	case <-l.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "hark.test" }

package chaos

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/redisbroker/redistest"
	"hark/protocol"
)

// A node is one server of a play. Methods may be called concurrently.
type node interface {
	name() string
	// connect connects l. An error says that nobody is there.
	connect(l *line) error
	// trigger publishes an event.
	trigger(ctx context.Context, channel, data string) error
	// members and sockets say who is on a channel, on all nodes.
	members(ctx context.Context, channel string) ([]string, error)
	sockets(ctx context.Context, channel string) (int, error)
	// kill ends the node as a crash does: its connections end, and nobody is told.
	kill()
	// stop ends the node as an operator does, and returns when it has ended.
	stop()
}

// errDead answers what is asked of a node that has ended.
var errDead = errors.New("the node has ended")

// appConfig is that of the app, on every node.
func appConfig() channels.AppConfig {
	return channels.AppConfig{ID: appID, Keys: authz.Keys{key}, Limits: protocol.Limits{Members: 1000}}
}

// silence is how long clients may say nothing: they answer no pings.
const silence = 24 * time.Hour

// A local node is a hub in this process, with a broker of its own and a network between that and Redis that can fail.
type local struct {
	// Static after construction.
	title   string
	hub     *channels.Hub
	app     *channels.App
	network *redistest.Proxy // nil: there is none
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the hub has ended

	mu sync.Mutex
	// Guarded by mu.
	lines  map[*line]bool
	closed bool // takes no connections any more
	dead   bool
}

// startLocal starts a hub, whose calls have a timeout. It ends with the test at the latest, and is waited for.
func startLocal(t testing.TB, title string, b channels.Broker, network *redistest.Proxy, timeout time.Duration) *local {
	t.Helper()
	c := channels.Config{
		Apps: []channels.AppConfig{appConfig()}, Broker: b, Flushers: 2, Drain: -1, BrokerTimeout: timeout,
		ActivityTimeout: silence, Logger: logger(title),
	}
	hub, err := channels.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &local{title: title, hub: hub, network: network, cancel: cancel, ended: make(chan struct{}), lines: make(map[*line]bool)}
	n.app, _ = hub.App(appID)
	go func() {
		defer close(n.ended)
		if err := hub.Run(ctx); err != nil && !n.isDead() {
			t.Errorf("%s: %v", title, err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-n.ended
	})
	within(t, title+" to be ready", patience, func() string {
		if err := hub.Ready(); err != nil {
			return err.Error()
		}
		return ""
	})
	return n
}

// logger writes what nodes say to stderr if CHAOS_LOG is set.
func logger(title string) *slog.Logger {
	if os.Getenv("CHAOS_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", title)
}

func (n *local) name() string { return n.title }

func (n *local) isDead() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dead
}

func (n *local) connect(l *line) error {
	c := &conn{line: l, ended: make(chan struct{})}
	l.hangup = func() { c.Close(protocol.CloseGoingAway, "hung up") }
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errDead
	}
	socket := n.hub.Connect(c, channels.ConnectRequest{Key: key.Key, Protocol: "7", HasProtocol: true})
	if socket == nil {
		return errDead
	}
	l.say = func(text string) { socket.Receive([]byte(text)) }
	n.lines[l] = true
	n.hub.Go(func() {
		<-c.ended
		socket.End()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.lines, l)
	})
	return nil
}

func (n *local) trigger(ctx context.Context, channel, data string) error {
	if n.isDead() {
		return errDead
	}
	return n.app.Trigger(ctx, channels.Trigger{Name: "e", Data: data, Channels: []string{channel}})
}

func (n *local) members(ctx context.Context, channel string) ([]string, error) {
	all, err := n.app.Members(ctx, channel)
	ids := []string{}
	for _, m := range all {
		ids = append(ids, m.UserID)
	}
	return ids, err
}

func (n *local) sockets(ctx context.Context, channel string) (int, error) {
	info, err := n.app.Channel(ctx, channel)
	return info.Sockets, err
}

// kill cuts the node off from Redis for ever, as when its process is no more: its connections there end, and so do those of
// its clients. What it still does nobody sees.
func (n *local) kill() {
	if n.network != nil {
		n.network.Refuse()
	}
	n.mu.Lock()
	n.closed, n.dead = true, true
	lines := n.lines
	n.lines = nil
	n.mu.Unlock()
	for l := range lines {
		l.end()
	}
	n.cancel()
}

func (n *local) stop() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	<-n.ended
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = true
}

// A conn is a connection within this process.
type conn struct {
	line *line

	mu     sync.Mutex
	closed bool          // guarded by mu
	ended  chan struct{} // closed with it
}

// Send implements channels.Conn.
func (c *conn) Send(b protocol.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return channels.ErrClosed
	}
	for text := range b.All() {
		c.line.receive(text)
	}
	return nil
}

// Close implements channels.Conn.
func (c *conn) Close(protocol.CloseCode, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.ended)
		c.line.end()
	}
}

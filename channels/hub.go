package channels

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hark/protocol"
)

// A Hub serves apps to connections: it knows who is on which channel, and
// brings what the broker orders to them. Its methods may be called
// concurrently, before and during Run.
type Hub struct {
	// Static after construction.
	config    Config
	broker    Broker
	questions Questions
	grants    GrantStore // nil: grants are kept where they are asked for
	local     bool       // the broker never waits
	apps      map[string]*App
	byKey     map[string]*App
	channels  *registry
	sockets   *sockets
	flushers  []*flusher
	born      time.Time
	hooks     hooks

	state  atomic.Int32
	taken  atomic.Bool           // a connection has been taken: hooks are static
	begun  atomic.Bool           // the broker could be reached once
	outage atomic.Pointer[error] // why the broker cannot be reached; nil: it can
	ending chan struct{}         // closed when the hub begins to end
	tasks  tasks                 // readers, drains and lanes
	later  later                 // channels with something to tell when it is time

	closings closings // connections to be closed when it is time

	asking chan struct{} // one taken by each enumeration that is put to all nodes
}

const (
	stateNew int32 = iota
	stateRunning
	stateDraining
	stateEnded
)

// New returns a Hub that serves c, or says everything that is wrong with c. It
// starts nothing: connections are taken from now on, and what they ask for is
// answered once Run runs.
func New(c Config) (*Hub, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	h := &Hub{
		config:   c,
		broker:   c.Broker,
		apps:     make(map[string]*App),
		byKey:    make(map[string]*App),
		channels: newRegistry(),
		sockets:  newSockets(c.Flushers, len(c.Apps)),
		born:     time.Now(),
		ending:   make(chan struct{}),
		later:    later{channels: make(map[*Channel]bool)},
		asking:   make(chan struct{}, asksAtOnce),
	}
	h.closings.hub, h.closings.wake = h, make(chan struct{}, 1)
	(*sink)(h).State(ErrUnavailable) // until the broker says otherwise
	h.questions = c.Broker.(Questions)
	h.grants, _ = c.Broker.(GrantStore)
	_, h.local = c.Broker.(LocalBroker)
	h.tasks.idle.L = &h.tasks.mu
	for i := range c.Flushers {
		h.flushers = append(h.flushers, newFlusher(i, c, crowd{part: &h.sockets.parts[i]}))
	}
	for i, ac := range c.Apps {
		app := newApp(h, i, ac)
		h.apps[ac.ID] = app
		for _, alias := range ac.Aliases {
			h.apps[alias] = app
		}
		for _, k := range ac.Keys {
			h.byKey[k.Key] = app
		}
	}
	return h, nil
}

// App returns the app with an id or alias.
func (h *Hub) App(id string) (*App, bool) {
	a, ok := h.apps[id]
	return a, ok
}

// AppByKey returns the app that a key belongs to.
func (h *Hub) AppByKey(key string) (*App, bool) {
	a, ok := h.byKey[key]
	return a, ok
}

// Ready returns nil when clients and backends can be served, or why not.
func (h *Hub) Ready() error {
	switch h.state.Load() {
	case stateNew:
		return errors.New("starting")
	case stateRunning:
	default:
		return errors.New("shutting down")
	}
	if err := h.outage.Load(); err != nil {
		return *err
	}
	return nil
}

// Run serves until ctx ends, then closes all connections at a pace (4200, so
// that clients reconnect at once; idle ones first), tells the broker who has
// left, and who is to come back to another node, and returns when every goroutine
// of the hub has ended. A broker that
// fails ends it too; that is the error. It is called once.
func (h *Hub) Run(ctx context.Context) error {
	if !h.state.CompareAndSwap(stateNew, stateRunning) {
		return errors.New("channels: Hub.Run may be called once")
	}
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var owned sync.WaitGroup
	failed := make(chan error, 1)
	owned.Go(func() { failed <- h.broker.Run(inner, (*sink)(h)) })
	owned.Go(func() { h.later.run(inner) })
	owned.Go(func() { h.closings.run(inner) })
	for id, a := range h.apps {
		if id == a.ID() { // and no alias
			owned.Go(func() { a.runControl(inner) })
		}
	}
	for _, f := range h.flushers {
		owned.Go(func() { f.run(inner) })
		owned.Go(func() { h.sweep(inner, f.index) })
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("channels: the broker ended: %w", err)
	}
	h.state.Store(stateDraining)
	close(h.ending)
	h.drain()
	for _, a := range h.apps {
		a.observers.end(time.Now().Add(observersDrain))
	}
	h.tasks.wait()
	stop()
	owned.Wait()
	h.state.Store(stateEnded)
	return err
}

const (
	// drainStep is how often a drain closes another lot of connections, at most.
	drainStep = 100 * time.Millisecond
	// drainLot is how many connections may come back at the same moment without
	// anybody noticing: a drain of no more is over at once.
	drainLot = 10
)

// drain closes the connections over Config.Drain, idle ones first. 4200 makes
// clients come back at once, and no client backs off or adds jitter, so only
// the pace here keeps the other nodes from being stormed.
func (h *Hub) drain() {
	all := h.sockets.list()
	idlestFirst(all)
	lots := max(1, min(len(all)/drainLot, int(h.config.Drain/drainStep)))
	for i := range lots {
		if i > 0 {
			time.Sleep(h.config.Drain / time.Duration(lots))
		}
		for _, s := range all[len(all)*i/lots : len(all)*(i+1)/lots] {
			s.closeFor(Shutdown, protocol.CloseReconnect, "The server is restarting")
		}
	}
}

// Go runs f on a goroutine that Run waits for. It returns false, and does not
// run f, once the hub has ended. f must end soon after its connection does.
func (h *Hub) Go(f func()) bool { return h.tasks.start(f) }

// publish gives e to the broker, and helps to deliver it if e says so. Where this
// node has subscribers it first waits for room in their lists: until the
// deadline at most. Where that is zero it does not, and answers errWouldWait if
// it would have to.
func (h *Hub) publish(ctx context.Context, e Envelope, deadline time.Time) error {
	e.helped = e.helped && h.local // else it may be delivered after Publish has returned
	err := h.order(ctx, e, deadline)
	if e.helped {
		h.help(publisherLull)
	}
	return err
}

// help serves the few for whom the caller has just given the flushers something, as far
// as these have been idle for a lull. The caller holds no lock of the hub.
func (h *Hub) help(lull time.Duration) {
	for _, f := range h.flushers {
		f.help(lull)
	}
}

// order is publish without the help.
func (h *Hub) order(ctx context.Context, e Envelope, deadline time.Time) error {
	if c := h.channels.find(e.Place); c != nil && e.Kind == KindEvent {
		e.frame = e.encode()
		n := len(e.frame.Wire()) + entryOverhead
		if err := c.awaitRoom(ctx, n, deadline); err != nil {
			return err
		}
		defer c.release(n)
	}
	if !h.local {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline, ErrUnavailable)
		defer cancel()
	}
	_, err := h.broker.Publish(ctx, e)
	return err
}

// deadline is when a publish that begins now is given up.
func (h *Hub) deadline() time.Time { return time.Now().Add(h.config.BrokerTimeout) }

// brokerContext bounds one call of the broker.
func (h *Hub) brokerContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, h.config.BrokerTimeout, ErrUnavailable)
}

// ends reports whether the hub has begun to end.
func (h *Hub) ends() bool {
	select {
	case <-h.ending:
		return true
	default:
		return false
	}
}

// now is the time since the hub was made, in nanoseconds; it never goes back.
func (h *Hub) now() int64 { return int64(time.Since(h.born)) }

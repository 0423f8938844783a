package channels

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hark/authz"
	"hark/protocol"
)

// An App is a tenant of a Hub. Apps share nothing: neither names of channels,
// nor users, nor limits. Its methods may be called concurrently.
type App struct {
	hub         *Hub
	index       int // among the apps of the hub
	config      AppConfig
	verifier    *authz.Verifier
	public      []authz.Pattern // of AppConfig.PublicAllow
	personal    authz.Pattern   // of AppConfig.IdentityPattern
	connections atomic.Int64
	moment      atomic.Uint64 // in the order of grants and revocations: each command has the next. 1 before the first
	complained  atomic.Int64  // Hub.now when the log was told last that nobody can be let in; 0: never

	// Calls of the application's code, by what they are for: each has a bound of
	// its own, so that filters that hang keep nobody from connecting, nor anything of
	// this app another one.
	calls      authz.Calls // of its Authenticator, and of gates
	filters    authz.Calls
	handlers   authz.Calls // of custom messages
	loaders    authz.Calls // of initial state
	forgetting authz.Calls // of AppConfig.Invalidate
	observers  *observers

	held atomic.Int64 // connections that wait for the application's answer

	revocations revocations
	rechecks    rechecks
	control     *control     // commands to be carried out
	controlled  atomic.Int64 // bytes of those

	asking      chan struct{} // one taken by each enumeration that is asked for here
	enumerating chan struct{} // capacity 1; held while an enumeration is answered
}

func newApp(h *Hub, index int, c AppConfig) *App {
	c.Limits = c.Limits.WithDefaults()
	c.CacheTTL = orDefault(c.CacheTTL, 30*time.Minute)
	a := &App{
		hub: h, index: index, config: c,
		verifier: authz.NewVerifier(c.Keys), observers: newObservers(h), control: newControl(),
		asking: make(chan struct{}, appAsksAtOnce), enumerating: make(chan struct{}, 1),
	}
	for _, pattern := range c.PublicAllow {
		a.public = append(a.public, mustParse(pattern))
	}
	if c.IdentityPattern != "" {
		a.personal = mustParse(c.IdentityPattern)
	}
	a.moment.Store(1)
	return a
}

// mustParse parses a pattern that Config.validate has let pass.
func mustParse(pattern string) authz.Pattern {
	p, err := authz.ParsePattern(pattern)
	if err != nil {
		panic(err)
	}
	return p
}

// ID returns the app's id; never an alias.
func (a *App) ID() string { return a.config.ID }

// Verifier returns what checks the signatures of the app's keys.
func (a *App) Verifier() *authz.Verifier { return a.verifier }

// Limits returns the app's limits with the defaults filled in.
func (a *App) Limits() protocol.Limits { return a.config.Limits }

// Disabled reports whether the app is switched off.
func (a *App) Disabled() bool { return a.config.Disabled }

// EndpointConfig returns what an auth endpoint of the app is made with
// (authz.NewEndpoint): who asks, which policies are asked, where grants are kept, and
// by which key it signs. That is the oldest, which every node knows also while one
// after the other learns of another. Apps without Policies have no such endpoint:
// their backend signs.
func (a *App) EndpointConfig() authz.EndpointConfig {
	return authz.EndpointConfig{
		App:           a.ID(),
		Key:           a.config.Keys[0],
		Limits:        a.config.Limits,
		Authenticator: a.config.Authenticator,
		Policies:      a.config.Policies,
		Keeper:        a,
		Logger:        a.hub.config.Logger,
	}
}

func (a *App) place(channel string) Place { return Place{App: a.config.ID, Channel: channel} }

// A Trigger asks for an event to be published.
type Trigger struct {
	Name string
	// Data goes to the subscribers as it is, whatever it holds.
	Data string
	// Channels are the names, each once.
	Channels []string
	// Except is a socket that does not get the event; empty: everybody does.
	Except protocol.SocketID
	// Only and Without narrow the subscribers who get the event; zero: everybody
	// does, and nobody is left out. They are asked for each subscriber when its turn
	// comes. Such an event is not kept as the last one of a cache channel.
	Only, Without Selector
	// More says that the next Trigger follows at once: both may leave together.
	More bool
}

// An UndeliveredError names the channels of a Trigger that did not take the
// event; the others did. To trigger again may deliver twice.
type UndeliveredError struct {
	Channels []string
	Err      error // why the last of them did not
}

// Error names the channels.
func (e *UndeliveredError) Error() string {
	return "not delivered to " + strings.Join(e.Channels, ", ") + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *UndeliveredError) Unwrap() error { return e.Err }

// with returns e, or a first one, with a channel that did not take the event, if err is
// not nil.
func (e *UndeliveredError) with(channel string, err error) *UndeliveredError {
	if err == nil {
		return e
	}
	if e == nil {
		e = new(UndeliveredError)
	}
	e.Channels, e.Err = append(e.Channels, channel), err
	return e
}

// orNil returns e as an error that is nil if e is.
func (e *UndeliveredError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// Trigger publishes an event. The caller has checked t against the app's
// limits (protocol.ParseTrigger does). When it returns nil, every subscriber
// who reads gets the event. It waits for room in full lists and for the broker
// until ctx ends, and no longer than Config.BrokerTimeout in all. An
// *UndeliveredError names the channels that did not take it; another error says what
// is wrong with Only or Without.
func (a *App) Trigger(ctx context.Context, t Trigger) error {
	to, err := t.audience()
	if err != nil {
		return err
	}
	deadline := a.hub.deadline()
	if len(t.Channels) > 1 && !a.hub.local {
		return a.triggerAtOnce(ctx, t, to, deadline)
	}
	var failed *UndeliveredError
	for i := range t.Channels {
		failed = failed.with(t.Channels[i], a.publish(ctx, t, i, to, deadline))
	}
	return failed.orNil()
}

// triggerAtOnce publishes on all channels without waiting for one before the next: on
// many channels that takes as long as on one. Where it is more than
// publishesAtOnce, the others wait.
func (a *App) triggerAtOnce(ctx context.Context, t Trigger, to *matcher, deadline time.Time) error {
	errs := make([]error, len(t.Channels))
	room := make(chan struct{}, publishesAtOnce)
	var under sync.WaitGroup
	for i := range t.Channels {
		room <- struct{}{}
		under.Go(func() {
			errs[i] = a.publish(ctx, t, i, to, deadline)
			<-room
		})
	}
	under.Wait()
	var failed *UndeliveredError
	for i, err := range errs {
		failed = failed.with(t.Channels[i], err)
	}
	return failed.orNil()
}

// publishesAtOnce is on how many channels a Trigger is published at a time.
const publishesAtOnce = 100

// publish publishes a Trigger on one of its channels.
func (a *App) publish(ctx context.Context, t Trigger, i int, to *matcher, deadline time.Time) error {
	name := t.Channels[i]
	e := Envelope{Place: a.place(name), Name: t.Name, Data: t.Data, Except: t.Except}
	e.helped = !t.More && i == len(t.Channels)-1
	if to != nil {
		e.To, e.to = &to.Selector, to
	} else if protocol.KindOf(name).IsCache() {
		e.Cache = a.config.CacheTTL
	}
	err := a.hub.publish(ctx, e, deadline)
	if err != nil {
		a.hub.config.Counters.Dropped(dropReason(err), 1)
	}
	return err
}

// audience returns whom an event is for; nil: all subscribers. The error is that of
// a Selector that cannot be used.
func (t *Trigger) audience() (*matcher, error) {
	if t.Only.IsZero() && t.Without.IsZero() {
		return nil, nil
	}
	to := t.Only
	if to.IsZero() {
		to = Everyone()
	}
	if !t.Without.IsZero() {
		to = to.But(t.Without)
	}
	return to.compile()
}

// TriggerUser publishes an event to a user: all connections that are signed in as
// it, and have subscribed to their channel for that as pusher-js does, get it by
// pusher.user.bind. ErrNoTarget: the id is empty. Else it is Trigger.
func (a *App) TriggerUser(ctx context.Context, userID string, e Event) error {
	if userID == "" {
		return ErrNoTarget
	}
	return a.Trigger(ctx, Trigger{Name: e.Name, Data: e.Data, Channels: []string{protocol.ServerToUserPrefix + userID}})
}

// Terminate closes every connection that is signed in as a user, on all nodes,
// with 4009: clients do not come back by themselves. Where the app says who
// connects, by an Authenticator or a gate, that is every connection that speaks for
// the user; elsewhere those that are on a channel as the user, and have not signed
// in, stay: TerminateSelected with Users(userID) closes these as well.
//
// Pusher: https://pusher.com/docs/channels/server_api/terminating-user-connections/
func (a *App) Terminate(ctx context.Context, userID string) error {
	err := a.hub.publish(ctx, Envelope{Kind: KindTerminate, Place: a.place(userPlace + userID)}, a.hub.deadline())
	if err != nil || !a.asks() {
		return err
	}
	return a.TerminateSelected(ctx, Users(userID), "")
}

// TerminateSelected closes the selected connections, on all nodes, with 4009 and a
// reason ("" takes words of its own): clients do not come back by themselves. It is
// for a ban; what may change again is for Reauthenticate. The errors are those of
// Revoke.
func (a *App) TerminateSelected(ctx context.Context, to Selector, reason string) error {
	return a.command(ctx, Control{Do: doTerminate, To: to, Reason: orDefault(reason, terminated)})
}

// terminated is the reason that Pusher's API gives.
const terminated = "You got disconnected by the app."

// ChannelInfo says how many are on a channel, on all nodes.
type ChannelInfo struct {
	Name    string
	Sockets int // subscriptions
	Users   int // distinct users; presence channels only
	// Cached is the channel's cached event. It is zero when there is none, which
	// includes one that is out of date.
	Cached Cached
}

// Occupied lists the channels with a subscriber whose name begins with
// prefix, in no order. Channels that the server keeps for itself (#) are left
// out.
func (a *App) Occupied(ctx context.Context, prefix string) ([]ChannelInfo, error) {
	ctx, cancel := a.hub.brokerContext(ctx)
	defer cancel()
	all, err := a.hub.questions.Occupied(ctx, a.ID(), prefix)
	if err != nil {
		return nil, err
	}
	visible := all[:0]
	for _, info := range all {
		if !strings.HasPrefix(info.Name, "#") {
			visible = append(visible, info)
		}
	}
	return visible, nil
}

// Channel counts who is on a channel. One that nobody is on has zero counts.
func (a *App) Channel(ctx context.Context, name string) (ChannelInfo, error) {
	ctx, cancel := a.hub.brokerContext(ctx)
	defer cancel()
	info, err := a.hub.questions.Info(ctx, a.place(name))
	if !info.Cached.fresh() {
		info.Cached = Cached{}
	}
	return info, err
}

// Members lists the users on a presence channel, in order of joining.
func (a *App) Members(ctx context.Context, name string) ([]protocol.Member, error) {
	ctx, cancel := a.hub.brokerContext(ctx)
	defer cancel()
	return a.hub.questions.Members(ctx, a.place(name))
}

// full refuses a connection that would be one too many; nil: it would not.
func (a *App) full() *protocol.Error {
	if a.config.AuthorizeWithin == 0 && a.connections.Load() >= int64(a.config.Limits.Connections) {
		return overQuota()
	}
	return nil
}

// connect counts a connection in, unless that is one too many.
func (a *App) connect() *protocol.Error {
	if a.connections.Add(1) > int64(a.config.Limits.Connections) {
		a.connections.Add(-1)
		return overQuota()
	}
	return nil
}

func overQuota() *protocol.Error { return protocol.NewError(protocol.CloseOverQuota) }

var (
	// errWouldWait answers a call that may not wait and would have to.
	errWouldWait = errors.New("channels: would have to wait")
	// errListFull answers a publisher for whom no room was made in time.
	errListFull = errors.New("channels: too much waits to be sent on the channel")
)

// dropReason says why an event was not published.
func dropReason(err error) DropReason {
	if errors.Is(err, errListFull) {
		return DropListFull
	}
	return DropUnavailable
}

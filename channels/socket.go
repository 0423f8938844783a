package channels

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"hark/authz"
	"hark/protocol"
)

// A ConnectRequest is what a client said when it connected, in its URL.
type ConnectRequest struct {
	// Key names the app, by any of its live keys.
	Key string
	// Protocol and Version are the query parameters protocol and version;
	// HasProtocol tells an absent protocol from an empty one.
	Protocol    string
	HasProtocol bool
	Version     string
	// HTTP is the request that asks for the connection, where there is one. It is
	// not kept.
	HTTP *http.Request

	answer *answer // of the application; nil: it was not asked. See Hub.Ask
}

// A Socket is one connection of a client. The transport that made it calls
// Receive and Alive from one goroutine at a time, and End once at the end.
type Socket struct {
	// Static after construction.
	id      protocol.SocketID
	app     *App
	hub     *Hub
	conn    Conn
	flusher *flusher
	version int    // of the protocol
	since   int64  // Hub.now when it connected
	born    uint64 // the app's moment when it connected

	heard atomic.Int64 // Hub.now when something was received last
	known atomic.Bool  // has shown that it may be here, and counts for the app's quota
	held  atomic.Bool  // Receive waits: no further messages are read
	gone  atomic.Bool  // closed by the hub, or ended: nothing is worth waiting for
	ended atomic.Bool

	slot   int   // guarded by its socketPart
	parcel int32 // in its flusher's outgoing, from 1; 0: none. Guarded by its turn
	closes int32 // among Hub.closings, from 1; 0: not. Guarded by closings.mu
	pinged int64 // Hub.now when a ping was sent and not answered; owned by the sweeper

	// Written under mu.
	session  atomic.Pointer[session] // of the signin; nil: there was none
	identity atomic.Pointer[speaker] // who the socket speaks for; nil: a guest
	auth     atomic.Pointer[auth]    // nil: nothing was granted, and nothing ends

	bucket bucket      // for client events; owned by Receive
	more   atomic.Bool // Receive has the next message at hand

	doing sync.Mutex // before all other locks: something is being done at once
	lanes *lanes     // nil until something had to wait; guarded by doing

	called  atomic.Pointer[called] // nil until a hook was called for the socket
	closing atomic.Pointer[End]    // how the hub has ended it; nil: it has not

	mu sync.Mutex
	// Guarded by mu.
	subs    subscriptions
	values  map[any]any // of the application
	revoked *[]*taking  // what has been taken back, each pattern once; nil: nothing
}

// Connect takes a connection in. It returns nil if it refuses it: then the
// client has been sent a pusher:error and the Conn is closed with its code,
// after the transport's handshake has succeeded, since browsers cannot read a
// failed one. Otherwise connection_established has been sent, and with it what
// gates welcome the client with.
//
// Where the application has a say, Ask comes first; without its answer the
// connection is refused.
func (h *Hub) Connect(c Conn, r ConnectRequest) *Socket {
	h.taken.Store(true)
	app, version, err := h.admit(&r)
	if err != nil {
		_ = c.Send(protocol.Join(err.Frame())) // the Close says it too
		h.config.Counters.Closed(err.Code)
		c.Close(err.Code, err.Message)
		return nil
	}
	s := &Socket{app: app, hub: h, conn: c, version: version, since: h.now(), born: app.moment.Load()}
	s.known.Store(app.counts(r.Identity()))
	s.id = protocol.NewSocketID() // 64 random bits, unique without asking
	s.flusher = h.flushers[h.sockets.part(s.id)]
	s.bucket.fill(app.config.Limits.ClientEvents)
	s.Alive()
	news := s.becomeLocked(r.Identity(), ByUpgrade) // nobody else knows it yet
	began, first := s.born, []protocol.Frame{protocol.ConnectionEstablished(s.id, h.config.ActivityTimeout).Frame()}
	if r.answer != nil {
		began, first = r.answer.moment, append(first, r.answer.welcome...)
	}
	s.tellConnected()
	h.sockets.add(s, protocol.Join(first...))
	s.overtook(s.Identity(), began)
	if news {
		h.tellAuthenticated(s, ByUpgrade)
	}
	if h.state.Load() >= stateDraining {
		s.closeFor(Shutdown, protocol.CloseReconnect, "The server is restarting") // the drain may not have seen it
	}
	return s
}

// admit decides whether a connection may come in, and counts it if so.
func (h *Hub) admit(r *ConnectRequest) (*App, int, *protocol.Error) {
	app, version, refusal := h.check(r)
	var why error
	if refusal == nil && app.asks() {
		if r.answer == nil {
			refusal = &protocol.Error{Code: protocol.CloseUnauthorized, Message: "The transport has not asked who connects"}
		} else {
			refusal, why = r.answer.refusal, r.answer.err
		}
	}
	if refusal == nil && app.counts(r.Identity()) {
		refusal = app.connect()
	}
	if refusal != nil && refusal.Code == protocol.CloseUnauthorized {
		if why == nil {
			why = refusal
		}
		h.tellAuthFailed(AuthFailure{App: app.ID(), Remote: r.remote(), Identity: r.Identity(), Err: why})
	}
	return app, version, refusal
}

// check decides what can be decided without asking anybody. A code of 42xx
// would make a refused client try again without a pause.
func (h *Hub) check(r *ConnectRequest) (*App, int, *protocol.Error) {
	if h.state.Load() >= stateDraining {
		return nil, 0, protocol.NewError(protocol.CloseOverCapacity)
	}
	app, ok := h.byKey[r.Key]
	if !ok {
		return nil, 0, protocol.UnknownApp(r.Key)
	}
	if app.Disabled() {
		return nil, 0, protocol.NewError(protocol.CloseAppDisabled)
	}
	version, err := protocol.CheckVersion(r.Protocol, r.Version, r.HasProtocol)
	if wrong, ok := errors.AsType[*protocol.Error](err); ok {
		return nil, 0, wrong
	}
	return app, version, app.checkOrigin(r.HTTP)
}

// counts reports whether a connection counts for the app's quota from the
// beginning.
func (a *App) counts(id authz.Identity) bool { return a.config.AuthorizeWithin == 0 || !id.Guest() }

// identify notes that the client has shown that it may be here. Where only such
// clients count for the quota, this may be one too many: it returns false and
// closes the connection.
//
// Pusher: https://pusher.com/docs/channels/using_channels/authorized-connections/
func (s *Socket) identify() bool {
	refusal := s.countIn()
	if refusal != nil {
		s.fail(refusal)
		s.close(refusal.Code, refusal.Message)
	}
	return refusal == nil
}

// countIn counts the socket in, once; lanes may call it at the same time.
func (s *Socket) countIn() *protocol.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.Load() || s.ended.Load() {
		return nil
	}
	refusal := s.app.connect()
	s.known.Store(refusal == nil)
	return refusal
}

// ID returns the socket's id, which backends use to leave it out of an event.
func (s *Socket) ID() protocol.SocketID { return s.id }

// App returns the app that the client has connected to.
func (s *Socket) App() *App { return s.app }

// Identity returns who the socket speaks for; the zero Identity: a guest.
func (s *Socket) Identity() authz.Identity {
	if now := s.identity.Load(); now != nil {
		return now.Identity
	}
	return authz.Identity{}
}

// MessageLimit is how many bytes one message from the client may have.
func (s *Socket) MessageLimit() int { return s.app.config.Limits.Message }

// Alive notes that something was received that is not a message, such as a
// ping frame of the transport.
func (s *Socket) Alive() { s.heard.Store(s.hub.now()) }

// End says that the connection has ended. It takes the socket off all its
// channels.
func (s *Socket) End() {
	if s.ended.Swap(true) {
		return
	}
	s.gone.Store(true)
	s.hub.sockets.remove(s)
	s.hub.closings.remove(s)
	s.mu.Lock()
	subs := s.subs
	s.subs = subscriptions{}
	s.giveUpLocked(subs)
	if s.known.Load() {
		s.app.connections.Add(-1)
	}
	s.mu.Unlock()
	if c := s.called.Load(); c != nil {
		c.end()
	}
	for sub := range subs.all {
		s.leave(sub, End{By: withConnection})
	}
	s.signout()
	s.finally(s.tellDisconnected)
}

// send gives the client frames that only it gets, or that a flusher joined.
func (s *Socket) send(b protocol.Batch) { _ = s.trySend(b) }

// trySend is send, and returns what the Conn says.
func (s *Socket) trySend(b protocol.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := s.conn.Send(b)
	if errors.Is(err, ErrSlow) {
		s.slow(b.Len())
	}
	return err
}

// sendAll is send for each of batches in order, with one write if the Conn can.
func (s *Socket) sendAll(batches []protocol.Batch) {
	gatherer, ok := s.conn.(Gatherer)
	if !ok || len(batches) == 1 {
		for _, b := range batches {
			s.send(b)
		}
		return
	}
	if err := gatherer.SendAll(batches); errors.Is(err, ErrSlow) {
		n := 0
		for _, b := range batches {
			n += b.Len()
		}
		s.slow(n)
	}
}

// slow counts that the connection was closed over frames that it did not take. That
// is answered once, and its End may be told before this is.
func (s *Socket) slow(frames int) {
	s.gone.Store(true)
	s.hub.config.Counters.Dropped(DropSlow, frames)
	s.closing.CompareAndSwap(nil, &End{Code: protocol.CloseOverCapacity, Reason: protocol.CloseOverCapacity.Reason(), By: ByServer})
	s.hub.config.Counters.Closed(protocol.CloseOverCapacity)
}

// close ends the connection with a code, over something that the client did or
// did not do; "" takes the code's own reason. Only the first call counts.
func (s *Socket) close(code protocol.CloseCode, reason string) { s.closeFor(ByServer, code, reason) }

// closeFor is close, and says who ends the connection.
func (s *Socket) closeFor(by EndedBy, code protocol.CloseCode, reason string) {
	if s.gone.Swap(true) {
		return
	}
	if reason == "" {
		reason = code.Reason()
	}
	s.closing.Store(&End{Code: code, Reason: reason, By: by})
	s.hub.config.Counters.Closed(code)
	s.conn.Close(code, reason)
}

// subscription returns the socket's subscription on c, or nil.
func (s *Socket) subscription(c *Channel) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs.find(c.place.Channel); sub != nil && sub.channel == c {
		return sub
	}
	return nil
}

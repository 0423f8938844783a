package channels

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/protocol"
)

// An Event is a name and data as hooks see them.
type Event struct {
	Name string
	// Data is the text of any JSON value; clients get it decoded.
	Data string
}

// NewEvent returns an Event whose data is v, encoded as JSON.
func NewEvent(name string, v any) (Event, error) {
	data, err := json.Marshal(v)
	return Event{Name: name, Data: string(data)}, err
}

// A Welcome is what a gate gives to a connection that it lets in.
type Welcome struct {
	// Identity, if not nil, takes the place of what the Authenticator said; the zero
	// Identity makes the client a guest.
	Identity *authz.Identity
	// Events are sent right after connection_established, without a channel:
	// pusher-js hands them to pusher.bind.
	Events []Event
}

// A CloseError makes a gate close the connection with a code of its choice, which
// says whether clients come back. It closes with 4100 in place of 42xx, with which
// clients would come back without any pause, and with 4009 in place of what closes
// nothing.
type CloseError struct {
	Code   protocol.CloseCode
	Reason string // "": the code's own
}

// Error returns the code and the reason.
func (e *CloseError) Error() string { return fmt.Sprintf("close %d %s", e.Code, e.Reason) }

// An AuthKind says what identified a connection.
type AuthKind uint8

// The ways to be identified.
const (
	ByUpgrade AuthKind = iota // the Authenticator or a gate, before the connection was let in
	BySignin                  // pusher:signin
	ByChannel                 // a subscription that was granted or signed to a user
)

// String returns "upgrade", "signin" or "channel".
func (k AuthKind) String() string {
	return [...]string{"upgrade", "signin", "channel"}[k]
}

// An AuthFailure is a connection, a signin or a subscription that was refused.
type AuthFailure struct {
	App      string
	Socket   protocol.SocketID // "": the connection was not let in
	Channel  string            // "": it was no subscription
	Remote   string            // the client's address, where the transport knows it
	Identity authz.Identity
	Err      error
}

// An End says how a connection or a subscription ended.
type End struct {
	Code   protocol.CloseCode // of a connection that this side closed; else 0
	Reason string
	By     EndedBy
}

// EndedBy says who ended something.
type EndedBy uint8

// Who may end a connection or a subscription.
const (
	ByClient EndedBy = iota // unsubscribed, closed, or gone
	ByServer                // closed over a limit, silence, an expired identity
	Revoked                 // permission was taken back
	Shutdown                // the hub ends
)

// hooks are what the application wants to be asked and told. Static once the
// first connection has been taken.
type hooks struct {
	connecting []func(context.Context, *ConnectRequest) (Welcome, error)

	connected     []func(context.Context, *Socket)
	disconnected  []func(context.Context, *Socket, End)
	authenticated []func(context.Context, *Socket, AuthKind)
	authFailed    []func(context.Context, AuthFailure)
	failed        []func(context.Context, *Socket, error)
	messaged      []func(context.Context, *Socket, string, Event)
	joined        []onChannel[func(context.Context, *Subscription, authz.Captures)]
	unsubscribed  []onChannel[func(context.Context, *Subscription, authz.Captures, End)]
	occupied      []onChannel[func(context.Context, Place, authz.Captures)]
	vacated       []onChannel[func(context.Context, Place, authz.Captures)]
	memberAdded   []onChannel[func(context.Context, Place, authz.Captures, protocol.Member)]
	memberRemoved []onChannel[func(context.Context, Place, authz.Captures, string)]

	initial  []onChannel[func(context.Context, *Subscription, authz.Captures) ([]Event, error)]
	filters  []onChannel[func(context.Context, *ClientEvent) (Verdict, error)]
	messages map[string]func(context.Context, *Socket, Event) error
}

// registering panics once connections may have been taken: hooks are read
// without a lock from then on.
func (h *Hub) registering() {
	if h.taken.Load() || h.state.Load() != stateNew {
		panic("channels: hooks are registered before the first connection and before Run")
	}
}

// OnConnecting registers a gate: it is asked before a client is let in, and may
// refuse it. What the Authenticator has said is r.Identity. Gates are asked in order
// of registration; the first error counts.
// authz.ErrUnavailable, and whatever else is not an answer (an error of another
// kind, a panic, no answer in time), holds the upgrade and asks again, and in the
// end the client is told to come back later (503). A *CloseError closes with its
// code; authz.ErrUnauthenticated and authz.ErrDenied close with 4009, after which
// pusher-js does not come back.
func (h *Hub) OnConnecting(f func(ctx context.Context, r *ConnectRequest) (Welcome, error)) {
	h.registering()
	h.hooks.connecting = append(h.hooks.connecting, f)
}

// OnConnected registers an observer of connections that were let in.
//
// Observers, of this and the other kinds, are told after the fact and can change
// nothing. They run off the goroutines that serve clients, in order for one
// connection (and, where they are about a channel as a whole, for one channel),
// several of one kind in order of registration. ctx ends after 3 s; an observer
// that goes on after that is no longer waited for, and a panic is logged, so one
// that is slow or broken delays the later ones of its connection only. What is
// too much for Config.ObserverQueue is not told, and counted. When the hub ends,
// Hub.Run waits a few seconds until they have been told everything.
func (h *Hub) OnConnected(f func(ctx context.Context, s *Socket)) {
	h.registering()
	h.hooks.connected = append(h.hooks.connected, f)
}

// OnDisconnected registers an observer of connections that have ended: the last
// that is told of a connection. It is not told when the process dies: do not
// release what matters in it alone.
func (h *Hub) OnDisconnected(f func(ctx context.Context, s *Socket, why End)) {
	h.registering()
	h.hooks.disconnected = append(h.hooks.disconnected, f)
}

// OnAuthenticated registers an observer of connections that have come to speak
// for a user, whichever way: once for each connection. It is told again only where
// a connection that a subscription had identified signs in as another user, and
// where one that had become a guest's is authenticated anew.
func (h *Hub) OnAuthenticated(f func(ctx context.Context, s *Socket, by AuthKind)) {
	h.registering()
	h.hooks.authenticated = append(h.hooks.authenticated, f)
}

// OnAuthFailed registers an observer of what was refused for want of permission.
func (h *Hub) OnAuthFailed(f func(ctx context.Context, a AuthFailure)) {
	h.registering()
	h.hooks.authFailed = append(h.hooks.authFailed, f)
}

// OnError registers an observer of messages that were answered with an error:
// with a pusher:error, or with what refuses a subscription. err is the reason,
// which may say more than the client was told.
func (h *Hub) OnError(f func(ctx context.Context, s *Socket, err error)) {
	h.registering()
	h.hooks.failed = append(h.hooks.failed, f)
}

// OnMessage registers an observer of client events (with their channel) and
// custom messages ("") that were not answered with an error, after they have been
// carried out. e is what the client sent, whatever filters made of it.
func (h *Hub) OnMessage(f func(ctx context.Context, s *Socket, channel string, e Event)) {
	h.registering()
	h.hooks.messaged = append(h.hooks.messaged, f)
}

// OnJoined registers an observer of subscriptions that have succeeded, on
// channels that the pattern matches (authz.ParsePattern). It is given what the
// pattern captures, as are the other hooks with a pattern; nobody modifies that.
func (h *Hub) OnJoined(pattern string, f func(ctx context.Context, sub *Subscription, c authz.Captures)) {
	add(h, &h.hooks.joined, pattern, f)
}

// OnUnsubscribed registers an observer of subscriptions that have ended: once for
// each that OnJoined would be told of, with the same sub.
func (h *Hub) OnUnsubscribed(pattern string, f func(ctx context.Context, sub *Subscription, c authz.Captures, why End)) {
	add(h, &h.hooks.unsubscribed, pattern, f)
}

// OnOccupied registers an observer of channels that have got their first
// subscriber on this node.
func (h *Hub) OnOccupied(pattern string, f func(ctx context.Context, p Place, c authz.Captures)) {
	add(h, &h.hooks.occupied, pattern, f)
}

// OnVacated registers an observer of channels that have lost their last
// subscriber on this node.
func (h *Hub) OnVacated(pattern string, f func(ctx context.Context, p Place, c authz.Captures)) {
	add(h, &h.hooks.vacated, pattern, f)
}

// OnMemberAdded registers an observer of users who have come to a presence
// channel, with their first socket, as far as this node looks: between OnOccupied
// and OnVacated. When it begins to look it is told of all who are there, and when
// it ceases, by OnMemberRemoved, that they have gone; so of every user it is told
// the two in turn.
func (h *Hub) OnMemberAdded(pattern string, f func(ctx context.Context, p Place, c authz.Captures, m protocol.Member)) {
	add(h, &h.hooks.memberAdded, pattern, f)
}

// OnMemberRemoved registers an observer of users whose last socket has gone from
// a presence channel, as far as this node looks.
func (h *Hub) OnMemberRemoved(pattern string, f func(ctx context.Context, p Place, c authz.Captures, userID string)) {
	add(h, &h.hooks.memberRemoved, pattern, f)
}

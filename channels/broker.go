package channels

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"time"

	"hark/authz"
	"hark/presence"
	"hark/protocol"
)

// A Place is a channel of an app. The app's id is in every key: two apps
// cannot hear each other.
type Place struct {
	App     string // the app's id, never an alias
	Channel string
}

// hash spreads places over shards. It is not maphash.Comparable: of that Go 1.26.8, with
// a profile, has made what it could not link (R_USEIFACE … is not a type or itab).
func (p Place) hash(seed maphash.Seed) uint64 {
	return 31*maphash.String(seed, p.App) + maphash.String(seed, p.Channel)
}

// A Position says where in a place's order something stands. Positions of
// different epochs cannot be compared; an epoch is random and lives as long as
// the place.
type Position struct {
	Epoch uint64
	Seq   uint64
}

// An Envelope is what a broker orders on a place. Its Kind says which of the
// other fields count.
type Envelope struct {
	Kind     EnvelopeKind
	Place    Place
	Position Position // set by the broker

	// KindEvent: Name, Data and UserID are the event's. UserID is set for client
	// events on presence channels.
	Name, Data, UserID string
	// Except is the socket that does not get the event; empty: everybody does.
	Except protocol.SocketID
	// To narrows the subscribers who get the event; nil: all get it.
	To *Selector
	// Cache is how long the event is kept for those who come later; 0: it is not.
	Cache time.Duration

	// KindChange: Diff is the member who came or went.
	Diff presence.Diff

	// KindCount: Sockets is how many there are on the place now.
	Sockets int

	// KindControl: Control is what the nodes are to do.
	Control *Control

	// frame is the event, encoded by the node that publishes it, for itself.
	frame protocol.Frame
	// helped says that whoever publishes it, or delivers it, has nothing else to do at
	// once, and helps the flushers then.
	helped bool
	// to is To, compiled by the node that publishes it, for itself.
	to *matcher
}

// An EnvelopeKind says what an Envelope tells.
type EnvelopeKind uint8

// The kinds of envelopes.
const (
	KindEvent     EnvelopeKind = iota // an event for the subscribers
	KindChange                        // a user's first socket came, or the last one went
	KindCount                         // a socket came or went, where that is told
	KindTerminate                     // the connections of the user whose place it is are to be closed
	KindControl                       // a command to all nodes, on ControlChannel
)

// ControlChannel is the channel of the place on which an app's commands to all
// nodes are ordered. Every node that runs holds it, for each app, without having
// entered it. Its sequence goes on while nobody is connected.
const ControlChannel = "#control"

// An Occupant is a socket on a place.
type Occupant struct {
	Socket protocol.SocketID
	// Member is who the socket speaks for on a presence channel; zero elsewhere.
	Member protocol.Member
	// MaxMembers bounds the distinct users of the place; 0: no bound.
	MaxMembers int
	// Counted asks for a KindCount when the occupant comes and when it goes.
	Counted bool
	// Returning says, in a Leave, that this node ends and has sent the socket away: its
	// client is expected on another one.
	Returning bool
}

// A Cached is the last event of a cache channel.
type Cached struct {
	Name, Data string
	Until      time.Time // when it is forgotten; zero: there is none
}

// A Snapshot is a place's state at a Position, that position included.
type Snapshot struct {
	Position Position
	Members  []protocol.Member // in order of joining; empty off presence channels
	Sockets  int
	Cached   Cached
	// Unsettled says, in a Gap, that who is there is not known yet: Members and
	// Sockets do not count, and a Correct follows.
	Unsettled bool
}

// A Broker gives what happens on a place one order, for all nodes. Methods may
// be called concurrently. The suite brokertest holds every broker to this.
//
// An error other than ErrFull means that the broker could not be asked, or did
// not answer before ctx ended; the call may have taken effect all the same.
type Broker interface {
	// Publish orders e among what happens on its place and hands it to every
	// node that holds the place, this one included. A place that nobody holds
	// takes it and gives it to nobody. An event with a Cache becomes the cached
	// event of the place at its position in the order, whoever holds the place. A
	// KindControl goes to every node.
	Publish(ctx context.Context, e Envelope) (Position, error)

	// Enter puts occupants on p: all, or none and an error. The first of this
	// node makes the node hold the place. A user who was not there before is
	// announced by a KindChange; what asks for it is told a KindCount after that. The Snapshot
	// includes the occupants. An occupant who is on p already is not counted
	// twice.
	// ErrFull: a user more than MaxMembers.
	Enter(ctx context.Context, p Place, o ...Occupant) (Snapshot, error)

	// Leave takes occupants off p; one who is not there is passed over. The
	// user's last socket is announced by a KindChange; what
	// asks for it is told a KindCount after that. A broker that cannot be reached remembers the leave and returns nil.
	// Where there are other nodes, the user of one who is Returning stays, and the
	// place occupied, until a while after this node's Run has ended. A broker of one
	// node takes it for any other leave.
	Leave(ctx context.Context, p Place, o ...Occupant) error

	// Run delivers to s until ctx ends. It is called once. Before it, the other
	// methods answer ErrUnavailable. Occupants who are still there when it ends are
	// taken off, as those who are Returning.
	Run(ctx context.Context, s Sink) error
}

// Questions are what can be asked of a broker about all nodes at once. An
// answer is complete, or there is an error.
type Questions interface {
	// Info counts the sockets and users on p, and returns its cached event.
	Info(ctx context.Context, p Place) (ChannelInfo, error)
	// Members lists the users on a presence channel, in order of joining.
	Members(ctx context.Context, p Place) ([]protocol.Member, error)
	// Occupied lists the places of an app that have a socket and whose channel
	// begins with prefix, in no order.
	Occupied(ctx context.Context, app, prefix string) ([]ChannelInfo, error)
	// Ask puts a question to every node that lives, this one included
	// (Sink.Answer), and returns what they say, in no order. A node whose lease is
	// over is not waited for. A *SilentError names those of which no answer came
	// before ctx ended, or within the time that the broker has for a call, and those
	// that could not answer; what the others say is returned with it. ErrUnavailable:
	// it is not known what nodes say. A hub asks 4 questions at a time.
	Ask(ctx context.Context, question string) ([]Answer, error)
}

// An Answer is what a node says to a question.
type Answer struct {
	Node string // its name, which no other node has
	Text string
}

// A SilentError names the nodes of which it is not known what they have: they did not
// answer in time, or could not. What is returned with it is that of the others.
type SilentError struct {
	Nodes []string // in order
	Err   error    // why the last of them did not
}

// Error names the nodes.
func (e *SilentError) Error() string {
	return "channels: no answer of " + strings.Join(e.Nodes, ", ") + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *SilentError) Unwrap() error { return e.Err }

// A Sink is told by a broker what happens, place by place in order. Calls for
// one place never overlap. No method but Answer blocks.
type Sink interface {
	// Deliver hands over the next envelope of its place. It may send it to a few sockets
	// itself, on the caller's goroutine.
	Deliver(e Envelope)
	// Gap says that envelopes of p were lost and what its state is now. For
	// ControlChannel, before the first State(nil), it says where the app's commands
	// stand when this node begins: nothing that was for this node was lost.
	Gap(p Place, now Snapshot)
	// Correct says that no envelope of p was lost, and that who is there may have
	// become others without one: what the state is now, after all that was delivered.
	Correct(p Place, now Snapshot)
	// State says whether the broker can be reached: nil, or why not.
	State(err error)
	// Answer answers a question of a node. It may take until ctx ends, and is called
	// concurrently with everything.
	Answer(ctx context.Context, question string) (string, error)
}

// A GrantStore is a Broker that also keeps grants for sockets of other nodes: a
// client's auth request may reach another node than its connection. An error means
// that it could not be asked.
type GrantStore interface {
	// KeepGrant keeps g for a socket of an app, for authz.GrantTTL or until it is
	// taken. The newer of two for one channel counts, by their Moment.
	KeepGrant(ctx context.Context, app string, id protocol.SocketID, channel string, g authz.Grant) error
	// TakeGrant returns the grant, how long it was kept, and whether there was one. It
	// is not there any more.
	TakeGrant(ctx context.Context, app string, id protocol.SocketID, channel string) (g authz.Grant, kept time.Duration, ok bool, err error)
}

// LocalBroker marks a Broker whose calls never wait for anything outside this
// process, so that the hub may make them on the goroutine that reads a socket,
// and which has called Sink.Deliver when Publish returns.
type LocalBroker interface {
	Broker
	Local()
}

var (
	// ErrFull says that a presence channel has no place for one more user.
	ErrFull = errors.New("channels: the presence channel is full")
	// ErrUnavailable says that the broker cannot be reached now; ask again.
	ErrUnavailable = errors.New("channels: the broker is not available")
)

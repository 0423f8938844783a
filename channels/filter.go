package channels

import (
	"context"

	"hark/authz"
	"hark/protocol"
)

// A ClientEvent is a client event that has passed the checks of the protocol: its
// sender is subscribed, the channel carries client events, and it is within the
// limits, that of the rate too.
type ClientEvent struct {
	Socket   *Socket
	Sender   authz.Identity // who the socket speaks for, whatever the data claims
	Channel  string
	Captures authz.Captures // of the filter's pattern; nobody modifies them
	Event    Event          // as the filters before have left it
}

// Filter registers a gate for client events on channels that the pattern
// matches: it looks at an event before anybody gets it, and its Verdict says what
// becomes of that.
//
// Filters are asked in order of registration until one says something else than
// Pass or Replace. The events of one connection on one channel are filtered and
// delivered in the order in which they came; what it does on other channels, and
// what others do, does not wait. ctx ends after 3 s, or with the connection: then
// events that were not yet filtered are not delivered.
//
// An error, a panic, and no answer in time reject the event: the sender is told
// that it could not be checked, and the event is counted.
func (h *Hub) Filter(pattern string, f func(ctx context.Context, e *ClientEvent) (Verdict, error)) {
	add(h, &h.hooks.filters, pattern, f)
}

// A Verdict is what a filter makes of a client event. The zero Verdict rejects it.
type Verdict struct {
	action     action
	event      Event
	refusal    protocol.Error
	deliveries []Delivery
}

type action uint8

const (
	reject action = iota
	pass
	replace
	drop
	route
)

// Pass hands the event on as it is: to the next filter, and to the subscribers
// after the last.
func Pass() Verdict { return Verdict{action: pass} }

// Replace hands e on in its place. It is a client event still: a name without
// client-, or a name or data over the app's limits, is an error of the filter.
func Replace(e Event) Verdict { return Verdict{action: replace, event: e} }

// Drop ends it: nobody gets the event, and the sender is not told.
func Drop() Verdict { return Verdict{action: drop} }

// Reject ends it, and the sender gets a pusher:error, which names the channel so
// that pusher-js tells the channel's handlers too. The code goes to the client
// alone and closes nothing; 0: 4301. The message is for the developer who reads
// the client's log; "": that it was rejected.
func Reject(code protocol.CloseCode, message string) Verdict {
	return Verdict{refusal: protocol.Error{Code: code, Message: message}}
}

// Route ends it, and delivers something else in its place, in the order given. If
// one of the deliveries breaks a rule none is made, and that is an error of the
// filter.
func Route(d ...Delivery) Verdict { return Verdict{action: route, deliveries: d} }

// A Delivery is what one audience gets in place of a client event. The socket that
// has sent that never gets it.
type Delivery struct {
	// Channel is any channel of the app.
	Channel string
	// Event may have any name that is not the protocol's own. It carries no
	// user_id: whether it says who has sent it is up to its data.
	Event Event
	// Except are further subscribers who do not get it; zero: there are none. It
	// is looked at when the event is sent.
	Except Selector
	// Each, if not nil, makes the copy of one user in place of Event; false:
	// that user gets none. It is called once for every user on the channel, and
	// once with the zero Identity for all guests, one after the other, before
	// anything is delivered; all of it must be done within 3 s. It reaches the
	// subscribers of this node; one who subscribes after the calls have begun
	// gets nothing.
	Each func(to authz.Identity) (Event, bool)
}

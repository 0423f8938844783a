package channels

import (
	"context"

	"hark/authz"
)

// A ClientEvent is a client event that has passed the checks of the protocol: its
// sender is subscribed, the channel carries client events, and it is within the
// limits.
type ClientEvent struct {
	Socket   *Socket
	Sender   authz.Identity // who the socket speaks for, whatever the data claims
	Channel  string
	Captures authz.Captures // of the filter's pattern
	Event    Event
}

// A Verdict is what a filter makes of a client event.
type Verdict struct{}

// Filter registers a gate for client events on channels that the pattern
// matches.
func (h *Hub) Filter(pattern string, f func(ctx context.Context, e *ClientEvent) (Verdict, error)) {
	add(h, &h.hooks.filters, pattern, f)
}

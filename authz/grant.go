package authz

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// A Grant is what came of a question that was answered with yes. The auth endpoint keeps it for the socket
// ([Keeper]), which redeems it when its subscribe arrives.
type Grant struct {
	Identity Identity
	// Info is what other members of a presence channel see.
	Info jsontext.Value
	// TTL is after what time the policies are to be asked again; 0: never.
	TTL time.Duration
	// Moment is where in the app's order of grants and revocations the decision began: a revocation after it has
	// precedence, however late the grant arrives.
	Moment uint64
}

// A Keeper keeps grants until they are redeemed: channels.App.
type Keeper interface {
	// Moment returns this moment's number in the app's order of grants and revocations.
	Moment() uint64
	// Keep keeps g for the socket: for its subscribe to the channel, or, where that is "", for its signin. An error
	// means that it is not kept; the policies will be asked again when the subscribe arrives.
	Keep(ctx context.Context, id protocol.SocketID, channel string, g Grant) error
}

// GrantTTL is how long a grant is kept for its socket.
const GrantTTL = 60 * time.Second

package authz

import (
	"context"
	"net/http"

	"hark/protocol"
)

// A Cause says why a [Policy] is asked.
type Cause uint8

// The causes.
const (
	Join    Cause = iota // a client wants to subscribe
	Recheck              // a live subscription is looked at again
)

// String returns "join" or "recheck", as callbacks spell it.
func (c Cause) String() string {
	if c == Recheck {
		return "recheck"
	}
	return "join"
}

// A Request is one question: may this identity be on this channel?
type Request struct {
	App      string // the app's id
	Channel  string
	Captures Captures // of the pattern that the policy is registered for, unescaped
	Pattern  string   // that pattern
	Identity Identity
	Socket   protocol.SocketID // whose subscription it is about; "" if there is none yet
	Cause    Cause
	// HTTP is the request of the client that brought the question up: a call of the auth endpoint, or the upgrade. Nil
	// where a socket has asked, or a live subscription is looked at again. Policies do not keep it.
	HTTP *http.Request
}

// Captures are what a pattern captured, by name: "private-orders.{id}" captures "id".
type Captures map[string]string

// A Policy answers a [Request]. It does not block beyond ctx. An error, a panic and the end of ctx all mean that it could
// not be asked, which opens nothing. It may be called concurrently.
type Policy interface {
	Authorize(ctx context.Context, r Request) (Decision, error)
}

// A PolicyFunc is a function that is a [Policy].
type PolicyFunc func(ctx context.Context, r Request) (Decision, error)

// Authorize calls f.
func (f PolicyFunc) Authorize(ctx context.Context, r Request) (Decision, error) { return f(ctx, r) }

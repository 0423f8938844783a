package authz

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

// A Decision is a policy's answer. The zero Decision is no opinion.
type Decision struct {
	verdict verdict
	reason  string
	info    any
	ttl     time.Duration
}

type verdict uint8

const (
	noOpinion verdict = iota
	allow
	deny
)

// Allow lets the identity in, as far as this policy is concerned.
func Allow() Decision { return Decision{verdict: allow} }

// Deny keeps the identity out, whatever other policies say. The reason is for the log and for [Registry.Explain]; no
// client is told it.
func Deny(reason string) Decision { return Decision{verdict: deny, reason: reason} }

// NoOpinion neither opens nor closes. It is the zero Decision.
func NoOpinion() Decision { return Decision{} }

// WithInfo makes v, encoded as JSON, what other members of a presence channel see, in place of [Identity.Info]. The
// member's id is that of the identity all the same: a policy cannot make one user appear as another.
func (d Decision) WithInfo(v any) Decision { d.info = v; return d }

// For makes an Allow lapse after ttl: then the policies are asked again, and the subscription ends if they do not allow
// it any more. 0: it does not lapse.
func (d Decision) For(ttl time.Duration) Decision { d.ttl = ttl; return d }

// Allowed reports whether the decision is an Allow.
func (d Decision) Allowed() bool { return d.verdict == allow }

// Denied reports whether the decision is a Deny.
func (d Decision) Denied() bool { return d.verdict == deny }

// String returns "allow", "deny: reason" or "no opinion".
func (d Decision) String() string {
	switch d.verdict {
	case allow:
		return "allow"
	case deny:
		return "deny: " + d.reason
	}
	return "no opinion"
}

// encodeInfo returns what WithInfo was given; nil if it was not.
func (d Decision) encodeInfo() (jsontext.Value, error) {
	if d.info == nil {
		return nil, nil
	}
	text, err := json.Marshal(d.info)
	if err == nil && jsontext.Value(text).Kind() != '{' {
		err = fmt.Errorf("%s is not a JSON object", text)
	}
	if err != nil {
		return nil, fmt.Errorf("info of a decision: %w", err)
	}
	return text, nil
}

// A Policy answers a [Request]. It does not block beyond ctx. An error, a panic and the end of ctx all mean that it could
// not be asked, which opens nothing. It may be called concurrently.
type Policy interface {
	Authorize(ctx context.Context, r Request) (Decision, error)
}

// A PolicyFunc is a function that is a [Policy].
type PolicyFunc func(ctx context.Context, r Request) (Decision, error)

// Authorize calls f.
func (f PolicyFunc) Authorize(ctx context.Context, r Request) (Decision, error) { return f(ctx, r) }

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

package protocol

import "fmt"

// The types of a [Rejection]. pusher-js knows AuthError, the others are ours.
const (
	AuthError      = "AuthError"      // status 401: the signature, the key or what they cover is wrong; 403: not allowed
	LimitReached   = "LimitReached"   // status 413: too many, or too big
	InvalidChannel = "InvalidChannel" // status 400: no such name
)

// A Rejection is a refused subscribe. The connection stays open.
type Rejection struct {
	Channel string // as the client named it; "" until whoever knows it fills it in
	Type    string // AuthError, LimitReached or InvalidChannel
	Status  int    // an HTTP status that says the same
	Message string // for the developer who reads the client's log
}

// Error returns the message.
func (r *Rejection) Error() string { return r.Message }

// Frames returns what the client is sent, in this order: the pusher:error of the official server, which does not name the
// channel, and a pusher:subscription_error on the channel, by which the application can tell which one it was:
//
//	{"event":"pusher:error","data":{"code":null,"message":"…"}}
//	{"event":"pusher:subscription_error","channel":"private-x","data":"{\"type\":\"AuthError\",\"error\":\"…\",\"status\":401}"}
func (r *Rejection) Frames() []Frame {
	return []Frame{(&Error{Message: r.Message}).Frame(), r.Event().Frame()}
}

// Event returns the pusher:subscription_error alone. It also tells a subscriber that its subscription has been ended.
func (r *Rejection) Event() Event {
	data := append([]byte(nil), `{"type":`...)
	data = appendQuoted(data, validUTF8(r.Type))
	data = append(data, `,"error":`...)
	data = appendQuoted(data, validUTF8(r.Message))
	data = fmt.Appendf(data, `,"status":%d}`, r.Status)
	return Event{Name: EventSubscriptionError, Channel: r.Channel, Data: string(data)}
}

func authError(channel, message string) *Rejection {
	return &Rejection{Channel: channel, Type: AuthError, Status: 401, Message: message}
}

func limitReached(channel, message string) *Rejection {
	return &Rejection{Channel: channel, Type: LimitReached, Status: 413, Message: message}
}

func invalidChannel(channel, message string) *Rejection {
	return &Rejection{Channel: channel, Type: InvalidChannel, Status: 400, Message: message}
}

// InvalidSignature refuses a signature that does not match: toSign is the string it should have signed, got the
// signature without its key. The secret cannot be found from either. Official.
func InvalidSignature(channel, toSign, got string) *Rejection {
	return authError(channel, fmt.Sprintf("Invalid signature: Expected HMAC SHA256 hex digest of %s, but got %s", toSign, got))
}

// InvalidKey refuses a signature made with a key that is not the app's. Official.
func InvalidKey(channel, key string) *Rejection {
	return authError(channel, fmt.Sprintf("Invalid key in subscription auth data: '%s'", key))
}

// AuthRequired refuses a channel that needs a signature when there is none. Official.
func AuthRequired(channel string) *Rejection {
	return authError(channel, "Auth info required to subscribe to "+channel)
}

// InvalidAuthFormat refuses an auth without a colon. Official.
func InvalidAuthFormat(channel string) *Rejection {
	return authError(channel, fmt.Sprintf(
		"Auth value for subscription to %s is invalid: should be of format 'key:signature'", channel))
}

// ChannelDataRequired refuses a presence channel without channel_data from a socket that has no other identity.
// The words are Slanger's.
func ChannelDataRequired(channel string) *Rejection {
	return authError(channel, channel+" is a presence channel and subscription must include channel_data")
}

// NotThatUser refuses a channel of server-to-user events to all but the user it names.
func NotThatUser(channel string) *Rejection {
	return authError(channel, fmt.Sprintf("Not authorized to subscribe to %s: sign in as that user first", channel))
}

// NotAuthorized refuses a channel to someone who may not be on it. It says the same whether the channel exists or not.
func NotAuthorized(channel string) *Rejection {
	return &Rejection{Channel: channel, Type: AuthError, Status: 403, Message: "Not authorized to subscribe to " + channel}
}

// TooManyMembers refuses a further user on a presence channel; limit is in users.
func TooManyMembers(channel string, limit int) *Rejection {
	return limitReached(channel, fmt.Sprintf("%s has reached its limit of %d members", channel, limit))
}

// TooManyChannels refuses a further channel to one socket; limit is in channels.
func TooManyChannels(channel string, limit int) *Rejection {
	return limitReached(channel, fmt.Sprintf(
		"Cannot subscribe to %s: this connection has reached its limit of %d channels, unsubscribe from one first", channel, limit))
}

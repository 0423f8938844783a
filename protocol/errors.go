package protocol

import (
	"fmt"
	"strconv"
)

// An Error is what a pusher:error tells a client about its connection or about a message it sent.
// It answers a message and leaves the connection open, or, with a code that closes, comes before the close frame.
type Error struct {
	Code    CloseCode // 0: null on the wire, the normal form once the connection is established
	Message string    // for the developer who reads the client's log
	Channel string    // "": not sent; else pusher-js tells the channel's handlers too
}

// NewError returns the Error of a code with its default reason.
func NewError(c CloseCode) *Error { return &Error{Code: c, Message: c.Reason()} }

// Error returns the message, with the code in front where there is one.
func (e *Error) Error() string {
	if e.Code == 0 {
		return e.Message
	}
	return strconv.Itoa(int(e.Code)) + " " + e.Message
}

// Frame returns the pusher:error. Unlike that of any other event its data is a JSON object, not a string.
// An Error of code 0 must not be sent before connection_established: pusher-js throws on it.
func (e *Error) Frame() Frame {
	const head, data, middle = `{"event":"pusher:error"`, `,"data":{"code":`, `,"message":`
	message, channel := validUTF8(e.Message), validUTF8(e.Channel)
	code := "null"
	if e.Code != 0 {
		code = strconv.Itoa(int(e.Code))
	}
	n := len(head) + len(data) + len(code) + len(middle) + quotedLen(message) + len(`}}`)
	if channel != "" {
		n += len(keyChannel) + quotedLen(channel)
	}
	b := append(newFrame(n), head...)
	if channel != "" {
		b = append(b, keyChannel...)
		b = appendQuoted(b, channel)
	}
	b = append(b, data...)
	b = append(b, code...)
	b = append(b, middle...)
	b = appendQuoted(b, message)
	b = append(b, `}}`...)
	return finishFrame(b)
}

// What clients are told. Where a comment says so the words are those of the official server, which people search for.

// InvalidJSON answers a message that is not a JSON object with an event. Official.
func InvalidJSON() *Error { return &Error{Message: "Received invalid JSON"} }

// UnknownApp refuses a connection whose URL has a key of no app. Official.
func UnknownApp(key string) *Error {
	return &Error{Code: CloseUnknownApp, Message: fmt.Sprintf("App key %s not in this cluster. Did you forget to specify the cluster?", key)}
}

// UnsupportedEvent answers an event which is neither a command nor a client event. Official.
func UnsupportedEvent(name string) *Error {
	return &Error{Message: "Unsupported event received on socket: " + name}
}

// ExistingSubscription answers a second subscribe to a channel. It is no [Rejection]: the channel is healthy. Official.
func ExistingSubscription(channel string) *Error {
	return &Error{Message: "Existing subscription to channel " + channel}
}

// InvalidClientEvent answers a client event without channel or data. Official.
func InvalidClientEvent() *Error {
	return &Error{Message: "Invalid client event (must contain channel and data)"}
}

// ClientEventsDisabled answers a client event when the app does not take them. Official.
func ClientEventsDisabled() *Error {
	return &Error{Message: "To send client events, you must enable this feature in the Settings page of your dashboard."}
}

// ClientEventKind answers a client event on a channel whose kind does not allow any. Official.
func ClientEventKind() *Error {
	return &Error{Message: "Client event rejected - only supported on private and presence channels"}
}

// ClientEventNotSubscribed answers a client event on a channel the socket has not joined. Official.
func ClientEventNotSubscribed(channel string) *Error {
	return &Error{Message: fmt.Sprintf("Cannot broadcast client event (connection not subscribed to channel %s)", channel)}
}

// ClientEventRate answers a client event beyond the limit, in events a second. The event is dropped.
func ClientEventRate(limit int) *Error {
	return &Error{Code: ErrorClientEventRate, Message: fmt.Sprintf("Client event rejected: over the rate limit of %d per second, send fewer", limit)}
}

// ClientEventData answers a client event whose data is over the limit, in bytes.
func ClientEventData(limit int) *Error {
	return &Error{Message: fmt.Sprintf("Client event rejected: its data exceeds the allowed maximum (%d bytes)", limit)}
}

package protocol

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A CloseCode says in a close frame why a connection ended, and in a pusher:error what went wrong.
// What a client does next depends on the range alone:
//
//	1000-3999  RFC 6455's own: comes back after a second
//	4000       comes back with TLS
//	4001-4099  never comes back
//	4100-4199  comes back after a second
//	4200-4299  comes back at once
//	4300-      never comes back; such codes are sent in a pusher:error and close nothing
//
// Codes of 4200-4299 are for established connections: a client refused with one during its handshake returns without
// any pause, hundreds of times a second. 4100 is the polite "not now".
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/#error-codes
type CloseCode int

// The codes of RFC 6455 which Hark sends.
const (
	CloseNormal         CloseCode = 1000
	CloseGoingAway      CloseCode = 1001
	CloseProtocolError  CloseCode = 1002
	CloseUnsupported    CloseCode = 1003 // a binary frame
	CloseInvalidPayload CloseCode = 1007 // text that is not UTF-8
	CloseTooBig         CloseCode = 1009 // a message over the limit
	CloseInternalError  CloseCode = 1011
)

// The codes of the Pusher protocol.
const (
	CloseTLSOnly             CloseCode = 4000 // never where TLS is not served: the client would try for ever
	CloseUnknownApp          CloseCode = 4001
	CloseAppDisabled         CloseCode = 4003
	CloseOverQuota           CloseCode = 4004
	ClosePathNotFound        CloseCode = 4005
	CloseInvalidVersion      CloseCode = 4006
	CloseUnsupportedProtocol CloseCode = 4007
	CloseNoProtocol          CloseCode = 4008
	CloseUnauthorized        CloseCode = 4009
	CloseOverCapacity        CloseCode = 4100
	CloseReconnect           CloseCode = 4200
	ClosePongNotReceived     CloseCode = 4201
	CloseInactive            CloseCode = 4202

	// These two are sent in a pusher:error; the connection stays open.
	ErrorClientEventRate  CloseCode = 4301
	ErrorWatchlistTooLong CloseCode = 4302
)

// MaxReason is the longest reason a close frame can carry, in bytes (RFC 6455 §5.5: 125 with the code).
const MaxReason = 123

var reasons = map[CloseCode]string{
	CloseNormal:         "Connection closed",
	CloseGoingAway:      "Server is going away",
	CloseProtocolError:  "Websocket protocol error",
	CloseUnsupported:    "Binary messages are not supported, send text",
	CloseInvalidPayload: "Text message is not valid UTF-8",
	CloseTooBig:         "Message too big",
	CloseInternalError:  "Internal server error",

	CloseTLSOnly:             "Application only accepts TLS connections, reconnect using wss://",
	CloseUnknownApp:          "App key not in this cluster. Did you forget to specify the cluster?",
	CloseAppDisabled:         "Application disabled",
	CloseOverQuota:           "Account over quota", // official
	ClosePathNotFound:        "Path not found, connect to /app/KEY",
	CloseInvalidVersion:      "Invalid version string format",
	CloseUnsupportedProtocol: "Unsupported protocol version, use 4 to 7",
	CloseNoProtocol:          "No protocol version supplied",
	CloseUnauthorized:        "Connection not authorized",
	CloseOverCapacity:        "Over capacity",
	CloseReconnect:           "Generic reconnect immediately",
	ClosePongNotReceived:     "Pong reply not received", // the docs' wording
	CloseInactive:            "Closed after inactivity",

	ErrorClientEventRate:  "Client event rejected: over the rate limit, send fewer",
	ErrorWatchlistTooLong: "Watchlist is too long, only the first users are watched",
}

// Reason returns the text that goes with a code when there is nothing more precise to say; "" for a code not named here.
func (c CloseCode) Reason() string { return reasons[c] }

// String returns the number and the reason, for logs.
func (c CloseCode) String() string {
	if r := c.Reason(); r != "" {
		return strconv.Itoa(int(c)) + " " + r
	}
	return strconv.Itoa(int(c))
}

// CutReason returns the longest beginning of s that fits into a close frame, as valid UTF-8.
func CutReason(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxReason {
		return s
	}
	n := MaxReason
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// A Reconnect is what a client does after a connection was closed.
type Reconnect uint8

// What pusher-js 8 does.
const (
	Never        Reconnect = iota // stays disconnected until the application connects again
	AfterBackoff                  // comes back after a second
	Immediately                   // comes back at once
	OverTLS                       // comes back at once, with TLS
)

// Reconnect returns what the official clients do after a close with this code (pusher-js: protocol.ts getCloseAction).
func (c CloseCode) Reconnect() Reconnect {
	switch {
	case c < 4000:
		return AfterBackoff
	case c == CloseTLSOnly:
		return OverTLS
	case c >= 4100 && c < 4200:
		return AfterBackoff
	case c >= 4200 && c < 4300:
		return Immediately
	}
	return Never
}

// String returns the constant's meaning in a word or two, for logs.
func (r Reconnect) String() string {
	switch r {
	case AfterBackoff:
		return "after backoff"
	case Immediately:
		return "immediately"
	case OverTLS:
		return "over TLS"
	}
	return "never"
}

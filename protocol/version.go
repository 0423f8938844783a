package protocol

import (
	"strconv"
	"strings"
)

// The protocol versions that are served. The Java and .NET clients speak 5, Pysher 6, the others 7.
const (
	MinVersion = 4
	MaxVersion = 7
)

// CheckVersion returns the protocol version a client asks for in the query of its URL: protocol is that parameter and
// hasProtocol whether there was one, version the library's version or "" for none.
//
//	protocol       version      result
//	not a number   any          *Error 4006
//	below 4, over 7  any        *Error 4007
//	4 to 7         malformed    *Error 4006
//	4 to 7         absent, ok   that number
//	absent         malformed    *Error 4006
//	absent         absent       *Error 4008
//	absent         ok           7
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/#connection
func CheckVersion(protocol, version string, hasProtocol bool) (int, error) {
	number := MaxVersion
	if hasProtocol {
		if !isDigits(strings.TrimPrefix(protocol, "-")) {
			return 0, NewError(CloseInvalidVersion)
		}
		n, err := strconv.Atoi(protocol)
		if err != nil || n < MinVersion || n > MaxVersion {
			return 0, NewError(CloseUnsupportedProtocol)
		}
		number = n
	}
	if version == "" && !hasProtocol {
		return 0, NewError(CloseNoProtocol)
	}
	if version != "" && !isVersion(version) {
		return 0, NewError(CloseInvalidVersion)
	}
	return number, nil
}

// isVersion reports whether s looks like a library's version. Clients are built in many ways ("8.6.0", "8.4.0-rc2",
// "3.0.0.0", "0.0.0-SNAPSHOT+9b"), so it takes all that begins with a number.
func isVersion(s string) bool {
	if len(s) > 64 || s[0] < '0' || s[0] > '9' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '-', c == '+', c == '_':
		default:
			return false
		}
	}
	return true
}

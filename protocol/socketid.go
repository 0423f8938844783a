package protocol

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// A SocketID names one connection among all of a cluster, as two numbers with a dot: "123456.7890123".
// Every official backend SDK checks that form before it sends one. "" names no socket.
type SocketID string

var errSocketID = badRequest("Invalid socket_id: it must be two numbers with a dot between, like 123.456")

// ParseSocketID returns s as a SocketID when it has the form of one: ^\d+\.\d+$. Whether there is such a socket is
// another question. The error is a [*RESTError].
func ParseSocketID(s string) (SocketID, error) {
	a, b, ok := strings.Cut(s, ".")
	if !ok || !isDigits(a) || !isDigits(b) {
		return "", errSocketID
	}
	return SocketID(s), nil
}

// NewSocketID returns a random id of 64 bits: among a million live sockets the next one is taken with a chance
// of 1 to 10^13. It may be called concurrently.
func NewSocketID() SocketID {
	id := make([]byte, 0, 21)
	id = strconv.AppendUint(id, uint64(rand.Uint32()), 10)
	id = append(id, '.')
	id = strconv.AppendUint(id, uint64(rand.Uint32()), 10)
	return SocketID(id)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

package authz

import (
	"fmt"
	"io"
	"log/slog"
)

// A Secret signs. It hides itself from everything that prints: fmt with any verb, log/slog, JSON, YAML. (fmt cannot ask
// it when it is in an unexported field of a struct that is printed; do not print such structs.)
// Convert it to a string to get at its text. The empty secret never verifies anything.
type Secret string

const redacted = "[secret]"

// String returns "[secret]".
func (Secret) String() string { return redacted }

// GoString returns "[secret]".
func (Secret) GoString() string { return redacted }

// Format writes "[secret]" for every verb. Without it, a verb that does not suit a string would print the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[secret]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[secret]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[secret]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// A Key names a secret. The name is public: it is part of every connection's URL.
type Key struct {
	Key    string // Pusher's are 20 lower-case hex digits; never contains a colon
	Secret Secret
}

// Keys are the live keys of one app, oldest first: what a [Verifier] is made of. Nil is an app that nobody can sign for.
type Keys []Key
